/*
 * fallback.h - what goes from a socket of ours to one of the kernel's.
 */
#ifndef SHIM_FALLBACK_H
#define SHIM_FALLBACK_H

#include "descriptor.h"
#include <sys/epoll.h>

#define FALLBACK_SETS_MAX 16

/* An epoll set of this process that watches the socket. */
struct fallback_registration {
    struct epoll_set *set;
    int epoll_fd, fd;
    struct epoll_event event;
};

struct fallback_sets {
    int count;
    struct fallback_registration registrations[FALLBACK_SETS_MAX];
};

/* Gives a new object of the kernel's the options of a socket; fd is that of the socket. The lock is held. */
void fallback_carry_over(struct socket *socket, int fd, int kernel);

/* The sets of this process that watch a socket. The kernel's part of each is about to get something: they are
 * told. The lock is held. */
void fallback_find_sets(const struct handle *handle, struct fallback_sets *sets);

#endif
