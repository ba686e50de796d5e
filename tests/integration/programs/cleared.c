/* SPDX-License-Identifier: MIT */
/*
 * cleared.c - a program that has cleared its environment, and has libc run a command: by system(3), popen(3)
 * and wordexp(3), before its first socket and after it.
 *
 *   cleared COMMAND      prints what each has printed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wordexp.h>

static void run(const char *command) {
    char text[200] = "", substitution[1000];
    wordexp_t words;
    fflush(stdout);
    if (system(command) != 0)
        printf("system failed\n");
    FILE *stream = popen(command, "r");
    if (stream && fgets(text, sizeof text, stream))
        printf("%s", text);
    if (!stream || pclose(stream) != 0)
        printf("popen failed\n");
    snprintf(substitution, sizeof substitution, "$(%s)", command);
    if (wordexp(substitution, &words, 0) == 0 && words.we_wordc > 0)
        printf("%s\n", words.we_wordv[0]);
}

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    clearenv();
    run(arguments[1]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    run(arguments[1]);
    return fd < 0;
}
