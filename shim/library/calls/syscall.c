/* SPDX-License-Identifier: MIT */
/*
 * syscall.c - syscall(2): system calls by their number, of which some concern us.
 */
#include "shim/library/calls/syscall.h"
#include "shim/library/calls/call.h"
#include "shim/library/calls/credentials.h"
#include "shim/library/calls/io_uring.h"
#include "shim/library/memory.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/fork.h"
#include "shim/library/process/netns.h"
#include "shim/library/process/sandbox.h"
#include "shim/library/user_memory.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <time.h>

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

#define NOWHERE ((const sigset_t *)1)

/* The kernel's set of signals is shorter than libc's. What can't be read fails in the call itself. */
static const sigset_t *widen(long given, sigset_t *wide) {
    if (!given)
        return NULL;
    sigemptyset(wide);
    return user_read(wide, (const void *)given, _NSIG / 8) ? NOWHERE : wide;
}

/* pselect6 takes a pointer to a set and its size. */
static const sigset_t *widen_beside(long given, sigset_t *wide) {
    long set[2];
    if (!given)
        return NULL;
    return user_read(set, (const void *)given, sizeof set) ? NOWHERE : widen(set[0], wide);
}

/* Of a limit the system call leaves what has not passed, which libc's functions don't; nothing, where it is
 * refused. */
static void leave_rest(struct timespec *given, uint64_t began_ns, long result) {
    struct timespec limit;
    if (!given || (result < 0 && errno != EINTR) || user_read(&limit, given, sizeof limit))
        return;
    uint64_t passed = clock_now() - began_ns;
    uint64_t whole = (uint64_t)limit.tv_sec * 1000000000 + (uint64_t)limit.tv_nsec;
    uint64_t rest = passed < whole ? whole - passed : 0;
    limit.tv_sec = (time_t)(rest / 1000000000);
    limit.tv_nsec = (long)(rest % 1000000000);
    (void)user_write(given, &limit, sizeof limit); /* Linux goes on if it may not */
}

static long call_ppoll(const long a[6]) {
    sigset_t wide;
    uint64_t began_ns = clock_now();
    long result =
        ppoll((struct pollfd *)a[0], (nfds_t)a[1], (const struct timespec *)a[2], widen(a[3], &wide));
    leave_rest((struct timespec *)a[2], began_ns, result);
    return result;
}

/* The last argument is a pointer to a set and its size. */
static long call_pselect(const long a[6]) {
    sigset_t wide;
    uint64_t began_ns = clock_now();
    long result = pselect((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3],
                          (const struct timespec *)a[4], widen_beside(a[5], &wide));
    leave_rest((struct timespec *)a[4], began_ns, result);
    return result;
}

static long call_epoll_pwait(const long a[6]) {
    sigset_t wide;
    return epoll_pwait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3], widen(a[4], &wide));
}

static long call_epoll_pwait2(const long a[6]) {
    sigset_t wide;
    return epoll_pwait2((int)a[0], (struct epoll_event *)a[1], (int)a[2], (const struct timespec *)a[3],
                        widen(a[4], &wide));
}

#define SERVED(name, when, call) \
    case SYS_##name:             \
        *result = call;          \
        return true;
#define ALSO(name, when)

/* System calls that are one of ours under another name. */
static bool is_ours(long number, const long a[6], long *result) {
    switch (number) {
#include "shim/region/syscall_list.h"
    default:
        return false;
    }
}

/* Whether it may lead into another network namespace. */
static bool leaves_namespace(long number, const long arguments[6]) {
    switch (number) {
    case SYS_unshare:
    case SYS_clone:
        return arguments[0] & CLONE_NEWNET;
    case SYS_clone3:
        return ((const struct clone_args *)arguments[0])->flags & CLONE_NEWNET;
    case SYS_setns:
        return true;
    default:
        return false;
    }
}

bool syscall_take(long number, const long arguments[6], long *result) {
    int strict;
    bool filter = number == SYS_seccomp && arguments[0] == SECCOMP_SET_MODE_FILTER && arguments[2];
    if (leaves_namespace(number, arguments))
        netns_leaving();
    if (attached() && forks(number, arguments)) {
        *result = fork_by_syscall(number, arguments);
        return true;
    }
    if (number == SYS_seccomp && arguments[0] == SECCOMP_SET_MODE_STRICT && !arguments[1] && !arguments[2] &&
        sandbox_strictly(SECCOMP_MODE_STRICT, &strict)) {
        *result = strict;
        return true;
    }
    if (filter)
        sandbox_before((const struct sock_fprog *)arguments[2]);
    if (filter) {
        *result = install_filter(arguments);
        return true;
    }
    user_before_syscall(number, arguments);
    if (number == SYS_exit_group)
        call_leave();
    if (ring_take(number, arguments, result))
        return true;
    return is_ours(number, arguments, result);
}

/* As libc's, it takes six arguments, however many there are: AddressSanitizer says that the last lies in the
 * caller's frame, and it is right. */
EXPORT __attribute__((no_sanitize_address)) long syscall(long number, ...) {
    long a[6], result;
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    return syscall_take(number, a, &result) ? result
                                            : LIBC(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
