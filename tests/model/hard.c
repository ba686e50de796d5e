/* SPDX-License-Identifier: MIT */
/*
 * hard.c - what is hard for the library: see program.h.
 */
#include "nic/splitmix.h"
#include "tests/model/program.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Something that one thread closes while another is at it. */
struct pulled {
    int fd, epoll;
    uint64_t random;
};

static void *sleeper(void *context) {
    struct pulled *pulled = context;
    struct epoll_event events[2];
    static char bytes[1 << 20];
    me = self();
    random_state = pulled->random;
    at("in what is closed", -1, 0);
    if (pulled->epoll >= 0)
        epoll_wait(pulled->epoll, events, 2, 20);
    else
        send(pulled->fd, bytes, sizeof bytes, MSG_NOSIGNAL);
    done();
    return NULL;
}

/* A connection to the sink under a number that nobody else comes to have: a sleeper may be slow to begin, and
 * what it sends must not go to another thread's connection. */
static int connect_to_sink(void) {
    int fd = connect_to(SINK_PORT, FAR_ADDRESS), own = -1;
    if (fd < 0)
        return -1;
    own = fcntl(fd, F_DUPFD, 100 + 10 * (int)(me - world->threads));
    if (own < 0)
        forgiven("dup");
    close(fd);
    return own;
}

void pull_away(void) {
    struct pulled pulled = {.fd = -1, .epoll = -1, .random = splitmix64(&random_state)};
    struct epoll_event event = {.events = EPOLLIN};
    struct timeval limit = {0, 50000};
    pthread_t threads[2];
    bool of_epoll = one_in(2);
    int count = 0;
    pulled.fd = of_epoll ? connect_to(ECHO_PORT, FAR_ADDRESS) : connect_to_sink();
    if (pulled.fd < 0)
        return;
    setsockopt(pulled.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (of_epoll) {
        pulled.epoll = epoll_create1(0);
        if (pulled.epoll < 0 || epoll_ctl(pulled.epoll, EPOLL_CTL_ADD, pulled.fd, &event) < 0)
            goto end;
    }
    while (count < 2 && pthread_create(&threads[count], NULL, sleeper, &pulled) == 0)
        count++;
    usleep((useconds_t)below(3000));
    if (of_epoll) {
        close(pulled.epoll);
        pulled.epoll = epoll_create1(0); /* in its place, maybe */
        int other = connect_to(ECHO_PORT, FAR_ADDRESS);
        if (other >= 0) {
            if (pulled.epoll >= 0)
                epoll_ctl(pulled.epoll, EPOLL_CTL_ADD, other, &event);
            echo(other, (enum way)below(WAYS));
            close(other);
        }
    } else {
        close(pulled.fd);
        pulled.fd = connect_to_sink(); /* in its place, maybe */
    }
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
end:
    if (pulled.epoll >= 0)
        close(pulled.epoll);
    if (pulled.fd >= 0)
        close(pulled.fd);
}

/* Threads that wait for one set: each event is somebody's. */
struct herd {
    int epoll, fd, left;
};

static void *one_of_herd(void *context) {
    struct herd *herd = context;
    me = self();
    random_state = world->plan.seed * 7919 + (uint64_t)(me - world->threads) + (uint64_t)herd->left;
    while (__atomic_load_n(&herd->left, __ATOMIC_SEQ_CST) > 0) {
        struct epoll_event event;
        char bytes[100];
        at("epoll_wait of many", herd->fd, POLLIN);
        int count = epoll_wait(herd->epoll, &event, 1, 1000);
        done();
        if (count > 0 && one_in(4))
            break; /* the event is another's then */
        ssize_t got = count > 0 ? recv(herd->fd, bytes, sizeof bytes, MSG_DONTWAIT) : -1;
        if (got > 0)
            __atomic_sub_fetch(&herd->left, (int)got, __ATOMIC_SEQ_CST);
        if (got == 0)
            break;
    }
    return NULL;
}

void herd_of_threads(void) {
    struct herd herd = {.left = 30};
    struct epoll_event event = {.events = EPOLLIN};
    pthread_t threads[3];
    int count = 0;
    herd.fd = connect_to(ECHO_PORT, FAR_ADDRESS);
    herd.epoll = epoll_create1(0);
    if (herd.fd >= 0 && herd.epoll >= 0 && epoll_ctl(herd.epoll, EPOLL_CTL_ADD, herd.fd, &event) == 0)
        while (count < 3 && pthread_create(&threads[count], NULL, one_of_herd, &herd) == 0)
            count++;
    for (int i = 0; i < 3 && count > 0; i++) {
        if (send(herd.fd, "0123456789", 10, MSG_NOSIGNAL) != 10)
            __atomic_store_n(&herd.left, 0, __ATOMIC_SEQ_CST);
        usleep((useconds_t)below(500));
    }
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    if (herd.epoll >= 0)
        close(herd.epoll);
    if (herd.fd >= 0)
        close(herd.fd);
}

/* Threads that read one stream to its end: each sees it, whoever had the turn before. */
#define CROWD 3
#define CROWD_BYTES 20000

struct crowd {
    int fd;
    atomic_int bytes;
};

static void *one_of_crowd(void *context) {
    struct crowd *crowd = context;
    char bytes[8000];
    ssize_t got;
    me = self();
    random_state = world->plan.seed * 6271 + (uint64_t)(me - world->threads);
    do {
        at("read of many", crowd->fd, POLLIN);
        got = recv(crowd->fd, bytes, one_in(2) ? sizeof bytes : 1 + below(2000), 0);
        done();
        if (got > 0)
            atomic_fetch_add(&crowd->bytes, (int)got);
    } while (got > 0 || (got < 0 && forgiven("read of many")));
    return NULL;
}

void crowd_of_readers(void) {
    static const char bytes[CROWD_BYTES];
    struct crowd crowd = {.fd = connect_to(ECHO_PORT, FAR_ADDRESS)};
    pthread_t threads[CROWD];
    int count = 0;
    if (crowd.fd < 0)
        return;
    while (count < CROWD && pthread_create(&threads[count], NULL, one_of_crowd, &crowd) == 0)
        count++;
    int sent = 0;
    while (count > 0 && sent < CROWD_BYTES) {
        ssize_t result = send(crowd.fd, bytes, 1 + below((uint64_t)(CROWD_BYTES - sent)), MSG_NOSIGNAL);
        if (result > 0)
            sent += (int)result;
        else if (!forgiven("write for many"))
            break;
    }
    shutdown(crowd.fd, SHUT_WR);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    if (count > 0 && !tolerant && crowd.bytes != CROWD_BYTES)
        give_up("many readers have not read what was sent");
    close(crowd.fd);
}

static int datagrams_to(uint16_t port) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(FAR_ADDRESS)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0)
        forgiven("socket");
    else if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        give_up("connect of datagrams");
    return fd;
}

/* Fills the transmit ring by one socket, and waits for room by another, which has sent nothing. Nobody answers. */
void full_queue(void) {
    int full = datagrams_to(SINK_PORT), waiting = datagrams_to(SINK_PORT);
    char byte = 0;
    for (int i = 0; full >= 0 && i < 200 && send(full, &byte, 1, MSG_DONTWAIT) == 1; i++)
        continue;
    if (full >= 0 && waiting >= 0) {
        struct pollfd wait = {.fd = waiting, .events = POLLOUT};
        at("poll for room", waiting, POLLOUT);
        if (poll(&wait, 1, -1) < 0)
            forgiven("poll for room");
        done();
    }
    if (full >= 0)
        close(full);
    if (waiting >= 0)
        close(waiting);
}

/* Waits for its socket in one way or the other, and for nothing before. */
struct first_wait {
    int fd, epoll;
};

static void *wait_first(void *context) {
    struct first_wait *wait = context;
    struct epoll_event event;
    struct pollfd poll_one = {.fd = wait->fd, .events = POLLIN};
    me = self();
    at("first wait", wait->fd, POLLIN);
    while ((wait->epoll >= 0 ? epoll_wait(wait->epoll, &event, 1, -1) : poll(&poll_one, 1, -1)) < 0 &&
           forgiven("first wait"))
        continue;
    done();
    return NULL;
}

#define FIRST_WAITS 4

/* The event of each comes about when its thread begins to wait, and what waits on the NIC is another thread. */
void first_waits(void) {
    struct first_wait waits[FIRST_WAITS];
    struct epoll_event event = {.events = EPOLLIN};
    pthread_t threads[FIRST_WAITS];
    int count = 0, started = 0;
    while (count < FIRST_WAITS && (waits[count].fd = connect_to(ECHO_PORT, FAR_ADDRESS)) >= 0) {
        waits[count].epoll = one_in(4) ? -1 : epoll_create1(0);
        if (waits[count].epoll >= 0 &&
            epoll_ctl(waits[count].epoll, EPOLL_CTL_ADD, waits[count].fd, &event) < 0) {
            forgiven("epoll_ctl");
            close(waits[count].epoll);
            waits[count].epoll = -1;
        }
        count++;
    }
    for (int i = 0; i < count; i++) {
        ssize_t sent = send(waits[i].fd, "x", 1, MSG_NOSIGNAL);
        if (sent < 0)
            forgiven("send");
        if (sent == 1 && pthread_create(&threads[started], NULL, wait_first, &waits[i]) == 0)
            started++;
        if (one_in(2))
            usleep((useconds_t)below(100));
    }
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < count; i++) {
        if (waits[i].epoll >= 0)
            close(waits[i].epoll);
        close(waits[i].fd);
    }
}

/* Two processes give an epoll set its first sockets at once: each is to see both sockets' events. */
struct shared_page {
    _Atomic int ready[2], seen[2];
};

#define PATIENCE_NS UINT64_C(60000000000) /* a SYN may be lost */

static void look_for_both(struct shared_page *page, int own, int epoll) {
    int fd = connect_to(ECHO_PORT, FAR_ADDRESS), seen = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 1u << own}, events[2];
    page->ready[own] = 1;
    uint64_t end_ns = world->now_ns + PATIENCE_NS;
    while (!page->ready[!own] && world->now_ns < end_ns) /* both are awake then */
        usleep(20);
    if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 || send(fd, "x", 1, MSG_NOSIGNAL) != 1)
        give_up("a socket in a set of two processes");
    while (world->now_ns < end_ns && (seen != 3 || page->seen[!own] != 3)) {
        int count = epoll_wait(epoll, events, 2, 0);
        for (int j = 0; j < count; j++)
            seen |= (int)events[j].data.u32;
        page->seen[own] = seen;
        usleep(500);
    }
    if (seen != 3)
        give_up("an epoll set that two processes have is two sets");
    close(fd);
}

void shared_set(void) {
    int epoll = tolerant ? -1 : epoll_create1(0);
    struct shared_page *page =
        mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (epoll < 0 || page == MAP_FAILED)
        goto end;
    at("fork", -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        begin_child();
        look_for_both(page, 1, epoll);
        _exit(0);
    }
    done();
    if (pid > 0) {
        look_for_both(page, 0, epoll);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
end:
    if (page != MAP_FAILED)
        munmap(page, sizeof *page);
    if (epoll >= 0)
        close(epoll);
}

/* What comes from another process of the stack: it is that which wakes who sleeps here, and it may die of that. */
static void read_all(int listener) {
    struct timeval limit = {20, 0}; /* whoever was to connect may be dead */
    uint64_t end_ns = world->now_ns + PATIENCE_NS;
    int fd;
    char byte;
    ssize_t got;
    bool polls = one_in(2);
    if (setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0) {
        forgiven("SO_RCVTIMEO");
        return;
    }
    at("accept from another process", listener, POLLIN);
    do
        fd = accept(listener, NULL, NULL);
    while (fd < 0 && errno == EINTR && world->now_ns < end_ns);
    done();
    if (fd < 0) {
        if (!world->plan.no_memory || errno != EINVAL) /* a child without an account has no socket of ours */
            forgiven("accept from another process");
        return;
    }
    do {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        at("read from another process", fd, POLLIN);
        got = polls && poll(&wait, 1, -1) < 0 ? -1 : read(fd, &byte, 1);
        done();
    } while (got > 0 || (got < 0 && forgiven("read from another process")));
    close(fd);
}

void across_processes(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(NEAR_ADDRESS)};
    socklen_t length = sizeof here;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = -1;
    if (listener < 0 || bind(listener, (struct sockaddr *)&here, sizeof here) < 0 ||
        listen(listener, 5) < 0 || getsockname(listener, (struct sockaddr *)&here, &length) < 0) {
        forgiven("listen");
        if (listener >= 0)
            close(listener);
        return;
    }
    at("fork", -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        begin_child();
        read_all(listener);
        _exit(0);
    }
    done();
    if (pid > 0 && one_in(2))
        usleep((useconds_t)below(2000));
    if (pid > 0)
        fd = connect_to(ntohs(here.sin_port), NEAR_ADDRESS);
    close(listener);
    for (uint64_t count = below(12); fd >= 0 && count > 0; count--) {
        if (send(fd, "x", 1, MSG_NOSIGNAL) < 0 && !forgiven("send to another process"))
            break;
        usleep((useconds_t)below(500));
    }
    if (fd >= 0)
        close(fd);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
