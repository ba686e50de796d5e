/* SPDX-License-Identifier: MIT */
/*
 * remote_eventfd.c - see remote_eventfd.h. All of it runs with the lock held.
 */
#include "shim/library/wait/remote_eventfd.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/sandbox.h"
#include "shim/library/wait/epoll_eventfd.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/wake.h"
#include <errno.h>

#define PEERS_MAX 32
#define ASK_AGAIN 64 /* wake-ups: a child may have picked up its parent's answer */

static struct remote {
    const struct waiter *waiter; /* NULL: a free place */
    uint32_t number;             /* ... of it */
    uint32_t wakes;              /* since the keeper was asked */
    int descriptor;              /* -1: the answer has not come yet */
} remotes[PEERS_MAX];
static uint32_t next_place;

static bool is_gone(const struct remote *remote) {
    return !pool_has(&shared->waiters, remote->waiter) || remote->waiter->number != remote->number;
}

static void forget_eventfd(struct remote *remote) {
    if (remote->waiter && remote->descriptor >= 0)
        descriptor_close_private(remote->descriptor);
    remote->waiter = NULL;
}

static struct remote *find(uint32_t number) {
    for (struct remote *remote = remotes; remote < remotes + PEERS_MAX; remote++)
        if (remote->waiter && remote->number == number)
            return remote;
    return NULL;
}

/* A place: one whose waiter is gone, or whoever's turn it is. */
static struct remote *make_room(void) {
    for (struct remote *remote = remotes; remote < remotes + PEERS_MAX; remote++)
        if (remote->waiter && is_gone(remote))
            forget_eventfd(remote);
    for (struct remote *remote = remotes; remote < remotes + PEERS_MAX; remote++)
        if (!remote->waiter)
            return remote;
    struct remote *remote = &remotes[next_place++ % PEERS_MAX];
    forget_eventfd(remote);
    return remote;
}

static void ask_keeper_for_eventfd(struct remote *remote) {
    struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, IPC_REMOTE_EVENTFD},
                                  .waiter = (struct waiter *)remote->waiter,
                                  .waiter_number = remote->number};
    remote->wakes = 0;
    if (attach_ask_later(&request))
        remote->waiter = NULL;
}

/* Picks up the keeper's answers. */
static void pick_up(void) {
    struct ipc_reply reply;
    struct ipc_ancillary ancillary;
    while (attach_hear(&reply, &ancillary)) {
        struct remote *remote = find(reply.waiter_number);
        if (remote && remote->descriptor < 0 && ancillary.first >= 0)
            remote->descriptor = descriptor_make_private(ancillary.first);
        else if (ancillary.first >= 0)
            LIBC(close)(ancillary.first);
        if (remote && remote->descriptor < 0)
            remote->waiter = NULL; /* the keeper does not know it yet */
    }
}

static int descriptor_of(const struct waiter *waiter) {
    LOCK_EXCEPTION;
    struct remote *remote = find(waiter->number);
    if (remote && remote->descriptor < 0) {
        pick_up();
        remote = find(waiter->number);
    }
    if (!remote) {
        remote = make_room();
        *remote = (struct remote){waiter, waiter->number, 0, -1};
        ask_keeper_for_eventfd(remote);
    } else if (remote->descriptor < 0 && ++remote->wakes == ASK_AGAIN) {
        ask_keeper_for_eventfd(remote);
    }
    return remote->descriptor;
}

static int remote_eventfd(const struct waiter *waiter) {
    LOCK_EXCEPTION;
    int saved = errno, own = waiter->epoll_eventfd ? epoll_eventfd_descriptor(waiter) : -1;
    int descriptor = own >= 0 ? own : sandboxed() ? -1 : descriptor_of(waiter);
    errno = saved;
    return descriptor;
}

/* This thread's own, which nobody closes. The lock is held. */
static int duplicate(int descriptor) {
    LOCK_EXCEPTION;
    return descriptor_keep_private(descriptor);
}

int remote_eventfd_fetch(const struct waiter *waiter, uint32_t number) {
    for (int tries = 0; tries < 100 && !sandboxed(); tries++) {
        region_enter();
        bool there = !shared->broken && pool_has(&shared->waiters, waiter) && waiter->number == number;
        int descriptor = there ? descriptor_of(waiter) : -1;
        int kept = descriptor >= 0 ? duplicate(descriptor) : -1;
        region_leave();
        if (kept >= 0 || !there)
            return kept;
        struct pollfd answer = {.fd = attach_connection(), .events = POLLIN};
        LIBC(poll)(&answer, 1, 10);
    }
    return -1;
}

void remote_eventfds_begin(void) {
    wake_by_remote_eventfd = remote_eventfd;
}
