/* SPDX-License-Identifier: MIT */
/*
 * placeholder.c - see placeholder.h.
 */
#include "shim/library/fd/placeholder.h"
#include "shim/library/process/sandbox.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/wake.h"
#include <fcntl.h>
#include <stdatomic.h>

#define PLACEHOLDERS_MAX 32

/* Threads take and fill a place without the stack's lock: whoever has changed its state has it to himself. */
enum place_state { PLACE_EMPTY, PLACE_CHANGING, PLACE_FULL };

static struct place {
    _Atomic int state;
    struct placeholder_offer object;
} places[PLACEHOLDERS_MAX];
static _Atomic int count; /* of those that are not empty */

static bool place_begin(struct place *place, int state) {
    return atomic_compare_exchange_strong(&place->state, &state, PLACE_CHANGING);
}

static void place_end(struct place *place, int state) {
    atomic_store(&place->state, state);
}

/* Whether an entry's object is as good as new, and this process is the last that has the socket. */
static bool is_to_keep(const struct fd_entry *entry) {
    const struct file_table *table = wake_self->file_table;
    return entry->kind == FILE_REF_SOCKET && !entry->altered && entry->descriptors == 1 &&
           entry->socket->tcp && entry->socket->name && entry->socket->holders == 1 && table &&
           table->processes == 1;
}

struct placeholder_offer placeholder_duplicate(int fd) {
    const struct fd_entry *entry = descriptor_find(fd);
    struct placeholder_offer offer = {.descriptor = -1};
    if (count < PLACEHOLDERS_MAX && !shared_begin && entry && is_to_keep(entry) && !sandboxed())
        offer.descriptor = descriptor_keep_private(fd);
    return offer;
}

void placeholder_confirm(struct placeholder_offer *offer, const struct fd_entry *entry) {
    const struct socket *socket = entry->socket;
    if (offer->descriptor < 0 || !is_to_keep(entry))
        return;
    offer->name = (ino_t)socket->name;
    offer->inet6 = socket->options.inet6;
    offer->nonblocking = socket->nonblocking;
}

void placeholder_keep(const struct placeholder_offer *offer) {
    if (offer->descriptor < 0)
        return;
    for (struct place *place = places; offer->name && place < places + PLACEHOLDERS_MAX; place++) {
        if (!place_begin(place, PLACE_EMPTY))
            continue;
        place->object = *offer;
        count++;
        place_end(place, PLACE_FULL);
        return;
    }
    descriptor_close_private(offer->descriptor);
}

static bool find_kept(bool inet6, struct placeholder_offer *found) {
    for (struct place *place = places; place < places + PLACEHOLDERS_MAX; place++) {
        if (!place_begin(place, PLACE_FULL))
            continue;
        *found = place->object;
        bool fits = found->inet6 == inet6;
        count -= fits;
        place_end(place, fits ? PLACE_EMPTY : PLACE_FULL);
        if (fits)
            return true;
    }
    return false;
}

int placeholder_take(const struct socket *socket, int flags, ino_t *name) {
    struct placeholder_offer found;
    if (count == 0 || !socket->tcp || sandboxed() || !find_kept(socket->options.inet6, &found))
        return -1;
    int fd = LIBC(fcntl)(found.descriptor, flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
    if (fd < 0) { /* no number is free: whoever asks makes an object, and is told why that fails */
        placeholder_keep(&found);
        return -1;
    }
    descriptor_close_private(found.descriptor);
    bool nonblocking = flags & SOCK_NONBLOCK;
    if (nonblocking != found.nonblocking)
        LIBC(fcntl)(fd, F_SETFL, O_RDWR | (nonblocking ? O_NONBLOCK : 0));
    *name = found.name;
    return fd;
}

void placeholder_forked(void) {
    for (struct place *place = places; place < places + PLACEHOLDERS_MAX; place++) {
        if (place->state == PLACE_FULL)
            descriptor_close_private(place->object.descriptor);
        place->state = PLACE_EMPTY;
    }
    count = 0;
}
