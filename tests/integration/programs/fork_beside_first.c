/* SPDX-License-Identifier: MIT */
/*
 * fork_beside_first.c - one thread makes the process's first socket while another makes children, which make sockets
 * themselves.
 *
 *   fork_beside_first ROUNDS
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_bool made;

static void *first_socket(void *unused) {
    bool good = socket(AF_INET, SOCK_STREAM, 0) >= 0;
    made = true;
    (void)unused;
    return good ? &made : NULL;
}

static int end_of(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static int in_child(void) {
    struct sockaddr_in any = {.sin_family = AF_INET};
    alarm(10); /* it may not be able to go on */
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return bind(fd, (struct sockaddr *)&any, sizeof any) == 0 ? 0 : 1;
}

static int one_round(void) {
    pthread_t thread;
    void *good;
    int failed = 0;
    pthread_create(&thread, NULL, first_socket, NULL);
    while (!made) {
        pid_t child = fork();
        if (child == 0)
            _exit(in_child());
        failed += end_of(child) != 0;
    }
    pthread_join(thread, &good);
    return failed + !good;
}

int main(int count, char **arguments) {
    int failed = 0;
    for (int i = 0; count > 1 && i < atoi(arguments[1]); i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(one_round());
        failed += end_of(child) != 0;
    }
    printf("%d rounds failed\n", failed);
    return 0;
}
