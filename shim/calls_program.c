/*
 * calls_program.c - see calls_program.h.
 */
#include "calls_program.h"
#include "attach.h"
#include "calls_syscall.h"
#include "fork.h"
#include "kernel_calls.h"
#include "libc.h"
#include "user_dispatch.h"
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define KERNEL_SIGSET_BYTES 8
#define KERNEL_SA_RESTORER 0x04000000

/* What rt_sigaction(2) takes. */
struct kernel_sigaction {
    union {
        void (*handler)(int);
        void (*action)(int, siginfo_t *, void *);
    };
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

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
    if (result < 0)
        errno = (int)-result;
    return result < 0 ? -1 : result;
}

/* A child that shares this memory would be served by tables that are its parent's, so it gets a copy, as
 * POSIX allows vfork(2) to do. One that is to begin on another stack is left to the kernel. */
static bool of_children(long number, const long a[6], long *result) {
    long copy[6];
    struct clone_args *given = (struct clone_args *)a[0], changed;
    const uint64_t shares = CLONE_VM | CLONE_VFORK;
    memcpy(copy, a, sizeof copy);
    switch (number) {
    case SYS_fork:
        break;
    case SYS_vfork:
        number = SYS_fork;
        break;
    case SYS_clone:
        if (a[0] & CLONE_VM && (!(a[0] & CLONE_VFORK) || a[1]))
            return false;
        copy[0] &= ~(long)shares;
        break;
    case SYS_clone3:
        if ((size_t)a[1] < CLONE_ARGS_SIZE_VER0 || (size_t)a[1] > sizeof changed ||
            (given->flags & CLONE_VM && (!(given->flags & CLONE_VFORK) || given->stack)))
            return false;
        memset(&changed, 0, sizeof changed);
        memcpy(&changed, given, (size_t)a[1]);
        changed.flags &= ~shares;
        copy[0] = (long)&changed;
        break;
    default:
        return false;
    }
    *result = fork_by_syscall(number, copy);
    if (*result == 0)
        user_dispatch_thread();
    return true;
}

bool syscall_take_program(long number, const long a[6], long *result) {
    switch (number) {
    case SYS_rt_sigaction:
        if (a[3] != KERNEL_SIGSET_BYTES || a[0] == SIGRTMIN - 1 || a[0] == SIGRTMIN - 2)
            return false; /* the last two are libc's own */
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
        return of_children(number, a, result) || syscall_take(number, a, result);
    }
}
