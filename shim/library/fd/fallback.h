/* SPDX-License-Identifier: MIT */
/*
 * fallback.h - what goes from a socket of ours to one of the kernel's.
 */
#ifndef SHIM_LIBRARY_FD_FALLBACK_H
#define SHIM_LIBRARY_FD_FALLBACK_H

#include "shim/library/fd/fd_table.h"
#include <stddef.h>
#include <sys/epoll.h>

/* An epoll set of this process that watches the socket. */
struct fallback_registration {
    struct epoll_set *set;
    int epoll_fd, fd;
    struct epoll_event event;
};

struct fallback_sets {
    size_t count;
    struct fallback_registration *registrations; /* private memory; NULL: none */
};

/* Gives a new object of the kernel's the options of a socket. The lock is held. */
void fallback_carry_over(struct socket *socket, int kernel);

/* The sets of this process that watch the socket of fd; each knows it by the number that it was added by, or
 * by fd if that is not its any more. The kernel's part of each is about to get something: they are told. The
 * lock is held. Returns 0 or -ENOMEM. */
int fallback_find_sets(const struct fd_entry *entry, int fd, struct fallback_sets *sets);

/* Registers the kernel's object with them, `without` some events, and frees them. The lock is not held. */
void fallback_register(struct fallback_sets *sets, uint32_t without);

#endif
