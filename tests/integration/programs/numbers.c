/* SPDX-License-Identifier: MIT */
/*
 * numbers.c - threads whose first wait it is come and go, for which the library makes descriptors, while the program
 * puts its own under numbers that it names: those stay what they are.
 *
 *   numbers ROUNDS
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS 3
#define NUMBERS 8

static atomic_bool over;
static int fd;

static void *wait_once(void *unused) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    poll(&one, 1, 1);
    return unused;
}

static void *make_threads(void *unused) {
    pthread_t thread;
    while (!over && pthread_create(&thread, NULL, wait_once, NULL) == 0)
        pthread_join(thread, NULL);
    return unused;
}

int main(int count, char **arguments) {
    pthread_t threads[THREADS];
    int own[2], lost = 0;
    struct stat wanted, found;
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (pipe(own) < 0 || fstat(own[0], &wanted) < 0)
        return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, make_threads, NULL);
    for (int i = 0; count > 1 && i < atoi(arguments[1]); i++) {
        int first = own[1] + 1;
        for (int at = first; at < first + NUMBERS; at++)
            lost += dup2(own[0], at) != at;
        if (i % 16 == 0)
            usleep(100);
        for (int at = first; at < first + NUMBERS; at++)
            lost += fstat(at, &found) < 0 || found.st_ino != wanted.st_ino || close(at) < 0;
    }
    over = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d lost\n", lost);
    return 0;
}
