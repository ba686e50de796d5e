/* SPDX-License-Identifier: MIT */
/*
 * fork_sockets.c - the time of fork(2), _exit(2) and wait(2) of a program with 1,000 open sockets:
 * microseconds, on stdout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS 1000
#define FORKS 300

static double now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int main(void) {
    struct rlimit limit = {SOCKETS + 100, SOCKETS + 100};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < SOCKETS; i++)
        if (socket(AF_INET, SOCK_STREAM, 0) < 0)
            return 1;
    double begun = now_us();
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        if (child < 0 || waitpid(child, NULL, 0) != child)
            return 1;
    }
    printf("%.1f\n", (now_us() - begun) / FORKS);
    return 0;
}
