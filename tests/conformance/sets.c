/* SPDX-License-Identifier: MIT */
/*
 * sets.c - an epoll set is known by what it is, whatever number it has, in whatever process: sockets are
 * added by one number and waited for by another. Each case runs in a process of its own, which has no socket
 * before.
 */
#include "tests/conformance/conformance.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int pair[2], pipes[2];

/* A descriptor in a message. */
static void send_descriptor(int over, int fd) {
    char control[CMSG_SPACE(sizeof fd)] = {0}, byte = 'x';
    struct iovec piece = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    sendmsg(over, &message, 0);
}

static int receive_descriptor(int over) {
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int fd = -1;
    if (recvmsg(over, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

static int by_dup(int set) {
    return dup(set);
}
static int by_dup2(int set) {
    return dup2(set, 70);
}
static int by_dup3(int set) {
    return dup3(set, 71, O_CLOEXEC);
}
static int by_fcntl(int set) {
    return fcntl(set, F_DUPFD, 40);
}
static int by_fcntl_cloexec(int set) {
    return fcntl(set, F_DUPFD_CLOEXEC, 3);
}
static int by_message(int set) {
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    send_descriptor(ends[0], set);
    return receive_descriptor(ends[1]);
}
static int by_pidfd(int set) {
    return pidfd_getfd((int)syscall(SYS_pidfd_open, getpid(), 0), set, 0);
}
static int by_syscall(int set) {
    return (int)syscall(SYS_dup, set);
}
static int by_itself(int set) {
    return set;
}

static const struct {
    const char *name;
    int (*copy)(int);
} ways[] = {{"itself", by_itself},     {"dup", by_dup},           {"dup2", by_dup2},
            {"dup3", by_dup3},         {"F_DUPFD", by_fcntl},     {"F_DUPFD_CLOEXEC", by_fcntl_cloexec},
            {"a message", by_message}, {"pidfd_getfd", by_pidfd}, {"syscall(2)", by_syscall}};

enum moment {
    BEFORE_ALL,    /* the set and its copy are there before the process has any socket */
    BEFORE_SOCKET, /* ... before its own sockets */
    IN_BETWEEN,    /* it is copied when the sockets are there */
    AFTER_ADD,     /* ... when one is in the set */
    MOMENTS
};
static const char *const moments[] = {"before all", "before its sockets", "in between", "after the add"};

static int compare_data(const void *a, const void *b) {
    uint64_t first = ((const struct epoll_event *)a)->data.u64,
             second = ((const struct epoll_event *)b)->data.u64;
    return (first > second) - (first < second);
}

/* In no order: that in which events came is not a promise. */
static void report(int count, struct epoll_event *events, char *text) {
    if (count > 1)
        qsort(events, (size_t)count, sizeof *events, compare_data);
    sprintf(text, "%s", result(count));
    for (int i = 0; i < count; i++)
        sprintf(text + strlen(text), " %x:%llu", events[i].events, (unsigned long long)events[i].data.u64);
}

/* How one waits; a second at most. */
static void by_epoll(int set, int ms, char *text) {
    struct epoll_event events[4] = {{0}};
    report(epoll_wait(set, events, 4, ms), events, text);
}
static void by_epoll_pwait2(int set, int ms, char *text) {
    struct epoll_event events[4] = {{0}};
    struct timespec limit = {ms / 1000, ms % 1000 * 1000000};
    report(epoll_pwait2(set, events, 4, &limit, NULL), events, text);
}
static void by_poll(int set, int ms, char *text) {
    struct pollfd fd = {.fd = set, .events = POLLIN};
    const char *count = result(poll(&fd, 1, ms));
    char then[100];
    by_epoll(set, 0, then);
    sprintf(text, "%s %x, then %s", count, fd.revents, then);
}
static void by_select(int set, int ms, char *text) {
    fd_set in;
    struct timeval limit = {ms / 1000, ms % 1000 * 1000};
    FD_ZERO(&in);
    FD_SET(set, &in);
    const char *count = result(select(set + 1, &in, NULL, NULL, &limit));
    char then[100];
    by_epoll(set, 0, then);
    sprintf(text, "%s, then %s", count, then);
}
static void by_outer(int set, int ms, char *text) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 99};
    int outer = epoll_create1(0);
    char first[100], then[100];
    epoll_ctl(outer, EPOLL_CTL_ADD, set, &event);
    by_epoll(outer, ms, first);
    by_epoll(set, 0, then);
    sprintf(text, "%s, then %s", first, then);
    close(outer);
}

static const struct waiting_way {
    const char *name;
    void (*wait)(int set, int ms, char *text);
} waits[] = {{"epoll_wait", by_epoll},
             {"epoll_pwait2", by_epoll_pwait2},
             {"poll", by_poll},
             {"select", by_select},
             {"a set that it is in", by_outer}};
#define WAITS (sizeof waits / sizeof *waits)

/* Until a thread sleeps in its call, two seconds at most: the machine may be busy. */
static void await_sleep(_Atomic int *thread) {
    char path[60], line[200];
    for (int i = 0, asleep = 0; i < 400 && asleep < 4; i++, usleep(5000)) {
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", *thread);
        FILE *file = *thread ? fopen(path, "r") : NULL;
        bool found = file && fgets(line, sizeof line, file) && strstr(line, ") S ");
        asleep = found ? asleep + 1 : 0;
        if (file)
            fclose(file);
    }
}

struct sleeper {
    const struct waiting_way *way;
    int set;
    _Atomic int number;
    char text[200];
    pthread_t thread;
};

static void *sleep_so(void *context) {
    struct sleeper *sleeper = context;
    sleeper->number = gettid();
    sleeper->way->wait(sleeper->set, 1000, sleeper->text);
    return NULL;
}

static void sleeper_start(struct sleeper *sleeper, const struct waiting_way *way, int set) {
    sleeper->way = way;
    sleeper->set = set;
    sleeper->number = 0;
    pthread_create(&sleeper->thread, NULL, sleep_so, sleeper);
    await_sleep(&sleeper->number);
}

static const char *sleeper_end(struct sleeper *sleeper) {
    pthread_join(sleeper->thread, NULL);
    return sleeper->text;
}

static void add(int set, int fd, unsigned events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

/* Runs a case in a child; the kernel's or ours. */
static void in_child(void (*run)(const char *name, int argument, int second), const char *name, int argument,
                     int second) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        run(name, argument, second);
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (status)
        outcome("epoll sets", name, "ended by %d", status);
}

static void copied(const char *name, int way, int moment) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 8};
    char text[200], data[8];
    if (moment != BEFORE_ALL)
        close(socket(family, SOCK_STREAM, 0));
    int set = epoll_create1(0), copy = moment <= BEFORE_SOCKET ? ways[way].copy(set) : -1;
    make_pair(pair);
    nonblocking(pair[0], true);
    if (moment == IN_BETWEEN)
        copy = ways[way].copy(set);
    add(moment == AFTER_ADD ? set : copy, pair[0], EPOLLIN, 7);
    if (moment == AFTER_ADD)
        copy = ways[way].copy(set);
    add(set, pair[1], EPOLLIN, 9);
    write(pair[1], "x", 1);
    settle();
    for (size_t i = 0; i < WAITS; i++) {
        char look[100];
        snprintf(look, sizeof look, "%s: %s by the first", name, waits[i].name);
        waits[i].wait(set, 0, text);
        outcome("epoll sets", look, "%s", text);
        snprintf(look, sizeof look, "%s: %s by the copy", name, waits[i].name);
        waits[i].wait(copy, 0, text);
        outcome("epoll sets", look, "%s", text);
    }
    read(pair[0], data, sizeof data);
    for (size_t i = 0; i < WAITS; i++) {
        char look[100];
        snprintf(look, sizeof look, "%s: %s when it is read", name, waits[i].name);
        waits[i].wait(set, 0, text);
        outcome("epoll sets", look, "%s", text);
    }
    const char *results[] = {result(epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event)),
                             result(epoll_ctl(set, EPOLL_CTL_MOD, pair[0], &event)),
                             result(epoll_ctl(copy, EPOLL_CTL_MOD, pair[1], &event)),
                             result(epoll_ctl(set, EPOLL_CTL_DEL, pair[0], &event)),
                             result(epoll_ctl(copy, EPOLL_CTL_DEL, pair[0], &event))};
    write(pair[0], "y", 1);
    settle();
    by_epoll(set, 0, text);
    outcome("epoll sets", name, "%s %s %s %s %s: %s", results[0], results[1], results[2], results[3],
            results[4], text);
    if (copy != set)
        close(set);
    by_epoll(copy, 0, text);
    outcome("epoll sets", name, "the first is closed: %s", text);
}

/* Two threads sleep on a set before it has a socket of ours; then one comes. */
static void asleep(const char *name, int way, int joined) {
    struct sleeper first, second;
    char text[200], data[8];
    if (joined)
        close(socket(family, SOCK_STREAM, 0));
    int set = epoll_create1(0);
    if (joined > 1) {
        pipe(pipes);
        add(set, pipes[0], EPOLLIN, 5);
    }
    sleeper_start(&first, &waits[way], set);
    sleeper_start(&second, &waits[way], set);
    make_pair(pair);
    nonblocking(pair[0], true);
    add(set, pair[0], EPOLLIN, 7);
    usleep(20000);
    write(pair[1], "x", 1);
    outcome("epoll sets", name, "%s", sleeper_end(&first));
    outcome("epoll sets", name, "the other: %s", sleeper_end(&second));
    read(pair[0], data, sizeof data);
    settle();
    waits[way].wait(set, 0, text);
    outcome("epoll sets", name, "read: %s", text);
    sleeper_start(&first, &waits[way], set);
    write(pair[1], "x", 1);
    outcome("epoll sets", name, "more: %s", sleeper_end(&first));
    if (joined > 1) {
        read(pair[0], data, sizeof data);
        sleeper_start(&first, &waits[way], set);
        write(pipes[1], "x", 1);
        outcome("epoll sets", name, "the pipe: %s", sleeper_end(&first));
    }
}

/* The socket is ready when it comes. */
static void asleep_and_ready(const char *name, int way, int joined) {
    struct sleeper sleeper;
    if (joined)
        close(socket(family, SOCK_STREAM, 0));
    int set = epoll_create1(0);
    sleeper_start(&sleeper, &waits[way], set);
    make_pair(pair);
    write(pair[1], "x", 1);
    settle();
    add(set, pair[0], EPOLLIN | EPOLLONESHOT, 7);
    outcome("epoll sets", name, "%s", sleeper_end(&sleeper));
}

/* A parent and a child have a set from before it had a socket; one adds, the other waits. */
static void across_fork(const char *name, int way, int how) {
    bool child_adds = how & 1, joined = how & 2, asleep_before = how & 4;
    int set, there[2], back[2], status;
    char text[200] = "", byte;
    if (joined)
        close(socket(family, SOCK_STREAM, 0));
    set = epoll_create1(0);
    pipe(there);
    pipe(back);
    fflush(stdout);
    pid_t child = fork();
    bool adds = (child == 0) == child_adds;
    int out = child == 0 ? back[1] : there[1], in = child == 0 ? there[0] : back[0];
    struct sleeper sleeper;
    if (adds) {
        read(in, &byte, 1);
        make_pair(pair);
        add(set, pair[0], EPOLLIN, 7);
        write(pair[1], "x", 1);
        settle();
        write(out, "x", 1);
        read(in, &byte, 1);
        read(pair[0], &byte, 1);
        write(out, "x", 1);
        read(in, &byte, 1);
    } else {
        if (asleep_before)
            sleeper_start(&sleeper, &waits[way], set);
        write(out, "x", 1);
        read(in, &byte, 1);
        if (asleep_before)
            strcpy(text, sleeper_end(&sleeper));
        else
            waits[way].wait(set, 1000, text);
        outcome("epoll sets", name, "%s", text);
        write(out, "x", 1);
        read(in, &byte, 1);
        waits[way].wait(set, 0, text);
        outcome("epoll sets", name, "read: %s", text);
        write(out, "x", 1);
    }
    fflush(stdout);
    if (child == 0)
        _exit(0);
    waitpid(child, &status, 0);
}

/* A set goes to another process in a message; the sender keeps it or not, has added a socket or not. */
static void sent(const char *name, int way, int how) {
    bool keeps = how & 1, added = how & 2, receiver_joined = how & 4;
    int over[2], set = epoll_create1(0), status;
    char text[200];
    socketpair(AF_UNIX, SOCK_STREAM, 0, over);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        if (receiver_joined)
            close(socket(family, SOCK_STREAM, 0));
        close(set);
        write(over[1], "r", 1);
        set = receive_descriptor(over[1]);
        write(over[1], "x", 1);
        read(over[1], &byte, 1);
        waits[way].wait(set, 1000, text);
        outcome("epoll sets", name, "%s", text);
        fflush(stdout);
        write(over[1], "x", 1);
        _exit(0);
    }
    char byte;
    close(over[1]);
    make_pair(pair);
    if (added)
        add(set, pair[0], EPOLLIN, 7);
    read(over[0], &byte, 1);
    send_descriptor(over[0], set);
    if (!added) {
        read(over[0], &byte, 1);
        add(set, pair[0], EPOLLIN, 7);
    }
    if (!keeps)
        close(set);
    if (added)
        read(over[0], &byte, 1);
    write(pair[1], "x", 1);
    settle();
    write(over[0], "x", 1);
    read(over[0], &byte, 1);
    waitpid(child, &status, 0);
}

/* exec(2) goes on with the set. */
static void executed(const char *name, int way, int how) {
    bool kernels_too = how & 1, socket_too = how & 2;
    char number[12], socket_number[12], wait[12];
    int set = epoll_create1(0), status;
    make_pair(pair);
    pipe(pipes);
    add(set, pair[0], EPOLLIN, 7);
    if (kernels_too) {
        add(set, pipes[0], EPOLLIN, 5);
        write(pipes[1], "x", 1);
    }
    if (!socket_too)
        fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    write(pair[1], "x", 1);
    settle();
    snprintf(number, sizeof number, "%d", set);
    snprintf(socket_number, sizeof socket_number, "%d", pair[0]);
    snprintf(wait, sizeof wait, "%d", way);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "conformance", own_text, nobody_text, "in-exec", name, number, socket_number,
              wait, NULL);
        _exit(3);
    }
    waitpid(child, &status, 0);
    if (status)
        outcome("epoll sets", name, "the program ended by %d", status);
}

/* What exec has begun: has the set by its number. */
void sets_after_exec(char **arguments) {
    char text[200];
    const char *name = arguments[0];
    int set = atoi(arguments[1]), fd = atoi(arguments[2]), way = atoi(arguments[3]);
    waits[way].wait(set, 500, text);
    outcome("epoll sets", name, "%s", text);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 8};
    outcome("epoll sets", name, "MOD %s", result(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event)));
    waits[way].wait(set, 0, text);
    outcome("epoll sets", name, "%s", text);
    outcome("epoll sets", name, "DEL %s", result(epoll_ctl(set, EPOLL_CTL_DEL, fd, &event)));
    waits[way].wait(set, 0, text);
    outcome("epoll sets", name, "%s", text);
}

/* A thread sleeps on a set while another closes the descriptor, or the socket in it. */
static void closed(const char *name, int way, int how) {
    struct sleeper sleeper, second;
    int set = epoll_create1(0), other = -1;
    make_pair(pair);
    add(set, pair[0], EPOLLIN, 7);
    sleeper_start(&sleeper, &waits[way], set);
    sleeper_start(&second, &waits[way], set);
    if (how == 1)
        other = dup(pair[0]);
    if (how <= 1)
        close(how ? pair[0] : set);
    if (how == 2) {
        close(set);
        other = epoll_create1(0);
    }
    for (int i = 0; i < 50; i++) { /* what was freed is used again */
        int more = epoll_create1(0);
        add(more, pair[1], EPOLLIN, 1);
        close(more);
    }
    write(pair[1], "x", 1);
    const char *text = sleeper_end(&sleeper);
    outcome("epoll sets", name, "%.*s", way == 2 || way == 3 ? 1 : 200, text);
    sleeper_end(&second);
    if (other >= 0)
        close(other);
}

struct blocked {
    int fd, way;
    _Atomic int number;
    char text[100];
};

static void *block(void *context) {
    struct blocked *blocked = context;
    static char data[1 << 20];
    union address address = address_of(own, 0);
    socklen_t length = sizeof address;
    blocked->number = gettid();
    long value = blocked->way == 0   ? recv(blocked->fd, data, 8, 0)
                 : blocked->way == 1 ? send(blocked->fd, data, sizeof data, MSG_NOSIGNAL) + 8 * (1 << 20)
                                     : accept(blocked->fd, &address.any, &length);
    snprintf(blocked->text, sizeof blocked->text, "%s",
             blocked->way == 2 && value >= 0 ? "one" : result(value));
    return NULL;
}

/* A thread is in a call on a socket while another closes its descriptor: the call goes on. */
static void closed_in_call(const char *name, int way, int how) {
    pthread_t thread;
    static char data[1 << 20];
    uint16_t port;
    int listener = way == 2 ? make_listener(&port) : -1;
    make_pair(pair);
    struct blocked blocked = {way == 2 ? listener : pair[0], way, 0, ""};
    if (way == 1) {
        nonblocking(pair[0], true);
        while (write(pair[0], data, sizeof data) > 0 || (settle(), write(pair[0], data, sizeof data) > 0))
            continue;
        nonblocking(pair[0], false);
    }
    pthread_create(&thread, NULL, block, &blocked);
    await_sleep(&blocked.number);
    close(blocked.fd);
    for (int i = 0; i < 20; i++)
        close(socket(family, SOCK_STREAM, 0));
    usleep(20000);
    nonblocking(pair[1], true);
    union address address = address_of(own, way == 2 ? port : 0);
    int client = -1;
    if (way == 0) { /* in this order: the call returns with what is written, and the connection ends */
        const char *sees = result(recv(pair[1], data, 8, 0));
        outcome("epoll sets", name, "the peer sees %s, writes %s", sees, result(write(pair[1], "abc", 3)));
    } else if (way == 2)
        connect(client = socket(family, SOCK_STREAM, 0), &address.any, address_length);
    else
        for (int i = 0; i < 100; i++, usleep(2000))
            while (read(pair[1], data, sizeof data) > 0)
                continue;
    pthread_join(thread, NULL);
    settle();
    if (way == 0)
        outcome("epoll sets", name, "%s, then the peer sees %s", blocked.text,
                result(recv(pair[1], data, 8, 0)));
    else
        outcome("epoll sets", name, "%s", blocked.text);
    (void)how;
}

static void each(const char *what, void (*run)(const char *, int, int), size_t count,
                 const char *(*text)(size_t), const char *const *seconds, int second_count) {
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < second_count; j++) {
            char name[120];
            snprintf(name, sizeof name, "%s, %s, %s", what, text(i), seconds[j]);
            in_child(run, name, (int)i, j);
        }
}

static const char *way_name(size_t i) {
    return ways[i].name;
}
static const char *wait_name(size_t i) {
    return waits[i].name;
}
static const char *call_name(size_t i) {
    static const char *const names[] = {"recv", "send", "accept"};
    return names[i];
}

void test_sets(void) {
    static const char *const joined[] = {"before all", "with a stack", "beside a pipe"};
    static const char *const forks[] = {"before all, the parent adds",
                                        "before all, the child adds",
                                        "the parent adds",
                                        "the child adds",
                                        "asleep, before all, the parent adds",
                                        "asleep, before all, the child adds",
                                        "asleep, the parent adds",
                                        "asleep, the child adds"};
    static const char *const sendings[] = {
        "empty, given away",         "empty",         "given away",         "kept",
        "empty, given away, joined", "empty, joined", "given away, joined", "kept, joined"};
    static const char *const execs[] = {"without its socket", "without its socket, with a pipe",
                                        "with its socket", "with its socket and a pipe"};
    static const char *const closings[] = {"the set", "the socket, but for a copy",
                                           "the set, and its number is used"};
    static const char *const none[] = {"closed"};
    each("copied", copied, sizeof ways / sizeof *ways, way_name, moments, MOMENTS);
    each("asleep", asleep, WAITS, wait_name, joined, 3);
    each("asleep, and ready", asleep_and_ready, WAITS, wait_name, joined, 2);
    each("across fork", across_fork, WAITS, wait_name, forks, 8);
    each("sent", sent, WAITS, wait_name, sendings, 8);
    each("after exec", executed, WAITS, wait_name, execs, 4);
    each("closed", closed, WAITS, wait_name, closings, 3);
    each("in a call", closed_in_call, 3, call_name, none, 1);
}
