/* SPDX-License-Identifier: MIT */
/*
 * waiting.c - calls that wait: what ends them, and how. signal(7) says which go on after a handler with
 * SA_RESTART, and which don't.
 */
#include "tests/conformance/conformance.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int fd, other, listener, set;
static volatile sig_atomic_t signals;
static sigjmp_buf out;
static char big[1 << 20];

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What waits. */
static long do_read(void) {
    char data[8];
    return read(fd, data, sizeof data);
}
static long do_readv(void) {
    char data[8];
    struct iovec piece = {data, sizeof data};
    return readv(fd, &piece, 1);
}
static long do_recv(void) {
    char data[8];
    return recv(fd, data, sizeof data, 0);
}
static long do_recv_all(void) {
    char data[8];
    return recv(fd, data, sizeof data, MSG_WAITALL);
}
static long do_recv_peek(void) {
    char data[8];
    return recv(fd, data, sizeof data, MSG_PEEK);
}
static long do_recvmsg(void) {
    char data[8];
    struct iovec piece = {data, sizeof data};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    return recvmsg(fd, &header, 0);
}
static long do_recvmmsg(void) {
    char data[8];
    struct iovec piece = {data, sizeof data};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    return recvmmsg(fd, &message, 1, 0, NULL);
}
static long do_accept(void) {
    int made = accept(listener, NULL, NULL);
    if (made < 0)
        return made;
    close(made);
    return 0;
}
static long do_send(void) {
    return send(fd, big, sizeof big, 0) > 0 ? 1 : -1;
}
static long do_write(void) {
    return write(fd, big, sizeof big) > 0 ? 1 : -1;
}
static long do_connect(void) {
    union address address = address_of(nobody, htons(9));
    int made = socket(family, SOCK_STREAM, 0);
    struct timeval limit = {0, 150000};
    setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    long done = connect(made, &address.any, address_length);
    int error = errno;
    close(made);
    errno = error;
    return done;
}
static long do_poll(void) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 400);
}
static long do_ppoll(void) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return ppoll(&poll_fd, 1, &(struct timespec){.tv_nsec = 400000000}, NULL);
}
static long do_select(void) {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    return select(fd + 1, &in, NULL, NULL, &(struct timeval){.tv_usec = 400000});
}
static long do_pselect(void) {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    return pselect(fd + 1, &in, NULL, NULL, &(struct timespec){.tv_nsec = 400000000}, NULL);
}
static long do_epoll_wait(void) {
    struct epoll_event event;
    return epoll_wait(set, &event, 1, 400);
}
static long do_epoll_pwait(void) {
    struct epoll_event event;
    return epoll_pwait(set, &event, 1, 400, NULL);
}

static const struct {
    const char *name;
    long (*call)(void);
    bool datagram, sends;
} waits[] = {
    {"read", do_read, false, false},
    {"readv", do_readv, false, false},
    {"recv", do_recv, false, false},
    {"recv MSG_WAITALL", do_recv_all, false, false},
    {"recv MSG_PEEK", do_recv_peek, false, false},
    {"recvmsg", do_recvmsg, false, false},
    {"recvmmsg", do_recvmmsg, false, false},
    {"accept", do_accept, false, false},
    {"udp read", do_read, true, false},
    {"udp recv", do_recv, true, false},
    {"udp recvmsg", do_recvmsg, true, false},
    {"send", do_send, false, true},
    {"write", do_write, false, true},
    {"poll", do_poll, false, false},
    {"ppoll", do_ppoll, false, false},
    {"select", do_select, false, false},
    {"pselect", do_pselect, false, false},
    {"epoll_wait", do_epoll_wait, false, false},
    {"epoll_pwait", do_epoll_pwait, false, false},
    {"udp poll", do_poll, true, false},
    {"udp epoll_wait", do_epoll_wait, true, false},
};

static void begin(size_t which) {
    uint16_t port, peer;
    int pair[2];
    struct epoll_event event = {.events = EPOLLIN};
    if (waits[which].datagram) {
        fd = make_datagram(&port);
        other = make_datagram(&peer);
        union address address = address_of(own, port);
        connect(other, &address.any, address_length);
    } else {
        make_pair(pair);
        fd = pair[0];
        other = pair[1];
    }
    listener = make_listener(&port);
    if (waits[which].sends) {
        nonblocking(fd, true);
        while (write(fd, big, sizeof big) > 0 || (settle(), write(fd, big, sizeof big) > 0))
            continue;
        nonblocking(fd, false);
    }
    set = epoll_create1(0);
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    signals = 0;
}

static void end(void) {
    close(fd);
    close(other);
    close(listener);
    close(set);
}

static void count_signal(int number) {
    (void)number;
    signals++;
}

static void jump(int number) {
    (void)number;
    siglongjmp(out, 1);
}

static void on_alarm(void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
}

static void alarm_in(int ms) {
    struct itimerval timer = {.it_value = {.tv_usec = ms * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* Another thread makes the call succeed, after a while. */
static void *help(void *which) {
    static char sink[1 << 20];
    size_t index = (size_t)(intptr_t)which;
    struct timespec pause = {.tv_nsec = 150000000};
    nanosleep(&pause, NULL);
    if (waits[index].call == do_accept) {
        union address address;
        socklen_t length = sizeof address;
        int visitor = socket(family, SOCK_STREAM, 0);
        getsockname(listener, &address.any, &length);
        connect(visitor, &address.any, length);
        nanosleep(&pause, NULL);
        close(visitor);
    } else if (waits[index].sends) {
        for (int i = 0; i < 40; i++) {
            nonblocking(other, true);
            while (read(other, sink, sizeof sink) > 0)
                continue;
            settle();
        }
    } else {
        write(other, "12345678", 8);
    }
    return NULL;
}

static void run(const char *group, size_t which, bool helped) {
    pthread_t helper;
    sigset_t alarm;
    long begun = now_ms();
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    if (helped) {
        pthread_sigmask(SIG_BLOCK, &alarm, NULL); /* the helper's is not to get it */
        pthread_create(&helper, NULL, help, (void *)(intptr_t)which);
        pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    }
    const char *done = result(waits[which].call());
    long took = now_ms() - begun;
    outcome(group, waits[which].name, "%s, signals %d, %s", done, (int)signals,
            took < 40    ? "at once"
            : took < 130 ? "early"
                         : "late");
    if (helped)
        pthread_join(helper, NULL);
}

static void limit(int option) {
    struct timeval value = {0, 80000};
    setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
    setsockopt(listener, SOL_SOCKET, option, &value, sizeof value);
}

static void jumped_out_of(size_t which) {
    begin(which);
    on_alarm(jump, 0);
    if (sigsetjmp(out, 1) == 0) {
        alarm_in(60);
        waits[which].call();
    }
    on_alarm(count_signal, 0);
    run("a handler jumped out, and again", which, true);
    end();
}

struct closing {
    int how;
};

static void *shut_later(void *context) {
    nanosleep(&(struct timespec){.tv_nsec = 80000000}, NULL);
    shutdown(fd, *(int *)context);
    return NULL;
}

static void shut_by_another(const char *name, int how, size_t which) {
    pthread_t helper;
    begin(which);
    pthread_create(&helper, NULL, shut_later, &how);
    const char *done = result(waits[which].call());
    outcome(name, waits[which].name, "%s", done);
    pthread_join(helper, NULL);
    end();
}

static void *call_in_thread(void *which) {
    waits[(intptr_t)which].call();
    return NULL;
}

/* A thread that is cancelled while it waits, or has been before; what it waited for is whole afterwards. */
static void cancelled(const char *name, size_t which, long after_ms) {
    pthread_t thread;
    void *returned = NULL;
    char data[8];
    begin(which);
    pthread_create(&thread, NULL, call_in_thread, (void *)(intptr_t)which);
    if (after_ms)
        nanosleep(&(struct timespec){.tv_nsec = after_ms * 1000000}, NULL);
    pthread_cancel(thread);
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 2;
    int joined = pthread_timedjoin_np(thread, &returned, &limit);
    outcome(name, waits[which].name, "%s, %s", joined ? "goes on" : "ends",
            returned == PTHREAD_CANCELED ? "cancelled" : "by itself");
    if (joined) {
        shutdown(fd, SHUT_RDWR);
        shutdown(listener, SHUT_RDWR);
        pthread_join(thread, NULL);
    } else if (!waits[which].sends && waits[which].call != do_accept) {
        write(other, "12345678", 8);
        outcome(name, "and a read after it", "%s", result(await(fd, POLLIN) ? read(fd, data, 8) : -1));
    }
    end();
}

void test_waiting(void) {
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        cancelled("cancelled", i, 60);
        cancelled("cancelled before", i, 0);
    }
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        begin(i);
        run("nothing but help", i, true);
        end();

        begin(i);
        on_alarm(count_signal, 0);
        alarm_in(60);
        run("a signal", i, true);
        end();

        begin(i);
        on_alarm(count_signal, SA_RESTART);
        alarm_in(60);
        run("a signal, SA_RESTART", i, true);
        end();

        begin(i);
        limit(waits[i].sends ? SO_SNDTIMEO : SO_RCVTIMEO);
        run("a time limit", i, false);
        end();

        begin(i);
        limit(waits[i].sends ? SO_SNDTIMEO : SO_RCVTIMEO);
        on_alarm(count_signal, SA_RESTART);
        alarm_in(50);
        run("a time limit, a signal, SA_RESTART", i, true);
        end();

        begin(i);
        signal(SIGALRM, SIG_IGN);
        alarm_in(60);
        run("a signal that is ignored", i, true);
        end();

        jumped_out_of(i);
        if (waits[i].call != do_accept) {
            if (!waits[i].sends)
                shut_by_another("shut for reading by another thread", SHUT_RD, i);
            shut_by_another("shut by another thread", SHUT_RDWR, i);
        }
    }
    begin(3);
    on_alarm(count_signal, 0);
    write(other, "123", 3);
    settle();
    alarm_in(60);
    run("a signal, a part is there", 3, false);
    end();
    begin(3);
    limit(SO_RCVTIMEO);
    write(other, "123", 3);
    settle();
    run("a time limit, a part is there", 3, false);
    end();
    on_alarm(count_signal, 0);
    outcome("connecting", "a time limit", "%s", result(do_connect()));
    alarm_in(60);
    outcome("connecting", "a signal", "%s", result(do_connect()));
}
