/* SPDX-License-Identifier: MIT */
/*
 * ender.c - a program ends, in a way of the caller's choice, while four of its threads work with a socket
 * each.
 *
 *   ender exit|quick_exit|_exit|abort|exec|SIGNAL HOST
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sockaddr_in to = {.sin_family = AF_INET};

static void *busy(void *unused) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    connect(fd, (struct sockaddr *)&to, sizeof to);
    for (;;) {
        close(socket(AF_INET, SOCK_STREAM, 0));
        if (send(fd, "x", 1, 0) < 0)
            usleep(100);
    }
    return unused;
}

int main(int count, char **arguments) {
    pthread_t thread;
    if (count != 3 || inet_pton(AF_INET, arguments[2], &to.sin_addr) != 1)
        return 2;
    to.sin_port = htons(9);
    for (int i = 0; i < 4; i++)
        pthread_create(&thread, NULL, busy, NULL);
    usleep(50000);
    if (strcmp(arguments[1], "quick_exit") == 0)
        quick_exit(3);
    if (strcmp(arguments[1], "_exit") == 0)
        _exit(3);
    if (strcmp(arguments[1], "abort") == 0)
        abort();
    if (strcmp(arguments[1], "exec") == 0) {
        execl("/nowhere", "nowhere", NULL);
        usleep(20000); /* it has failed: the threads go on */
        execl("/bin/sh", "sh", "-c", "exit 3", NULL);
    }
    if (atoi(arguments[1]) > 0) {
        signal(atoi(arguments[1]), SIG_DFL);
        kill(getpid(), atoi(arguments[1]));
        pause();
    }
    return 3;
}
