/* SPDX-License-Identifier: MIT */
/*
 * interrupted_sleeps.c - a thread that sleeps in one call or another while frames come in for others, and a signal
 * for it each time: the call ends by that, at whatever moment it comes.
 *
 *   interrupted_sleeps ROUNDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PATIENCE 2000 /* milliseconds, after which a sleep counts as not interrupted */

static atomic_int begun, ended;
static atomic_bool over;
static int fd, epoll;

extern char __executable_start, etext;
static atomic_bool early; /* the signal has come before the call, which is not interrupted then */

static void on_signal(int signal, siginfo_t *info, void *context) {
    const char *at = (const char *)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    (void)signal;
    (void)info;
    early = at >= &__executable_start && at < &etext;
}

static int sleep_once(int way) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    struct epoll_event event;
    char byte;
    fd_set set;
    switch (way % 4) {
    case 0:
        return poll(&one, 1, way % 8 < 4 ? -1 : 60000);
    case 1:
        return epoll_wait(epoll, &event, 1, way % 8 < 4 ? -1 : 60000);
    case 2:
        FD_ZERO(&set);
        FD_SET(fd, &set);
        return select(fd + 1, &set, NULL, NULL, NULL);
    default:
        return (int)recv(fd, &byte, 1, 0);
    }
}

static void *sleeper(void *unused) {
    for (int way = 0; !over; way++) {
        atomic_fetch_add(&begun, 1);
        int result = sleep_once(way);
        if (!over && (result != -1 || errno != EINTR)) {
            printf("way %d: %d, errno %d\n", way % 8, result, errno);
            exit(1);
        }
        atomic_fetch_add(&ended, 1);
    }
    return unused;
}

int main(int count, char **arguments) {
    struct sockaddr_in here = {.sin_family = AF_INET};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    struct epoll_event event = {.events = EPOLLIN};
    int rounds = count > 1 ? atoi(arguments[1]) : 1000, lost = 0;
    pthread_t thread;
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    epoll = epoll_create1(0);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return 1;
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, sleeper, NULL);
    srandom(1);
    for (int i = 0; i < rounds; i++) {
        struct timespec pause = {0, 20000 + random() % 60000}, moment = {0, 1000000};
        while (begun <= i)
            continue;
        nanosleep(&pause, NULL); /* it sleeps by now, or has frames to look at */
        pthread_kill(thread, SIGUSR1);
        for (int waited = 0; ended <= i; waited++) {
            lost += waited == PATIENCE;
            if (early || waited == PATIENCE)
                pthread_kill(thread, SIGUSR1);
            nanosleep(&moment, NULL);
        }
    }
    over = true;
    while (ended <= rounds) {
        struct timespec moment = {0, 1000000};
        pthread_kill(thread, SIGUSR1);
        nanosleep(&moment, NULL);
    }
    pthread_join(thread, NULL);
    printf("%d of %d signals were lost\n", lost, rounds);
    return 0;
}
