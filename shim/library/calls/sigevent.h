/* SPDX-License-Identifier: MIT */
/*
 * sigevent.h - sigevent(7): how a program wants to be told that something has ended.
 */
#ifndef SHIM_LIBRARY_CALLS_SIGEVENT_H
#define SHIM_LIBRARY_CALLS_SIGEVENT_H

#include <signal.h>

/* `code` is what a signal says of its origin (si_code): SI_ASYNCIO, SI_ASYNCNL. SIGEV_THREAD's function runs
 * in a thread of its own. The lock is not held. */
void notify_event(const struct sigevent *event, int code);

#endif
