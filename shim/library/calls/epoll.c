/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - epoll(7) over descriptors of ours and of the kernel's in one set.
 *
 * The kernel's epoll descriptor stays what it is, and knows the kernel's descriptors. Our sockets in it are
 * items of an epoll_set in the arena: a socket's event puts its items on the set's ready list and wakes who
 * waits, as in Linux. A wait gives what is ready of ours, then what the kernel has; when there is nothing it
 * sleeps in poll(2) on the epoll descriptor and the thread's eventfd.
 */
#include "shim/library/calls/call.h"
#include "shim/library/fd/udp_loopback.h"
#include "shim/library/process/after_exec.h"
#include "shim/library/user_memory.h"
#include "shim/library/wait/epoll_eventfd.h"
#include "shim/library/wait/epoll_set.h"
#include "shim/library/wait/orphan.h"
#include "shim/region/frames.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include <limits.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

/* Level, edge and oneshot are how an item behaves, not what it waits for. */
#define BEHAVIOUR ((uint32_t)(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE))

#define EXCLUSIVE_MAY_HAVE \
    ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE))

static struct epoll_set *set_of(int epoll) {
    const struct fd_entry *entry = descriptor_epoll(epoll);
    return entry ? entry->epoll : NULL;
}

static struct epoll_item *item_find(struct epoll_set *set, int fd, const struct socket *socket) {
    struct list *link, *next;
    /* By the socket's watches: usually one or two, however large the set is. */
    list_for_each(link, next, &socket->watches) {
        struct watch *watch = container_of(link, struct watch, socket_link);
        if (watch->kind != WATCH_EPOLL)
            continue;
        struct epoll_item *item = container_of(watch, struct epoll_item, watch);
        if (item->set == set && item->descriptor == fd)
            return item;
    }
    return NULL;
}

/* Puts an item on the ready list if its socket is ready now, and wakes who waits for the set. */
static void item_check(struct epoll_item *item) {
    unsigned mask = socket_poll(&shared->stack, item->socket);
    if (!(mask & (item->events | EPOLLERR | EPOLLHUP)))
        return;
    if (list_empty(&item->ready_link))
        list_add_tail(&item->set->ready, &item->ready_link);
    wake_set(item->set, true);
}

static void item_set(struct epoll_item *item, const struct epoll_event *event) {
    item->events = event->events;
    item->data = event->data.u64;
    item->disarmed = false;
    item->watch.events = event->events & ~BEHAVIOUR;
    item_check(item);
}

static int item_add(struct epoll_set *set, int fd, struct socket *socket, const struct epoll_event *event) {
    if (item_find(set, fd, socket))
        return -EEXIST;
    struct epoll_item *item = pool_take_zeroed(&shared->epoll_items);
    if (!item)
        return -ENOMEM;
    item->watch.kind = WATCH_EPOLL;
    item->set = set;
    item->socket = socket;
    item->descriptor = fd;
    list_init(&item->link);
    list_init(&item->ready_link);
    list_init(&item->watch.socket_link);
    list_init(&item->watch.owner_link);
    list_add_tail(&set->items, &item->link);
    list_add_tail(&socket->watches, &item->watch.socket_link);
    item_set(item, event);
    return 0;
}

static int change_set(int epoll, int operation, int fd, struct epoll_event *event) {
    int error = 0;
    epoll_set_for(epoll);
    region_enter();
    struct socket *socket = descriptor_socket(fd);
    struct epoll_set *set = set_of(epoll);
    struct epoll_item *item = set && socket ? item_find(set, fd, socket) : NULL;
    if (!socket)
        error = -EBADF;
    else if (shared->broken && !shared->orphaned)
        error = 0; /* nothing can be kept, and nothing comes */
    else if (!set)
        error = -ENOMEM;
    else if (operation == EPOLL_CTL_ADD)
        error = item_add(set, fd, socket, event);
    else if (!item)
        error = -ENOENT;
    else if (operation == EPOLL_CTL_DEL)
        epoll_item_release(item);
    else if ((event->events | item->events) & EPOLLEXCLUSIVE)
        error = -EINVAL; /* epoll_ctl(2): it is said once */
    else
        item_set(item, event);
    region_leave();
    return error;
}

EXPORT int epoll_create1(int flags) {
    int epoll = LIBC(epoll_create1)(flags);
    epoll_made(epoll);
    return epoll;
}

EXPORT int epoll_create(int size) {
    CALL_BEGINS;
    return size > 0 ? epoll_create1(0) : (int)call_result(-EINVAL);
}

static void set_becomes_mixed(int epoll) {
    if (!set_of(epoll) || set_of(epoll)->mixed)
        return;
    region_enter();
    struct epoll_set *set = set_of(epoll);
    if (set && !shared->broken) {
        set->mixed = true;
        wake_set(set, false);
    }
    region_leave();
}

/* The kernel's part of a set gets a descriptor. */
static int change_kernels_set(int epoll, int operation, int fd, struct epoll_event *event) {
    int result = LIBC(epoll_ctl)(epoll, operation, fd, event);
    if (result == 0 && operation == EPOLL_CTL_ADD && attached()) {
        struct fd_entry *inner = epoll_known(fd);
        epoll_known(epoll);
        set_becomes_mixed(epoll);
        if (inner)
            epoll_eventfd_want(inner, fd);
    }
    return result;
}

/* What the kernel says of a descriptor that is no epoll set. */
static int no_epoll_set(int epoll, int fd) {
    struct epoll_event none = {0};
    int saved = errno;
    if (LIBC(epoll_ctl)(epoll, EPOLL_CTL_MOD, fd, &none) < 0 && errno != ENOENT)
        return -errno;
    errno = saved;
    return -ENOMEM;
}

EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    if (!descriptor_socket(fd))
        return change_kernels_set(epoll, operation, fd, event);
    CALL_BEGINS;
    struct epoll_event own = {0};
    if (operation != EPOLL_CTL_DEL && user_read(&own, event, sizeof own))
        return (int)call_result(-EFAULT);
    event = operation != EPOLL_CTL_DEL ? &own : NULL;
    if (operation != EPOLL_CTL_ADD && operation != EPOLL_CTL_MOD && operation != EPOLL_CTL_DEL)
        return (int)call_result(-EINVAL);
    if (operation == EPOLL_CTL_ADD && event->events & EPOLLEXCLUSIVE && event->events & ~EXCLUSIVE_MAY_HAVE)
        return (int)call_result(-EINVAL);
    TRACE("epoll_ctl(%d, %s, %d, 0x%x)", epoll,
          operation == EPOLL_CTL_ADD   ? "EPOLL_CTL_ADD"
          : operation == EPOLL_CTL_MOD ? "EPOLL_CTL_MOD"
                                       : "EPOLL_CTL_DEL",
          fd, event ? event->events : 0);
    if (!epoll_known(epoll))
        return (int)call_result(no_epoll_set(epoll, fd));
    int error = change_set(epoll, operation, fd, event);
    if (!error && worlds_has(fd)) {
        worlds_control(epoll, operation, fd, event);
        set_becomes_mixed(epoll);
    }
    return (int)call_result(error);
}

#define COLLECTED 128 /* events of ours at a time */

/* What a wait takes of ours: as events, which are copied to the program's memory when the lock is not held,
 * and whose they are, in case they can't be. */
struct collected {
    int count;
    struct epoll_event events[COLLECTED];
    struct epoll_item *items[COLLECTED];
};

/* Takes what is ready of ours. The lock is held. */
static void collect(struct epoll_set *set, struct collected *collected, int limit) {
    struct list *link, *next, again;
    int count = 0;
    list_init(&again);
    list_for_each(link, next, &set->ready) {
        struct epoll_item *item = container_of(link, struct epoll_item, ready_link);
        if (count == limit || count == COLLECTED)
            break;
        unsigned mask = socket_poll(&shared->stack, item->socket) & (item->events | EPOLLERR | EPOLLHUP);
        list_remove(&item->ready_link);
        if (!mask || item->disarmed)
            continue;
        collected->items[count] = item;
        collected->events[count++] = (struct epoll_event){.events = mask, .data.u64 = item->data};
        if (item->events & EPOLLONESHOT)
            item->disarmed = true;
        else if (!(item->events & EPOLLET))
            list_add_tail(&again, &item->ready_link); /* level: looked at again next time, after the others */
    }
    while ((link = list_first(&again)))
        list_move_tail(&set->ready, link);
    collected->count = count;
}

/* Events from `first` on could not be told: they are ready still, if they are there. */
static void put_back(const struct epoll_set *set, const struct collected *collected, int first) {
    region_enter();
    for (int i = first; i < collected->count && !shared->broken; i++) {
        struct epoll_item *item = collected->items[i];
        if (!pool_has(&shared->epoll_items, item) || item->set != set)
            continue;
        if (item->events & EPOLLONESHOT)
            item->disarmed = false;
        if (list_empty(&item->ready_link))
            list_add_tail(&item->set->ready, &item->ready_link);
    }
    region_leave();
}

/* Copies events to the program's memory: as many as can be. Returns how many, or -EFAULT. */
static int tell_events(const struct epoll_set *set, const struct collected *collected,
                       struct epoll_event *events) {
    size_t bytes = (size_t)collected->count * sizeof *events;
    int told = 0;
    if (!user_write(events, collected->events, bytes))
        return collected->count;
    while (!user_write(events + told, collected->events + told, sizeof *events))
        told++;
    put_back(set, collected, told);
    return told > 0 ? told : -EFAULT;
}

/* What the kernel has, without waiting, behind `count` events of ours. */
static int collect_kernel(struct fd_entry *entry, int epoll, struct epoll_event *events, int count,
                          int limit) {
    uint32_t number = 0;
    int saved = errno;
    int theirs = count < limit ? LIBC(epoll_pwait)(epoll, events + count, limit - count, 0, NULL) : 0;
    if (theirs > 0)
        theirs = epoll_eventfd_filter(events + count, theirs, &number);
    if (number == EPOLL_EVENTFD_KEEPER)
        epoll_eventfd_keeper_died(epoll);
    if (number)
        epoll_eventfd_refresh(entry);
    errno = saved;
    return theirs > 0 ? count + theirs : count;
}

/* Whether a number is still that of a set on which a call of this thread sleeps. */
static bool is_still(int epoll, const struct fd_entry *entry, const struct epoll_set *set) {
    return descriptor_find(epoll) == entry && entry->epoll == set;
}

/* One sleep of a wait. `again`: nothing has come of it. */
static int sleep_on_set(struct fd_entry *entry, struct epoll_set *set, int epoll, uint64_t deadline_ns,
                        const sigset_t *mask, struct pollfd kernel[1 + WAIT_SLEEP_ROOM]) {
    struct waiter *waiter = wait_hold(set) ? wait_begin(true) : NULL;
    if (!waiter || waiter->set != set) { /* the first wait lets the lock go */
        region_leave();
        return waiter ? 0 : -ENOMEM;
    }
    list_add_tail(&set->waiters, &waiter->epoll_link);
    bool looks = set->mixed && is_still(epoll, entry, set);
    bool ready = !list_empty(&set->ready); /* since: the first wait lets the lock go */
    kernel[0] = (struct pollfd){.fd = looks ? epoll : -1, .events = POLLIN};
    int result = ready ? 0
                       : wait_sleep(waiter, &(struct wait_sleep){.kernel = kernel,
                                                                 .count = 1,
                                                                 .deadline_ns = deadline_ns,
                                                                 .mask = mask,
                                                                 .caller_looks = true});
    if (!wait_is_own(waiter)) {
        region_leave();
        return result;
    }
    wait_end(waiter);
    bool leaves = result == -EINTR || result == -ETIMEDOUT || kernel[0].revents;
    if (leaves && waiter->set == set && !shared->broken)
        wake_next(set); /* it may have been woken for something that it does not take */
    if (leaves)
        wait_done();
    region_leave();
    return result;
}

/* The set of a wait: the one that it began with, whoever closes the descriptor meanwhile. The lock is held.
 */
static struct epoll_set *set_of_wait(struct fd_entry *entry, int epoll, struct epoll_set *begun) {
    const struct waiter *waiter = begun ? wait_self() : NULL;
    if (waiter && waiter->set == begun)
        return begun;
    return is_still(epoll, entry, entry->epoll) ? entry->epoll : NULL;
}

/* The stack is of no more use: what is to be said of our sockets is said, and the kernel's part goes on. */
static int wait_orphaned(struct fd_entry *entry, int epoll, struct epoll_event *events, int limit,
                         uint64_t deadline_ns, const sigset_t *mask) {
    for (;;) {
        uint32_t number;
        struct epoll_event own[COLLECTED];
        region_enter();
        int most = limit < COLLECTED ? limit : COLLECTED;
        int count = entry->epoll && shared->orphaned ? orphan_collect(entry->epoll, own, most) : 0;
        region_leave();
        epoll_eventfd_refresh(entry);
        if (user_write(events, own, (size_t)count * sizeof *own))
            return -EFAULT;
        if (count == limit)
            return count;
        int got = LIBC(epoll_pwait)(epoll, events + count, limit - count,
                                    count > 0 ? 0 : wait_milliseconds_left(deadline_ns), mask);
        if (got < 0)
            return count > 0 ? count : -errno;
        count += epoll_eventfd_filter(events + count, got, &number);
        if (number == EPOLL_EVENTFD_KEEPER)
            epoll_eventfd_keeper_died(epoll);
        if (count > 0 || got == 0)
            return count;
    }
}

static int wait_for_set(struct fd_entry *entry, int epoll, struct epoll_event *events, int limit,
                        uint64_t deadline_ns, const sigset_t *mask) {
    struct epoll_set *set = NULL;
    wait_prepare();
    for (;;) {
        struct pollfd kernel[1 + WAIT_SLEEP_ROOM] = {{.fd = -1}};
        frames_coalesce(0);
        region_enter();
        frames_rx_poll_due(deadline_ns ? FRAMES_AGE_CALL_NS : FRAMES_AGE_LOOK_NS);
        set = set_of_wait(entry, epoll, set);
        bool broken = shared->broken || keeper_has_died();
        if (!set || broken) {
            wait_done();
            region_leave();
            attach_broken();
            return broken ? wait_orphaned(entry, epoll, events, limit, deadline_ns, mask) : -EBADF;
        }
        struct collected collected;
        collect(set, &collected, limit);
        int count = collected.count;
        if (set->epoll_eventfd && set->epoll_eventfd->word)
            epoll_eventfd_quiet(entry);
        if (count > 0 || deadline_ns == 0) {
            bool mixed = set->mixed && is_still(epoll, entry, set);
            wake_next(set); /* what is left, or came since, is another's */
            wait_done();
            region_leave();
            frames_coalesce(count);
            count = tell_events(set, &collected, events);
            return mixed && count >= 0 ? collect_kernel(entry, epoll, events, count, limit) : count;
        }
        int result = sleep_on_set(entry, set, epoll, deadline_ns, mask, kernel);
        if (result == -EINTR || result == -ENOMEM)
            return result;
        if (kernel[0].revents && (count = collect_kernel(entry, epoll, events, 0, limit)) > 0)
            return count;
        bool late = kernel[0].revents && deadline_ns != TIMER_NEVER && clock_now() >= deadline_ns;
        if (result == -ETIMEDOUT || late)
            return 0;
    }
}

/* A set of the kernel's alone. It may get a socket of ours while we sleep, and its epoll eventfd says so
 * then. */
static int wait_kernel(struct fd_entry *entry, int epoll, struct epoll_event *events, int limit,
                       uint64_t deadline_ns, const sigset_t *mask) {
    for (;;) {
        uint32_t number = 0;
        epoll_eventfds_refresh();
        epoll_eventfd_sleep_begin(entry);
        bool still = !entry->epoll;
        int got =
            still ? LIBC(epoll_pwait)(epoll, events, limit, wait_milliseconds_left(deadline_ns), mask) : 0;
        int error = got < 0 ? errno : 0;
        epoll_eventfd_sleep_end(entry);
        if (got < 0)
            return -error;
        if (got > 0)
            got = epoll_eventfd_filter(events, got, &number);
        if (got > 0)
            return got;
        if (number == EPOLL_EVENTFD_KEEPER)
            epoll_eventfd_keeper_died(epoll);
        if (number)
            epoll_set_for(epoll); /* another process's doing */
        if (!entry->epoll && !number)
            return 0;
        if (entry->epoll)
            return wait_for_set(entry, epoll, events, limit, deadline_ns, mask);
    }
}

static int wait_until(int epoll, struct epoll_event *events, int limit, uint64_t deadline_ns,
                      const sigset_t *mask) {
    struct fd_entry *entry = limit > 0 ? epoll_known(epoll) : NULL;
    if (!entry) { /* the kernel says what is wrong */
        int got = LIBC(epoll_pwait)(epoll, events, limit, wait_milliseconds_left(deadline_ns), mask);
        return got < 0 ? -errno : got;
    }
    if (!entry->epoll)
        return wait_kernel(entry, epoll, events, limit, deadline_ns, mask);
    TRACE("epoll_wait(%d, %d)", epoll, limit);
    epoll_eventfds_refresh();
    return wait_for_set(entry, epoll, events, limit, deadline_ns, mask);
}

/* A wait by a process that has not joined its stack. It may do so meanwhile; or another process that has the
 * same set, by whose epoll eventfd this one learns of it. Returns how many events there are, none of them a
 * epoll eventfd's; -EAGAIN: the wait is to go on as one that has joined. */
static int wait_unattached(struct epoll_event *events, int got) {
    uint32_t number;
    if (got <= 0)
        return got;
    got = epoll_eventfd_filter(events, got, &number);
    return got == 0 && resume_follow() ? -EAGAIN : got;
}

EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int limit, int timeout_ms,
                       const sigset_t *mask) {
    CALL_BEGINS;
    uint64_t deadline = timeout_ms < 0    ? TIMER_NEVER
                        : timeout_ms == 0 ? 0
                                          : clock_now() + (uint64_t)timeout_ms * 1000000;
    if (epoll_eventfds_begin()) {
        int got = LIBC(epoll_pwait)(epoll, events, limit, timeout_ms, mask);
        epoll_eventfds_end();
        got = wait_unattached(events, got);
        if (got != -EAGAIN)
            return got;
    }
    return (int)call_result(wait_until(epoll, events, limit, deadline, mask));
}

EXPORT int epoll_pwait2(int epoll, struct epoll_event *events, int limit, const struct timespec *timeout,
                        const sigset_t *mask) {
    CALL_BEGINS;
    struct timespec own;
    if (timeout && user_read(&own, timeout, sizeof own))
        return (int)call_result(-EFAULT);
    if (timeout)
        timeout = &own;
    uint64_t length = timeout ? (uint64_t)timeout->tv_sec * 1000000000 + (uint64_t)timeout->tv_nsec : 0;
    uint64_t deadline = !timeout ? TIMER_NEVER : length == 0 ? 0 : clock_now() + length;
    if (epoll_eventfds_begin()) {
        int got =
            (int)LIBC(syscall)(SYS_epoll_pwait2, epoll, events, limit, timeout, mask, (size_t)_NSIG / 8);
        epoll_eventfds_end();
        got = wait_unattached(events, got);
        if (got != -EAGAIN)
            return got;
    }
    if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000))
        return (int)call_result(-EINVAL);
    return (int)call_result(wait_until(epoll, events, limit, deadline, mask));
}

EXPORT int epoll_wait(int epoll, struct epoll_event *events, int limit, int timeout_ms) {
    return epoll_pwait(epoll, events, limit, timeout_ms, NULL);
}
