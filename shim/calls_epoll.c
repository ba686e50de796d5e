/*
 * calls_epoll.c - epoll(7) over descriptors of ours and of the kernel's in one set.
 *
 * The kernel's epoll descriptor stays what it is, and knows the kernel's descriptors. Our sockets in it are
 * items of an epoll_set in the arena: a socket's event puts its items on the set's ready list and wakes who
 * waits, as in Linux. A wait gives what is ready of ours, then what the kernel has; when there is nothing it
 * sleeps in poll(2) on the epoll descriptor and the thread's eventfd.
 */
#include "bell.h"
#include "call.h"
#include "frames.h"
#include "poller.h"
#include "process.h"
#include "sandbox.h"
#include "wake.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

/* Level, edge and oneshot are how an item behaves, not what it waits for. */
#define BEHAVIOUR ((uint32_t)(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE))

#define EXCLUSIVE_MAY_HAVE \
    ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE))

static struct epoll_set *set_of(int epoll) {
    const struct handle *handle = descriptor_epoll(epoll);
    return handle ? handle->epoll : NULL;
}

/* Whether the kernel's epoll descriptor watches anything (proc(5), /proc/PID/fdinfo); if in doubt, yes. */
static bool watches_any(int epoll) {
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll);
    int fd = sandboxed() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? LIBC(read)(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        LIBC(close)(fd);
    text[length > 0 ? length : 0] = 0;
    return length <= 0 || strstr(text, "tfd:");
}

/* The set of an epoll descriptor that gets its first socket of ours. The lock is held. */
static struct epoll_set *set_make(int epoll, bool mixed) {
    struct epoll_set *set = pool_take_zeroed(&shared->epoll_sets);
    if (!set)
        return NULL;
    set->mixed = mixed;
    list_init(&set->items);
    list_init(&set->ready);
    list_init(&set->waiters);
    struct handle *handle = descriptor_hold_epoll(set);
    if (!handle) {
        pool_return(&shared->epoll_sets, set);
        return NULL;
    }
    if (descriptor_set(epoll, handle)) {
        descriptor_release(handle);
        return NULL;
    }
    return set;
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
    wake_set(item->set);
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

static int control(int epoll, int operation, int fd, struct epoll_event *event) {
    int error;
    bool mixed = operation == EPOLL_CTL_ADD && !set_of(epoll) && watches_any(epoll);
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return error;
    struct epoll_set *set = set_of(epoll);
    bool first = !set && operation == EPOLL_CTL_ADD;
    if (first)
        set = set_make(epoll, mixed);
    struct epoll_item *item = set ? item_find(set, fd, socket) : NULL;
    error = 0;
    if (operation == EPOLL_CTL_ADD)
        error = set ? item_add(set, fd, socket, event) : -ENOMEM;
    else if (!item)
        error = -ENOENT;
    else if (operation == EPOLL_CTL_DEL)
        epoll_item_release(item);
    else if ((event->events | item->events) & EPOLLEXCLUSIVE)
        error = -EINVAL; /* epoll_ctl(2): it is said once */
    else
        item_set(item, event);
    shared_unlock();
    if (first && set)
        bell_hang(epoll);
    return error;
}

EXPORT int epoll_create1(int flags) {
    return LIBC(epoll_create1)(flags);
}

EXPORT int epoll_create(int size) {
    return size > 0 ? LIBC(epoll_create1)(0) : (int)call_result(-EINVAL);
}

static void set_becomes_mixed(int epoll) {
    if (!set_of(epoll) || set_of(epoll)->mixed)
        return;
    shared_lock();
    if (set_of(epoll) && !shared->broken) {
        set_of(epoll)->mixed = true;
        wake_set(set_of(epoll));
    }
    shared_unlock();
}

EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    if (!descriptor_socket(fd)) {
        int result = LIBC(epoll_ctl)(epoll, operation, fd, event);
        if (result == 0 && operation == EPOLL_CTL_ADD && attached()) {
            set_becomes_mixed(epoll);
            if (set_of(fd) || bell_is_epoll(fd))
                bell_want(fd);
        }
        return result;
    }
    if (operation != EPOLL_CTL_ADD && operation != EPOLL_CTL_MOD && operation != EPOLL_CTL_DEL)
        return (int)call_result(-EINVAL);
    if (operation != EPOLL_CTL_DEL && !event)
        return (int)call_result(-EFAULT);
    if (operation == EPOLL_CTL_ADD && event->events & EPOLLEXCLUSIVE && event->events & ~EXCLUSIVE_MAY_HAVE)
        return (int)call_result(-EINVAL);
    /* The kernel says whether that is an epoll descriptor at all; a wait for no events of none does nothing.
     */
    struct epoll_event none = {0};
    TRACE("epoll_ctl(%d, %s, %d, 0x%x)", epoll,
          operation == EPOLL_CTL_ADD   ? "EPOLL_CTL_ADD"
          : operation == EPOLL_CTL_MOD ? "EPOLL_CTL_MOD"
                                       : "EPOLL_CTL_DEL",
          fd, event ? event->events : 0);
    if (!set_of(epoll) && LIBC(epoll_ctl)(epoll, EPOLL_CTL_MOD, fd, &none) < 0 && errno != ENOENT &&
        errno != EPERM)
        return -1;
    return (int)call_result(control(epoll, operation, fd, event));
}

/* Takes what is ready of ours. The lock is held. */
static int collect(struct epoll_set *set, struct epoll_event *events, int limit) {
    struct list *link, *next, again;
    int count = 0;
    list_init(&again);
    list_for_each(link, next, &set->ready) {
        struct epoll_item *item = container_of(link, struct epoll_item, ready_link);
        if (count == limit)
            break;
        unsigned mask = socket_poll(&shared->stack, item->socket) & (item->events | EPOLLERR | EPOLLHUP);
        list_remove(&item->ready_link);
        if (!mask || item->disarmed)
            continue;
        events[count++] = (struct epoll_event){.events = mask, .data.u64 = item->data};
        if (item->events & EPOLLONESHOT)
            item->disarmed = true;
        else if (!(item->events & EPOLLET))
            list_add_tail(&again, &item->ready_link); /* level: looked at again next time, after the others */
    }
    while ((link = list_first(&again)))
        list_move_tail(&set->ready, link);
    return count;
}

/* What the kernel has, without waiting, behind `count` events of ours. */
static int collect_kernel(int epoll, struct epoll_event *events, int count, int limit) {
    if (count == limit)
        return count;
    int theirs = LIBC(epoll_pwait)(epoll, events + count, limit - count, 0, NULL);
    if (theirs > 0)
        theirs = bell_filter(events + count, theirs);
    return theirs > 0 ? count + theirs : count;
}

static int wait_for_set(int epoll, struct epoll_event *events, int limit, uint64_t deadline_ns,
                        const sigset_t *mask) {
    for (;;) {
        struct pollfd kernel[1 + WAIT_SLEEP_ROOM] = {{.fd = epoll, .events = POLLIN}};
        frames_expect(0);
        shared_lock();
        frames_look(deadline_ns ? FRAMES_AGE_CALL_NS : FRAMES_AGE_LOOK_NS);
        struct epoll_set *set = set_of(epoll);
        if (!set || shared->broken) {
            shared_unlock();
            attach_broken();
            return set ? -ENETDOWN : -EBADF;
        }
        int count = collect(set, events, limit);
        if (count > 0 || deadline_ns == 0) {
            bool mixed = set->mixed;
            wake_next(set); /* what is left, or came since, is another's */
            shared_unlock();
            frames_expect(count);
            return mixed ? collect_kernel(epoll, events, count, limit) : count;
        }
        struct waiter *waiter = wait_begin(true);
        if (!waiter) {
            shared_unlock();
            return -ENOMEM;
        }
        list_add_tail(&set->waiters, &waiter->epoll_link);
        bool prepares = poller_wanted(waiter), polls = !prepares && poller_begin(waiter);
        bool ready = !list_empty(&set->ready); /* since: the first wait lets the lock go */
        nfds_t further = set->mixed;
        shared_unlock();
        int result = prepares || ready ? 0
                     : polls           ? poller_sleep(waiter, kernel, further, deadline_ns, mask)
                                       : -EINVAL;
        if (prepares)
            poller_prepare(waiter);
        if (result == 1)
            kernel[0].revents = POLLIN;
        if (result == -EINVAL)
            result = wait_sleep(waiter, kernel, 1, deadline_ns, mask);
        shared_lock();
        wait_end(waiter);
        bool leaves = result == -EINTR || result == -ETIMEDOUT || kernel[0].revents;
        if (leaves && set_of(epoll) == set && !shared->broken)
            wake_next(set); /* it may have been woken for something that it does not take */
        shared_unlock();
        if (result == -EINTR)
            return result;
        if (kernel[0].revents && (count = collect_kernel(epoll, events, 0, limit)) > 0)
            return count;
        if (result == -ETIMEDOUT)
            return 0;
    }
}

static int wait_any(int epoll, struct epoll_event *events, int limit, uint64_t deadline_ns,
                    const sigset_t *mask) {
    if (limit <= 0)
        return -EINVAL;
    bells_refresh();
    return wait_for_set(epoll, events, limit, deadline_ns, mask);
}

/* A set of the kernel's alone. It may become ours while we sleep, and its bell says so then. */
static int wait_kernel(int epoll, struct epoll_event *events, int limit, uint64_t deadline_ns,
                       const sigset_t *mask) {
    for (;;) {
        uint64_t now = deadline_ns == 0 || deadline_ns == TIMER_NEVER ? 0 : clock_now();
        uint64_t left_ms = ((deadline_ns > now ? deadline_ns - now : 0) + 999999) / 1000000;
        int timeout = deadline_ns == TIMER_NEVER ? -1 : left_ms < INT_MAX ? (int)left_ms : INT_MAX;
        bells_refresh();
        int got = LIBC(epoll_pwait)(epoll, events, limit, timeout, mask);
        if (got <= 0)
            return got < 0 ? -errno : 0;
        got = bell_filter(events, got);
        if (got > 0)
            return got;
        if (set_of(epoll))
            return wait_for_set(epoll, events, limit, deadline_ns, mask);
    }
}

static int wait_until(int epoll, struct epoll_event *events, int limit, uint64_t deadline_ns,
                      const sigset_t *mask) {
    if (set_of(epoll)) {
        TRACE("epoll_wait(%d, %d)", epoll, limit);
        return wait_any(epoll, events, limit, deadline_ns, mask);
    }
    if (descriptor_find(epoll))
        return -EINVAL; /* a socket */
    return wait_kernel(epoll, events, limit, deadline_ns, mask);
}

EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int limit, int timeout_ms,
                       const sigset_t *mask) {
    if (!attached())
        return LIBC(epoll_pwait)(epoll, events, limit, timeout_ms, mask);
    uint64_t deadline = timeout_ms < 0    ? TIMER_NEVER
                        : timeout_ms == 0 ? 0
                                          : clock_now() + (uint64_t)timeout_ms * 1000000;
    return (int)call_result(wait_until(epoll, events, limit, deadline, mask));
}

EXPORT int epoll_pwait2(int epoll, struct epoll_event *events, int limit, const struct timespec *timeout,
                        const sigset_t *mask) {
    if (!attached())
        return (int)LIBC(syscall)(SYS_epoll_pwait2, epoll, events, limit, timeout, mask, (size_t)_NSIG / 8);
    if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000))
        return (int)call_result(-EINVAL);
    uint64_t length = timeout ? (uint64_t)timeout->tv_sec * 1000000000 + (uint64_t)timeout->tv_nsec : 0;
    uint64_t deadline = !timeout ? TIMER_NEVER : length == 0 ? 0 : clock_now() + length;
    return (int)call_result(wait_until(epoll, events, limit, deadline, mask));
}

EXPORT int epoll_wait(int epoll, struct epoll_event *events, int limit, int timeout_ms) {
    return epoll_pwait(epoll, events, limit, timeout_ms, NULL);
}
