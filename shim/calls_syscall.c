/*
 * calls_syscall.c - syscall(2): system calls by their number, of which some concern us.
 */
#include "attach.h"
#include "fork.h"
#include "libc.h"
#include "memory.h"
#include "sandbox.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/syscall.h>

/* Whether it makes a child with memory of its own. */
static bool forks(long number, const long arguments[6]) {
    switch (number) {
    case SYS_clone:
        return !(arguments[0] & CLONE_VM);
    case SYS_clone3:
        return !(((const struct clone_args *)arguments[0])->flags & CLONE_VM);
#ifdef SYS_fork
    case SYS_fork:
        return true;
#endif
    default:
        return false;
    }
}

static long install_filter(const long arguments[6]) {
    struct sock_fprog *wide = sandbox_widen((const struct sock_fprog *)arguments[2]);
    long result = LIBC(syscall)(SYS_seccomp, arguments[0], arguments[1], wide ? (long)wide : arguments[2]);
    int error = errno;
    memory_give(wide);
    errno = error;
    return result;
}

EXPORT long syscall(long number, ...) {
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (attached() && forks(number, arguments))
        return fork_by_syscall(number, arguments);
    if (attached() && number == SYS_seccomp && arguments[0] == SECCOMP_SET_MODE_FILTER && arguments[2])
        return install_filter(arguments);
    return LIBC(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                         arguments[5]);
}
