/* SPDX-License-Identifier: MIT */
/*
 * epoll_eventfd.h - how those who sleep on an epoll descriptor itself learn of our sockets in it.
 *
 * Threads that sleep in the kernel know nothing of our sockets: in an epoll_wait(2) that began before the set
 * had one, or in a process that has not joined the stack; in poll(2) on the epoll descriptor, or on a set
 * that it is in. For them the set has a epoll eventfd: an eventfd in the kernel's part, readable when one of
 * ours in the set is ready. It is one for all processes, belongs to the set, and is a struct waiter, so that
 * whoever changes a socket rings it. It is rung only where somebody may sleep so.
 */
#ifndef SHIM_LIBRARY_WAIT_EPOLL_EVENTFD_H
#define SHIM_LIBRARY_WAIT_EPOLL_EVENTFD_H

#include "shim/library/fd/fd_table.h"
#include <sys/epoll.h>

/* A epoll eventfd's event in the kernel's set has this and its number as data. */
#define EPOLL_EVENTFD_MARK UINT64_C(0xbe1157e9)

/* In the place of a number: the connection to the keeper, which tells of its death. */
#define EPOLL_EVENTFD_KEEPER UINT32_MAX
#define EPOLL_EVENTFD_KEEPER_EVENT \
    ((struct epoll_event){.data.u64 = EPOLL_EVENTFD_MARK << 32 | EPOLL_EVENTFD_KEEPER})

/* The number in an event's data; 0: it is no epoll eventfd's. */
static inline uint32_t epoll_eventfd_number(uint64_t data) {
    return data >> 32 == EPOLL_EVENTFD_MARK ? (uint32_t)data : 0;
}

/* Hangs the epoll eventfd of a set that has just been made. The lock is not held, unless it is said. */
void epoll_eventfd_hang(struct fd_entry *entry, int fd);

/* Takes it down again. The lock is held. */
void epoll_eventfd_take_down(struct fd_entry *entry, int fd);

/* This process's copy of the eventfd is another handle's, of the same set. The lock is held. */
void epoll_eventfd_move(struct fd_entry *entry, struct fd_entry *from);

/* Somebody watches this epoll descriptor, or will. */
void epoll_eventfd_want(struct fd_entry *entry, int fd);

/* Sees to it that the epoll eventfd is rung if, and only if, somebody may sleep on the set in the kernel. */
void epoll_eventfd_place(struct fd_entry *entry);

/* Makes a epoll eventfd say what is so now; all that this process wants do. */
void epoll_eventfd_refresh(struct fd_entry *entry);
void epoll_eventfds_refresh(void);

/* Nobody of ours waits for the set now: its epoll eventfd falls silent if nothing is ready. The lock is held.
 */
void epoll_eventfd_quiet(struct fd_entry *entry);

/* The keeper has died, says the kernel's part of a set: notes it, and takes that out of the set. */
void epoll_eventfd_keeper_died(int fd);

/* Takes epoll eventfds out of what the kernel gave, of which number tells one of them, or 0. Returns how many
 * events are left. */
int epoll_eventfd_filter(struct epoll_event *events, int count, uint32_t *number);

/* Around a wait in the kernel for a set without sockets of ours: it may get one meanwhile. */
void epoll_eventfd_sleep_begin(struct fd_entry *entry);
void epoll_eventfd_sleep_end(struct fd_entry *entry);

/* Around a wait in the kernel by a process that may not have joined its stack yet. epoll_eventfds_begin
 * returns false, and nothing has begun, when it has. */
bool epoll_eventfds_begin(void);
void epoll_eventfds_end(void);

/* This process's copy of a epoll eventfd's eventfd, or -1. The lock is held. */
int epoll_eventfd_descriptor(const struct waiter *epoll_eventfd);

/* A set is given up by this process (the lock is held); it has forked. */
void epoll_eventfd_drop(struct fd_entry *entry);
void epoll_eventfds_forked(void);

/* None of the process's handles is of use any more. */
void epoll_eventfds_forget(void);

#endif
