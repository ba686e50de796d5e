/* SPDX-License-Identifier: MIT */
/*
 * poller.h - a thread that has nothing to do but wait sleeps on the NIC itself, handles what comes, and goes
 * on when it was for it: one wake-up, as in the kernel.
 *
 * Theory of operation. A process that may receive (frames_own) has one poller at most: the
 * first of its threads that waits. It sleeps in epoll_wait(2), on the NIC (EPOLLEXCLUSIVE), its eventfd, by
 * which others wake it, and whatever else its program waits for. The keeper sleeps on the NIC, too, and
 * registers behind everybody else. So the kernel wakes, for a frame, the first who sleeps: a program's
 * thread, or, while they are all busy, stopped or gone, the keeper. Nobody hands the role on.
 */
#ifndef SHIM_LIBRARY_WAIT_POLLER_H
#define SHIM_LIBRARY_WAIT_POLLER_H

#include "shim/library/wait/wait.h"

/* Whether this thread could be its process's poller, but for preparations. The lock is held. */
bool poller_wanted(const struct waiter *waiter);

/* Makes those, once. The lock is not held; the caller looks again, before it sleeps, at what it waits for. */
void poller_prepare(struct waiter *waiter);

/* Makes it the process's poller, if there is none, until wait_end. The lock is held. */
bool poller_begin(struct waiter *waiter);
void poller_end(struct waiter *waiter);

/* It can't wait there for all that it waits for: another thread may. The lock is not held. */
void poller_yield(struct waiter *waiter);

/* Sleeps on the NIC, and on further descriptors, the kernel's (those of number -1 are left out), until woken.
 * The lock is not held. Returns 0 (look again), 1 (some of the further ones may be ready), -EINTR,
 * -ETIMEDOUT, or -EINVAL: they are too many, or can't be waited for so. */
int poller_sleep(struct waiter *waiter, const struct wait_sleep *sleep);

/* --spin: looks at the word of a waiter that spins for as long as the user said. The lock is not held.
 * Returns 1 when it was woken; -EINTR: a handler has run; 0: others wake it by other means from now on. */
int poller_spin(struct waiter *waiter, const struct wait_sleep *sleep, uint64_t deadline_ns);

void poller_forked(void);
void poller_end_of_thread(void);

#endif
