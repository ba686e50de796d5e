/* SPDX-License-Identifier: MIT */
/*
 * kernel_calls.c - see kernel_calls.h.
 *
 * Cancellation. A call that may sleep is a point where pthread_cancel(3) ends the thread, at once if it
 * sleeps. libc does that by making the thread cancellable at any instruction for as long as the system call
 * lasts, and so does this file, by pthread_setcanceltype(3), where the process has more than one thread.
 */
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>

#if defined __x86_64__ && !defined CALLS_BY_LIBC

long kernel_call(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

static long told(long result) {
    if ((unsigned long)result <= -4096ul)
        return result;
    errno = (int)-result;
    return -1;
}

/* The same as a cancellation point. */
static long sleeping_call(long number, long a, long b, long c, long d, long e, long f) {
    int type;
    if (__libc_single_threaded)
        return told(kernel_call(number, a, b, c, d, e, f));
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    long result = kernel_call(number, a, b, c, d, e, f);
    pthread_setcanceltype(type, NULL);
    return told(result);
}

#define CALL(name, ...) CALL_(name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(name, a, b, c, d, e, f, ...) \
    told(kernel_call(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))
#define SLEEP(name, ...) SLEEP_(name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SLEEP_(name, a, b, c, d, e, f, ...) \
    sleeping_call(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

int kernel_socket(int domain, int type, int protocol) {
    return (int)CALL(socket, domain, type, protocol);
}
int kernel_bind(int fd, const struct sockaddr *address, socklen_t length) {
    return (int)CALL(bind, fd, address, length);
}
int kernel_listen(int fd, int backlog) {
    return (int)CALL(listen, fd, backlog);
}
int kernel_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    return (int)SLEEP(accept4, fd, address, length, flags);
}
int kernel_connect(int fd, const struct sockaddr *address, socklen_t length) {
    return (int)SLEEP(connect, fd, address, length);
}
int kernel_shutdown(int fd, int how) {
    return (int)CALL(shutdown, fd, how);
}
int kernel_getsockname(int fd, struct sockaddr *address, socklen_t *length) {
    return (int)CALL(getsockname, fd, address, length);
}
int kernel_getpeername(int fd, struct sockaddr *address, socklen_t *length) {
    return (int)CALL(getpeername, fd, address, length);
}
int kernel_getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
    return (int)CALL(getsockopt, fd, level, name, value, length);
}
int kernel_setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    return (int)CALL(setsockopt, fd, level, name, value, length);
}
ssize_t kernel_read(int fd, void *buffer, size_t length) {
    return SLEEP(read, fd, buffer, length);
}
ssize_t kernel_write(int fd, const void *buffer, size_t length) {
    return SLEEP(write, fd, buffer, length);
}
ssize_t kernel_readv(int fd, const struct iovec *pieces, int count) {
    return SLEEP(readv, fd, pieces, count);
}
ssize_t kernel_writev(int fd, const struct iovec *pieces, int count) {
    return SLEEP(writev, fd, pieces, count);
}
ssize_t kernel_send(int fd, const void *buffer, size_t length, int flags) {
    return SLEEP(sendto, fd, buffer, length, flags);
}
ssize_t kernel_recv(int fd, void *buffer, size_t length, int flags) {
    return SLEEP(recvfrom, fd, buffer, length, flags);
}
ssize_t kernel_sendto(int fd, const void *buffer, size_t length, int flags, const struct sockaddr *to,
                      socklen_t to_length) {
    return SLEEP(sendto, fd, buffer, length, flags, to, to_length);
}
ssize_t kernel_recvfrom(int fd, void *buffer, size_t length, int flags, struct sockaddr *from,
                        socklen_t *from_length) {
    return SLEEP(recvfrom, fd, buffer, length, flags, from, from_length);
}
ssize_t kernel_sendmsg(int fd, const struct msghdr *message, int flags) {
    return SLEEP(sendmsg, fd, message, flags);
}
ssize_t kernel_recvmsg(int fd, struct msghdr *message, int flags) {
    return SLEEP(recvmsg, fd, message, flags);
}
int kernel_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    return (int)SLEEP(sendmmsg, fd, messages, count, flags);
}
int kernel_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit) {
    return (int)SLEEP(recvmmsg, fd, messages, count, flags, limit);
}
ssize_t kernel_sendfile(int out, int in, off_t *offset, size_t length) {
    return CALL(sendfile, out, in, offset, length);
}
int kernel_close(int fd) {
    return (int)SLEEP(close, fd);
}
int kernel_close_range(unsigned first, unsigned last, int flags) {
    return (int)CALL(close_range, first, last, flags);
}
int kernel_dup(int fd) {
    return (int)CALL(dup, fd);
}
int kernel_dup2(int fd, int at) {
    return (int)CALL(dup2, fd, at);
}
int kernel_dup3(int fd, int at, int flags) {
    return (int)CALL(dup3, fd, at, flags);
}

/* fcntl(2), BUGS: an owner that is a process group would be taken for an error. */
static long owner_of(int fd) {
    struct f_owner_ex owner;
    long result = kernel_call(SYS_fcntl, fd, F_GETOWN_EX, (long)&owner, 0, 0, 0);
    if (result < 0)
        return result;
    return owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
}

int kernel_fcntl(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    long argument = va_arg(list, long);
    va_end(list);
    if (command == F_GETOWN) {
        long owner = owner_of(fd);
        return owner >= 0 || owner < -4095 ? (int)owner : (int)CALL(fcntl, fd, command, argument);
    }
    if (command == F_SETLKW || command == F_OFD_SETLKW)
        return (int)SLEEP(fcntl, fd, command, argument);
    return (int)CALL(fcntl, fd, command, argument);
}

int kernel_fcntl64(int fd, int command, ...) __attribute__((alias("kernel_fcntl")));

int kernel_ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    long argument = va_arg(list, long);
    va_end(list);
    return (int)CALL(ioctl, fd, request, argument);
}

#define KERNEL_SIGSET_BYTES (_NSIG / 8)

int kernel_poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
    return (int)SLEEP(poll, fds, count, timeout_ms);
}
/* The system calls of the next two change the time; libc's functions don't. */
int kernel_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
    struct timespec left = timeout ? *timeout : (struct timespec){0};
    return (int)SLEEP(ppoll, fds, count, timeout ? &left : NULL, mask, KERNEL_SIGSET_BYTES);
}
int kernel_pselect(int limit, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
                   const sigset_t *mask) {
    struct timespec left = timeout ? *timeout : (struct timespec){0};
    const struct {
        const sigset_t *mask;
        size_t bytes;
    } with_size = {mask, KERNEL_SIGSET_BYTES};
    return (int)SLEEP(pselect6, limit, in, out, except, timeout ? &left : NULL, &with_size);
}
int kernel_select(int limit, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout) {
    return (int)SLEEP(select, limit, in, out, except, timeout);
}
int kernel_epoll_create1(int flags) {
    return (int)CALL(epoll_create1, flags);
}
int kernel_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    return (int)CALL(epoll_ctl, epoll, operation, fd, event);
}
int kernel_epoll_pwait(int epoll, struct epoll_event *events, int limit, int timeout_ms,
                       const sigset_t *mask) {
    return (int)SLEEP(epoll_pwait, epoll, events, limit, timeout_ms, mask, KERNEL_SIGSET_BYTES);
}
ssize_t kernel_preadv2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
    return SLEEP(preadv2, fd, pieces, count, offset, 0, flags);
}
ssize_t kernel_pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
    return SLEEP(pwritev2, fd, pieces, count, offset, 0, flags);
}
ssize_t kernel_splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t length,
                      unsigned flags) {
    return SLEEP(splice, in, in_offset, out, out_offset, length, flags);
}
int kernel_pidfd_getfd(int pidfd, int fd, unsigned flags) {
    return (int)CALL(pidfd_getfd, pidfd, fd, flags);
}
int kernel_execve(const char *path, char *const *arguments, char *const *environment) {
    return (int)CALL(execve, path, arguments, environment);
}
int kernel_execveat(int folder, const char *path, char *const *arguments, char *const *environment,
                    int flags) {
    return (int)CALL(execveat, folder, path, arguments, environment, flags);
}

int kernel_prctl(int option, ...) {
    long a[4];
    va_list list;
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    return (int)CALL(prctl, option, a[0], a[1], a[2], a[3]);
}
int kernel_prlimit(pid_t process, int resource, const struct rlimit *limit, struct rlimit *old) {
    return (int)CALL(prlimit64, process, resource, limit, old);
}

/* As libc's own: the arguments as they come, in six registers. */
long kernel_syscall(long number, ...) {
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    return told(kernel_call(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

#else

long kernel_call(long number, long a, long b, long c, long d, long e, long f) {
    int saved = errno;
    long result = LIBC(syscall)(number, a, b, c, d, e, f);
    if (result == -1)
        result = -errno;
    errno = saved;
    return result;
}

#endif
