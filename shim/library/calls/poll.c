/*
 * poll.c - poll(2), ppoll, select, pselect, over descriptors of ours and of the kernel's in one set.
 *
 * A set without one of ours goes to libc as it is. Otherwise ours are asked first: when one is ready the
 * kernel's are asked without waiting, so that both kinds are reported together; when none is, the thread
 * sleeps in poll(2), with an eventfd among the kernel's.
 */
#include "shim/library/calls/call.h"
#include "shim/library/fd/udp_loopback.h"
#include "shim/library/memory.h"
#include "shim/library/wait/epoll_eventfd.h"
#include "shim/library/wait/orphan.h"
#include "shim/library/wait/poller.h"
#include "shim/region/frames.h"
#include "shim/region/wake.h"
#include <string.h>
#include <time.h>

#define ON_STACK_MAX 256

/* Whether a descriptor is a socket of ours. One that is an epoll set of ours is the kernel's to poll, by its
 * epoll eventfd. */
static bool ours_to_poll(int fd, bool *sets) {
    struct fd_entry *set = descriptor_epoll(fd);
    if (set) {
        epoll_eventfd_want(set, fd);
        *sets = true;
    }
    return descriptor_socket(fd) != NULL;
}

static bool any_ours(const struct pollfd *fds, nfds_t count) {
    bool found = false, sets = false;
    if (!descriptor_any)
        return false;
    for (nfds_t i = 0; i < count; i++)
        found |= ours_to_poll(fds[i].fd, &sets);
    if (sets)
        epoll_eventfds_refresh();
    return found;
}

/* Asks our sockets. The lock is held. Returns how many are ready. */
static int ask_ours(struct pollfd *fds, nfds_t count) {
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        struct socket *socket = descriptor_socket(fds[i].fd);
        if (!socket)
            continue;
        fds[i].revents =
            (short)(socket_poll(&shared->stack, socket) & ((unsigned)fds[i].events | POLLERR | POLLHUP));
        ready += fds[i].revents != 0;
    }
    return ready;
}

static int watch_ours(struct waiter *waiter, const struct pollfd *fds, nfds_t count) {
    for (nfds_t i = 0; i < count; i++) {
        struct socket *socket = descriptor_socket(fds[i].fd);
        int error = socket ? wait_watch(waiter, socket, (unsigned)fds[i].events) : 0;
        if (error)
            return error;
    }
    return 0;
}

/* The kernel's part of a set, ours left out, but for those that talk to both; the same places, so that
 * results are copied back by place. */
static nfds_t pick_kernel(struct pollfd *kernel, const struct pollfd *fds, nfds_t count) {
    nfds_t theirs = 0;
    for (nfds_t i = 0; i < count; i++) {
        const struct fd_entry *entry = descriptor_find(fds[i].fd);
        bool ours = entry && entry->kind == FILE_REF_SOCKET, both = ours && worlds_receives(entry);
        bool asked = fds[i].fd >= 0 && (!ours || both);
        kernel[i] = (struct pollfd){.fd = asked ? fds[i].fd : -1,
                                    .events = (short)(both ? fds[i].events & WORLDS_POLL : fds[i].events)};
        theirs += asked;
    }
    return theirs;
}

static int merge_kernel(struct pollfd *fds, const struct pollfd *kernel, nfds_t count) {
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        if (kernel[i].fd >= 0 && descriptor_socket(fds[i].fd))
            fds[i].revents |= worlds_merge(fds[i].events, kernel[i].revents);
        else if (kernel[i].fd >= 0)
            fds[i].revents = kernel[i].revents;
        else if (fds[i].fd < 0)
            fds[i].revents = 0;
        ready += fds[i].revents != 0;
    }
    return ready;
}

/* Our sockets' stack is of no more use; the kernel's descriptors go on. */
static int poll_orphans(struct pollfd *fds, struct pollfd *kernel, nfds_t count, uint64_t deadline_ns,
                        const sigset_t *mask) {
    struct timespec limit = {0, 0};
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        struct fd_entry *entry = descriptor_find(fds[i].fd);
        if (!entry || entry->kind != FILE_REF_SOCKET)
            continue;
        fds[i].revents = (short)orphan_events(entry, (unsigned)fds[i].events);
        ready += fds[i].revents != 0;
    }
    for (nfds_t i = 0; i < count; i++) /* also one that is in it twice */
        if (descriptor_socket(fds[i].fd) && fds[i].revents)
            orphan_told(descriptor_find(fds[i].fd));
    if (!ready && deadline_ns != TIMER_NEVER)
        limit = wait_time_left(deadline_ns);
    int result = LIBC(ppoll)(kernel, count, !ready && deadline_ns == TIMER_NEVER ? NULL : &limit, mask);
    return result < 0 ? -errno : merge_kernel(fds, kernel, count);
}

/* kernel has room for WAIT_SLEEP_ROOM more. Returns the number ready or a negative errno. */
static int poll_mixed(struct pollfd *fds, struct pollfd *kernel, nfds_t count, uint64_t deadline_ns,
                      const sigset_t *mask) {
    struct timespec no_time = {0, 0};
    for (;;) {
        nfds_t theirs = pick_kernel(kernel, fds, count);
        frames_coalesce(0);
        region_enter();
        frames_rx_poll_due(deadline_ns ? FRAMES_AGE_CALL_NS : FRAMES_AGE_LOOK_NS);
        if (shared->broken || keeper_has_died()) {
            region_leave();
            attach_broken();
            return poll_orphans(fds, kernel, count, deadline_ns, mask);
        }
        /* In poll(2) even when all are ours: only there is a signal's interruption final, whatever SA_RESTART
         * says. */
        struct waiter *waiter = wait_begin(true);
        int ready = ask_ours(fds, count);
        int error = !waiter ? -ENOMEM : ready ? 0 : watch_ours(waiter, fds, count);
        if (ready || error || deadline_ns == 0) {
            if (waiter)
                wait_end(waiter);
            region_leave();
            if (error)
                return error;
            frames_coalesce(ready);
            if (theirs > 0 && LIBC(ppoll)(kernel, count, &no_time, mask) < 0)
                return -errno;
            return merge_kernel(fds, kernel, count);
        }
        bool prepares = poller_wanted(waiter), polls = !prepares && poller_begin(waiter);
        region_leave();
        int result = prepares ? 0 : polls ? poller_sleep(waiter, kernel, count, deadline_ns, mask) : -EINVAL;
        if (prepares)
            poller_prepare(waiter);
        if (result == 1)
            result = LIBC(ppoll)(kernel, count, &no_time, NULL) < 0 ? -errno : 0;
        if (result == -EINVAL)
            result = wait_sleep(waiter, kernel, count, deadline_ns, mask);
        region_enter();
        wait_end(waiter);
        ready = ask_ours(fds, count);
        region_leave();
        frames_coalesce(ready);
        ready = merge_kernel(fds, kernel, count);
        if (ready > 0 || result == -ETIMEDOUT)
            return ready;
        if (result < 0)
            return result;
    }
}

static int poll_any(struct pollfd *fds, nfds_t count, uint64_t deadline_ns, const sigset_t *mask) {
    struct pollfd on_stack[(count <= ON_STACK_MAX ? count : 0) + WAIT_SLEEP_ROOM];
    struct pollfd *kernel = on_stack;
    if (count > ON_STACK_MAX && !(kernel = memory_take((count + WAIT_SLEEP_ROOM) * sizeof *kernel)))
        return -ENOMEM;
    int result = poll_mixed(fds, kernel, count, deadline_ns, mask);
    if (kernel != on_stack)
        memory_give(kernel);
    return result;
}

static uint64_t deadline_of(const struct timespec *timeout) {
    if (!timeout)
        return TIMER_NEVER;
    if (timeout->tv_sec == 0 && timeout->tv_nsec == 0)
        return 0;
    if (timeout->tv_sec > 1000000000)
        return TIMER_NEVER;
    return clock_now() + (uint64_t)timeout->tv_sec * 1000000000 + (uint64_t)timeout->tv_nsec;
}

static bool timeout_valid(const struct timespec *timeout) {
    return !timeout || (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < 1000000000);
}

/* glibc declares that poll(2) only writes its array, which is not so. */
#ifndef __clang__ /* which has no such warning */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    if (epoll_eventfds_begin()) {
        int result = LIBC(poll)(fds, count, timeout_ms);
        epoll_eventfds_end();
        return result;
    }
    if (!any_ours(fds, count))
        return LIBC(poll)(fds, count, timeout_ms);
    CALL_BEGINS;
    TRACE("poll(%d descriptors, %d)", (int)count, timeout_ms);
    return (int)call_result(poll_any(fds, count, deadline_of(timeout_ms < 0 ? NULL : &timeout), NULL));
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
    if (epoll_eventfds_begin()) {
        int result = LIBC(ppoll)(fds, count, timeout, mask);
        epoll_eventfds_end();
        return result;
    }
    if (!any_ours(fds, count))
        return LIBC(ppoll)(fds, count, timeout, mask);
    CALL_BEGINS;
    if (!timeout_valid(timeout))
        return (int)call_result(-EINVAL);
    return (int)call_result(poll_any(fds, count, deadline_of(timeout), mask));
}

extern void __chk_fail(void) __attribute__((noreturn));

EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room) {
    if (room / sizeof *fds < count)
        __chk_fail();
    return poll(fds, count, timeout_ms);
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                       size_t room) {
    if (room / sizeof *fds < count)
        __chk_fail();
    return ppoll(fds, count, timeout, mask);
}

/* select(2) as poll(2): what Linux's own POLLIN_SET and its sisters say. Sets may be larger than FD_SETSIZE.
 */
#define SELECT_IN (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EXCEPT POLLPRI

static bool in_set(const fd_set *set, int fd) {
    return set && ((const unsigned long *)set)[fd / 64] >> (fd % 64) & 1;
}

static void keep_in_set(fd_set *set, int fd, bool keep, int *count) {
    if (!in_set(set, fd))
        return;
    if (keep)
        ++*count;
    else
        ((unsigned long *)set)[fd / 64] &= ~(1ul << (fd % 64));
}

static bool any_ours_selected(int limit, const fd_set *in, const fd_set *out, const fd_set *except) {
    bool found = false, sets = false;
    if (!descriptor_any)
        return false;
    for (int fd = 0; fd < limit; fd++)
        if (in_set(in, fd) || in_set(out, fd) || in_set(except, fd))
            found |= ours_to_poll(fd, &sets);
    if (sets)
        epoll_eventfds_refresh();
    return found;
}

static int select_ours(int limit, fd_set *in, fd_set *out, fd_set *except, uint64_t deadline_ns,
                       const sigset_t *mask) {
    nfds_t count = 0;
    int ready = 0;
    for (int fd = 0; fd < limit; fd++)
        count += in_set(in, fd) || in_set(out, fd) || in_set(except, fd);
    struct pollfd on_stack[count <= ON_STACK_MAX ? count + 1 : 1];
    struct pollfd *fds = count <= ON_STACK_MAX ? on_stack : memory_take(count * sizeof *fds);
    if (!fds)
        return -ENOMEM;
    count = 0;
    for (int fd = 0; fd < limit; fd++) {
        short events = (short)((in_set(in, fd) ? POLLIN | POLLRDNORM | POLLRDBAND : 0) |
                               (in_set(out, fd) ? POLLOUT | POLLWRNORM | POLLWRBAND : 0) |
                               (in_set(except, fd) ? POLLPRI : 0));
        if (in_set(in, fd) || in_set(out, fd) || in_set(except, fd))
            fds[count++] = (struct pollfd){.fd = fd, .events = events};
    }
    int result = poll_any(fds, count, deadline_ns, mask);
    for (nfds_t i = 0; result >= 0 && i < count; i++)
        if (fds[i].revents & POLLNVAL)
            result = -EBADF;
    for (nfds_t i = 0; result >= 0 && i < count; i++) {
        keep_in_set(in, fds[i].fd, fds[i].revents & SELECT_IN, &ready);
        keep_in_set(out, fds[i].fd, fds[i].revents & SELECT_OUT, &ready);
        keep_in_set(except, fds[i].fd, fds[i].revents & SELECT_EXCEPT, &ready);
    }
    if (fds != on_stack)
        memory_give(fds);
    return result < 0 ? result : ready;
}

EXPORT int select(int limit, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout) {
    struct timespec time;
    if (epoll_eventfds_begin()) {
        int result = LIBC(select)(limit, in, out, except, timeout);
        epoll_eventfds_end();
        return result;
    }
    if (!any_ours_selected(limit, in, out, except))
        return LIBC(select)(limit, in, out, except, timeout);
    CALL_BEGINS;
    if (timeout) {
        if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
            return (int)call_result(-EINVAL);
        time = (struct timespec){timeout->tv_sec + timeout->tv_usec / 1000000,
                                 timeout->tv_usec % 1000000 * 1000};
    }
    uint64_t deadline = deadline_of(timeout ? &time : NULL);
    TRACE("select(%d, ..., %s)", limit, timeout ? "with a limit" : "NULL");
    int result = select_ours(limit, in, out, except, deadline, NULL);
    if (timeout) {
        /* Linux gives the time that was left. */
        uint64_t now = clock_now();
        uint64_t left = deadline > now ? deadline - now : 0;
        *timeout = (struct timeval){(time_t)(left / 1000000000), (suseconds_t)(left % 1000000000 / 1000)};
    }
    return (int)call_result(result);
}

EXPORT int pselect(int limit, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
                   const sigset_t *mask) {
    if (epoll_eventfds_begin()) {
        int result = LIBC(pselect)(limit, in, out, except, timeout, mask);
        epoll_eventfds_end();
        return result;
    }
    if (!any_ours_selected(limit, in, out, except))
        return LIBC(pselect)(limit, in, out, except, timeout, mask);
    CALL_BEGINS;
    if (!timeout_valid(timeout))
        return (int)call_result(-EINVAL);
    return (int)call_result(select_ours(limit, in, out, except, deadline_of(timeout), mask));
}
