/*
 * bell.c - see bell.h.
 */
#include "bell.h"
#include "attach.h"
#include "libc.h"
#include "lock.h"
#include "process.h"
#include "sandbox.h"
#include "wait.h"
#include "wake.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#define WANTED_MAX 64

static bool bells_wanted;              /* any */
static _Atomic int wanted[WANTED_MAX]; /* epoll descriptors that somebody watches; 0: free */
static char mark;                      /* its address is what a bell's event says */

static void drain(const struct handle *handle) {
    uint64_t ignored;
    if (handle->bell > 0 && LIBC(read)(handle->bell, &ignored, sizeof ignored) < 0)
        return; /* it was silent */
}

void bell_hang(int epoll) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(uintptr_t)&mark};
    uint64_t one = 1;
    struct handle *handle = descriptor_epoll(epoll);
    int bell = handle && !handle->bell ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (bell < 0)
        return;
    bell = descriptor_make_private(bell);
    if (LIBC(epoll_ctl)(epoll, EPOLL_CTL_ADD, bell, &event) < 0 || LIBC(write)(bell, &one, sizeof one) < 0) {
        descriptor_close_private(bell);
        return;
    }
    handle->bell = bell;
    for (int i = 0; i < WANTED_MAX; i++)
        if (wanted[i] == epoll)
            bell_want(epoll);
}

/* Whether a wait for the set would give something. What turns out not to be ready leaves the list. The lock
 * is held.
 */
static bool is_ready(struct epoll_set *set) {
    struct list *link, *next;
    list_for_each(link, next, &set->ready) {
        struct epoll_item *item = container_of(link, struct epoll_item, ready_link);
        if (!item->disarmed &&
            socket_poll(&shared->stack, item->socket) & (item->events | EPOLLERR | EPOLLHUP))
            return true;
        list_remove(link);
    }
    return false;
}

/* The lock is held. */
static void refresh(struct handle *handle) {
    struct waiter *waiter = handle->bell_waiter;
    if (!waiter)
        return;
    if (list_empty(&waiter->epoll_link))
        list_add_tail(&handle->epoll->waiters, &waiter->epoll_link);
    waiter->sleeping = waiter->by_descriptor = true;
    if (is_ready(handle->epoll)) {
        wake_one(waiter);
        return;
    }
    waiter->word = 0;
    drain(handle);
}

/* The bell becomes one that waits, for ever, for the set. */
static void watch_set(struct handle *handle) {
    struct door_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, DOOR_WAITER}};
    shared_lock();
    struct waiter *waiter = shared->broken ? NULL : pool_take_zeroed(&shared->waiters);
    if (waiter) {
        waiter->process = wake_self;
        waiter->bell = true;
        waiter->descriptor = handle->bell;
        waiter->keeper_descriptor = -1;
        waiter->watch.kind = WATCH_WAITER;
        waiter->watch.waiter = waiter;
        waiter_enter(waiter);
    }
    shared_unlock();
    request.waiter = waiter;
    if (waiter && attach_tell(&request, handle->bell) == 0)
        handle->bell_waiter = waiter;
}

void bell_want(int epoll) {
    struct handle *handle = descriptor_epoll(epoll);
    int place = -1;
    for (int i = 0; i < WANTED_MAX && place < 0; i++)
        if (wanted[i] == epoll || wanted[i] == 0)
            place = i;
    if (place < 0)
        return;
    wanted[place] = epoll;
    bells_wanted = true;
    if (handle && !handle->bell)
        bell_hang(epoll); /* inherited without one */
    if (handle && handle->bell && !handle->bell_waiter)
        watch_set(handle);
}

bool bell_is_epoll(int fd) {
    char path[32], kind[32] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return !sandboxed() && readlink(path, kind, sizeof kind - 1) > 0 &&
           strcmp(kind, "anon_inode:[eventpoll]") == 0;
}

/* Wants the bells of the sets that are in this one, by proc(5), /proc/PID/fdinfo. */
static void want_those_in(int epoll) {
    char path[32], text[4096];
    ssize_t length;
    size_t kept = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (length = LIBC(read)(fd, text + kept, sizeof text - 1 - kept)) > 0) {
        text[kept += (size_t)length] = 0;
        char *line = text, *end;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            int inner;
            *end = 0;
            if (sscanf(line, "tfd: %d", &inner) == 1 && bell_is_epoll(inner))
                bell_want(inner);
        }
        kept = strlen(line); /* a line that goes on */
        memmove(text, line, kept);
    }
    if (fd >= 0)
        LIBC(close)(fd);
}

void bells_attached(void) {
    char entries[2048];
    long length;
    int folder = sandboxed() ? -1 : open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (folder >= 0 && (length = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0)
        for (long at = 0; at < length;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            if (entry->d_name[0] != '.' && bell_is_epoll(atoi(entry->d_name)))
                want_those_in(atoi(entry->d_name));
            at += entry->d_reclen;
        }
    if (folder >= 0)
        LIBC(close)(folder);
}

void bells_refresh(void) {
    if (!bells_wanted)
        return;
    for (int i = 0; i < WANTED_MAX; i++)
        if (wanted[i] && descriptor_epoll(wanted[i]) && !descriptor_epoll(wanted[i])->bell_waiter)
            bell_want(wanted[i]);
    shared_lock();
    for (int i = 0; i < WANTED_MAX && !shared->broken; i++)
        if (wanted[i] && descriptor_epoll(wanted[i]))
            refresh(descriptor_epoll(wanted[i]));
    shared_unlock();
}

static void drain_found(int fd, void *context) {
    struct handle *handle = descriptor_epoll(fd);
    (void)context;
    if (handle && !handle->bell_waiter)
        drain(handle); /* it was rung for those who slept; the others are told of by refresh */
}

int bell_filter(struct epoll_event *events, int count) {
    int left = 0;
    for (int i = 0; i < count; i++)
        if (events[i].data.u64 != (uint64_t)(uintptr_t)&mark)
            events[left++] = events[i];
    if (left < count)
        descriptor_walk(0, UINT32_MAX, drain_found, NULL);
    return left;
}

void bell_drop(struct handle *handle) {
    if (handle->bell_waiter && !shared->broken)
        waiter_release(handle->bell_waiter);
    if (handle->bell > 0)
        descriptor_close_private(handle->bell);
    handle->bell = 0;
    handle->bell_waiter = NULL;
}

static void forget_waiter(int fd, void *context) {
    struct handle *handle = descriptor_epoll(fd);
    (void)context;
    if (handle)
        handle->bell_waiter = NULL; /* the parent's */
}

void bells_forked(void) {
    if (bells_wanted)
        descriptor_walk(0, UINT32_MAX, forget_waiter, NULL);
}
