/* SPDX-License-Identifier: MIT */
/*
 * doors.c - the calls of the cases by another way than libc's names.
 *
 * A program's own definition of a function comes before every library's. So the same cases go, with DOOR_RAW,
 * by system-call instructions of the program's own, as Go's and Rust's do; with DOOR_LIBC, by functions that
 * are looked up in libc itself, as a plug-in with RTLD_DEEPBIND or Python's ctypes calls them.
 */
#include "tests/raw_call.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef DOOR_RAW

#define SIGNALS_BYTES 8 /* of the kernel's set of signals */

static long told(long result) {
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

#define GO(...) told(RAW_CALL(__VA_ARGS__))

#endif

#ifdef DOOR_RAW
#define DOOR(type, name, parameters, number, ...) \
    type name parameters {                        \
        return (type)GO(number, __VA_ARGS__);     \
    }
#else
#define DOOR(type, name, parameters, number, ...)                                             \
    type name parameters {                                                                    \
        static type(*function) parameters;                                                    \
        if (!function)                                                                        \
            *(void **)&function = dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), #name); \
        return function(__VA_ARGS__);                                                         \
    }
#endif

DOOR(int, socket, (int domain, int type, int protocol), socket, domain, type, protocol)
DOOR(int, bind, (int fd, const struct sockaddr *address, socklen_t length), bind, fd, address, length)
DOOR(int, connect, (int fd, const struct sockaddr *address, socklen_t length), connect, fd, address, length)
DOOR(int, listen, (int fd, int backlog), listen, fd, backlog)
DOOR(int, accept, (int fd, struct sockaddr *address, socklen_t *length), accept, fd, address, length)
DOOR(int, accept4, (int fd, struct sockaddr *address, socklen_t *length, int flags), accept4, fd, address,
     length, flags)
DOOR(int, shutdown, (int fd, int how), shutdown, fd, how)
DOOR(int, getsockname, (int fd, struct sockaddr *address, socklen_t *length), getsockname, fd, address,
     length)
DOOR(int, getpeername, (int fd, struct sockaddr *address, socklen_t *length), getpeername, fd, address,
     length)
DOOR(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *length), getsockopt, fd, level,
     name, value, length)
DOOR(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t length), setsockopt, fd,
     level, name, value, length)
DOOR(ssize_t, read, (int fd, void *buffer, size_t length), read, fd, buffer, length)
DOOR(ssize_t, write, (int fd, const void *buffer, size_t length), write, fd, buffer, length)
DOOR(ssize_t, readv, (int fd, const struct iovec *pieces, int count), readv, fd, pieces, count)
DOOR(ssize_t, writev, (int fd, const struct iovec *pieces, int count), writev, fd, pieces, count)
DOOR(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), sendmsg, fd, message, flags)
DOOR(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), recvmsg, fd, message, flags)
DOOR(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags), sendmmsg, fd, messages,
     count, flags)
DOOR(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit),
     recvmmsg, fd, messages, count, flags, limit)
DOOR(ssize_t, sendto,
     (int fd, const void *buffer, size_t length, int flags, const struct sockaddr *to, socklen_t to_length),
     sendto, fd, buffer, length, flags, to, to_length)
DOOR(ssize_t, recvfrom,
     (int fd, void *buffer, size_t length, int flags, struct sockaddr *from, socklen_t *from_length),
     recvfrom, fd, buffer, length, flags, from, from_length)
DOOR(ssize_t, sendfile, (int out, int in, off_t *offset, size_t length), sendfile, out, in, offset, length)
DOOR(int, close, (int fd), close, fd)
DOOR(int, dup, (int fd), dup, fd)
DOOR(int, epoll_create1, (int flags), epoll_create1, flags)
DOOR(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event), epoll_ctl, epoll,
     operation, fd, event)
DOOR(int, epoll_wait, (int epoll, struct epoll_event *events, int limit, int timeout), epoll_wait, epoll,
     events, limit, timeout)
DOOR(int, poll, (struct pollfd * fds, nfds_t count, int timeout), poll, fds, count, timeout)
DOOR(int, select, (int limit, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout), select,
     limit, in, out, except, timeout)

#ifdef DOOR_RAW
ssize_t send(int fd, const void *buffer, size_t length, int flags) {
    return sendto(fd, buffer, length, flags, NULL, 0);
}

ssize_t recv(int fd, void *buffer, size_t length, int flags) {
    return recvfrom(fd, buffer, length, flags, NULL, NULL);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
    struct timespec left = timeout ? *timeout : (struct timespec){0};
    return (int)GO(ppoll, fds, count, timeout ? &left : NULL, mask, SIGNALS_BYTES);
}

int epoll_pwait(int epoll, struct epoll_event *events, int limit, int timeout, const sigset_t *mask) {
    return (int)GO(epoll_pwait, epoll, events, limit, timeout, mask, SIGNALS_BYTES);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    long argument = va_arg(list, long);
    va_end(list);
    return (int)GO(ioctl, fd, request, argument);
}

int fcntl(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    long argument = va_arg(list, long);
    va_end(list);
    return (int)GO(fcntl, fd, command, argument);
}
#else
DOOR(ssize_t, send, (int fd, const void *buffer, size_t length, int flags), send, fd, buffer, length, flags)
DOOR(ssize_t, recv, (int fd, void *buffer, size_t length, int flags), recv, fd, buffer, length, flags)
DOOR(int, ppoll, (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
     ppoll, fds, count, timeout, mask)
DOOR(int, epoll_pwait, (int epoll, struct epoll_event *events, int limit, int timeout, const sigset_t *mask),
     epoll_pwait, epoll, events, limit, timeout, mask)

int ioctl(int fd, unsigned long request, ...) {
    static int (*function)(int, unsigned long, ...);
    va_list list;
    va_start(list, request);
    long argument = va_arg(list, long);
    va_end(list);
    if (!function)
        *(void **)&function = dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "ioctl");
    return function(fd, request, argument);
}

int fcntl(int fd, int command, ...) {
    static int (*function)(int, int, ...);
    va_list list;
    va_start(list, command);
    long argument = va_arg(list, long);
    va_end(list);
    if (!function)
        *(void **)&function = dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "fcntl");
    return function(fd, command, argument);
}
#endif
