/* SPDX-License-Identifier: MIT */
/*
 * readiness.c - epoll in its ways: level and edge, one shot, exclusive, sets in sets, sets that are shared;
 * and poll while things change.
 */
#include "tests/conformance/conformance.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int pair[2], set;
static const char *group;
static int step;

static void begin(const char *name, unsigned events) {
    struct epoll_event event = {.events = events, .data.u64 = 77};
    group = name;
    step = 0;
    make_pair(pair);
    nonblocking(pair[0], true);
    set = epoll_create1(0);
    if (events)
        epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event);
}

static void end(void) {
    close(pair[0]);
    close(pair[1]);
    close(set);
}

/* What a set says now. */
static void look_at(int which, const char *when) {
    struct epoll_event events[4] = {{0}};
    char name[100], text[200] = "";
    settle();
    int count = epoll_wait(which, events, 4, 0);
    for (int i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %x:%llu", events[i].events,
                 (unsigned long long)events[i].data.u64);
    snprintf(name, sizeof name, "%d %s", ++step, when);
    outcome(group, name, "%s%s", result(count), text);
}

static void look(const char *when) {
    look_at(set, when);
}

static void modify(unsigned events) {
    struct epoll_event event = {.events = events, .data.u64 = 78};
    epoll_ctl(set, EPOLL_CTL_MOD, pair[0], &event);
}

static void walk(const char *name, unsigned events) {
    char data[16];
    begin(name, events);
    look("at first");
    look("again");
    write(pair[1], "abc", 3);
    look("data has come");
    look("again");
    read(pair[0], data, 1);
    look("some is read");
    write(pair[1], "def", 3);
    look("more has come");
    look("again");
    read(pair[0], data, sizeof data);
    look("all is read");
    modify(events);
    look("the same is asked for anew");
    look("again");
    write(pair[1], "ghi", 3);
    look("data has come");
    modify(events);
    look("asked anew with data there");
    shutdown(pair[1], SHUT_WR);
    look("the peer has finished");
    look("again");
    read(pair[0], data, sizeof data);
    read(pair[0], data, sizeof data);
    look("all is read, and its end");
    shutdown(pair[0], SHUT_WR);
    look("we have finished");
    look("again");
    end();
}

static void full_and_empty(const char *name, unsigned events) {
    static char data[65536];
    begin(name, events);
    look("at first");
    while (write(pair[0], data, sizeof data) > 0 || (settle(), write(pair[0], data, sizeof data) > 0))
        continue;
    look("full");
    nonblocking(pair[1], true);
    for (int i = 0; i < 100; i++) {
        while (read(pair[1], data, sizeof data) > 0)
            continue;
        settle();
    }
    look("empty");
    look("again");
    end();
}

static void controls(void) {
    struct epoll_event event = {.events = EPOLLIN};
    int file = open("/etc/passwd", O_RDONLY), inner = epoll_create1(0);
    begin("epoll_ctl", 0);
    outcome(group, "MOD of what is not there", "%s", result(epoll_ctl(set, EPOLL_CTL_MOD, pair[0], &event)));
    outcome(group, "DEL of what is not there", "%s", result(epoll_ctl(set, EPOLL_CTL_DEL, pair[0], &event)));
    outcome(group, "ADD", "%s", result(epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event)));
    outcome(group, "ADD twice", "%s", result(epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event)));
    outcome(group, "ADD to what is no set", "%s", result(epoll_ctl(pair[1], EPOLL_CTL_ADD, pair[0], &event)));
    outcome(group, "ADD to itself", "%s", result(epoll_ctl(set, EPOLL_CTL_ADD, set, &event)));
    outcome(group, "ADD of a file", "%s", result(epoll_ctl(set, EPOLL_CTL_ADD, file, &event)));
    outcome(group, "ADD of nothing", "%s", result(epoll_ctl(set, EPOLL_CTL_ADD, 999, &event)));
    outcome(group, "an unknown command", "%s", result(epoll_ctl(set, 9, pair[1], &event)));
    outcome(group, "ADD of a set", "%s", result(epoll_ctl(set, EPOLL_CTL_ADD, inner, &event)));
    outcome(group, "wait for none", "%s", result(epoll_wait(set, &event, 0, 0)));
    outcome(group, "wait on what is no set", "%s", result(epoll_wait(pair[0], &event, 1, 0)));
    outcome(group, "DEL", "%s", result(epoll_ctl(set, EPOLL_CTL_DEL, pair[0], NULL)));
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    outcome(group, "ADD EPOLLEXCLUSIVE", "%s", result(epoll_ctl(set, EPOLL_CTL_ADD, pair[1], &event)));
    outcome(group, "MOD EPOLLEXCLUSIVE", "%s", result(epoll_ctl(set, EPOLL_CTL_MOD, pair[1], &event)));
    event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
    outcome(group, "ADD EPOLLEXCLUSIVE, EPOLLONESHOT", "%s",
            result(epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event)));
    end();
    close(file);
    close(inner);
}

static void closed_and_duplicated(void) {
    int copy;
    begin("a descriptor that is closed", EPOLLIN);
    write(pair[1], "x", 1);
    look("data");
    close(pair[0]);
    look("closed");
    end();
    begin("a descriptor with a copy, closed", EPOLLIN);
    copy = dup(pair[0]);
    write(pair[1], "x", 1);
    look("data");
    close(pair[0]);
    look("closed, the copy open");
    close(copy);
    look("the copy closed");
    end();
}

static void nested(unsigned events) {
    struct epoll_event event = {.events = events, .data.u64 = 99};
    int outer;
    char data[8];
    struct pollfd poll_fd;
    begin(events & EPOLLET ? "a set in a set, by edge" : "a set in a set", EPOLLIN);
    outer = epoll_create1(0);
    outcome(group, "add", "%s", result(epoll_ctl(outer, EPOLL_CTL_ADD, set, &event)));
    look_at(outer, "at first");
    write(pair[1], "x", 1);
    look_at(outer, "data");
    look_at(outer, "again");
    poll_fd = (struct pollfd){.fd = outer, .events = POLLIN};
    outcome(group, "poll of it", "%s", result(poll(&poll_fd, 1, 0)));
    poll_fd = (struct pollfd){.fd = set, .events = POLLIN};
    outcome(group, "poll of the inner one", "%s", result(poll(&poll_fd, 1, 0)));
    look("the inner one");
    read(pair[0], data, sizeof data);
    look_at(outer, "read");
    look("the inner one");
    close(outer);
    end();
}

static void mixed(void) {
    struct epoll_event event = {.events = EPOLLIN};
    uint64_t one = 1;
    int pipes[2], counter = eventfd(0, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
    begin("kinds mixed", EPOLLIN);
    pipe(pipes);
    int kinds[] = {pipes[0], counter, timer};
    for (int i = 0; i < 3; i++) {
        event.data.u64 = (uint64_t)i + 1;
        epoll_ctl(set, EPOLL_CTL_ADD, kinds[i], &event);
    }
    look("at first");
    write(pipes[1], "x", 1);
    look("a pipe");
    struct epoll_event got[4];
    write(counter, &one, sizeof one);
    write(pair[1], "x", 1);
    timerfd_settime(timer, 0, &soon, NULL);
    settle();
    outcome(group, "all of them", "%s", result(epoll_wait(set, got, 4, 100)));
    struct pollfd polls[] = {{pipes[0], POLLIN, 0},
                             {pair[0], POLLIN | POLLOUT, 0},
                             {counter, POLLIN | POLLOUT, 0},
                             {-1, POLLIN, 0},
                             {timer, POLLIN, 0},
                             {999, POLLIN, 0}};
    const char *count = result(poll(polls, 6, 0));
    outcome(group, "poll", "%s: %x %x %x %x %x %x", count, polls[0].revents, polls[1].revents,
            polls[2].revents, polls[3].revents, polls[4].revents, polls[5].revents);
    close(pipes[0]);
    close(pipes[1]);
    close(counter);
    close(timer);
    end();
}

static void across_fork(void) {
    int status;
    begin("a set that a child has, too", EPOLLIN);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct epoll_event event;
        int got = epoll_wait(set, &event, 1, 2000);
        char data[4];
        if (got == 1)
            read(pair[0], data, sizeof data);
        _exit(got);
    }
    settle();
    write(pair[1], "x", 1);
    waitpid(child, &status, 0);
    outcome(group, "the child", "%d", WEXITSTATUS(status));
    look("it has read");
    write(pair[1], "x", 1);
    look("more data");
    end();
}

void test_readiness(void) {
    walk("by level", EPOLLIN);
    walk("by level, in and out", EPOLLIN | EPOLLOUT);
    walk("by level, all", EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI);
    walk("by edge", EPOLLIN | EPOLLET);
    walk("by edge, in and out", EPOLLIN | EPOLLOUT | EPOLLET);
    walk("by edge, all", EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    walk("once", EPOLLIN | EPOLLONESHOT);
    walk("once, by edge", EPOLLIN | EPOLLONESHOT | EPOLLET);
    walk("exclusively", EPOLLIN | EPOLLEXCLUSIVE);
    walk("half closed only", EPOLLRDHUP);
    full_and_empty("room, by level", EPOLLOUT);
    full_and_empty("room, by edge", EPOLLOUT | EPOLLET);
    controls();
    closed_and_duplicated();
    nested(EPOLLIN);
    nested(EPOLLIN | EPOLLET);
    mixed();
    across_fork();
}
