/* SPDX-License-Identifier: MIT */
/*
 * stray_close.c - threads that close descriptors which are not theirs, while the program makes its first socket. Those
 * that the library needs for it are not among what they can close.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLOSERS = 2 };

static _Atomic int done, rounds;

static void *close_all(void *argument) {
    while (!done) {
        for (int fd = 3; fd < 12; fd++)
            close(fd);
        rounds++;
    }
    return argument;
}

int main(void) {
    pthread_t closers[CLOSERS];
    for (int i = 0; i < CLOSERS; i++)
        pthread_create(&closers[i], NULL, close_all, NULL);
    while (rounds < 100)
        continue;
    socket(AF_INET, SOCK_STREAM, 0);
    done = 1;
    for (int i = 0; i < CLOSERS; i++)
        pthread_join(closers[i], NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9204)};
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1)) {
        perror("stray_close");
        return 1;
    }
    puts("fine");
    return 0;
}
