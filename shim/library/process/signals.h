/* SPDX-License-Identifier: MIT */
/*
 * signals.h - signals that arrive while a thread holds the stack's lock are held back until it has let it go.
 */
#ifndef SHIM_LIBRARY_PROCESS_SIGNALS_H
#define SHIM_LIBRARY_PROCESS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

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

/* Whether a system call may wait for something, and be EINTR then (signal(7)). */
bool signals_interrupt(long number);

/* Whether a handler of the program's is running in this thread, or was left by a jump. */
bool signals_running(void);

/* How many handlers have run in this thread: at all, and of those that were installed without SA_RESTART. */
struct signals_count {
    uint32_t all, interrupting;
};
extern __thread struct signals_count signals_handled __attribute__((tls_model("initial-exec")));
extern __thread struct signals_count signals_at_call __attribute__((tls_model("initial-exec")));

/* A call begins that may sleep: a handler that runs from here on, wherever in the call, interrupts its sleeps, as a
 * signal that is pending does in the kernel. */
static inline void signals_call_begins(void) {
    signals_at_call = signals_handled;
}

/* Whether one has run in this call. `restarts`: one without SA_RESTART. */
static inline bool signals_interrupted(bool restarts) {
    return restarts ? signals_handled.interrupting != signals_at_call.interrupting
                    : signals_handled.all != signals_at_call.all;
}

/* Where a system call that sleeps is to read its time limit, which is set here: a handler that runs before the kernel
 * has read it makes it zero, so that the sleep ends at once. To be followed by a look at signals_interrupted. */
struct timespec *signals_sleep_limit(struct timespec limit);

/* A limit that is never reached. */
#define SIGNALS_NO_LIMIT ((struct timespec){1 << 30, 0})

/* The handler that the kernel calls for each of the program's. */
void signals_enter(int signal, siginfo_t *info, void *context);

/* Installs what a guest has for one of libc's signals again, after libc has installed its own. */
void signals_give_back(int signal);

/* Notes what the program has installed for a signal whose handler the library is about to replace. */
void signals_take(int signal);

#endif
