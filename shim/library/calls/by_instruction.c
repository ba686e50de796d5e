/* SPDX-License-Identifier: MIT */
/*
 * by_instruction.c - see by_instruction.h.
 */
#include "shim/library/calls/by_instruction.h"
#include "shim/library/calls/syscall.h"
#include "shim/library/guest/guest_thread.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/signals.h"
#include "shim/library/user_memory.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define KERNEL_SIGSET_BYTES 8
static const uint64_t sigsys_bit = 1ull << (SIGSYS - 1);

static long change_action(int signal, const struct kernel_sigaction *wanted, struct kernel_sigaction *told) {
    struct sigaction action = {0}, old;
    if (wanted) {
        action.sa_handler = wanted->handler;
        action.sa_flags = (int)(wanted->flags & ~(unsigned long)KERNEL_SA_RESTORER);
        memcpy(&action.sa_mask, &wanted->mask, sizeof wanted->mask);
    }
    if (sigaction(signal, wanted ? &action : NULL, &old) < 0)
        return -1;
    if (told) {
        *told = (struct kernel_sigaction){.handler = old.sa_handler,
                                          .flags = (unsigned)old.sa_flags | KERNEL_SA_RESTORER};
        memcpy(&told->mask, &old.sa_mask, sizeof told->mask);
    }
    return 0;
}

/* A mask with SIGSYS in it would end the process at its next system call (user_dispatch.c). */
static long change_mask(int how, const uint64_t *set, uint64_t *old) {
    uint64_t without = set ? *set & ~(how == SIG_UNBLOCK ? 0 : sigsys_bit) : 0;
    long result =
        kernel_call(SYS_rt_sigprocmask, how, set ? (long)&without : 0, (long)old, KERNEL_SIGSET_BYTES, 0, 0);
    user_memory_mask_changed();
    if (result < 0)
        errno = (int)-result;
    return result < 0 ? -1 : result;
}

bool syscall_take_program(long number, const long a[6], long *result) {
    switch (number) {
    case SYS_rt_sigaction:
        if (a[3] != KERNEL_SIGSET_BYTES || (signal_is_libcs((int)a[0]) && !guest_threads))
            return false;
        *result =
            change_action((int)a[0], (const struct kernel_sigaction *)a[1], (struct kernel_sigaction *)a[2]);
        return true;
    case SYS_rt_sigprocmask:
        if (a[3] != KERNEL_SIGSET_BYTES)
            return false;
        *result = change_mask((int)a[0], (const uint64_t *)a[1], (uint64_t *)a[2]);
        return true;
    case SYS_execve:
        *result = execve((const char *)a[0], (char *const *)a[1], (char *const *)a[2]);
        return true;
    case SYS_execveat:
        *result =
            execveat((int)a[0], (const char *)a[1], (char *const *)a[2], (char *const *)a[3], (int)a[4]);
        return true;
    case SYS_prctl:
        *result = prctl((int)a[0], a[1], a[2], a[3], a[4]);
        return true;
    default:
        return syscall_take(number, a, result);
    }
}
