/* SPDX-License-Identifier: MIT */
/*
 * many.c - many threads, or processes, of one stack at once: each makes round trips of 64 bytes on a
 * connection of its own. Prints how many there were in a second, all together.
 *
 *   many serve PORT                                     answers for ever, by epoll
 *   many ask ADDRESS PORT threads|processes N SECONDS
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 64
#define MOST 256

static struct shared {
    _Atomic uint64_t trips[MOST * 8]; /* a cache line each */
    atomic_int ready, failed;
    atomic_bool begun, over;
} * shared;

static struct sockaddr_in server = {.sin_family = AF_INET};

static void no_delay(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static int serve(void) {
    struct epoll_event events[64];
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&server, sizeof server) < 0 || listen(listener, MOST) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        return 1;
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            char data[BYTES];
            int fd = events[i].data.fd;
            if (fd == listener) {
                event.data.fd = accept(listener, NULL, NULL);
                no_delay(event.data.fd);
                epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
                continue;
            }
            ssize_t got = recv(fd, data, sizeof data, 0);
            if (got <= 0 || send(fd, data, (size_t)got, MSG_NOSIGNAL) < 0)
                close(fd);
        }
    }
}

static void *ask(void *context) {
    _Atomic uint64_t *trips = &shared->trips[(intptr_t)context * 8];
    char data[BYTES] = "ping";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool connected = connect(fd, (struct sockaddr *)&server, sizeof server) == 0;
    no_delay(fd);
    shared->ready++;
    while (!shared->begun)
        usleep(1000);
    while (connected && !shared->over) {
        if (send(fd, data, sizeof data, 0) != sizeof data ||
            recv(fd, data, sizeof data, MSG_WAITALL) != sizeof data)
            break;
        atomic_store_explicit(trips, *trips + 1, memory_order_relaxed);
    }
    shared->failed += !shared->over;
    close(fd);
    return NULL;
}

static uint64_t sum(int count) {
    uint64_t total = 0;
    for (int i = 0; i < count; i++)
        total += shared->trips[i * 8];
    return total;
}

static int run(bool processes, int count, double seconds) {
    pthread_t threads[MOST];
    for (intptr_t i = 0; i < count; i++) {
        if (!processes) {
            pthread_create(&threads[i], NULL, ask, (void *)i);
        } else if (fork() == 0) {
            ask((void *)i);
            _exit(0);
        }
    }
    while (shared->ready < count)
        usleep(1000);
    shared->begun = true;
    usleep(200000);
    uint64_t before = sum(count);
    usleep((useconds_t)(seconds * 1e6));
    uint64_t trips = sum(count) - before;
    shared->over = true;
    for (int i = 0; i < count; i++)
        if (processes)
            wait(NULL);
        else
            pthread_join(threads[i], NULL);
    printf("%.0f\n", (double)trips / seconds);
    return shared->failed != 0;
}

int main(int count, char **arguments) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    if (count == 3 && strcmp(arguments[1], "serve") == 0) {
        server.sin_port = htons((uint16_t)atoi(arguments[2]));
        return serve();
    }
    if (count != 7 || strcmp(arguments[1], "ask") != 0 || atoi(arguments[5]) > MOST)
        return 2;
    inet_aton(arguments[2], &server.sin_addr);
    server.sin_port = htons((uint16_t)atoi(arguments[3]));
    return run(arguments[4][0] == 'p', atoi(arguments[5]), atof(arguments[6]));
}
