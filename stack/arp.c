/*
 * arp.c - see arp.h.
 *
 * Theory of operation. An entry is made when the first packet for a neighbour is to be sent, and asks at most
 * ARP_PROBES_MAX times, a second apart; then the packets that wait for it fail with EHOSTUNREACH and the
 * entry goes. A confirmed entry is REACHABLE for 30 s, then STALE: the next use gives the upper layer five
 * seconds to confirm it (DELAY) before the neighbour is asked by unicast (PROBE). Only answers to our
 * questions, and packets from neighbours that ask for us, make or change entries. Of a sender that is not on
 * the link none is made; and a MAC address that has just been learnt is kept for a second, whatever else is
 * claimed, as Linux does, unless it is announced (RFC 5227).
 *
 * Whoever is on the link can make us want to send to any number of addresses, so everything has a bound:
 * - The table. An entry that has not been used for longest makes room for a new one (CLOCK: `used` is a
 *   second chance), but never one that a route names: without the gateway there is no network.
 * - Entries that are INCOMPLETE, at most half of the table; then the first that was asked goes, with what
 *   waits for it.
 * - Packets that wait for one neighbour, by count and bytes: the oldest goes, as in Linux.
 * - Packets that wait for all neighbours: the oldest of a neighbour with the most bytes goes, so that a
 *   neighbour for which little waits does not pay for the others.
 */
#include "arp.h"
#include "ether.h"
#include "stack.h"
#include "wire.h"
#include <errno.h>

#define QUOTED_BYTES 520u /* of a payload, for who is told that it could not be delivered */

enum {
    ARP_REQUEST = 1,
    ARP_REPLY = 2,
    ARP_PACKET_BYTES = 28,
};

static struct hash_link **bucket_of(struct stack *stack, uint32_t address) {
    return &stack->arp.buckets[random_hash(&stack->random, &address, sizeof address) % ARP_BUCKETS];
}

struct arp_entry *arp_lookup(struct stack *stack, uint32_t address) {
    struct arp_entry *recent = stack->arp.recent;
    if (recent && recent->address == address)
        return recent;
    for (struct hash_link *link = *bucket_of(stack, address); link; link = link->next) {
        struct arp_entry *entry = container_of(link, struct arp_entry, hash);
        if (entry->address == address)
            return stack->arp.recent = entry;
    }
    return NULL;
}

static void send_packet(struct stack *stack, const uint8_t to_mac[6], uint16_t operation, uint32_t sender,
                        const uint8_t target_mac[6], uint32_t target) {
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame)
        return; /* asked again in a second, or by the neighbour */
    uint8_t *packet = frame->header + ETHER_HEADER_BYTES;
    wire_put16(packet, 1); /* Ethernet */
    wire_put16(packet + 2, ETHER_TYPE_IP);
    packet[4] = ETHER_ADDRESS_BYTES;
    packet[5] = 4;
    wire_put16(packet + 6, operation);
    memcpy(packet + 8, stack->config.mac, 6);
    wire_put32(packet + 14, sender);
    memcpy(packet + 18, target_mac, 6);
    wire_put32(packet + 24, target);
    frame->header_length = ETHER_HEADER_BYTES + ARP_PACKET_BYTES;
    ether_output(stack, frame, to_mac, ETHER_TYPE_ARP);
}

static void send_request(struct stack *stack, const struct arp_entry *entry) {
    static const uint8_t unknown[6];
    const uint8_t *to = entry->state == ARP_PROBE ? entry->mac : ETHER_BROADCAST;
    send_packet(stack, to, ARP_REQUEST, stack->config.address, unknown, entry->address);
}

void arp_probe(struct stack *stack, uint32_t address) {
    static const uint8_t unknown[6];
    send_packet(stack, ETHER_BROADCAST, ARP_REQUEST, 0, unknown, address);
}

void arp_announce(struct stack *stack) {
    static const uint8_t unknown[6];
    /* Linux answers a probe, but not an announcement, for an address that it has. */
    arp_probe(stack, stack->config.address);
    send_packet(stack, ETHER_BROADCAST, ARP_REQUEST, stack->config.address, unknown, stack->config.address);
}

void arp_begin(struct stack *stack) {
    struct arp_cache *cache = &stack->arp;
    list_init(&cache->asked);
    list_init(&cache->known);
    size_classes_init(&cache->waiting);
    memset(cache->buckets, 0, sizeof cache->buckets);
    cache->recent = NULL;
    cache->asked_count = cache->pending_bytes = 0;
}

void arp_init(struct stack *stack) {
    struct arp_cache *cache = &stack->arp;
    pool_init(&cache->entries, &stack->arena, sizeof(struct arp_entry), ARP_CACHE_MAX);
    pool_init(&cache->pendings, &stack->arena, sizeof(struct arp_pending), ARP_PENDINGS_MAX);
    arp_begin(stack);
}

static uint32_t weight_of(const struct frame *frame) {
    return (uint32_t)sizeof(struct arp_pending) + frame->payload_length;
}

/* What waits for an entry takes more, or less. */
static void count_pending(struct stack *stack, struct arp_entry *entry, int packets, uint32_t weight) {
    uint32_t before = entry->pending_bytes;
    entry->pending_count += (uint32_t)packets;
    entry->pending_bytes += (uint32_t)packets * weight;
    stack->arp.pending_bytes += (uint32_t)packets * weight;
    size_class_change(&stack->arp.waiting, &entry->pending_link, before, entry->pending_bytes);
}

void arp_wait(struct stack *stack, struct arp_pending *pending) {
    list_init(&pending->link);
    list_add_tail(&pending->entry->pending, &pending->link);
    count_pending(stack, pending->entry, 1, weight_of(&pending->frame));
}

/* A packet does not wait any more; its frame is the caller's. */
static void entry_drop_pending(struct stack *stack, struct arp_entry *entry, struct arp_pending *pending) {
    list_remove(&pending->link);
    count_pending(stack, entry, -1, weight_of(&pending->frame));
    pool_return(&stack->arp.pendings, pending);
}

static void entry_drop_oldest(struct stack *stack, struct arp_entry *entry) {
    struct arp_pending *pending = container_of(entry->pending.next, struct arp_pending, link);
    struct frame frame = pending->frame;
    entry_drop_pending(stack, entry, pending);
    frame_release(&stack->buffers, &frame);
}

static void entry_destroy(struct stack *stack, struct arp_entry *entry) {
    while (!list_empty(&entry->pending))
        entry_drop_oldest(stack, entry);
    if (stack->arp.recent == entry)
        stack->arp.recent = NULL;
    timer_stop(&stack->timers, &entry->timer);
    hash_remove(&entry->hash);
    list_remove(&entry->age);
    stack->arp.asked_count -= entry->state == ARP_INCOMPLETE;
    pool_return(&stack->arp.entries, entry);
}

/* Gives up what was asked for first and has not answered. */
static void evict_asked(struct stack *stack) {
    struct list *link, *next;
    list_for_each(link, next, &stack->arp.asked) {
        struct arp_entry *entry = container_of(link, struct arp_entry, age);
        if (ip_route_names(&stack->routes, entry->address))
            continue;
        entry_destroy(stack, entry);
        return;
    }
}

/* Gives up the next that was not used since it was looked at last. */
static void evict_known(struct stack *stack) {
    for (uint32_t left = 2 * ARP_CACHE_MAX; left > 0 && !list_empty(&stack->arp.known); left--) {
        struct arp_entry *entry = container_of(stack->arp.known.next, struct arp_entry, age);
        if (!entry->used && !ip_route_names(&stack->routes, entry->address)) {
            entry_destroy(stack, entry);
            return;
        }
        entry->used = false;
        list_move_tail(&stack->arp.known, &entry->age);
    }
}

void arp_enter(struct stack *stack, struct arp_entry *entry) {
    bool asked = entry->state == ARP_INCOMPLETE;
    hash_add(bucket_of(stack, entry->address), &entry->hash);
    list_add_tail(asked ? &stack->arp.asked : &stack->arp.known, &entry->age);
    stack->arp.asked_count += asked;
}

static struct arp_entry *entry_create(struct stack *stack, uint32_t address, enum arp_state state) {
    if (state == ARP_INCOMPLETE && stack->arp.asked_count >= ARP_ASKED_MAX)
        evict_asked(stack);
    if (stack->arp.entries.used == ARP_CACHE_MAX)
        evict_known(stack);
    struct arp_entry *entry = pool_take_zeroed(&stack->arp.entries);
    if (!entry)
        return NULL;
    entry->address = address;
    entry->state = (uint8_t)state;
    timer_init(&entry->timer, TIMER_ARP);
    list_init(&entry->age);
    list_init(&entry->pending);
    list_init(&entry->pending_link);
    arp_enter(stack, entry);
    return entry;
}

static void entry_set_state(struct stack *stack, struct arp_entry *entry, enum arp_state state,
                            uint64_t duration_ns) {
    if (entry->state == ARP_INCOMPLETE) {
        stack->arp.asked_count--;
        list_move_tail(&stack->arp.known, &entry->age);
    }
    entry->state = (uint8_t)state;
    entry->probes = 0;
    timer_start(&stack->timers, &entry->timer, stack->now_ns + duration_ns);
}

/* The neighbour's address is known: sends what waited for it, as far as the transmit ring has room. */
static void entry_flush(struct stack *stack, struct arp_entry *entry) {
    struct list *link;
    while ((link = list_first(&entry->pending))) {
        struct arp_pending *pending = container_of(link, struct arp_pending, link);
        struct frame *frame = frame_begin(&stack->transmit);
        if (!frame) {
            stack->mib.IpOutDiscards++;
            entry_drop_oldest(stack, entry);
            continue;
        }
        *frame = pending->frame; /* its references move with it */
        entry_drop_pending(stack, entry, pending);
        ether_output(stack, frame, entry->mac, ETHER_TYPE_IP);
    }
}

/* What came in says which MAC address the neighbour has. */
static void entry_learn(struct stack *stack, struct arp_entry *entry, const uint8_t mac[6],
                        enum arp_state state) {
    if (entry->state != state || memcmp(entry->mac, mac, 6) != 0)
        entry->changed_ns = stack->now_ns;
    memcpy(entry->mac, mac, 6);
    entry_set_state(stack, entry, state, state == ARP_REACHABLE ? ARP_REACHABLE_NS : ARP_STALE_KEEP_NS);
    entry_flush(stack, entry);
}

static void entry_failed(struct stack *stack, struct arp_entry *entry) {
    struct list *link;
    while ((link = list_first(&entry->pending))) {
        struct arp_pending *pending = container_of(link, struct arp_pending, link);
        struct frame frame = pending->frame;
        uint8_t header[FRAME_HEADER_MAX + QUOTED_BYTES];
        uint32_t length = frame.header_length - FRAME_IP_AT;
        uint32_t payload = frame.payload_length;
        payload = payload < QUOTED_BYTES ? payload : QUOTED_BYTES;
        memcpy(header, frame.header + FRAME_IP_AT, length);
        frame_copy(&frame, 0, header + length, payload);
        length += payload;
        entry_drop_oldest(stack, entry);
        struct icmp_error error = icmp_host_unreachable(stack);
        ip_error(stack, header, length,
                 &error); /* may end the connection, but sends nothing to this neighbour */
    }
    entry_destroy(stack, entry);
}

/* As in Linux, the oldest packets that wait make room for the newest. */
static void make_room(struct stack *stack, struct arp_entry *entry, uint32_t weight) {
    struct arp_cache *cache = &stack->arp;
    while (entry->pending_count > 0 &&
           (entry->pending_count >= ARP_PENDING_MAX || entry->pending_bytes + weight > ARP_PENDING_BYTES_MAX))
        entry_drop_oldest(stack, entry);
    while (cache->pendings.used > 0 && (cache->pendings.used >= ARP_PENDINGS_MAX ||
                                        cache->pending_bytes + weight > ARP_PENDINGS_BYTES_MAX))
        entry_drop_oldest(stack,
                          container_of(size_class_largest(&cache->waiting), struct arp_entry, pending_link));
}

/* Keeps a packet until the neighbour's address is known. Returns 0, or -ENOBUFS: it is still the caller's. */
static int entry_keep(struct stack *stack, struct arp_entry *entry, struct frame *frame) {
    make_room(stack, entry, weight_of(frame));
    if (frame_keep(&stack->buffers, frame))
        return -ENOBUFS;
    struct arp_pending *pending = pool_take_zeroed(&stack->arp.pendings);
    if (!pending)
        return -ENOBUFS;
    pending->frame = *frame;
    atomic_signal_fence(memory_order_seq_cst); /* whole before it belongs to somebody: see repair.h */
    pending->entry = entry;
    arp_wait(stack, pending);
    return 0;
}

int arp_output(struct stack *stack, struct frame *frame, uint32_t neighbour) {
    struct arp_entry *entry = arp_lookup(stack, neighbour);
    if (entry && entry->state != ARP_INCOMPLETE) {
        entry->used = true;
        if (entry->state == ARP_STALE)
            entry_set_state(stack, entry, ARP_DELAY, ARP_DELAY_PROBE_NS);
        ether_output(stack, frame, entry->mac, ETHER_TYPE_IP);
        return 0;
    }
    bool fresh = !entry;
    if (fresh)
        entry = entry_create(stack, neighbour, ARP_INCOMPLETE);
    if (!entry || entry_keep(stack, entry, frame)) {
        frame_release(&stack->buffers, frame);
        if (entry && fresh)
            entry_destroy(stack, entry); /* nobody would ever ask for it */
        return -ENOBUFS;
    }
    if (fresh) {
        entry->probes = 1;
        send_request(stack, entry);
        timer_start(&stack->timers, &entry->timer, stack->now_ns + ARP_RETRANSMIT_NS);
    }
    return 0;
}

void arp_confirm(struct stack *stack, uint32_t neighbour) {
    struct arp_entry *entry = arp_lookup(stack, neighbour);
    if (entry && entry->state >= ARP_STALE)
        entry_set_state(stack, entry, ARP_REACHABLE, ARP_REACHABLE_NS);
}

void arp_timer(struct stack *stack, struct arp_entry *entry) {
    switch ((enum arp_state)entry->state) {
    case ARP_REACHABLE:
        entry_set_state(stack, entry, ARP_STALE, ARP_STALE_KEEP_NS);
        return;
    case ARP_STALE:
        entry_destroy(stack, entry);
        return;
    case ARP_DELAY:
        entry->state = ARP_PROBE;
        entry->probes = 0;
        break;
    case ARP_INCOMPLETE:
    case ARP_PROBE:
        break;
    }
    if (entry->probes == ARP_PROBES_MAX) {
        entry_failed(stack, entry);
        return;
    }
    entry->probes++;
    send_request(stack, entry);
    timer_start(&stack->timers, &entry->timer, stack->now_ns + ARP_RETRANSMIT_NS);
}

/* Somebody else claims our address: RFC 5227 section 2.4 (b), defend it once in DEFEND_INTERVAL. */
static void conflict(struct stack *stack, const uint8_t mac[6]) {
    static const uint8_t unknown[6];
    memcpy(stack->arp.conflict_mac, mac, 6);
    stack->arp.conflicts++;
    if (stack->arp.last_defence_ns && stack->now_ns - stack->arp.last_defence_ns < ARP_DEFEND_NS)
        return;
    stack->arp.last_defence_ns = stack->now_ns;
    send_packet(stack, ETHER_BROADCAST, ARP_REQUEST, stack->config.address, unknown, stack->config.address);
}

/* Whether a MAC address for an entry that has another one is too early to be believed. An announcement is
 * believed at once: whoever takes an address over says so. */
static bool is_locked(const struct stack *stack, const struct arp_entry *entry, const uint8_t mac[6],
                      bool announces) {
    return entry->state != ARP_INCOMPLETE && !announces && memcmp(entry->mac, mac, 6) != 0 &&
           stack->now_ns - entry->changed_ns < ARP_LOCK_NS;
}

/* Whether packets for an address may ever be sent to it: it is on the link, or a gateway. */
static bool may_be_neighbour(const struct stack *stack, uint32_t address) {
    uint32_t next_hop;
    if (ip4_is_broadcast(stack, address) || ip4_is_multicast(address))
        return false;
    return ip_route_names(&stack->routes, address) ||
           (ip_route_lookup(&stack->routes, address, &next_hop) == 0 && next_hop == address);
}

void arp_input(struct stack *stack, const uint8_t *packet, uint32_t length) {
    if (length < ARP_PACKET_BYTES || wire_get16(packet) != 1 || wire_get16(packet + 2) != ETHER_TYPE_IP ||
        packet[4] != ETHER_ADDRESS_BYTES || packet[5] != 4)
        return;
    uint16_t operation = wire_get16(packet + 6);
    const uint8_t *sender_mac = packet + 8;
    uint32_t sender = wire_get32(packet + 14);
    uint32_t target = wire_get32(packet + 24);
    if (sender_mac[0] & 1 || memcmp(sender_mac, stack->config.mac, 6) == 0)
        return;
    if (sender && sender == stack->config.address) {
        conflict(stack, sender_mac);
        return;
    }
    /* RFC 5227 section 2.1.1: somebody has it, or is about to. */
    if (stack->dhcp.state == DHCP_PROBING && (sender ? sender : target) == stack->dhcp.offer.address) {
        dhcp_conflict(stack);
        return;
    }
    if (!stack->config.address)
        return;
    bool for_us = target == stack->config.address;
    struct arp_entry *entry = sender ? arp_lookup(stack, sender) : NULL;
    stack_work_on(stack, entry);
    if (entry && !is_locked(stack, entry, sender_mac, sender == target)) {
        /* An answer to us confirms; anything else may only tell of a new address (RFC 826's merge). */
        if (operation == ARP_REPLY && for_us)
            entry_learn(stack, entry, sender_mac, ARP_REACHABLE);
        else if (entry->state == ARP_INCOMPLETE || memcmp(entry->mac, sender_mac, 6) != 0)
            entry_learn(stack, entry, sender_mac, ARP_STALE);
    }
    if (operation != ARP_REQUEST || !for_us)
        return;
    if (!entry && sender && may_be_neighbour(stack, sender) &&
        (entry = entry_create(stack, sender, ARP_STALE)))
        entry_learn(stack, entry, sender_mac, ARP_STALE);
    send_packet(stack, sender_mac, ARP_REPLY, stack->config.address, sender_mac, sender);
}
