/* SPDX-License-Identifier: MIT */
/*
 * router_neighbours.c - see router_neighbours.h.
 */
#include "stack/router/router_neighbours.h"
#include "stack/base/minmax.h"
#include "stack/router/router.h"

struct router_neighbour *router_neighbour_find(struct router *router, int port, struct ip_address address) {
    for (uint32_t i = 0; i < router->neighbours.ever; i++) {
        struct router_neighbour *entry = &router->neighbours.all[i];
        if (entry->used && entry->port == port && ip_equal(entry->address, address))
            return entry;
    }
    return NULL;
}

static void drop_waiting(struct router *router, struct router_neighbour *entry) {
    for (struct router_packet *packet; (packet = entry->first);) {
        entry->first = packet->next;
        router_packet_free(&router->packets, packet);
    }
    entry->last = NULL;
    entry->waiting = 0;
}

/* A new entry; where all are used, in the place of the one that has been wanted longest ago. */
static struct router_neighbour *create(struct router *router, int port, struct ip_address address) {
    struct router_neighbour *all = router->neighbours.all, *entry = &all[0];
    for (uint32_t i = 0; i < ROUTER_NEIGHBOURS_MAX && entry->used; i++)
        if (!all[i].used || all[i].wanted_ns < entry->wanted_ns)
            entry = &all[i];
    router->neighbours.ever = max_u32(router->neighbours.ever, (uint32_t)(entry - all) + 1);
    if (entry->used)
        drop_waiting(router, entry);
    *entry = (struct router_neighbour){
        .used = true, .port = (uint8_t)port, .address = address, .wanted_ns = router->now_ns};
    return entry;
}

static void ask(struct router *router, struct router_neighbour *entry) {
    entry->asked++;
    entry->ask_ns = router->now_ns + ROUTER_NEIGHBOUR_ASK_NS;
    if (ip_is_v4(entry->address))
        router_arp_ask(router, entry->port, ip_to_v4(entry->address), entry->known ? entry->mac : NULL);
    else
        router_nd_ask(router, entry->port, entry->address, entry->known ? entry->mac : NULL);
}

static uint16_t type_of(const struct router_neighbour *entry) {
    return ip_is_v4(entry->address) ? ETHER_TYPE_IP : ETHER_TYPE_IP6;
}

static void wait_for(struct router *router, struct router_neighbour *entry, struct router_packet *packet) {
    if (entry->waiting == ROUTER_NEIGHBOUR_WAITING) {
        router_drop(router, packet, &router->counters.discarded);
        return;
    }
    packet->next = NULL;
    if (entry->first)
        entry->last->next = packet;
    else
        entry->first = packet;
    entry->last = packet;
    entry->waiting++;
}

void router_neighbour_send(struct router *router, int port, struct ip_address address,
                           struct router_packet *packet) {
    struct router_neighbour *entry = router_neighbour_find(router, port, address);
    if (!entry)
        entry = create(router, port, address);
    entry->wanted_ns = router->now_ns;
    if (entry->known)
        router_enqueue(router, port, packet, entry->mac, type_of(entry));
    else
        wait_for(router, entry, packet);
    bool old = router->now_ns - entry->confirmed_ns >= ROUTER_NEIGHBOUR_REACHABLE_NS;
    if (!entry->ask_ns && (!entry->known || old))
        ask(router, entry);
}

void router_neighbour_heard(struct router *router, int port, struct ip_address address, const uint8_t mac[6],
                            bool may_create, bool answer) {
    struct router_neighbour *entry = router_neighbour_find(router, port, address);
    if (mac[0] & 1 || (!entry && !may_create))
        return;
    if (!entry)
        entry = create(router, port, address);
    bool same = entry->known && memcmp(entry->mac, mac, sizeof entry->mac) == 0;
    entry->known = true;
    memcpy(entry->mac, mac, sizeof entry->mac);
    if (answer || !same) {
        entry->confirmed_ns = router->now_ns;
        entry->asked = 0;
        entry->ask_ns = 0;
    }
    for (struct router_packet *packet; (packet = entry->first);) {
        entry->first = packet->next;
        router_enqueue(router, port, packet, entry->mac, type_of(entry));
    }
    entry->last = NULL;
    entry->waiting = 0;
}

/* Nobody answers: what waited is told, and the next packet asks anew. */
static void give_up(struct router *router, struct router_neighbour *entry) {
    struct router_packet *packet = entry->first, *next;
    entry->first = entry->last = NULL;
    *entry = (struct router_neighbour){.used = false};
    for (; packet; packet = next) {
        next = packet->next;
        router_unreachable(router, packet);
        router_drop(router, packet, &router->counters.no_neighbour);
    }
}

void router_neighbours_advance(struct router *router) {
    for (uint32_t i = 0; i < router->neighbours.ever; i++) {
        struct router_neighbour *entry = &router->neighbours.all[i];
        if (!entry->used)
            continue;
        bool due = entry->ask_ns && entry->ask_ns <= router->now_ns;
        if (due && entry->asked < ROUTER_NEIGHBOUR_ASKED)
            ask(router, entry);
        else if (due)
            give_up(router, entry);
        else if (!entry->ask_ns && router->now_ns - entry->wanted_ns > ROUTER_NEIGHBOUR_FORGET_NS)
            entry->used = false;
    }
}

uint64_t router_neighbours_next(const struct router *router) {
    uint64_t next_ns = ROUTER_NEVER;
    for (uint32_t i = 0; i < router->neighbours.ever; i++) {
        const struct router_neighbour *entry = &router->neighbours.all[i];
        if (entry->used && entry->ask_ns)
            next_ns = min_u64(next_ns, entry->ask_ns);
    }
    return next_ns;
}
