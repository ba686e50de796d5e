/* SPDX-License-Identifier: MIT */
/*
 * remote_eventfd.h - waking threads of other processes that sleep in poll(2) or epoll_wait(2).
 *
 * Such a thread has an eventfd, which others need a copy of. The keeper has one of each and gives it to who
 * asks: the first time that a process wakes a waiter it asks the keeper to do that, and for the eventfd; the
 * answer is picked up the next time, and neither waits. A process keeps so many copies, those that are used.
 */
#ifndef SHIM_LIBRARY_WAIT_REMOTE_EVENTFD_H
#define SHIM_LIBRARY_WAIT_REMOTE_EVENTFD_H

#include "shim/region/region.h"

/* From now on wake_by_remote_eventfd knows. */
void remote_eventfds_begin(void);

/* Asks the keeper for the eventfd of a waiter and waits, a second at most, for the answer. The lock is not
 * held. Returns a private descriptor that is the caller's, or -1. */
int remote_eventfd_fetch(const struct waiter *waiter, uint32_t number);

#endif
