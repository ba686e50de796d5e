/* SPDX-License-Identifier: MIT */
/*
 * wake.c - see wake.h.
 *
 * Whoever changes the stack wakes those whom the change concerns, after letting the lock go. A sleeping
 * thread is woken through its futex word, from any process. One that sleeps in poll(2), because it waits for
 * descriptors of the kernel's as well, has an eventfd there; its own process writes to that directly, the
 * keeper through its copy, and any other process through one that it asks the keeper for (remote_eventfd.h);
 * until it has that, it asks the keeper to.
 */
#include "shim/region/wake.h"
#include "shim/region/frames.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct process *wake_self;
_Atomic uint32_t wake_own, wake_remote, wake_delivering;
int (*wake_by_remote_eventfd)(const struct waiter *waiter);
__thread struct waiter *wake_awake __attribute__((tls_model("initial-exec")));

/* Whom this process is to wake, by the thread that has the lock: it is written with the lock held. */
static struct wake_list noted;

static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *timeout,
                  uint32_t bits) {
    return LIBC(syscall)(SYS_futex, word, operation, value, timeout, NULL, bits);
}

static void write_eventfd(int descriptor) {
    uint64_t one = 1;
    LIBC(syscall)(SYS_write, descriptor, &one, sizeof one); /* full: it is readable already */
}

struct timespec wake_limit(uint64_t deadline_ns) {
    uint64_t own_ns = clock_own(deadline_ns);
    return (struct timespec){(time_t)(own_ns / 1000000000), (long)(own_ns % 1000000000)};
}

int wake_sleep(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
    struct timespec limit = wake_limit(deadline_ns);
    return wake_sleep_until(word, expected, deadline_ns == TIMER_NEVER ? NULL : &limit);
}

int wake_sleep_until(_Atomic uint32_t *word, uint32_t expected, const struct timespec *limit) {
    int saved = errno, cancel = wake_cancellable();
    long result = futex(word, FUTEX_WAIT_BITSET, expected, limit, FUTEX_BITSET_MATCH_ANY);
    int error = result < 0 ? errno : 0;
    wake_cancellable_end(cancel);
    errno = saved;
    return error == ETIMEDOUT || error == EINTR ? -error : 0;
}

int wake_sleep_or_death(_Atomic uint32_t *word, uint32_t expected, const struct timespec *limit) {
    uint32_t alive;
    _Atomic uint32_t *life = keeper_life_word(&alive);
    struct futex_waitv waits[] = {
        {.uaddr = (uintptr_t)word, .val = expected, .flags = FUTEX_32},
        {.uaddr = (uintptr_t)life, .val = alive, .flags = FUTEX_32},
    };
    int saved = errno;
    if (alive & FUTEX_OWNER_DIED)
        return 0;
    int cancel = wake_cancellable();
    long result = LIBC(syscall)(SYS_futex_waitv, waits, 2, 0, limit, CLOCK_MONOTONIC);
    int error = result < 0 ? errno : 0;
    wake_cancellable_end(cancel);
    errno = saved;
    if (error == ENOSYS)
        return wake_sleep_until(word, expected, limit); /* a kernel before 5.16 */
    if (result == 1)
        futex(life, FUTEX_WAKE, INT_MAX, NULL, 0); /* the kernel wakes one, who wakes the rest */
    return error == ETIMEDOUT || error == EINTR ? -error : 0;
}

void wake_word(_Atomic uint32_t *word) {
    futex(word, FUTEX_WAKE, INT_MAX, NULL, 0);
}

static void note_target(struct waiter *waiter, int descriptor) {
    if (noted.count == 0)
        wake_delivering++;
    noted.targets[noted.count++] = (struct wake_target){waiter, descriptor};
}

static void leave_to_keeper(struct waiter *waiter) {
    list_move_tail(&shared->keeper_wakes, &waiter->keeper_link);
    noted.doorbell = true;
}

static void wake_target(const struct wake_target *target) {
    if (target->descriptor >= 0)
        write_eventfd(target->descriptor);
    else
        wake_word(&target->waiter->word);
}

void wake_one(struct waiter *waiter) {
    int descriptor = -1;
    if (!waiter->sleeping || waiter->word)
        return;
    waiter->word = 1;
    if (waiter->process == wake_self)
        wake_own++;
    else if (!waiter->epoll_eventfd)
        wake_remote++;
    if (waiter == wake_awake || waiter->spinning)
        return;
    if (waiter->by_descriptor) {
        descriptor = waiter->process == wake_self ? waiter->descriptor
                     : wake_by_remote_eventfd     ? wake_by_remote_eventfd(waiter)
                                                  : -1;
        if (descriptor < 0) {
            leave_to_keeper(waiter);
            return;
        }
    }
    if (noted.count == WAKE_LIST_MAX)
        leave_to_keeper(waiter);
    else
        note_target(waiter, descriptor);
}

/* One more of those who wait for an epoll set is woken, if any sleeps that was not woken already; and its
 * epoll eventfds are rung. */
static void wake_one_of(struct epoll_set *set) {
    struct list *link, *next;
    bool woken = false;
    list_for_each(link, next, &set->waiters) {
        struct waiter *waiter = container_of(link, struct waiter, epoll_link);
        if (!waiter->sleeping || waiter->word || (woken && !waiter->epoll_eventfd))
            continue;
        woken |= !waiter->epoll_eventfd;
        wake_one(waiter);
    }
}

/* An event for an epoll set: the item becomes ready, and somebody who waits for the set is woken: one thread
 * an event, as in Linux. Who takes events and leaves some wakes the next (wake_next). */
static void epoll_event(struct epoll_item *item, unsigned mask) {
    if (item->disarmed || !(mask & (item->events | POLLERR | POLLHUP)))
        return;
    if (list_empty(&item->ready_link))
        list_add_tail(&item->set->ready, &item->ready_link);
    wake_one_of(item->set);
}

static void signal_owner(struct socket *socket) {
    struct async_signal signal = {socket->async, socket->async.urgent, socket_poll(&shared->stack, socket)};
    socket->async.urgent = false;
    noted.signals[noted.signal_count++] = signal; /* wake_collect has made sure that there is room */
}

/* Who waits in accept(2) is woken for one connection each, as in Linux: `left` have nobody yet. */
static bool has_its_own(const struct watch *watch, uint32_t *left) {
    if (watch != &watch->waiter->watch)
        return true; /* poll(2) and its kin are told in any case */
    if (*left == 0)
        return false;
    --*left;
    return true;
}

/* Who waits for his turn is woken when it may be his: one thread a side. */
static bool is_its_turn(const struct socket *socket, const struct watch *watch, unsigned *woken) {
    if (socket->turns[watch->side - 1] || *woken & 1u << watch->side)
        return false;
    *woken |= 1u << watch->side;
    watch->waiter->turns_offered |= (uint8_t)(1u << watch->side);
    return true;
}

static void socket_changed(struct socket *socket) {
    bool listens = socket->tcp && socket->tcp->state == TCP_LISTEN;
    uint32_t left = socket->accept_count;
    unsigned woken = 0;
    struct list *link, *next;
    if (async_wanted(socket))
        signal_owner(socket);
    if (list_empty(&socket->watches))
        return;
    unsigned mask = socket_poll(&shared->stack, socket);
    list_for_each(link, next, &socket->watches) {
        struct watch *watch = container_of(link, struct watch, socket_link);
        if (watch->kind == WATCH_EPOLL)
            epoll_event(container_of(watch, struct epoll_item, watch), mask);
        else if (watch->side) {
            if (is_its_turn(socket, watch, &woken))
                wake_one(watch->waiter);
        } else if (mask & (watch->events | POLLERR | POLLHUP) &&
                   (!listens || mask & (POLLERR | POLLHUP) || has_its_own(watch, &left)))
            wake_one(watch->waiter);
    }
}

/* What other processes asked for, as far as there is room. */
static void collect_requests(void) {
    struct list *link;
    while (noted.count < WAKE_LIST_MAX && (link = list_first(&shared->keeper_wakes))) {
        struct waiter *waiter = container_of(link, struct waiter, keeper_link);
        list_remove(link);
        if (!waiter->by_descriptor)
            note_target(waiter, -1);
        else if (waiter->keeper_descriptor >= 0)
            note_target(waiter, waiter->keeper_descriptor);
    }
    noted.doorbell |= !list_empty(&shared->keeper_wakes);
}

/* Whether the keeper has something to do. */
static bool keeper_is_due(void) {
    uint64_t deadline_ns = stack_deadline(&shared->stack);
    bool ticks =
        shared->receiving.state == RECEIVING_POLLED && deadline_ns > shared->stack.now_ns + FRAMES_POLL_NS;
    return (frames_wait() && !frames_are_coalescing()) ||
           (deadline_ns < shared->keeper_deadline_ns && !ticks) ||
           shared->stack.arp.conflicts != shared->conflicts_seen ||
           (shared->monitored && shared->stack.changes != shared->changes_told &&
            shared->keeper_deadline_ns > shared->next_picture_ns);
}

bool wake_collect(void) {
    struct socket *socket = NULL;
    if (!shared->broken) {
        while (noted.signal_count < WAKE_SIGNALS_MAX && (socket = stack_next_event(&shared->stack)))
            socket_changed(socket);
        noted.doorbell |= keeper_is_due();
    }
    if (wake_self && wake_self->pid == shared->keeper_pid)
        collect_requests();
    return noted.signal_count == WAKE_SIGNALS_MAX;
}

void wake_keeper(void) {
    shared->doorbell++;
    if (shared->keeper_sleeping)
        futex(&shared->doorbell, FUTEX_WAKE, 1, NULL, 0);
}

void wake_keeper_on_leave(void) {
    noted.doorbell = true;
}

void wake_take(struct wake_list *wakes) {
    wakes->count = noted.count;
    wakes->signal_count = noted.signal_count;
    wakes->doorbell = noted.doorbell;
    for (int i = 0; i < noted.count; i++)
        wakes->targets[i] = noted.targets[i];
    for (int i = 0; i < noted.signal_count; i++)
        wakes->signals[i] = noted.signals[i];
    noted.count = noted.signal_count = 0;
    noted.doorbell = false;
}

void wake_deliver(const struct wake_list *wakes) {
    for (int i = 0; i < wakes->count; i++)
        wake_target(&wakes->targets[i]);
    if (wakes->count > 0)
        wake_delivering--;
    if (wakes->doorbell)
        wake_keeper();
    for (int i = 0; i < wakes->signal_count; i++)
        async_send(&wakes->signals[i]);
}

void wake_at_once(void) {
    struct wake_list wakes;
    wake_take(&wakes);
    wake_deliver(&wakes);
}

void wake_forked(void) {
    noted.count = noted.signal_count = 0;
    noted.doorbell = false;
    wake_delivering = 0; /* by threads that only the parent has */
}

void wake_next(struct epoll_set *set) {
    if (!list_empty(&set->ready))
        wake_one_of(set);
}

void wake_set(struct epoll_set *set, bool ready) {
    struct list *link, *next;
    list_for_each(link, next, &set->waiters) {
        struct waiter *waiter = container_of(link, struct waiter, epoll_link);
        if (ready || !waiter->epoll_eventfd)
            wake_one(waiter);
    }
}

/* Who is marked as woken may not have been: whoever did that died before he got to it. */
static void wake_sleepers(bool marked_only) {
    struct list *process, *link, *next_process, *next;
    list_for_each(process, next_process, &shared->process_list) {
        list_for_each(link, next, &container_of(process, struct process, link)->waiters) {
            struct waiter *waiter = container_of(link, struct waiter, link);
            if (!waiter->sleeping || (marked_only && !waiter->word))
                continue;
            waiter->word = 0;
            wake_one(waiter);
        }
    }
    list_for_each(link, next, &shared->epoll_eventfds) {
        struct waiter *epoll_eventfd = container_of(link, struct waiter, link);
        if (!epoll_eventfd->sleeping || (marked_only ? !epoll_eventfd->word : !shared->broken))
            continue;
        epoll_eventfd->word = 0;
        wake_one(epoll_eventfd);
    }
    noted.doorbell = true;
}

void wake_everybody(void) {
    wake_sleepers(false);
}

void wake_undelivered(void) {
    wake_sleepers(true);
}
