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

static struct peer {
    const struct waiter *waiter; /* NULL: a free place */
    uint32_t number;             /* ... of it */
    uint32_t wakes;              /* since the keeper was asked */
    int descriptor;              /* -1: the answer has not come yet */
} peers[PEERS_MAX];
static uint32_t next_place;

static bool is_gone(const struct peer *peer) {
    return !pool_has(&shared->waiters, peer->waiter) || peer->waiter->number != peer->number;
}

static void forget(struct peer *peer) {
    if (peer->waiter && peer->descriptor >= 0)
        descriptor_close_private(peer->descriptor);
    peer->waiter = NULL;
}

static struct peer *find(uint32_t number) {
    for (struct peer *peer = peers; peer < peers + PEERS_MAX; peer++)
        if (peer->waiter && peer->number == number)
            return peer;
    return NULL;
}

/* A place: one whose waiter is gone, or whoever's turn it is. */
static struct peer *make_room(void) {
    for (struct peer *peer = peers; peer < peers + PEERS_MAX; peer++)
        if (peer->waiter && is_gone(peer))
            forget(peer);
    for (struct peer *peer = peers; peer < peers + PEERS_MAX; peer++)
        if (!peer->waiter)
            return peer;
    struct peer *peer = &peers[next_place++ % PEERS_MAX];
    forget(peer);
    return peer;
}

static void ask(struct peer *peer) {
    struct door_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, DOOR_PEER},
                                   .waiter = (struct waiter *)peer->waiter,
                                   .waiter_number = peer->number};
    peer->wakes = 0;
    if (attach_ask_later(&request))
        peer->waiter = NULL;
}

/* Picks up the keeper's answers. */
static void pick_up(void) {
    struct door_reply reply;
    struct door_beside beside;
    while (attach_hear(&reply, &beside)) {
        struct peer *peer = find(reply.waiter_number);
        if (peer && peer->descriptor < 0 && beside.first >= 0)
            peer->descriptor = descriptor_make_private(beside.first);
        else if (beside.first >= 0)
            LIBC(close)(beside.first);
        if (peer && peer->descriptor < 0)
            peer->waiter = NULL; /* the keeper does not know it yet */
    }
}

static int descriptor_of(const struct waiter *waiter) {
    struct peer *peer = find(waiter->number);
    if (peer && peer->descriptor < 0) {
        pick_up();
        peer = find(waiter->number);
    }
    if (!peer) {
        peer = make_room();
        *peer = (struct peer){waiter, waiter->number, 0, -1};
        ask(peer);
    } else if (peer->descriptor < 0 && ++peer->wakes == ASK_AGAIN) {
        ask(peer);
    }
    return peer->descriptor;
}

static int peer_descriptor(const struct waiter *waiter) {
    int saved = errno, own = waiter->bell ? bell_descriptor(waiter) : -1;
    int descriptor = own >= 0 ? own : sandboxed() ? -1 : descriptor_of(waiter);
    errno = saved;
    return descriptor;
}

int peer_fetch(const struct waiter *waiter, uint32_t number) {
    for (int tries = 0; tries < 100 && !sandboxed(); tries++) {
        shared_lock();
        bool there = !shared->broken && pool_has(&shared->waiters, waiter) && waiter->number == number;
        int descriptor = there ? descriptor_of(waiter) : -1;
        int kept = descriptor >= 0 ? descriptor_keep_private(descriptor) : -1;
        shared_unlock();
        if (kept >= 0 || !there)
            return kept;
        struct pollfd answer = {.fd = attach_connection(), .events = POLLIN};
        LIBC(poll)(&answer, 1, 10);
    }
    return -1;
}

void peers_begin(void) {
    wake_peer = peer_descriptor;
}
