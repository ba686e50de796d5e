/*
 * calls_syscall.c - syscall(2): system calls by their number, of which some concern us.
 */
#include "calls_syscall.h"
#include "attach.h"
#include "call.h"
#include "calls_ring.h"
#include "calls_user.h"
#include "fork.h"
#include "libc.h"
#include "lock.h"
#include "memory.h"
#include "netns.h"
#include "sandbox.h"
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

static bool of_descriptors(long number, const long a[6], long *result) {
    int fd = (int)a[0];
    switch (number) {
    case SYS_close:
        *result = close(fd);
        break;
    case SYS_close_range:
        *result = close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]);
        break;
    case SYS_dup:
        *result = dup(fd);
        break;
#ifdef SYS_dup2
    case SYS_dup2:
        *result = dup2(fd, (int)a[1]);
        break;
#endif
    case SYS_dup3:
        *result = dup3(fd, (int)a[1], (int)a[2]);
        break;
    case SYS_fcntl:
        *result = fcntl(fd, (int)a[1], a[2]);
        break;
    case SYS_ioctl:
        *result = ioctl(fd, (unsigned long)a[1], a[2]);
        break;
    case SYS_epoll_create1:
        *result = epoll_create1(fd);
        break;
#ifdef SYS_epoll_create
    case SYS_epoll_create:
        *result = epoll_create(fd);
        break;
#endif
    case SYS_epoll_ctl:
        *result = epoll_ctl(fd, (int)a[1], (int)a[2], (struct epoll_event *)a[3]);
        break;
    default:
        return false;
    }
    return true;
}

/* The kernel's set of signals is shorter than libc's. */
static const sigset_t *widen(long given, sigset_t *wide) {
    if (!given)
        return NULL;
    sigemptyset(wide);
    memcpy(wide, (const void *)given, _NSIG / 8);
    return wide;
}

/* Of a limit the system call leaves what has not passed, which libc's functions don't. */
static void leave_rest(struct timespec *limit, uint64_t began_ns) {
    uint64_t passed = clock_now() - began_ns;
    uint64_t whole = (uint64_t)limit->tv_sec * 1000000000 + (uint64_t)limit->tv_nsec;
    uint64_t rest = passed < whole ? whole - passed : 0;
    limit->tv_sec = (time_t)(rest / 1000000000);
    limit->tv_nsec = (long)(rest % 1000000000);
}

static bool waits(long number, const long a[6], long *result) {
    sigset_t wide;
    uint64_t began_ns;
    switch (number) {
#ifdef SYS_poll
    case SYS_poll:
        *result = poll((struct pollfd *)a[0], (nfds_t)a[1], (int)a[2]);
        break;
    case SYS_select:
        *result = select((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3], (struct timeval *)a[4]);
        break;
    case SYS_epoll_wait:
        *result = epoll_wait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3]);
        break;
#endif
    case SYS_ppoll:
        began_ns = clock_now();
        *result =
            ppoll((struct pollfd *)a[0], (nfds_t)a[1], (const struct timespec *)a[2], widen(a[3], &wide));
        if (a[2])
            leave_rest((struct timespec *)a[2], began_ns);
        break;
    case SYS_pselect6: /* the last is a pointer to a set and its size */
        began_ns = clock_now();
        *result = pselect((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3],
                          (const struct timespec *)a[4], a[5] ? widen(*(const long *)a[5], &wide) : NULL);
        if (a[4])
            leave_rest((struct timespec *)a[4], began_ns);
        break;
    case SYS_epoll_pwait:
        *result =
            epoll_pwait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3], widen(a[4], &wide));
        break;
    case SYS_epoll_pwait2:
        *result = epoll_pwait2((int)a[0], (struct epoll_event *)a[1], (int)a[2],
                               (const struct timespec *)a[3], widen(a[4], &wide));
        break;
    default:
        return false;
    }
    return true;
}

/* System calls that are one of ours under another name: what they say of descriptors of the kernel's is
 * libc's. */
static bool is_ours(long number, const long arguments[6], long *result) {
    const long *a = arguments;
    int fd = (int)a[0];
    switch (number) {
    case SYS_socket:
        *result = socket(fd, (int)a[1], (int)a[2]);
        break;
    case SYS_bind:
        *result = bind(fd, (const struct sockaddr *)a[1], (socklen_t)a[2]);
        break;
    case SYS_listen:
        *result = listen(fd, (int)a[1]);
        break;
    case SYS_accept:
        *result = accept(fd, (struct sockaddr *)a[1], (socklen_t *)a[2]);
        break;
    case SYS_accept4:
        *result = accept4(fd, (struct sockaddr *)a[1], (socklen_t *)a[2], (int)a[3]);
        break;
    case SYS_connect:
        *result = connect(fd, (const struct sockaddr *)a[1], (socklen_t)a[2]);
        break;
    case SYS_shutdown:
        *result = shutdown(fd, (int)a[1]);
        break;
    case SYS_getsockname:
        *result = getsockname(fd, (struct sockaddr *)a[1], (socklen_t *)a[2]);
        break;
    case SYS_getpeername:
        *result = getpeername(fd, (struct sockaddr *)a[1], (socklen_t *)a[2]);
        break;
    case SYS_getsockopt:
        *result = getsockopt(fd, (int)a[1], (int)a[2], (void *)a[3], (socklen_t *)a[4]);
        break;
    case SYS_setsockopt:
        *result = setsockopt(fd, (int)a[1], (int)a[2], (const void *)a[3], (socklen_t)a[4]);
        break;
    case SYS_sendto:
        *result = sendto(fd, (const void *)a[1], (size_t)a[2], (int)a[3], (const struct sockaddr *)a[4],
                         (socklen_t)a[5]);
        break;
    case SYS_recvfrom:
        *result =
            recvfrom(fd, (void *)a[1], (size_t)a[2], (int)a[3], (struct sockaddr *)a[4], (socklen_t *)a[5]);
        break;
    case SYS_sendmsg:
        *result = sendmsg(fd, (const struct msghdr *)a[1], (int)a[2]);
        break;
    case SYS_recvmsg:
        *result = recvmsg(fd, (struct msghdr *)a[1], (int)a[2]);
        break;
    case SYS_sendmmsg:
        *result = sendmmsg(fd, (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3]);
        break;
    case SYS_recvmmsg:
        *result = recvmmsg(fd, (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3], (struct timespec *)a[4]);
        break;
    case SYS_read:
        *result = read(fd, (void *)a[1], (size_t)a[2]);
        break;
    case SYS_write:
        *result = write(fd, (const void *)a[1], (size_t)a[2]);
        break;
    case SYS_readv:
        *result = readv(fd, (const struct iovec *)a[1], (int)a[2]);
        break;
    case SYS_writev:
        *result = writev(fd, (const struct iovec *)a[1], (int)a[2]);
        break;
    case SYS_preadv2: /* the offset is in two halves */
        *result = preadv2(fd, (const struct iovec *)a[1], (int)a[2], a[3], (int)a[5]);
        break;
    case SYS_pwritev2:
        *result = pwritev2(fd, (const struct iovec *)a[1], (int)a[2], a[3], (int)a[5]);
        break;
    case SYS_pidfd_getfd:
        *result = pidfd_getfd(fd, (int)a[1], (unsigned)a[2]);
        break;
    case SYS_sendfile:
        *result = sendfile(fd, (int)a[1], (off_t *)a[2], (size_t)a[3]);
        break;
    case SYS_splice:
        *result = splice(fd, (off64_t *)a[1], (int)a[2], (off64_t *)a[3], (size_t)a[4], (unsigned)a[5]);
        break;
    default:
        return of_descriptors(number, a, result) || waits(number, a, result);
    }
    return true;
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
    bool filter = number == SYS_seccomp && arguments[0] == SECCOMP_SET_MODE_FILTER && arguments[2];
    if (leaves_namespace(number, arguments))
        netns_leaving();
    if (attached() && forks(number, arguments)) {
        *result = fork_by_syscall(number, arguments);
        return true;
    }
    if (filter)
        sandbox_before((const struct sock_fprog *)arguments[2]);
    if (attached() && filter) {
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

EXPORT long syscall(long number, ...) {
    long a[6], result;
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    return syscall_take(number, a, &result) ? result
                                            : LIBC(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
