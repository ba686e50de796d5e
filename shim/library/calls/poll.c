/* SPDX-License-Identifier: MIT */
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
#include "shim/library/user_memory.h"
#include "shim/library/wait/epoll_eventfd.h"
#include "shim/library/wait/orphan.h"
#include "shim/region/frames.h"
#include "shim/region/wake.h"
#include <string.h>
#include <time.h>

#define ON_STACK_MAX 128
#define PART 32 /* looked at at a time */

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

/* What can't be read of the program's set the kernel says. */
static bool any_ours(const struct pollfd *given, nfds_t count) {
    struct pollfd part[PART];
    bool found = false, sets = false;
    if (!descriptor_any)
        return false;
    for (nfds_t at = 0; at < count; at += PART) {
        nfds_t here = count - at < PART ? count - at : PART;
        if (user_read(part, given + at, here * sizeof *part))
            return false;
        for (nfds_t i = 0; i < here; i++)
            found |= ours_to_poll(part[i].fd, &sets);
    }
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
    wait_prepare();
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
        int result = wait_sleep(waiter, &(struct wait_sleep){.kernel = kernel,
                                                             .count = count,
                                                             .deadline_ns = deadline_ns,
                                                             .mask = mask,
                                                             .outlasts_stops = true});
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

/* The set is the caller's own. */
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

static int tell_results(struct pollfd *given, const struct pollfd *fds, nfds_t count) {
    for (nfds_t i = 0; i < count; i++)
        if (user_write(&given[i].revents, &fds[i].revents, sizeof fds[i].revents))
            return -EFAULT;
    return 0;
}

/* The set is the program's, and so is the mask. */
static int poll_given(struct pollfd *given, nfds_t count, uint64_t deadline_ns, const sigset_t *mask) {
    struct pollfd on_stack[count <= ON_STACK_MAX ? count + 1 : 1], *fds = on_stack;
    sigset_t own_mask;
    int result = -EFAULT;
    if (mask && user_read(&own_mask, mask, _NSIG / 8))
        return -EFAULT;
    if (count > ON_STACK_MAX && !(fds = memory_take(count * sizeof *fds)))
        return -ENOMEM;
    if (!user_read(fds, given, count * sizeof *fds)) {
        result = poll_any(fds, count, deadline_ns, mask ? &own_mask : NULL);
        if (tell_results(given, fds, count))
            result = -EFAULT;
    }
    if (fds != on_stack)
        memory_give(fds);
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
    return (int)call_result(poll_given(fds, count, deadline_of(timeout_ms < 0 ? NULL : &timeout), NULL));
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
    struct timespec limit;
    if (timeout && user_read(&limit, timeout, sizeof limit))
        return (int)call_result(-EFAULT);
    if (timeout && !timeout_valid(&limit))
        return (int)call_result(-EINVAL);
    return (int)call_result(poll_given(fds, count, deadline_of(timeout ? &limit : NULL), mask));
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

enum { IN, OUT, EXCEPT, SETS };

/* Copies of a program's sets. */
struct selection {
    int limit;
    size_t words;        /* of each */
    unsigned long *bits; /* of all three, one after the other */
    bool given[SETS];    /* it has this one */
    unsigned long few[SETS * FD_SETSIZE / 64];
};

static bool in_set(const struct selection *selection, int set, int fd) {
    return selection->bits[(size_t)set * selection->words + (size_t)fd / 64] >> (fd % 64) & 1;
}

static bool in_any(const struct selection *selection, int fd) {
    return in_set(selection, IN, fd) || in_set(selection, OUT, fd) || in_set(selection, EXCEPT, fd);
}

/* Copies the sets. Returns 0, -EFAULT or -ENOMEM. */
static int selection_read(struct selection *selection, int limit, fd_set *const given[SETS]) {
    selection->limit = limit;
    selection->words = ((size_t)limit + 63) / 64;
    size_t bytes = selection->words * sizeof *selection->bits;
    selection->bits = SETS * bytes <= sizeof selection->few ? selection->few : memory_take(SETS * bytes);
    if (!selection->bits)
        return -ENOMEM;
    for (int set = 0; set < SETS; set++) {
        unsigned long *bits = selection->bits + (size_t)set * selection->words;
        selection->given[set] = given[set] != NULL;
        if (!given[set])
            memset(bits, 0, bytes);
        else if (user_read(bits, given[set], bytes))
            return -EFAULT;
    }
    return 0;
}

static int selection_write(const struct selection *selection, fd_set *const given[SETS]) {
    for (int set = 0; set < SETS; set++)
        if (given[set] && user_write(given[set], selection->bits + (size_t)set * selection->words,
                                     selection->words * sizeof *selection->bits))
            return -EFAULT;
    return 0;
}

static void selection_give(struct selection *selection) {
    if (selection->bits != selection->few)
        memory_give(selection->bits);
}

static void keep_in_set(struct selection *selection, int set, int fd, bool keep, int *count) {
    if (!in_set(selection, set, fd))
        return;
    if (keep)
        ++*count;
    else
        selection->bits[(size_t)set * selection->words + (size_t)fd / 64] &= ~(1ul << (fd % 64));
}

static bool any_ours_selected(const struct selection *selection) {
    bool found = false, sets = false;
    for (int fd = 0; fd < selection->limit; fd++)
        if (in_any(selection, fd))
            found |= ours_to_poll(fd, &sets);
    if (sets)
        epoll_eventfds_refresh();
    return found;
}

static int select_ours(struct selection *selection, uint64_t deadline_ns, const sigset_t *mask) {
    nfds_t count = 0;
    int ready = 0;
    for (int fd = 0; fd < selection->limit; fd++)
        count += in_any(selection, fd);
    struct pollfd on_stack[count <= ON_STACK_MAX ? count + 1 : 1];
    struct pollfd *fds = count <= ON_STACK_MAX ? on_stack : memory_take(count * sizeof *fds);
    if (!fds)
        return -ENOMEM;
    count = 0;
    for (int fd = 0; fd < selection->limit; fd++) {
        short events = (short)((in_set(selection, IN, fd) ? POLLIN | POLLRDNORM | POLLRDBAND : 0) |
                               (in_set(selection, OUT, fd) ? POLLOUT | POLLWRNORM | POLLWRBAND : 0) |
                               (in_set(selection, EXCEPT, fd) ? POLLPRI : 0));
        if (in_any(selection, fd))
            fds[count++] = (struct pollfd){.fd = fd, .events = events};
    }
    int result = poll_any(fds, count, deadline_ns, mask);
    for (nfds_t i = 0; result >= 0 && i < count; i++)
        if (fds[i].revents & POLLNVAL)
            result = -EBADF;
    for (nfds_t i = 0; result >= 0 && i < count; i++) {
        keep_in_set(selection, IN, fds[i].fd, fds[i].revents & SELECT_IN, &ready);
        keep_in_set(selection, OUT, fds[i].fd, fds[i].revents & SELECT_OUT, &ready);
        keep_in_set(selection, EXCEPT, fds[i].fd, fds[i].revents & SELECT_EXCEPT, &ready);
    }
    if (fds != on_stack)
        memory_give(fds);
    return result < 0 ? result : ready;
}

/* A call on sets of the program's. `kernels`: it is the kernel's, which also says what is wrong with them. */
static int select_given(int limit, fd_set *const given[SETS], const struct timespec *timeout,
                        const sigset_t *mask, bool *kernels) {
    struct selection selection;
    sigset_t own_mask;
    if (!descriptor_any || limit <= 0)
        return *kernels = true, 0;
    int result = selection_read(&selection, limit, given);
    *kernels = result == -EFAULT || (!result && !any_ours_selected(&selection));
    if (!*kernels && !result && !timeout_valid(timeout))
        result = -EINVAL;
    if (!*kernels && !result && mask && user_read(&own_mask, mask, _NSIG / 8))
        result = -EFAULT;
    if (!*kernels && !result)
        result = select_ours(&selection, deadline_of(timeout), mask ? &own_mask : NULL);
    if (!*kernels && result >= 0 && selection_write(&selection, given))
        result = -EFAULT;
    if (selection.bits)
        selection_give(&selection);
    return result;
}

EXPORT int select(int limit, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout) {
    if (epoll_eventfds_begin()) {
        int result = LIBC(select)(limit, in, out, except, timeout);
        epoll_eventfds_end();
        return result;
    }
    CALL_BEGINS;
    struct timeval limits;
    struct timespec time = {0};
    bool kernels, faulty = timeout && user_read(&limits, timeout, sizeof limits);
    if (timeout && !faulty)
        time = (struct timespec){limits.tv_sec + limits.tv_usec / 1000000, limits.tv_usec % 1000000 * 1000};
    uint64_t deadline = deadline_of(timeout && timeout_valid(&time) ? &time : NULL);
    int result =
        faulty ? 0
               : select_given(limit, (fd_set *[]){in, out, except}, timeout ? &time : NULL, NULL, &kernels);
    if (faulty || kernels)
        return (int)call_told(LIBC(select)(limit, in, out, except, timeout));
    TRACE("select(%d, ..., %s)", limit, timeout ? "with a limit" : "NULL");
    if (timeout && result != -EINVAL) {
        /* Linux gives the time that was left, if it may be written. */
        uint64_t now = clock_now();
        uint64_t left = deadline > now ? deadline - now : 0;
        limits = (struct timeval){(time_t)(left / 1000000000), (suseconds_t)(left % 1000000000 / 1000)};
        (void)user_write(timeout, &limits, sizeof limits);
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
    CALL_BEGINS;
    struct timespec time;
    bool kernels, faulty = timeout && user_read(&time, timeout, sizeof time);
    int result =
        faulty ? 0
               : select_given(limit, (fd_set *[]){in, out, except}, timeout ? &time : NULL, mask, &kernels);
    if (faulty || kernels)
        return (int)call_told(LIBC(pselect)(limit, in, out, except, timeout, mask));
    return (int)call_result(result);
}
