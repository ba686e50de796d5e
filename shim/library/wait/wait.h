/* SPDX-License-Identifier: MIT */
/*
 * wait.h - how a thread sleeps until a socket is ready.
 */
#ifndef SHIM_LIBRARY_WAIT_WAIT_H
#define SHIM_LIBRARY_WAIT_WAIT_H

#include "shim/region/region.h"
#include <poll.h>
#include <signal.h>

/* Before this thread takes the lock and waits for the first time: its waiter is given back when it ends. */
extern __thread bool wait_prepared __attribute__((tls_model("initial-exec")));
void wait_prepare_thread(void);
static inline void wait_prepare(void) {
    if (__builtin_expect(!wait_prepared, 0))
        wait_prepare_thread();
}

/* This thread's waiter; NULL when memory is out. The lock is held. */
struct waiter *wait_self(void);

/* Sleeps until a socket may have one of `events`. The lock is held, is let go meanwhile, and is held again on
 * return. The socket is there until wait_done, whoever closes its descriptor meanwhile. Returns 0 (look
 * again), -EINTR, -EAGAIN past the deadline, -EBADF when the socket is gone all the same (a signal handler
 * has closed it) and must not be looked at, -ENOBUFS, or -ENETDOWN. */
int wait_socket(struct socket *socket, unsigned events, uint64_t deadline_ns);

/* The same until there may be room to write what is left to be sent. */
int wait_to_write(struct socket *socket, uint64_t deadline_ns);

/* This thread has a socket until wait_done, whoever closes its descriptor meanwhile. The lock is held. NULL:
 * memory is out. */
struct waiter *wait_hold_socket(struct socket *socket);

/* Waits until nobody has the turn of a side of a stream, as lock_sock of Linux does: who has waited longest
 * is woken first, and looks again. Returns 0, or as wait_socket, but no signal ends it. */
int wait_turn(struct socket *socket, enum stream_side side);

/* Takes the turn, which nobody has, of the socket that the waiter holds, until waiter_end_turn (process.h) or
 * wait_done. No handler of the program's may run meanwhile. The lock is held. */
void turn_begin(struct waiter *waiter, enum stream_side side);

/* This thread has an epoll set until wait_done, whoever closes its descriptor meanwhile. The lock is held.
 * False: memory is out. */
bool wait_hold(struct epoll_set *set);

/* The end of a call that has waited: lets go what it held. The lock is held. */
void wait_done(void);

/* Prepares a wait for several things: the caller adds watches (wait_watch) or an epoll set's link between
 * these two, with the lock held. by_descriptor: the sleep will be in poll(2). Returns the waiter, or NULL. */
struct waiter *wait_begin(bool by_descriptor);
int wait_watch(struct waiter *waiter, struct socket *socket, unsigned events);
void wait_end(struct waiter *waiter);

/* Whether a waiter is this thread's still: a handler that ran in the sleep may have made a child, to which it has
 * returned, too. */
bool wait_is_own(const struct waiter *waiter);

/* An eventfd out of the program's way; -1: there is none to be had. */
int wait_eventfd(void);

/* Gives the keeper a copy of the thread's eventfd, through which other processes' changes reach it, if that
 * was not done. The lock is not held. False: there is none to be had. */
bool wait_introduce(struct waiter *waiter);

/* The room that a sleep needs behind the caller's own descriptors. */
#define WAIT_SLEEP_ROOM 2

/* What ends a sleep beside the events that the waiter watches. */
struct wait_sleep {
    struct pollfd *kernel; /* the kernel's descriptors, with WAIT_SLEEP_ROOM more behind them; NULL: none */
    nfds_t count;
    uint64_t deadline_ns; /* TIMER_NEVER: none */
    const sigset_t *mask; /* of the signals that are blocked meanwhile; NULL: as they are */
    bool restarts;        /* goes on after a handler that was installed with SA_RESTART, if there is no
                             deadline, as system calls on a socket do (signal(7)); of the kernel's
                             descriptors there are none */
    bool outlasts_stops;  /* goes on after SIGSTOP and SIGCONT, as poll(2) and select(2) do alone */
    bool uninterruptible; /* no signal ends it */
    bool caller_looks;    /* there is one of the kernel's, which is ready perhaps, if its revents say so */
};

/* How every wait sleeps. The thread sleeps on the NIC, together with all else that it waits for, where it can
 * be its process's poller; else on its futex word (`restarts`), or in poll(2). The lock is held, is let go
 * meanwhile, and is held again on return. Returns 0 (look again), with the kernel's revents set, -EINTR (a handler
 * has run since the call began: signals.h) or -ETIMEDOUT. */
int wait_sleep(struct waiter *waiter, const struct wait_sleep *sleep);

/* Whether a signal is to end it: one that has come since the call began. */
bool wait_interrupted(const struct wait_sleep *sleep);

/* ... or it is not this thread's any more, but that of its parent. */
bool wait_ends(const struct waiter *waiter, const struct wait_sleep *sleep);

/* Where a system call that sleeps until the deadline is to read its time limit, from now: see signals_sleep_limit. */
struct timespec *wait_limit(const struct wait_sleep *sleep);

/* The deadline for a timeout in nanoseconds from now (0: none). */
uint64_t wait_deadline(uint64_t timeout_ns);

/* What is left until a deadline, which is not TIMER_NEVER; 0 when it has passed. */
struct timespec wait_time_left(uint64_t deadline_ns);

/* The same as poll(2) takes it: rounded up, -1 for TIMER_NEVER. */
int wait_milliseconds_left(uint64_t deadline_ns);

/* After fork, in the child: the parent's waiter is not ours. */
void wait_forked(void);

#endif
