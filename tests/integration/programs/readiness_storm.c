/* SPDX-License-Identifier: MIT */
/*
 * readiness_storm.c ADDRESS SECONDS - threads wait on epoll sets in every way while others add, change, copy
 * and close sets and sockets: no wake-up is lost.
 *
 * Channels are connections over which one byte at a time goes to whoever waits. He says by an eventfd of the
 * kernel's that it has come; the writer waits for that before it writes the next, five seconds at most.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHANNELS 4
#define WAITERS 6
#define MUTATORS 3
#define COPIES 4
#define STRANGE 1000 /* data of what is no channel */

static struct channel {
    int reader, writer, heard;
    unsigned events;
} channels[CHANNELS];

static int set, outer, listener;
static struct sockaddr_in address;
static _Atomic int copies[COPIES]; /* numbers of the set, which are closed at any moment */
static _Atomic bool over;
static _Atomic long rounds, changes;
static _Atomic int failed;

static void make_pair(int pair[2]) {
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    pthread_mutex_lock(&one);
    if (connect(pair[0], (struct sockaddr *)&address, sizeof address) < 0)
        perror("connect");
    pair[1] = accept(listener, NULL, NULL);
    pthread_mutex_unlock(&one);
}

static void control(int which, int operation, int fd, unsigned events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    epoll_ctl(which, operation, fd, &event);
}

static void take(const struct epoll_event *event) {
    char bytes[16];
    uint64_t one = 1;
    if (event->data.u64 >= CHANNELS)
        return;
    struct channel *channel = &channels[event->data.u64];
    ssize_t got = recv(channel->reader, bytes, sizeof bytes, MSG_DONTWAIT);
    if (channel->events & EPOLLONESHOT)
        control(set, EPOLL_CTL_MOD, channel->reader, channel->events, event->data.u64);
    if (got > 0 && write(channel->heard, &one, sizeof one) < 0)
        perror("write");
}

static void *wait_so(void *argument) {
    intptr_t way = (intptr_t)argument;
    struct epoll_event events[4];
    while (!over) {
        int number = set;
        struct pollfd both[] = {{set, POLLIN, 0}, {channels[0].reader, POLLIN, 0}};
        fd_set in;
        struct timeval limit = {1, 0};
        FD_ZERO(&in);
        FD_SET(set, &in);
        if (way == 1)
            poll(both, 1 + (unsigned)(changes & 1), 1000);
        else if (way == 2)
            epoll_wait(outer, events, 1, 1000);
        else if (way == 3)
            number = copies[(unsigned)changes % COPIES];
        else if (way == 4)
            select(set + 1, &in, NULL, NULL, &limit);
        int count = epoll_wait(number, events, 4, way == 0 || way == 3 || way == 5 ? 1000 : 0);
        for (int i = 0; i < count; i++)
            take(&events[i]);
    }
    return NULL;
}

static void *write_on(void *argument) {
    struct channel *channel = argument;
    while (!over) {
        struct pollfd heard = {channel->heard, POLLIN, 0};
        uint64_t ignored;
        if (write(channel->writer, "x", 1) != 1 || poll(&heard, 1, 5000) != 1 ||
            read(channel->heard, &ignored, sizeof ignored) < 0) {
            printf("channel %d: a wake-up is lost\n", (int)(channel - channels));
            failed = 1;
            over = true;
        }
        rounds++;
    }
    return NULL;
}

static void change(unsigned what, unsigned random) {
    int pair[2], other;
    struct epoll_event event;
    const struct channel *channel = &channels[random % CHANNELS];
    switch (what) {
    case 0: /* a number of the set is closed, whoever waits by it, and another is made */
        other = atomic_exchange(&copies[random % COPIES], dup(set));
        close(other);
        break;
    case 1: /* a socket comes, has data, and goes */
        make_pair(pair);
        control(set, EPOLL_CTL_ADD, pair[0], EPOLLIN | (random & 1 ? EPOLLET : 0), STRANGE);
        if (write(pair[1], "x", 1) == 1 && random & 2)
            control(set, EPOLL_CTL_DEL, pair[0], 0, 0);
        close(pair[random >> 2 & 1]);
        close(pair[!(random >> 2 & 1)]);
        break;
    case 2: /* a set that has a channel, too, and somebody who waits for it */
        other = epoll_create1(0);
        control(other, EPOLL_CTL_ADD, channel->reader, EPOLLIN | EPOLLET, STRANGE);
        epoll_wait(other, &event, 1, (int)(random % 3));
        close(other);
        break;
    case 3: /* a copy of a channel's number in the set */
        other = dup(channel->reader);
        control(set, EPOLL_CTL_ADD, other, EPOLLIN | EPOLLET, STRANGE + 1);
        if (random & 4)
            control(set, EPOLL_CTL_DEL, other, 0, 0);
        else
            control(set, EPOLL_CTL_MOD, other, 0, STRANGE + 1);
        control(set, EPOLL_CTL_DEL, other, 0, 0);
        close(other);
        break;
    case 4:
        control(set, EPOLL_CTL_MOD, channel->reader, channel->events, (uint64_t)(channel - channels));
        break;
    case 5: /* the set goes into another, and out again */
        other = epoll_create1(0);
        control(other, EPOLL_CTL_ADD, set, EPOLLIN, STRANGE);
        epoll_wait(other, &event, 1, 0);
        close(other);
        break;
    default: /* a child that has it all, and ends */
        if (random % 64 == 0) {
            pid_t child = fork();
            if (child == 0)
                _exit(epoll_ctl(set, EPOLL_CTL_MOD, -1, &event) == 0);
            waitpid(child, NULL, 0);
        }
    }
    changes++;
}

static void *mutate(void *argument) {
    unsigned state = (unsigned)(intptr_t)argument * 2654435761u + 1;
    while (!over) {
        state = state * 1103515245u + 12345u;
        change(state >> 16 & 7, state >> 20);
    }
    return NULL;
}

int main(int count, char **arguments) {
    static const unsigned events[CHANNELS] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT, EPOLLIN};
    pthread_t threads[WAITERS + MUTATORS + CHANNELS];
    int made = 0, pair[2];
    socklen_t length = sizeof address;
    if (count < 3 || !inet_aton(arguments[1], &address.sin_addr))
        return 2;
    signal(SIGPIPE, SIG_IGN);
    set = epoll_create1(0); /* before there is a socket: some begin to wait then */
    outer = epoll_create1(0);
    control(outer, EPOLL_CTL_ADD, set, EPOLLIN, 0);
    for (int i = 0; i < COPIES; i++)
        copies[i] = dup(set);
    for (int i = 0; i < CHANNELS; i++)
        channels[i].reader = -1;
    for (intptr_t i = 0; i < WAITERS / 2; i++)
        pthread_create(&threads[made++], NULL, wait_so, (void *)i);
    usleep(20000);
    address.sin_family = AF_INET;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 100);
    getsockname(listener, (struct sockaddr *)&address, &length);
    for (int i = 0; i < CHANNELS; i++) {
        make_pair(pair);
        channels[i] = (struct channel){pair[1], pair[0], eventfd(0, 0), events[i]};
        control(set, EPOLL_CTL_ADD, pair[1], events[i], (uint64_t)i);
    }
    for (intptr_t i = WAITERS / 2; i < WAITERS; i++)
        pthread_create(&threads[made++], NULL, wait_so, (void *)i);
    for (intptr_t i = 0; i < MUTATORS; i++)
        pthread_create(&threads[made++], NULL, mutate, (void *)i);
    for (int i = 0; i < CHANNELS; i++)
        pthread_create(&threads[made++], NULL, write_on, &channels[i]);
    for (int i = 0; i < atoi(arguments[2]) * 10 && !over; i++)
        usleep(100000);
    over = true;
    for (int i = 0; i < made; i++)
        pthread_join(threads[i], NULL);
    if (!failed)
        printf("%ld rounds, %ld changes, nothing is lost\n", rounds, changes);
    return failed;
}
