/*
 * epoll_eventfd.h - how those who sleep on an epoll descriptor itself learn of our sockets in it.
 *
 * Threads that sleep in the kernel know nothing of our sockets: in an epoll_wait(2) that began before the set
 * had one, or in a process that has not joined the stack; in poll(2) on the epoll descriptor, or on a set
 * that it is in. For them the set has a bell: an eventfd in the kernel's part, readable when one of ours in
 * the set is ready. It is one for all processes, belongs to the set, and is a struct waiter, so that whoever
 * changes a socket rings it. It is rung only where somebody may sleep so.
 */
#ifndef SHIM_LIBRARY_WAIT_EPOLL_EVENTFD_H
#define SHIM_LIBRARY_WAIT_EPOLL_EVENTFD_H

#include "shim/library/fd/fd_table.h"
#include <sys/epoll.h>

/* A bell's event in the kernel's set has this and its number as data. */
#define BELL_MARK UINT64_C(0xbe1157e9)

/* In the place of a number: the connection to the keeper, which tells of its death. */
#define BELL_KEEPER UINT32_MAX
#define BELL_KEEPER_EVENT ((struct epoll_event){.data.u64 = BELL_MARK << 32 | BELL_KEEPER})

/* The number in an event's data; 0: it is no bell's. */
static inline uint32_t bell_number(uint64_t data) {
    return data >> 32 == BELL_MARK ? (uint32_t)data : 0;
}

/* Hangs the bell of a set that has just been made. The lock is not held, unless it is said. */
void bell_hang(struct handle *handle, int fd);

/* Takes it down again. The lock is held. */
void bell_take_down(struct handle *handle, int fd);

/* Somebody watches this epoll descriptor, or will. */
void bell_want(struct handle *handle, int fd);

/* Sees to it that the bell is rung if, and only if, somebody may sleep on the set in the kernel. */
void bell_place(struct handle *handle);

/* Makes a bell say what is so now; all that this process wants do. */
void bell_refresh(struct handle *handle);
void bells_refresh(void);

/* Nobody of ours waits for the set now: its bell falls silent if nothing is ready. The lock is held. */
void bell_quiet(struct handle *handle);

/* The keeper has died, says the kernel's part of a set: notes it, and takes that out of the set. */
void bell_keeper_died(int fd);

/* Takes bells out of what the kernel gave, of which number tells one of them, or 0. Returns how many events
 * are left. */
int bell_filter(struct epoll_event *events, int count, uint32_t *number);

/* Around a wait in the kernel for a set without sockets of ours: it may get one meanwhile. */
void bell_sleep_begin(struct handle *handle);
void bell_sleep_end(struct handle *handle);

/* Around a wait in the kernel by a process that may not have joined its stack yet. bells_begin returns false,
 * and nothing has begun, when it has. */
bool bells_begin(void);
void bells_end(void);

/* This process's copy of a bell's eventfd, or -1. The lock is held. */
int bell_descriptor(const struct waiter *bell);

/* A set is given up by this process (the lock is held); it has forked. */
void bell_drop(struct handle *handle);
void bells_forked(void);

/* None of the process's handles is of use any more. */
void bells_forget(void);

#endif
