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
    case SYS_close:
        *result = close(fd);
        break;
    default:
        return false;
    }
    return true;
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
    long result;
    if ((attached() || number == SYS_socket) && is_ours(number, arguments, &result))
        return result;
    return LIBC(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                         arguments[5]);
}
