/* SPDX-License-Identifier: MIT */
/*
 * spin_signal.c - a signal ends a wait that still spins (--spin), as one that sleeps; with SA_RESTART recv
 * goes on.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static int fd, set;

static void nothing(int signal) {
    (void)signal;
}

static void call(int way) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    struct epoll_event event;
    struct timespec limit = {3, 0};
    char byte;
    fd_set in;
    sigset_t none;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    sigemptyset(&none);
    long result = way == 0   ? epoll_wait(set, &event, 1, 3000)
                  : way == 1 ? poll(&poll_fd, 1, 3000)
                  : way == 2 ? ppoll(&poll_fd, 1, &limit, &none)
                  : way == 3 ? pselect(fd + 1, &in, NULL, NULL, &limit, NULL)
                             : recv(fd, &byte, 1, 0);
    printf("%s", result < 0 ? strerrorname_np(errno) : "nothing");
}

int main(void) {
    static const char *const names[] = {"epoll_wait", "poll", "ppoll", "pselect", "recv"};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7070)};
    struct epoll_event event = {.events = EPOLLIN};
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    set = epoll_create1(0);
    bind(fd, (struct sockaddr *)&address, sizeof address);
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    for (int way = 0; way < 5; way++)
        for (int restarts = 0; restarts < 2; restarts++) {
            struct sigaction action = {.sa_handler = nothing, .sa_flags = restarts ? SA_RESTART : 0};
            struct itimerval soon = {.it_value = {.tv_usec = 200000}};
            struct timeval limit = {.tv_sec = way == 4 && !restarts ? 3 : 0};
            struct timespec begun, ended;
            if (way == 4 && restarts)
                limit.tv_sec = 1; /* with a limit recv(2) ends all the same: signal(7) */
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
            sigaction(SIGALRM, &action, NULL);
            setitimer(ITIMER_REAL, &soon, NULL);
            clock_gettime(CLOCK_MONOTONIC, &begun);
            printf("%s%s ", names[way], restarts ? ", SA_RESTART," : "");
            call(way);
            clock_gettime(CLOCK_MONOTONIC, &ended);
            double seconds =
                (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) * 1e-9;
            printf(seconds > 0.15 && seconds < 0.6 ? "\n" : " after %.2f s\n", seconds);
        }
}
