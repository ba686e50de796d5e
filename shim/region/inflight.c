/* SPDX-License-Identifier: MIT */
/*
 * inflight.c - see inflight.h.
 */
#include "shim/region/inflight.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"

static struct inflight *find(const struct socket *socket) {
    struct list *link, *next;
    list_for_each(link, next, &shared->inflights) {
        struct inflight *inflight = container_of(link, struct inflight, link);
        if (inflight->socket == socket)
            return inflight;
    }
    return NULL;
}

uint64_t inflight_begin(struct socket *socket) {
    struct inflight *inflight = find(socket);
    if (!inflight) {
        inflight = pool_take_zeroed(&shared->inflight_pool);
        if (!inflight)
            return 0;
        inflight->number = ++shared->inflight_made;
        inflight->socket = socket;
        inflight->sender = process_record_of(wake_self);
        list_init(&inflight->link);
        list_add_tail(&shared->inflights, &inflight->link);
        socket->holders++;
    }
    inflight->messages++;
    shared->inflight_changed = true;
    return inflight->listed ? 0 : inflight->number;
}

static void inflight_free(struct inflight *inflight) {
    struct socket *socket = inflight->socket;
    list_remove(&inflight->link);
    pool_return(&shared->inflight_pool, inflight);
    socket_drop(socket);
}

void inflight_end(struct socket *socket) {
    struct inflight *inflight = find(socket);
    if (inflight && --inflight->messages == 0)
        inflight_free(inflight);
}

void inflight_list(uint64_t number) {
    struct list *link, *next;
    list_for_each(link, next, &shared->inflights) {
        struct inflight *inflight = container_of(link, struct inflight, link);
        if (inflight->number == number)
            inflight->listed = true;
    }
}

bool inflight_is_last(const struct socket *socket) {
    return socket->holders == 1 && find(socket);
}

static bool found(const uint64_t *numbers, size_t count, uint64_t number) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && numbers[low] == number;
}

/* Whether the process that began a flight may still tell the keeper of it. */
static bool has_sender(const struct inflight *inflight) {
    return process_record_find(inflight->sender);
}

void inflight_expire(const uint64_t *numbers, size_t count) {
    struct list *link, *next;
    list_for_each(link, next, &shared->inflights) {
        struct inflight *inflight = container_of(link, struct inflight, link);
        if (inflight->listed ? !found(numbers, count, inflight->number) : !has_sender(inflight))
            inflight_free(inflight);
    }
}
