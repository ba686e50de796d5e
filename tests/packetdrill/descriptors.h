/* SPDX-License-Identifier: MIT */
/*
 * descriptors.h - what a script's descriptors stand for: sockets, epoll sets, and the two ends of pipes; and
 * when they are ready.
 */
#ifndef TESTS_PACKETDRILL_DESCRIPTORS_H
#define TESTS_PACKETDRILL_DESCRIPTORS_H

#include "tests/packetdrill/machine.h"
#include <poll.h>
#include <sys/epoll.h>

#define DESCRIPTORS_MAX 256
#define WATCHED_MAX 32
#define PIPE_BYTES 65536u

enum kind {
    UNUSED,
    SOCKET,
    EPOLL,
    PIPE_READ,
    PIPE_WRITE,
};

struct watched {
    int fd; /* 0: none */
    uint32_t events;
    uint64_t data;
    bool ready; /* something has happened since it was told */
};

struct epoll {
    struct watched watched[WATCHED_MAX];
};

struct pipe {
    uint32_t length;
    uint8_t bytes[PIPE_BYTES];
};

struct descriptor {
    enum kind kind;
    bool nonblocking, closed;
    int busy; /* calls that are at it: a closed one goes on until they return */
    union {
        struct socket *socket;
        struct epoll *epoll;
        struct pipe *pipe;
    };
};

/* Gives a number for a new descriptor, or -EMFILE. The number is that of a real one, since packetdrill closes
 * what is left at the end by itself. */
int descriptor_add(enum kind kind, void *object);
struct descriptor *descriptor_of(int fd);
void descriptor_drop(int fd);

/* All of these between machine_enter and machine_leave; errors are negative errno. */
unsigned descriptor_ready(struct descriptor *descriptor);
int descriptors_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int descriptors_epoll_control(int epoll, int operation, int fd, const struct epoll_event *event);
int descriptors_epoll_wait(int epoll, struct epoll_event *events, int limit, int timeout_ms);

/* Notes which sockets something has happened to, for edge-triggered sets. */
void descriptors_take_events(void);

#endif
