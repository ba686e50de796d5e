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
static struct handle *known[KNOWN]; /* of bells, by their numbers: the last of each place */
static _Atomic int kernel_waits;    /* threads in a wait that began before the process joined its stack */
static _Atomic int all_sleepers;    /* of all handles */

int bell_descriptor(const struct waiter *bell) {
    const struct handle *handle = known[bell->number % KNOWN];
    return handle && handle->bell > 0 && handle->epoll && handle->epoll->bell == bell ? handle->bell : -1;
}

static void keep(struct handle *handle, int descriptor) {
    handle->bell = descriptor;
    known[handle->epoll->bell->number % KNOWN] = handle;
}

/* Gets a bell's eventfd from the keeper: the set came from another process. */
static bool fetch(struct handle *handle) {
    shared_lock();
    struct epoll_set *set = shared->broken ? NULL : handle->epoll;
    struct waiter *bell = set && !handle->bell ? set->bell : NULL;
    uint32_t number = bell ? bell->number : 0;
    shared_unlock();
    int descriptor = bell ? peer_fetch(bell, number) : -1;
    if (descriptor < 0)
        return false;
    shared_lock();
    bool kept = !handle->bell && handle->epoll == set && set->bell == bell && bell->number == number;
    if (kept)
        keep(handle, descriptor);
    shared_unlock();
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

static bool hangs(const struct waiter *bell) {
    return bell && bell->sleeping;
}

/* Returns false when that takes the bell's eventfd, which this process has not got. The lock is held. */
static bool silence(struct handle *handle) {
    uint64_t ignored;
    handle->epoll->bell->word = 0;
    if (handle->bell > 0 && LIBC(read)(handle->bell, &ignored, sizeof ignored) < 0)
        return true; /* it was silent */
    return handle->bell > 0;
}

/* The lock is held. */
static bool refresh(struct handle *handle) {
    struct epoll_set *set = handle->epoll;
    if (!set || !hangs(set->bell))
        return true;
    if (!is_ready(set))
        return silence(handle);
    wake_one(set->bell);
    return true;
}

static bool is_wanted(const struct handle *handle) {
    return handle->epoll->watched || handle->sleepers > 0 || (handle->elder && kernel_waits > 0);
}

/* The lock is held. */
static bool place(struct handle *handle) {
    struct waiter *bell = handle->epoll->bell;
    handle->epoll->watched |= handle->watched;
    bool wanted = is_wanted(handle);
    if (wanted == bell->sleeping)
        return true;
    bell->sleeping = bell->by_descriptor = wanted;
    if (wanted) {
        list_add_tail(&handle->epoll->waiters, &bell->epoll_link);
        return refresh(handle);
    }
    list_remove(&bell->epoll_link);
    return silence(handle);
}

void bell_place(struct handle *handle) {
    int saved = errno;
    bool done = true;
    for (int tries = 0; tries < 2; tries++) {
        shared_lock();
        if (handle->epoll && handle->epoll->bell && !shared->broken)
            done = place(handle);
        shared_unlock();
        if (done || !fetch(handle))
            break;
    }
    errno = saved;
}

void bell_hang(struct handle *handle, int fd) {
    struct door_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, DOOR_WAITER}};
    struct epoll_event event = {.events = EPOLLIN};
    struct waiter *bell = NULL;
    int saved = errno, descriptor = wait_eventfd();
    if (descriptor < 0)
        return;
    shared_lock();
    struct epoll_set *set = shared->broken ? NULL : handle->epoll;
    if (set && !set->bell && (bell = pool_take_zeroed(&shared->waiters))) {
        bell->bell = true;
        bell->descriptor = bell->keeper_descriptor = -1;
        bell->watch.kind = WATCH_WAITER;
        bell->watch.waiter = bell;
        bell->set = set;
        waiter_enter(bell);
        set->bell = bell;
        keep(handle, descriptor);
        event.data.u64 = BELL_MARK << 32 | bell->number;
        request.waiter = bell;
        request.waiter_number = bell->number;
    }
    shared_unlock();
    if (bell) {
        attach_tell(&request, descriptor);
        LIBC(epoll_ctl)(fd, EPOLL_CTL_ADD, descriptor, &event);
        event = BELL_KEEPER_EVENT;
        LIBC(epoll_ctl)(fd, EPOLL_CTL_ADD, attach_connection(), &event);
        bell_place(handle);
    } else {
        descriptor_close_private(descriptor);
    }
    errno = saved;
}

void bell_take_down(struct handle *handle, int fd) {
    if (handle->bell > 0)
        LIBC(epoll_ctl)(fd, EPOLL_CTL_DEL, handle->bell, NULL);
    bell_drop(handle);
}

void bell_want(struct handle *handle, int fd) {
    bool done = handle->watched && (!handle->epoll || (handle->epoll->watched && handle->epoll->bell));
    if (done)
        return;
    shared_lock();
    handle->watched = true;
    if (list_empty(&handle->watch_link))
        list_add_tail(&watched, &handle->watch_link);
    any_watched = true;
    shared_unlock();
    if (handle->epoll && !handle->epoll->bell)
        bell_hang(handle, fd);
    else
        bell_place(handle);
}

static struct handle *refresh_all(void) {
    struct list *link, *next;
    struct handle *unknown = NULL;
    shared_lock();
    list_for_each(link, next, &watched) {
        struct handle *handle = container_of(link, struct handle, watch_link);
        if (!refresh(handle))
            unknown = handle;
    }
    shared_unlock();
    return unknown;
}

void bells_refresh(void) {
    if (!any_watched)
        return;
    int saved = errno;
    struct handle *unknown;
    while ((unknown = refresh_all()) && fetch(unknown))
        continue;
    errno = saved;
}

void bell_refresh(struct handle *handle) {
    bool done = true;
    for (int tries = 0; tries < 2; tries++) {
        shared_lock();
        done = refresh(handle);
        shared_unlock();
        if (done || !fetch(handle))
            break;
    }
}

void bell_quiet(struct handle *handle) {
    struct epoll_set *set = handle->epoll;
    if (set && hangs(set->bell) && !is_ready(set))
        silence(handle);
}

void bell_keeper_died(int fd) {
    int saved = errno;
    shared_lock();
    keeper_has_died();
    shared_unlock();
    LIBC(epoll_ctl)(fd, EPOLL_CTL_DEL, attach_connection(), NULL);
    errno = saved;
}

int bell_filter(struct epoll_event *events, int count, uint32_t *number) {
    int left = 0;
    *number = 0;
    for (int i = 0; i < count; i++) {
        uint32_t here = bell_number(events[i].data.u64);
        if (here)
            *number = here > *number ? here : *number;
        else
            events[left++] = events[i];
    }
    return left;
}

bool bells_begin(void) {
    if (attached())
        return false;
    kernel_waits++;
    if (!attached())
        return true;
    kernel_waits--;
    return false;
}

static void place_elder(int fd, void *context) {
    struct handle *handle = descriptor_epoll(fd);
    (void)context;
    if (handle && handle->elder && handle->epoll)
        bell_place(handle);
}

void bells_end(void) {
    if (--kernel_waits == 0 && attached())
        descriptor_walk(0, UINT32_MAX, place_elder, NULL);
}

void bell_sleep_begin(struct handle *handle) {
    handle->sleepers++;
    all_sleepers++;
}

void bell_sleep_end(struct handle *handle) {
    all_sleepers--;
    if (--handle->sleepers == 0 && handle->epoll)
        bell_place(handle);
}

void bell_drop(struct handle *handle) {
    list_remove(&handle->watch_link);
    if (handle->epoll && handle->epoll->bell && known[handle->epoll->bell->number % KNOWN] == handle)
        known[handle->epoll->bell->number % KNOWN] = NULL;
    if (handle->bell > 0)
        descriptor_close_private(handle->bell);
    handle->bell = 0;
}

static void forget_sleepers(int fd, void *context) {
    struct handle *handle = descriptor_epoll(fd);
    (void)context;
    if (handle)
        handle->sleepers = 0; /* the parent's */
}

void bells_forked(void) {
    kernel_waits = 0;
    if (all_sleepers > 0)
        descriptor_walk(0, UINT32_MAX, forget_sleepers, NULL);
    all_sleepers = 0;
}

void bells_forget(void) {
    list_init(&watched);
    any_watched = false;
    memset(known, 0, sizeof known);
}
