/* SPDX-License-Identifier: MIT */
/*
 * lock.h - the stack's lock, and what happens when it is let go: whoever has to be woken is woken.
 */
#ifndef SHIM_REGION_LOCK_H
#define SHIM_REGION_LOCK_H

#include "shim/region/clock.h"
#include "shim/region/lock_assert.h"
#include "shim/region/lock_profile.h"
#include "shim/region/region.h"

struct robust_list_head;

/* The list by which the kernel finds what this thread holds when it dies (set_robust_list(2)), if that is not libc's,
 * in which pthread_mutex_lock(3) enters the stack's lock: a guest's. While the thread is in the stack the lock is
 * that list's pending operation, which the kernel looks at as well. NULL: it is libc's. */
extern __thread struct robust_list_head *lock_robust_list __attribute__((tls_model("initial-exec")));

/* Makes the lock, and the sign of life: once, by the keeper's main thread. */
void lock_create(void);

/* The futex word that the kernel changes when the keeper dies, and its value while it lives. A sleeper who
 * includes it in its wait is woken then. */
_Atomic uint32_t *keeper_life_word(uint32_t *alive);

/* Whether the keeper has died; breaks the stack then. The lock is held. */
bool keeper_has_died(void);

/* Takes the lock and tells the stack the time. A dead owner's half-made change is repaired; if that can't be,
 * the stack is broken. The place is for who measures how long the lock is held. */
void region_enter_at(struct lock_place *place);
#define region_enter() region_enter_at(LOCK_PLACE)

/* Lets work go on that the caller's change made possible, notes whom it concerns, and lets the lock go: nothing
 * else. This thread calls region_leave soon, or is called by it, which does the rest. */
void region_let_go(void);

/* The end of a call, or of a part of it after which the thread sleeps or copies: lets the lock go, and then
 * flushes: wakes who is noted and, if it has something to do, the keeper; sends what waits, if it is this
 * thread's to send; and then runs handlers of signals that were held back. */
void region_leave(void);

/* No other thread of this process comes into the stack any more, and none is in it when this returns: so none
 * is stopped or ended in the middle of a change. The lock is not held afterwards, and the caller may take it.
 * The gate stays closed until the process has ended, or shared_gate_open. Does nothing in a process of one
 * thread. Waits for other threads' changes a second at most. */
void shared_gate_close(void);
void shared_gate_open(void);

/* After fork, in the child: no thread of its own has the lock. */
void lock_forked(void);

/* A child that ran in this thread's memory (address_space.h) has left it: if it died with the lock, that is
 * let go, after a repair. */
void lock_returned(void);

/* Between two looks at what another processor may change. */
static inline void shared_relax(void) {
#if defined __x86_64__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* Whether this thread holds the lock. */
bool region_is_held(void);

/* The same, or what must not be left by a handler's jump. */
bool region_is_entered(void);

/* From one to the other no handler runs in this thread, as while it holds the lock: it is receiving frames.
 * Both are called with the lock held. */
void shared_hold_signals(void);
void shared_free_signals(void);

/* Marks the stack broken and wakes everybody. The lock is held. */
void shared_break(const char *message);

/* Called by region_enter in a child of fork(2) that has not noticed yet that it is one, by a word that the
 * kernel clears in such a child, however it was made (MADV_WIPEONFORK, madvise(2)). */
extern void (*shared_forked)(void);
extern _Atomic unsigned *shared_unforked;

/* Called by the next region_enter, with the lock held, and then no more: a child has something to do then. */
extern void (*shared_begin)(void);

/* Called by region_leave, with no lock held, when somebody wants to see what happened. */
extern void (*_Atomic shared_traced)(void);

/* Called by region_leave, with no lock held, when a signal was held back. */
extern void (*_Atomic region_left)(void);

#endif
