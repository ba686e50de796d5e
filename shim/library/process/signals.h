/* SPDX-License-Identifier: MIT */
/*
 * signals.h - signals that arrive while a thread holds the stack's lock are held back until it has let it go.
 */
#ifndef SHIM_LIBRARY_PROCESS_SIGNALS_H
#define SHIM_LIBRARY_PROCESS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* What rt_sigaction(2) takes. */
struct kernel_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};
#define KERNEL_SA_RESTORER 0x04000000

/* Whether libc uses a signal itself and lets no program install a handler for it: 32 and 33. A guest's C
 * library (guest_thread.h) has the same right. */
#define SIGNAL_CANCEL 32
#define SIGNAL_SETXID 33
static inline bool signal_is_libcs(int signal) {
    return signal == SIGNAL_CANCEL || signal == SIGNAL_SETXID;
}

/* Before any thread of the process takes the lock: a signal that arrives meanwhile is held back, and let in when the
 * thread has let the lock go. */
void signals_hold(void);

/* From the first socket on: default actions that would end or stop the program wait for the lock, too. */
void signals_start(void);

/* In a child that fork has made: another thread of the parent's may have been installing something. */
void signals_forked(void);

/* How many handlers have run in this thread that were installed without SA_RESTART. */
uint32_t signals_interruptions(void);

/* Whether a system call may wait for something, and be EINTR then (signal(7)). */
bool signals_interrupt(long number);

/* Whether a handler of the program's is running in this thread, or was left by a jump. */
bool signals_running(void);

/* How many handlers have run in this thread at all. */
uint32_t signals_handled(void);

/* The handler that the kernel calls for each of the program's. */
void signals_enter(int signal, siginfo_t *info, void *context);

/* Installs what a guest has for one of libc's signals again, after libc has installed its own. */
void signals_give_back(int signal);

/* Notes what the program has installed for a signal whose handler the library is about to replace. */
void signals_take(int signal);

#endif
