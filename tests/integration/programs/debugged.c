/* SPDX-License-Identifier: MIT */
/*
 * debugged.c - something for a debugger to look at: with a connection to ADDRESS and PORT, and a second thread that
 * sleeps in a call of the kernel's, it waits for data (in wait_here) until somebody ends it, or ends itself by abort(3)
 * (in crash_here).
 *
 *   debugged ADDRESS PORT wait | crash
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];

static __attribute__((noinline)) long sleep_here(void) {
    char byte;
    long got = read(ends[0], &byte, 1);
    return got + 1;
}

static void *sleeper(void *unused) {
    sleep_here();
    return unused;
}

static __attribute__((noinline)) long wait_here(int fd) {
    char byte;
    printf("waits\n");
    fflush(stdout);
    long got = read(fd, &byte, 1);
    return got + 1;
}

static __attribute__((noinline)) void crash_here(int fd) {
    if (fd >= 0)
        abort();
}

int main(int count, char **arguments) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    pthread_t thread;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (count != 4 || pipe(ends) < 0 || pthread_create(&thread, NULL, sleeper, NULL) != 0)
        return 2;
    to.sin_port = htons((unsigned short)atoi(arguments[2]));
    inet_aton(arguments[1], &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return 2;
    if (strcmp(arguments[3], "wait") == 0)
        return (int)wait_here(fd);
    sleep(1); /* for the other thread to be asleep */
    crash_here(fd);
    return 0;
}
