/* SPDX-License-Identifier: MIT */
/*
 * neighbour.c - see neighbour.h.
 *
 * Theory of operation. An entry is made when the first packet for a neighbour is to be sent, and asks at most
 * NEIGHBOUR_PROBES_MAX times, a second apart; then the packets that wait for it fail with EHOSTUNREACH and
 * the entry goes. A confirmed entry is REACHABLE for a while, then STALE: the next use gives the upper layer
 * five seconds to confirm it (DELAY) before the neighbour is asked by unicast (PROBE).
 *
 * Whoever is on the link can make us want to send to any number of addresses, so everything has a bound, for
 * both families together:
 * - The table. An entry that has not been used for longest makes room for a new one (CLOCK: `used` is a
 *   second chance), but never one that a route names: without the gateway there is no network.
 * - Entries that are INCOMPLETE, at most half of the table; then the first that was asked goes, with what
 *   waits for it.
 * - Packets that wait for one neighbour, by count and bytes: the oldest goes, as in Linux.
 * - Packets that wait for all neighbours: the oldest of a neighbour with the most bytes goes, so that a
 *   neighbour for which little waits does not pay for the others.
 */
#include "stack/link/neighbour.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/nd.h"
#include "stack/link/arp.h"
#include "stack/link/ether.h"
#include "stack/stack.h"
#include <errno.h>

#define QUOTED_BYTES 520u /* of a payload, for the socket that is told that it could not be delivered */

static struct hash_link **bucket_of(struct stack *stack, struct ip_address address) {
    uint64_t hash = random_hash(&stack->random, &address, sizeof address);
    return &stack->neighbours.buckets[hash % NEIGHBOUR_BUCKETS];
}

struct neighbour *neighbour_lookup(struct stack *stack, struct ip_address address) {
    struct neighbour *recent = stack->neighbours.recent;
    if (recent && ip_equal(recent->address, address))
        return recent;
    for (struct hash_link *link = *bucket_of(stack, address); link; link = link->next) {
        struct neighbour *entry = container_of(link, struct neighbour, hash);
        if (ip_equal(entry->address, address))
            return stack->neighbours.recent = entry;
    }
    return NULL;
}

void neighbour_begin(struct stack *stack) {
    struct neighbours *cache = &stack->neighbours;
    list_init(&cache->asked);
    list_init(&cache->known);
    size_classes_init(&cache->waiting);
    memset(cache->buckets, 0, sizeof cache->buckets);
    cache->recent = NULL;
    cache->asked_count = cache->pending_bytes = 0;
}

void neighbour_init(struct stack *stack) {
    struct neighbours *cache = &stack->neighbours;
    pool_init(&cache->entries, &stack->arena, sizeof(struct neighbour), NEIGHBOURS_MAX);
    pool_init(&cache->pendings, &stack->arena, sizeof(struct neighbour_pending), NEIGHBOUR_PENDINGS_MAX);
    neighbour_begin(stack);
}

static uint32_t weight_of(const struct frame *frame) {
    return (uint32_t)sizeof(struct neighbour_pending) + frame->payload_length;
}

/* What waits for an entry takes more, or less. */
static void count_pending(struct stack *stack, struct neighbour *entry, int packets, uint32_t weight) {
    uint32_t before = entry->pending_bytes;
    entry->pending_count += (uint32_t)packets;
    entry->pending_bytes += (uint32_t)packets * weight;
    stack->neighbours.pending_bytes += (uint32_t)packets * weight;
    size_class_change(&stack->neighbours.waiting, &entry->pending_link, before, entry->pending_bytes);
}

void neighbour_wait(struct stack *stack, struct neighbour_pending *pending) {
    list_init(&pending->link);
    list_add_tail(&pending->neighbour->pending, &pending->link);
    count_pending(stack, pending->neighbour, 1, weight_of(&pending->frame));
}

/* A packet does not wait any more; its frame is the caller's. */
static void entry_drop_pending(struct stack *stack, struct neighbour *entry,
                               struct neighbour_pending *pending) {
    list_remove(&pending->link);
    count_pending(stack, entry, -1, weight_of(&pending->frame));
    pool_return(&stack->neighbours.pendings, pending);
}

static void entry_drop_oldest(struct stack *stack, struct neighbour *entry) {
    struct neighbour_pending *pending = container_of(entry->pending.next, struct neighbour_pending, link);
    struct frame frame = pending->frame;
    entry_drop_pending(stack, entry, pending);
    frame_release(&stack->buffers, &frame);
}

static void entry_destroy(struct stack *stack, struct neighbour *entry) {
    while (!list_empty(&entry->pending))
        entry_drop_oldest(stack, entry);
    if (stack->neighbours.recent == entry)
        stack->neighbours.recent = NULL;
    timer_stop(&stack->timers, &entry->timer);
    hash_remove(&entry->hash);
    list_remove(&entry->age);
    stack->neighbours.asked_count -= entry->state == NEIGHBOUR_INCOMPLETE;
    stack->changes += entry->state != NEIGHBOUR_INCOMPLETE; /* of who is only being asked nobody is told */
    pool_return(&stack->neighbours.entries, entry);
}

void neighbour_drop(struct stack *stack, struct neighbour *entry) {
    entry_destroy(stack, entry);
}

/* How often a neighbour is asked before it counts as gone. After the probes by unicast there may be some by
 * multicast (RFC 7048). */
static uint32_t probes_max(const struct stack *stack, const struct neighbour *entry) {
    const struct sysctl *sysctl = &stack->sysctl;
    if (ip_is_v4(entry->address))
        return NEIGHBOUR_PROBES_MAX;
    if (entry->state == NEIGHBOUR_INCOMPLETE)
        return sysctl->nd_mcast_solicit;
    return sysctl->nd_ucast_solicit + sysctl->nd_mcast_resolicit;
}

/* How long what has been confirmed is good: IPv6's by chance between half and one and a half of what routers
 * say (RFC 4861 section 6.3.2). */
static uint64_t reachable_ns(struct stack *stack, const struct neighbour *entry) {
    uint64_t base_ns = stack->ip6.reachable_ns;
    if (ip_is_v4(entry->address))
        return NEIGHBOUR_REACHABLE_NS;
    return base_ns / 2 + random_u64(&stack->random) % (base_ns + 1);
}

/* Whether a route goes by that neighbour. */
static bool is_gateway(const struct stack *stack, const struct neighbour *entry) {
    if (ip_is_v4(entry->address))
        return ip_route_names(&stack->routes, ip_to_v4(entry->address));
    return ip6_route_names(stack, entry->address);
}

static void solicit_neighbour(struct stack *stack, struct neighbour *entry) {
    bool alone = entry->state == NEIGHBOUR_PROBE;
    if (ip_is_v4(entry->address)) {
        arp_ask(stack, ip_to_v4(entry->address), alone ? entry->mac : NULL);
        timer_start(&stack->timers, &entry->timer, stack->now_ns + NEIGHBOUR_RETRANSMIT_NS);
    } else {
        alone &= entry->probes < stack->sysctl.nd_ucast_solicit;
        nd_ask(stack, entry->address, alone ? entry->mac : NULL);
        timer_start(&stack->timers, &entry->timer, stack->now_ns + stack->ip6.retransmit_ns);
    }
    entry->probes++;
}

/* Gives up what was asked for first and has not answered. */
static void evict_asked(struct stack *stack) {
    struct list *link, *next;
    list_for_each(link, next, &stack->neighbours.asked) {
        struct neighbour *entry = container_of(link, struct neighbour, age);
        if (is_gateway(stack, entry))
            continue;
        entry_destroy(stack, entry);
        return;
    }
}

/* Gives up the next that was not used since it was looked at last. */
static void evict_known(struct stack *stack) {
    for (uint32_t left = 2 * NEIGHBOURS_MAX; left > 0 && !list_empty(&stack->neighbours.known); left--) {
        struct neighbour *entry = container_of(stack->neighbours.known.next, struct neighbour, age);
        if (!entry->used && !is_gateway(stack, entry)) {
            entry_destroy(stack, entry);
            return;
        }
        entry->used = false;
        list_move_tail(&stack->neighbours.known, &entry->age);
    }
}

void neighbour_enter(struct stack *stack, struct neighbour *entry) {
    bool asked = entry->state == NEIGHBOUR_INCOMPLETE;
    hash_add(bucket_of(stack, entry->address), &entry->hash);
    list_add_tail(asked ? &stack->neighbours.asked : &stack->neighbours.known, &entry->age);
    stack->neighbours.asked_count += asked;
}

static struct neighbour *entry_create(struct stack *stack, struct ip_address address,
                                      enum neighbour_state state) {
    if (state == NEIGHBOUR_INCOMPLETE && stack->neighbours.asked_count >= NEIGHBOURS_ASKED_MAX)
        evict_asked(stack);
    if (stack->neighbours.entries.used == NEIGHBOURS_MAX)
        evict_known(stack);
    struct neighbour *entry = pool_take_zeroed(&stack->neighbours.entries);
    if (!entry)
        return NULL;
    entry->address = address;
    entry->state = (uint8_t)state;
    timer_init(&entry->timer, TIMER_NEIGHBOUR);
    list_init(&entry->age);
    list_init(&entry->pending);
    list_init(&entry->pending_link);
    neighbour_enter(stack, entry);
    stack->changes += state != NEIGHBOUR_INCOMPLETE;
    return entry;
}

struct neighbour *neighbour_create(struct stack *stack, struct ip_address address) {
    return entry_create(stack, address, NEIGHBOUR_STALE);
}

static void entry_set_state(struct stack *stack, struct neighbour *entry, enum neighbour_state state,
                            uint64_t duration_ns) {
    if (entry->state == NEIGHBOUR_INCOMPLETE) {
        stack->neighbours.asked_count--;
        list_move_tail(&stack->neighbours.known, &entry->age);
    }
    stack->changes += entry->state != state;
    entry->state = (uint8_t)state;
    entry->probes = 0;
    timer_start(&stack->timers, &entry->timer, stack->now_ns + duration_ns);
}

static void send_to(struct stack *stack, struct frame *frame, const struct neighbour *entry) {
    ether_output(stack, frame, entry->mac, ip_is_v4(entry->address) ? ETHER_TYPE_IP : ETHER_TYPE_IP6);
}

/* The neighbour's address is known: sends what waited for it, as far as the transmit ring has room. */
static void entry_flush(struct stack *stack, struct neighbour *entry) {
    struct list *link;
    while ((link = list_first(&entry->pending))) {
        struct neighbour_pending *pending = container_of(link, struct neighbour_pending, link);
        struct frame *frame = frame_begin(&stack->transmit);
        if (!frame) {
            stack->mib.IpOutDiscards++;
            entry_drop_oldest(stack, entry);
            continue;
        }
        *frame = pending->frame; /* its references move with it */
        entry_drop_pending(stack, entry, pending);
        send_to(stack, frame, entry);
    }
}

void neighbour_learn(struct stack *stack, struct neighbour *entry, const uint8_t mac[6],
                     enum neighbour_state state) {
    if (entry->state != state || memcmp(entry->mac, mac, 6) != 0)
        entry->changed_ns = stack->now_ns;
    stack->changes += memcmp(entry->mac, mac, 6) != 0;
    memcpy(entry->mac, mac, 6);
    entry_set_state(stack, entry, state,
                    state == NEIGHBOUR_REACHABLE ? reachable_ns(stack, entry) : NEIGHBOUR_STALE_KEEP_NS);
    if (!ip_is_v4(entry->address))
        ip6_route_works(stack, entry->address);
    entry_flush(stack, entry);
}

/* May end the connection, but sends nothing to this neighbour. */
static void tell_undelivered(struct stack *stack, struct ip_address neighbour, const uint8_t *header,
                             uint32_t length) {
    if (!ip_is_v4(neighbour)) {
        icmp6_undelivered(stack, header, length);
        return;
    }
    struct icmp_error error = icmp_host_unreachable(stack, wire_get32(header + 12));
    ip_error(stack, header, length, &error);
}

static void entry_failed(struct stack *stack, struct neighbour *entry) {
    struct list *link;
    while ((link = list_first(&entry->pending))) {
        struct neighbour_pending *pending = container_of(link, struct neighbour_pending, link);
        struct frame frame = pending->frame;
        uint8_t header[FRAME_HEADER_MAX + QUOTED_BYTES];
        uint32_t length = frame.header_length - FRAME_IP_AT;
        uint32_t payload = frame.payload_length;
        payload = payload < QUOTED_BYTES ? payload : QUOTED_BYTES;
        memcpy(header, frame.header + FRAME_IP_AT, length);
        frame_copy(&frame, 0, header + length, payload);
        length += payload;
        entry_drop_oldest(stack, entry);
        tell_undelivered(stack, entry->address, header, length);
    }
    if (!ip_is_v4(entry->address))
        nd_router_failed(stack, entry->address);
    entry_destroy(stack, entry);
}

/* As in Linux, the oldest packets that wait make room for the newest. */
static void make_room(struct stack *stack, struct neighbour *entry, uint32_t weight) {
    struct neighbours *cache = &stack->neighbours;
    while (entry->pending_count > 0 && (entry->pending_count >= NEIGHBOUR_PENDING_MAX ||
                                        entry->pending_bytes + weight > NEIGHBOUR_PENDING_BYTES_MAX))
        entry_drop_oldest(stack, entry);
    while (cache->pendings.used > 0 && (cache->pendings.used >= NEIGHBOUR_PENDINGS_MAX ||
                                        cache->pending_bytes + weight > NEIGHBOUR_PENDINGS_BYTES_MAX))
        entry_drop_oldest(stack,
                          container_of(size_class_largest(&cache->waiting), struct neighbour, pending_link));
}

/* Keeps a packet until the neighbour's address is known. Returns 0, or -ENOBUFS: it is still the caller's. */
static int entry_keep(struct stack *stack, struct neighbour *entry, struct frame *frame) {
    make_room(stack, entry, weight_of(frame));
    if (frame_keep(&stack->buffers, frame))
        return -ENOBUFS;
    struct neighbour_pending *pending = pool_take_zeroed(&stack->neighbours.pendings);
    if (!pending)
        return -ENOBUFS;
    pending->frame = *frame;
    atomic_signal_fence(memory_order_seq_cst); /* whole before it belongs to somebody: see repair.h */
    pending->neighbour = entry;
    neighbour_wait(stack, pending);
    return 0;
}

int neighbour_output(struct stack *stack, struct frame *frame, struct ip_address address) {
    struct neighbour *entry = neighbour_lookup(stack, address);
    if (entry && entry->state != NEIGHBOUR_INCOMPLETE) {
        entry->used = true;
        if (entry->state == NEIGHBOUR_STALE)
            entry_set_state(stack, entry, NEIGHBOUR_DELAY, NEIGHBOUR_DELAY_PROBE_NS);
        send_to(stack, frame, entry);
        return 0;
    }
    bool fresh = !entry;
    if (fresh)
        entry = entry_create(stack, address, NEIGHBOUR_INCOMPLETE);
    if (!entry || entry_keep(stack, entry, frame)) {
        frame_release(&stack->buffers, frame);
        if (entry && fresh)
            entry_destroy(stack, entry); /* nobody would ever ask for it */
        return -ENOBUFS;
    }
    if (fresh)
        solicit_neighbour(stack, entry);
    return 0;
}

void neighbour_ask(struct stack *stack, struct ip_address address) {
    struct neighbour *entry = neighbour_lookup(stack, address);
    if (!entry && (entry = entry_create(stack, address, NEIGHBOUR_INCOMPLETE)))
        solicit_neighbour(stack, entry);
}

void neighbour_confirm(struct stack *stack, struct ip_address address) {
    struct neighbour *entry = neighbour_lookup(stack, address);
    if (entry && entry->state >= NEIGHBOUR_STALE)
        entry_set_state(stack, entry, NEIGHBOUR_REACHABLE, reachable_ns(stack, entry));
}

void neighbour_timer(struct stack *stack, struct neighbour *entry) {
    switch ((enum neighbour_state)entry->state) {
    case NEIGHBOUR_REACHABLE:
        entry_set_state(stack, entry, NEIGHBOUR_STALE, NEIGHBOUR_STALE_KEEP_NS);
        return;
    case NEIGHBOUR_STALE:
        entry_destroy(stack, entry);
        return;
    case NEIGHBOUR_DELAY:
        entry->state = NEIGHBOUR_PROBE;
        entry->probes = 0;
        stack->changes++;
        break;
    case NEIGHBOUR_INCOMPLETE:
    case NEIGHBOUR_PROBE:
        break;
    }
    if (entry->probes >= probes_max(stack, entry))
        entry_failed(stack, entry);
    else
        solicit_neighbour(stack, entry);
}
