/* SPDX-License-Identifier: MIT */
/*
 * fd.c - close(2), dup, fcntl, ioctl and their kin.
 *
 * The kernel's object under a descriptor of ours takes part: dup and close-on-exec are the kernel's own, and
 * we keep the table in step. A child in borrowed memory (address_space.h) has only the kernel's.
 */
#include "shim/library/calls/call.h"
#include "shim/library/fd/placeholder.h"
#include "shim/library/fd/udp_loopback.h"
#include "shim/library/netinfo/arp_requests.h"
#include "shim/library/netinfo/interfaces.h"
#include "shim/library/netinfo/netlink.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/attach.h"
#include "shim/library/user_memory.h"
#include "shim/region/async.h"
#include "shim/region/clock.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

/* SO_LINGER with a time: close(2) waits for the data to be acknowledged, as socket(7) says. */
static void linger(struct socket *socket) {
    struct tcp *tcp = socket->tcp;
    if (!tcp || !socket->options.linger || socket->options.linger_seconds <= 0)
        return;
    uint64_t deadline = wait_deadline((uint64_t)socket->options.linger_seconds * 1000000000);
    if (tcp->receive.length > 0 || socket_shutdown(&shared->stack, socket, SHUT_WR))
        return;
    int error = 0; /* any event: the state may have changed */
    while (!error && (tcp->state == TCP_FIN_WAIT1 || tcp->state == TCP_CLOSING || tcp->state == TCP_LAST_ACK))
        error = wait_socket(socket, POLLIN | POLLOUT, deadline);
    wait_done();
}

/* Forgets a descriptor of ours, before the kernel closes it. */
static void forget_descriptor(int fd) {
    struct verbose_summary summary = {.worth_telling = false};
    struct placeholder_offer offer = placeholder_duplicate(fd);
    region_enter();
    struct fd_entry *entry = descriptor_find(fd);
    if (entry && !shared->broken) {
        wait_done(); /* of a call that a signal handler has jumped out of, or runs in */
        verbose_note(&summary, fd);
        if (entry->kind == FILE_REF_SOCKET && descriptor_is_last(entry))
            linger(entry->socket);
        if (descriptor_find(fd) == entry) /* linger waits */
            placeholder_confirm(&offer, entry);
        descriptor_clear(fd);
    } else if (entry) {
        atomic_store(&descriptor_pages[fd / DESCRIPTOR_PAGE][fd % DESCRIPTOR_PAGE], NULL);
    }
    region_leave();
    placeholder_keep(&offer);
    verbose_tell(&summary);
}

EXPORT int close(int fd) {
    CALL_BEGINS;
    if (address_space_is_parents())
        return LIBC(close)(fd);
    attach_await();
    if (descriptor_find(fd)) {
        TRACE("close(%d)", fd);
        forget_descriptor(fd);
        if (tracing_call.pending)
            tracing_end(0);
    } else if (descriptor_is_private(fd)) {
        return (int)call_result(-EBADF);
    }
    netlink_forget((unsigned)fd, (unsigned)fd);
    pthread_testcancel();
    int cancel = descriptor_naming_begin();
    int result = LIBC(close)(fd);
    descriptor_naming_end(cancel);
    return (int)call_told(result);
}

static void forget_visited(int fd, void *context) {
    (void)context;
    forget_descriptor(fd);
}

/* Calls libc's close_range for what lies between our private descriptors. */
static int close_around_private(unsigned first, unsigned last, int flags) {
    int fd = first <= INT_MAX ? descriptor_next_private((int)first) : -1;
    for (; fd >= 0 && (unsigned)fd <= last; fd = descriptor_next_private(fd + 1)) {
        if ((unsigned)fd > first && LIBC(close_range)(first, (unsigned)fd - 1, flags) < 0)
            return -1;
        first = (unsigned)fd + 1;
    }
    return first <= last ? LIBC(close_range)(first, last, flags) : 0;
}

EXPORT int close_range(unsigned first, unsigned last, int flags) {
    CALL_BEGINS;
    if (address_space_is_parents())
        return LIBC(close_range)(first, last, flags);
    if (first > last)
        return (int)call_result(-EINVAL);
    attach_await();
    if (!(flags & CLOSE_RANGE_CLOEXEC) && descriptor_any)
        descriptor_walk(first, last, forget_visited, NULL);
    if (!(flags & CLOSE_RANGE_CLOEXEC))
        netlink_forget(first, last);
    int cancel = descriptor_naming_begin();
    int result = close_around_private(first, last, flags);
    descriptor_naming_end(cancel);
    return (int)call_told(result);
}

EXPORT void closefrom(int first) {
    close_range(first < 0 ? 0 : (unsigned)first, ~0u, 0);
}

/* A new descriptor for what `fd` is: counts it, if that is ours. */
static int adopt(int fd, int made) {
    CALL_BEGINS;
    int error = 0;
    if (made < 0 || address_space_is_parents())
        return made;
    if (descriptor_find(fd)) {
        region_enter();
        struct fd_entry *entry = descriptor_find(fd);
        error = entry ? descriptor_set(made, entry) : 0;
        region_leave();
    }
    netlink_follow(fd, made);
    if (error)
        LIBC(close)(made);
    return error ? (int)call_result(error) : made;
}

EXPORT int dup(int fd) {
    CALL_BEGINS;
    if (descriptor_find(fd))
        TRACE("dup(%d)", fd);
    return (int)call_told(adopt(fd, LIBC(dup)(fd)));
}

/* dup2 and dup3 close what was there. */
static int make_room(int fd, int at) {
    if (descriptor_is_private(at))
        return -EBADF;
    if (LIBC(fcntl)(fd, F_GETFD) < 0)
        return -EBADF;
    if (descriptor_find(at))
        forget_descriptor(at);
    return 0;
}

static int duplicate_at(int fd, int at, int flags) {
    int made = make_room(fd, at);
    if (made)
        return made;
    int cancel = descriptor_naming_begin();
    made = LIBC(dup3)(fd, at, flags);
    descriptor_naming_end(cancel);
    return made < 0 ? -errno : adopt(fd, made) < 0 ? -errno : made;
}

EXPORT int dup2(int fd, int at) {
    CALL_BEGINS;
    attach_await();
    if (fd == at || !descriptor_any || address_space_is_parents())
        return LIBC(dup2)(fd, at);
    if (descriptor_find(fd) || descriptor_find(at))
        TRACE("dup2(%d, %d)", fd, at);
    return (int)call_result(duplicate_at(fd, at, 0));
}

EXPORT int dup3(int fd, int at, int flags) {
    CALL_BEGINS;
    attach_await();
    if (fd == at || !descriptor_any || address_space_is_parents())
        return LIBC(dup3)(fd, at, flags);
    if (descriptor_find(fd) || descriptor_find(at))
        TRACE("dup3(%d, %d, 0x%x)", fd, at, (unsigned)flags);
    return (int)call_result(duplicate_at(fd, at, flags));
}

/* O_NONBLOCK and O_ASYNC of a socket of ours, and whom it signals, are the stack's to know; the kernel's
 * object bears them, too: it checks them, and answers whoever asks. */
static int fcntl_of_socket(int fd, int command, void *argument) {
    CALL_BEGINS;
    if (command != F_SETFL || (intptr_t)argument & ~(O_NONBLOCK | O_RDWR))
        descriptor_alter(fd);
    struct f_owner_ex owner;
    int error, result = LIBC(fcntl)(fd, command, argument);
    if (result < 0)
        return result;
    if (command == F_SETOWN_EX) {
        if (user_read(&owner, argument, sizeof owner))
            return (int)call_result(-EFAULT);
        argument = &owner;
    }
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return (int)call_result(error);
    if (command == F_SETFL)
        socket->nonblocking = (intptr_t)argument & O_NONBLOCK;
    async_note_command(socket, fd, command, argument);
    region_leave();
    return result;
}

static int fcntl_of_ours(int fd, int command, void *argument) {
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return adopt(fd, LIBC(fcntl)(fd, command, argument));
    case F_SETFL:
    case F_SETOWN:
    case F_SETOWN_EX:
    case F_SETSIG:
        return descriptor_socket(fd) ? fcntl_of_socket(fd, command, argument)
                                     : LIBC(fcntl)(fd, command, argument);
    case F_GETFD:
    case F_SETFD:
    case F_GETFL:
        return LIBC(fcntl)(fd, command, argument);
    default:
        descriptor_alter(fd);
        return LIBC(fcntl)(fd, command, argument);
    }
}

EXPORT int fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!descriptor_find(fd) && !netlink_is(fd))
        return LIBC(fcntl)(fd, command, argument);
    CALL_BEGINS;
    TRACE("fcntl(%d, %s, 0x%lx)", fd, tracing_command(command), (unsigned long)argument);
    return (int)call_told(fcntl_of_ours(fd, command, argument));
}

EXPORT int fcntl64(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return fcntl(fd, command, argument);
}

#define NS_PER_S UINT64_C(1000000000)

/* When the last datagram that was read had come: SIOCGSTAMP (a timeval) and SIOCGSTAMPNS (a timespec) of socket(7). */
static int give_stamp(int fd, void *argument, uint64_t unit_ns) {
    int error;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    uint64_t stamp_ns = socket->datagram ? socket->datagram->stamp_ns : 0;
    region_leave();
    if (!stamp_ns)
        return -ENOENT;
    stamp_ns += clock_realtime_offset();
    int64_t told[2] = {(int64_t)(stamp_ns / NS_PER_S), (int64_t)(stamp_ns % NS_PER_S / unit_ns)};
    return user_write(argument, told, sizeof told) ? -EFAULT : 0;
}

static int ioctl_ours(int fd, unsigned long request, void *argument) {
    int error, value = 0;
    if (request == SIOCGSTAMP_OLD || request == SIOCGSTAMP_NEW)
        return give_stamp(fd, argument, 1000);
    if (request == SIOCGSTAMPNS_OLD || request == SIOCGSTAMPNS_NEW)
        return give_stamp(fd, argument, 1);
    if (request == FIOGETOWN || request == SIOCGPGRP)
        return LIBC(ioctl)(fd, request, argument) < 0 ? -errno : 0;
    bool sets = request == FIONBIO || request == FIOASYNC || request == FIOSETOWN || request == SIOCSPGRP;
    if (sets && user_read(&value, argument, sizeof value))
        return -EFAULT;
    if (sets && request != FIONBIO)
        descriptor_alter(fd);
    if (sets && LIBC(ioctl)(fd, request, &value) < 0)
        return -errno;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    error = 0;
    switch (request) {
    case FIONBIO:
        socket->nonblocking = value != 0;
        break;
    case FIOASYNC:
    case FIOSETOWN:
    case SIOCSPGRP:
        async_note_request(socket, fd, request, &value);
        break;
    default:
        error = socket_control(socket, request, &value);
        if (!error && request == FIONREAD && worlds_receives(descriptor_find(fd)))
            value = worlds_next_length(fd, value);
        break;
    }
    region_leave();
    return !error && !sets && user_write(argument, &value, sizeof value) ? -EFAULT : error;
}

EXPORT int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!descriptor_socket(fd))
        return LIBC(ioctl)(fd, request, argument);
    CALL_BEGINS;
    TRACE("ioctl(%d, %s)", fd, tracing_request(request));
    if (request == FIOCLEX || request == FIONCLEX)
        return (int)call_told(LIBC(ioctl)(fd, request, argument));
    if (interface_request(request))
        return (int)call_result(interface_ask(fd, request, argument));
    if (arp_request(request))
        return (int)call_result(arp_request_answer(fd, request, argument));
    enum interface_owner changed = interface_change(request, argument);
    if (changed == INTERFACE_KERNELS)
        return (int)call_told(LIBC(ioctl)(fd, request, argument));
    if (changed == INTERFACE_STACKS)
        return (int)call_result(-EPERM);
    return (int)call_result(ioctl_ours(fd, request, argument));
}
