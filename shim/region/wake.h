/* SPDX-License-Identifier: MIT */
/*
 * wake.h - waking those who wait for a socket.
 */
#ifndef SHIM_REGION_WAKE_H
#define SHIM_REGION_WAKE_H

#include "shim/region/async.h"
#include "shim/region/region.h"
#include <pthread.h>

#define WAKE_LIST_MAX 32
#define WAKE_SIGNALS_MAX 16

struct wake_target {
    struct waiter *waiter;
    int descriptor; /* an eventfd of this process to write, or -1: the futex word */
};

/* Who is to be woken. (The arrays are long: what is beyond the counts is not set.) */
struct wake_list {
    int count, signal_count;
    bool doorbell; /* the keeper, too */
    struct wake_target targets[WAKE_LIST_MAX];
    struct async_signal signals[WAKE_SIGNALS_MAX];
};

/* Which process this is: the keeper, or one attached. */
extern struct process *wake_self;

/* How often this process has woken a thread of its own, and of another process's. */
extern _Atomic uint32_t wake_own, wake_remote;

/* How many threads of this process are about to wake others, perhaps by descriptors, which they have looked up
 * with the lock held: none of those may be closed and its number used again until they have. */
extern _Atomic uint32_t wake_delivering;

/* Gives this process's copy of the eventfd of another's waiter, or -1; the lock is held. NULL: it has none.
 */
extern int (*wake_by_remote_eventfd)(const struct waiter *waiter);

/* The thread's own waiter while it is awake and about to look: it needs no waking. */
extern __thread struct waiter *wake_awake __attribute__((tls_model("initial-exec")));

/* Whoever is to be woken is noted, with the lock held; taken from there, before it is let go; and woken after
 * that. For whom there is no room any more, the keeper does it. */

/* Notes whom the stack's events concern, and in the keeper whom others have asked it to wake. The lock is held.
 * Returns whether there are more: it is to be called again once these have been woken. */
bool wake_collect(void);

/* Takes all who are noted. The lock is held. */
void wake_take(struct wake_list *wakes);

/* Wakes them. The lock is not held. */
void wake_deliver(const struct wake_list *wakes);

/* For who holds the lock and can't wait until it is let go: wakes all who are noted. */
void wake_at_once(void);

/* In a child that fork has made: those are the parent's to wake. */
void wake_forked(void);

/* Notes one thread. The lock is held. */
void wake_one(struct waiter *waiter);

/* Notes one more of those who wait for an epoll set, if something is ready in it. The lock is held. */
void wake_next(struct epoll_set *set);

/* Notes who waits for an epoll set: there is something new to wait for; `ready`: in it, so that its epoll
 * eventfd is rung as well. The lock is held. */
void wake_set(struct epoll_set *set, bool ready);

/* Notes every thread that waits, and the keeper. The lock is held. */
void wake_everybody(void);

/* A process has died, which may have let the lock go and not yet woken whom it was to wake: does that. The
 * lock is held. */
void wake_undelivered(void);

/* Wakes the keeper's transmitter, if it sleeps: at once, for who does not hold the lock, or once it is let go. */
void wake_keeper(void);
void wake_keeper_on_leave(void);

/* Around a system call that sleeps, with no lock held: a thread that is cancelled in it ends, as in libc's
 * own (pthreads(7)). */
static inline int wake_cancellable(void) {
    int before;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
    return before;
}

static inline void wake_cancellable_end(int before) {
    pthread_setcanceltype(before, NULL);
}

/* Sleeps until the word is no longer `expected`, or a deadline (CLOCK_MONOTONIC, TIMER_NEVER for none).
 * Returns 0, -ETIMEDOUT or -EINTR; may return 0 early. */
int wake_sleep(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns);

/* The same until a moment by this process's CLOCK_MONOTONIC (NULL: none), which wake_limit makes of a deadline. */
struct timespec wake_limit(uint64_t deadline_ns);
int wake_sleep_until(_Atomic uint32_t *word, uint32_t expected, const struct timespec *limit);

/* Wakes all who sleep on a word. */
void wake_word(_Atomic uint32_t *word);

/* wake_sleep_until, and woken by the keeper's death as well. */
int wake_sleep_or_death(_Atomic uint32_t *word, uint32_t expected, const struct timespec *limit);

#endif
