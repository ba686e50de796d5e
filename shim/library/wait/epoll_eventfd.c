/* SPDX-License-Identifier: MIT */
/*
 * epoll_eventfd.c - see epoll_eventfd.h.
 */
#include "shim/library/wait/epoll_eventfd.h"
#include "shim/library/process/attach.h"
#include "shim/library/wait/epoll_set.h"
#include "shim/library/wait/orphan.h"
#include "shim/library/wait/remote_eventfd.h"
#include "shim/library/wait/wait.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <string.h>

#define KNOWN 256

static struct list watched = {&watched, &watched}; /* handles; with the lock held */
static _Atomic bool any_watched;
static struct fd_entry *known[KNOWN]; /* of epoll eventfds, by their numbers: the last of each place */
static _Atomic int kernel_waits;      /* threads in a wait that began before the process joined its stack */
static _Atomic int all_sleepers;      /* of all handles */

int epoll_eventfd_descriptor(const struct waiter *epoll_eventfd) {
    const struct fd_entry *entry = known[epoll_eventfd->number % KNOWN];
    return entry && entry->epoll_eventfd > 0 && entry->epoll && entry->epoll->epoll_eventfd == epoll_eventfd
               ? entry->epoll_eventfd
               : -1;
}

static void keep(struct fd_entry *entry, int descriptor) {
    entry->epoll_eventfd = descriptor;
    known[entry->epoll->epoll_eventfd->number % KNOWN] = entry;
}

/* Gets a epoll eventfd's eventfd from the keeper: the set came from another process. */
static bool fetch(struct fd_entry *entry) {
    region_enter();
    struct epoll_set *set = shared->broken ? NULL : entry->epoll;
    struct waiter *epoll_eventfd = set && !entry->epoll_eventfd ? set->epoll_eventfd : NULL;
    uint32_t number = epoll_eventfd ? epoll_eventfd->number : 0;
    region_leave();
    int descriptor = epoll_eventfd ? remote_eventfd_fetch(epoll_eventfd, number) : -1;
    if (descriptor < 0)
        return false;
    region_enter();
    bool kept = !entry->epoll_eventfd && entry->epoll == set && set->epoll_eventfd == epoll_eventfd &&
                epoll_eventfd->number == number;
    if (kept)
        keep(entry, descriptor);
    region_leave();
    if (!kept)
        descriptor_close_private(descriptor);
    return kept;
}

/* Whether a wait for the set would give something. What turns out not to be ready leaves the list. The lock
 * is held. */
static bool is_ready(struct epoll_set *set) {
    struct list *link, *next;
    if (shared->broken)
        return shared->orphaned && orphan_set_ready(set);
    list_for_each(link, next, &set->ready) {
        struct epoll_item *item = container_of(link, struct epoll_item, ready_link);
        if (!item->disarmed &&
            socket_poll(&shared->stack, item->socket) & (item->events | EPOLLERR | EPOLLHUP))
            return true;
        list_remove(link);
    }
    return false;
}

static bool hangs(const struct waiter *epoll_eventfd) {
    return epoll_eventfd && epoll_eventfd->sleeping;
}

/* Returns false when that takes the epoll eventfd's eventfd, which this process has not got. The lock is
 * held. */
static bool silence(struct fd_entry *entry) {
    LOCK_EXCEPTION;
    uint64_t ignored;
    entry->epoll->epoll_eventfd->word = 0;
    if (entry->epoll_eventfd > 0 && LIBC(read)(entry->epoll_eventfd, &ignored, sizeof ignored) < 0)
        return true; /* it was silent */
    return entry->epoll_eventfd > 0;
}

/* The lock is held. */
static bool refresh(struct fd_entry *entry) {
    struct epoll_set *set = entry->epoll;
    if (!set || !hangs(set->epoll_eventfd))
        return true;
    if (!is_ready(set))
        return silence(entry);
    wake_one(set->epoll_eventfd);
    return true;
}

static bool is_wanted(const struct fd_entry *entry) {
    return entry->epoll->watched || entry->sleepers > 0 || (entry->elder && kernel_waits > 0);
}

/* The lock is held. */
static bool place(struct fd_entry *entry) {
    struct waiter *epoll_eventfd = entry->epoll->epoll_eventfd;
    entry->epoll->watched |= entry->watched;
    bool wanted = is_wanted(entry);
    if (wanted == epoll_eventfd->sleeping)
        return true;
    epoll_eventfd->sleeping = epoll_eventfd->by_descriptor = wanted;
    if (wanted) {
        list_add_tail(&entry->epoll->waiters, &epoll_eventfd->epoll_link);
        return refresh(entry);
    }
    list_remove(&epoll_eventfd->epoll_link);
    return silence(entry);
}

void epoll_eventfd_place(struct fd_entry *entry) {
    int saved = errno;
    bool done = true;
    for (int tries = 0; tries < 2; tries++) {
        region_enter();
        if (entry->epoll && entry->epoll->epoll_eventfd && !shared->broken)
            done = place(entry);
        region_leave();
        if (done || !fetch(entry))
            break;
    }
    errno = saved;
}

void epoll_eventfd_hang(struct fd_entry *entry, int fd) {
    struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, IPC_WAITER}};
    struct epoll_event event = {.events = EPOLLIN};
    struct waiter *epoll_eventfd = NULL;
    int saved = errno, descriptor = wait_eventfd();
    if (descriptor < 0)
        return;
    region_enter();
    struct epoll_set *set = shared->broken ? NULL : entry->epoll;
    if (set && !set->epoll_eventfd && (epoll_eventfd = pool_take_zeroed(&shared->waiters))) {
        epoll_eventfd->epoll_eventfd = true;
        epoll_eventfd->descriptor = epoll_eventfd->keeper_descriptor = -1;
        epoll_eventfd->watch.kind = WATCH_WAITER;
        epoll_eventfd->watch.waiter = epoll_eventfd;
        epoll_eventfd->set = set;
        waiter_enter(epoll_eventfd);
        set->epoll_eventfd = epoll_eventfd;
        keep(entry, descriptor);
        event.data.u64 = EPOLL_EVENTFD_MARK << 32 | epoll_eventfd->number;
        request.waiter = epoll_eventfd;
        request.waiter_number = epoll_eventfd->number;
    }
    region_leave();
    if (epoll_eventfd) {
        attach_tell(&request, descriptor);
        LIBC(epoll_ctl)(fd, EPOLL_CTL_ADD, descriptor, &event);
        event = EPOLL_EVENTFD_KEEPER_EVENT;
        LIBC(epoll_ctl)(fd, EPOLL_CTL_ADD, attach_connection(), &event);
        epoll_eventfd_place(entry);
    } else {
        descriptor_close_private(descriptor);
    }
    errno = saved;
}

void epoll_eventfd_take_down(struct fd_entry *entry, int fd) {
    if (entry->epoll_eventfd > 0)
        LIBC(epoll_ctl)(fd, EPOLL_CTL_DEL, entry->epoll_eventfd, NULL);
    epoll_eventfd_drop(entry);
}

void epoll_eventfd_move(struct fd_entry *entry, struct fd_entry *from) {
    if (from->epoll_eventfd > 0)
        keep(entry, from->epoll_eventfd);
    from->epoll_eventfd = 0;
}

void epoll_eventfd_want(struct fd_entry *entry, int fd) {
    bool done = entry->watched && (!entry->epoll || (entry->epoll->watched && entry->epoll->epoll_eventfd));
    if (done)
        return;
    region_enter();
    entry->watched = true;
    if (list_empty(&entry->watch_link))
        list_add_tail(&watched, &entry->watch_link);
    any_watched = true;
    region_leave();
    if (entry->epoll && !entry->epoll->epoll_eventfd)
        epoll_eventfd_hang(entry, fd);
    else
        epoll_eventfd_place(entry);
}

static struct fd_entry *refresh_all(void) {
    struct list *link, *next;
    struct fd_entry *unknown = NULL;
    region_enter();
    list_for_each(link, next, &watched) {
        struct fd_entry *entry = container_of(link, struct fd_entry, watch_link);
        if (!refresh(entry))
            unknown = entry;
    }
    region_leave();
    return unknown;
}

void epoll_eventfds_refresh(void) {
    if (!any_watched)
        return;
    int saved = errno;
    struct fd_entry *unknown;
    while ((unknown = refresh_all()) && fetch(unknown))
        continue;
    errno = saved;
}

void epoll_eventfd_refresh(struct fd_entry *entry) {
    bool done = true;
    for (int tries = 0; tries < 2; tries++) {
        region_enter();
        done = refresh(entry);
        region_leave();
        if (done || !fetch(entry))
            break;
    }
}

void epoll_eventfd_quiet(struct fd_entry *entry) {
    struct epoll_set *set = entry->epoll;
    if (set && hangs(set->epoll_eventfd) && !is_ready(set))
        silence(entry);
}

void epoll_eventfd_keeper_died(int fd) {
    int saved = errno;
    region_enter();
    keeper_has_died();
    region_leave();
    LIBC(epoll_ctl)(fd, EPOLL_CTL_DEL, attach_connection(), NULL);
    errno = saved;
}

int epoll_eventfd_filter(struct epoll_event *events, int count, uint32_t *number) {
    int left = 0;
    *number = 0;
    for (int i = 0; i < count; i++) {
        uint32_t here = epoll_eventfd_number(events[i].data.u64);
        if (here)
            *number = here > *number ? here : *number;
        else
            events[left++] = events[i];
    }
    return left;
}

bool epoll_eventfds_begin(void) {
    if (attached())
        return false;
    kernel_waits++;
    if (!attached())
        return true;
    kernel_waits--;
    return false;
}

static void place_elder(int fd, void *context) {
    struct fd_entry *entry = descriptor_epoll(fd);
    (void)context;
    if (entry && entry->elder && entry->epoll)
        epoll_eventfd_place(entry);
}

void epoll_eventfds_end(void) {
    if (--kernel_waits == 0 && attached())
        descriptor_walk(0, UINT32_MAX, place_elder, NULL);
}

void epoll_eventfd_sleep_begin(struct fd_entry *entry) {
    entry->sleepers++;
    all_sleepers++;
}

void epoll_eventfd_sleep_end(struct fd_entry *entry) {
    all_sleepers--;
    if (--entry->sleepers == 0 && entry->epoll)
        epoll_eventfd_place(entry);
}

void epoll_eventfd_drop(struct fd_entry *entry) {
    LOCK_EXCEPTION;
    list_remove(&entry->watch_link);
    if (entry->epoll && entry->epoll->epoll_eventfd &&
        known[entry->epoll->epoll_eventfd->number % KNOWN] == entry)
        known[entry->epoll->epoll_eventfd->number % KNOWN] = NULL;
    if (entry->epoll_eventfd > 0)
        descriptor_close_private(entry->epoll_eventfd);
    entry->epoll_eventfd = 0;
}

static void forget_sleepers(int fd, void *context) {
    struct fd_entry *entry = descriptor_epoll(fd);
    (void)context;
    if (entry)
        entry->sleepers = 0; /* the parent's */
}

void epoll_eventfds_forked(void) {
    kernel_waits = 0;
    if (all_sleepers > 0)
        descriptor_walk(0, UINT32_MAX, forget_sleepers, NULL);
    all_sleepers = 0;
}

void epoll_eventfds_forget(void) {
    list_init(&watched);
    any_watched = false;
    memset(known, 0, sizeof known);
}
