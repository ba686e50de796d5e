/* SPDX-License-Identifier: MIT */
/*
 * epoll_set.h - which epoll descriptors are the same set, and which set of the stack's that is.
 *
 * Theory of operation. An epoll set is known by the kernel's object, not by a descriptor's number. In a
 * process that has joined its stack each number of a set points to one entry, whatever made the number:
 * dup(2) and fork(2) take the table's entry along (fd.c, fork.c); a number that nobody saw coming is
 * compared with the sets that the process has: an eventfd that is put into the one is then in the other, too.
 *
 * When a set gets its first socket of ours, it gets a struct epoll_set in the region, and a epoll eventfd
 * (epoll_eventfd.h): an eventfd in the kernel's set, whose data is the epoll eventfd's number. By that number
 * whoever has the descriptor finds the set in the region, however he got it: by exec(2), in a message, from a
 * parent that had not joined the stack yet. The keeper has the eventfd, too, so that it stays in the kernel's
 * set when the process ends.
 */
#ifndef SHIM_LIBRARY_WAIT_EPOLL_SET_H
#define SHIM_LIBRARY_WAIT_EPOLL_SET_H

#include "shim/library/fd/fd_table.h"

/* A set that this process has just made. The lock is not held, here and below. */
void epoll_made(int fd);

/* The entry of an epoll descriptor, which enters the table if it is not there yet. NULL: it is none, or
 * memory is out, or the process has not joined a stack. */
struct fd_entry *epoll_known(int fd);

/* The set of an epoll descriptor in the region, for its first socket of ours. NULL: memory is out, or it is
 * no epoll descriptor. */
struct epoll_set *epoll_set_for(int fd);

/* A program that exec(2) has begun has this epoll descriptor: if it is of a set of the stack's, it is so from
 * now on. The lock is held. */
void epoll_inherited(int fd);

/* A descriptor came from another process, in a message or not. */
void epoll_arrived(int fd, bool in_message);

/* A descriptor is about to be passed to another process in a message; or was to be, and could not. */
void epoll_passed(int fd);
void epoll_not_passed(int fd);

/* Whether a descriptor is an epoll set, as far as the kernel says so. */
bool epoll_is(int fd);

/* The process has joined its stack: finds the sets that it has, and those that are in others. */
void epolls_attached(void);

/* The process is about to fork, or has; the lock may be held. */
void epolls_forking(void);

#define EPOLL_EVENTFDS_MAX 8

/* What the kernel's part of a set has in it (proc(5), /proc/PID/fdinfo). */
struct epoll_content {
    bool unknown; /* it can't be seen */
    bool kernels; /* a descriptor of the kernel's, but for epoll eventfds */
    int count;
    uint32_t numbers[EPOLL_EVENTFDS_MAX]; /* of its epoll eventfds: one, but for those whose sets have just
                                             ended, or begun */
};
struct epoll_content epoll_content(int fd, void (*visit)(int member));

#endif
