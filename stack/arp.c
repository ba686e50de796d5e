/*
 * arp.c - see arp.h.
 *
 * Theory of operation. An entry is made when the first packet for a neighbour is to be sent, and asks at most
 * ARP_PROBES_MAX times, a second apart; then the packets that wait for it fail with EHOSTUNREACH and the
 * entry goes. A confirmed entry is REACHABLE for 30 s, then STALE: the next use gives the upper layer five
 * seconds to confirm it (DELAY) before the neighbour is asked by unicast (PROBE). Only answers to our
 * questions, and packets from neighbours that ask for us, make or change entries; the cache is bounded, and
 * gives up its oldest idle entry first.
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

void arp_init(struct stack *stack) {
    struct arp_cache *cache = &stack->arp;
    pool_init(&cache->entries, &stack->arena, sizeof(struct arp_entry), ARP_CACHE_MAX);
    pool_init(&cache->pendings, &stack->arena, sizeof(struct arp_pending), ARP_CACHE_MAX);
    list_init(&cache->ages);
}

static void entry_drop_pending(struct stack *stack, struct arp_entry *entry, struct arp_pending *pending) {
    list_remove(&pending->link);
    entry->pending_count--;
    frame_release(&stack->buffers, &pending->frame);
    pool_return(&stack->arp.pendings, pending);
}

static void entry_destroy(struct stack *stack, struct arp_entry *entry) {
    struct list *link, *next;
    list_for_each(link, next, &entry->pending)
        entry_drop_pending(stack, entry, container_of(link, struct arp_pending, link));
    if (stack->arp.recent == entry)
        stack->arp.recent = NULL;
    timer_stop(&stack->timers, &entry->timer);
    hash_remove(&entry->hash);
    list_remove(&entry->age);
    pool_return(&stack->arp.entries, entry);
}

/* Gives up the oldest entry that nobody waits for. */
static void cache_evict(struct stack *stack) {
    struct list *link, *next;
    list_for_each(link, next, &stack->arp.ages) {
        struct arp_entry *entry = container_of(link, struct arp_entry, age);
        if (entry->state != ARP_INCOMPLETE) {
            entry_destroy(stack, entry);
            return;
        }
    }
}

void arp_enter(struct stack *stack, struct arp_entry *entry) {
    hash_add(bucket_of(stack, entry->address), &entry->hash);
    list_add_tail(&stack->arp.ages, &entry->age);
}

static struct arp_entry *entry_create(struct stack *stack, uint32_t address) {
    if (stack->arp.entries.used == ARP_CACHE_MAX)
        cache_evict(stack);
    struct arp_entry *entry = pool_take_zeroed(&stack->arp.entries);
    if (!entry)
        return NULL;
    entry->address = address;
    entry->state = ARP_INCOMPLETE;
    timer_init(&entry->timer, TIMER_ARP);
    list_init(&entry->pending);
    arp_enter(stack, entry);
    return entry;
}

static void entry_set_state(struct stack *stack, struct arp_entry *entry, enum arp_state state,
                            uint64_t duration_ns) {
    entry->state = state;
    entry->probes = 0;
    timer_start(&stack->timers, &entry->timer, stack->now_ns + duration_ns);
}

/* The neighbour's address became known: sends what waited for it. */
static void entry_flush(struct stack *stack, struct arp_entry *entry) {
    struct list *link, *next;
    list_for_each(link, next, &entry->pending) {
        struct arp_pending *pending = container_of(link, struct arp_pending, link);
        struct frame *frame = frame_begin(&stack->transmit);
        if (!frame)
            return;              /* goes out with the next packet, or is retransmitted by its owner */
        *frame = pending->frame; /* its references move with it */
        pending->frame.payload_length = 0;
        ether_output(stack, frame, entry->mac, ETHER_TYPE_IP);
        entry_drop_pending(stack, entry, pending);
    }
}

static void entry_resolved(struct stack *stack, struct arp_entry *entry, const uint8_t mac[6]) {
    memcpy(entry->mac, mac, 6);
    entry_set_state(stack, entry, ARP_REACHABLE, ARP_REACHABLE_NS);
    entry_flush(stack, entry);
}

static void entry_failed(struct stack *stack, struct arp_entry *entry) {
    struct list *link;
    while ((link = list_first(&entry->pending))) {
        struct arp_pending *pending = container_of(link, struct arp_pending, link);
        uint8_t header[FRAME_HEADER_MAX + QUOTED_BYTES];
        uint32_t length = pending->frame.header_length - FRAME_IP_AT;
        uint32_t payload = pending->frame.payload_length;
        payload = payload < QUOTED_BYTES ? payload : QUOTED_BYTES;
        memcpy(header, pending->frame.header + FRAME_IP_AT, length);
        frame_copy(&pending->frame, 0, header + length, payload);
        length += payload;
        entry_drop_pending(stack, entry, pending);
        struct icmp_error error = icmp_host_unreachable(stack);
        ip_error(stack, header, length,
                 &error); /* may end the connection, but sends nothing to this neighbour */
    }
    entry_destroy(stack, entry);
}

int arp_output(struct stack *stack, struct frame *frame, uint32_t neighbour) {
    struct arp_entry *entry = arp_lookup(stack, neighbour);
    if (entry && entry->state != ARP_INCOMPLETE) {
        if (entry->state == ARP_STALE)
            entry_set_state(stack, entry, ARP_DELAY, ARP_DELAY_PROBE_NS);
        ether_output(stack, frame, entry->mac, ETHER_TYPE_IP);
        return 0;
    }
    bool fresh = !entry;
    if (fresh && !(entry = entry_create(stack, neighbour))) {
        frame_release(&stack->buffers, frame);
        return -ENOBUFS;
    }
    /* As in Linux, the oldest waiting packet makes room for the newest. */
    if (entry->pending_count == ARP_PENDING_MAX)
        entry_drop_pending(stack, entry, container_of(entry->pending.next, struct arp_pending, link));
    struct arp_pending *pending = pool_take_zeroed(&stack->arp.pendings);
    if (!pending || frame_keep(&stack->buffers, frame)) {
        pool_return(&stack->arp.pendings, pending);
        frame_release(&stack->buffers, frame);
        return -ENOBUFS;
    }
    pending->frame = *frame;
    atomic_signal_fence(memory_order_seq_cst); /* whole before it belongs to somebody: see repair.h */
    pending->entry = entry;
    list_init(&pending->link);
    list_add_tail(&entry->pending, &pending->link);
    entry->pending_count++;
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
    if (entry) {
        /* An answer to us confirms; anything else may only tell of a new address (RFC 826's merge). */
        if (operation == ARP_REPLY && for_us)
            entry_resolved(stack, entry, sender_mac);
        else if (entry->state == ARP_INCOMPLETE || memcmp(entry->mac, sender_mac, 6) != 0) {
            memcpy(entry->mac, sender_mac, 6);
            entry_set_state(stack, entry, ARP_STALE, ARP_STALE_KEEP_NS);
            entry_flush(stack, entry);
        }
    }
    if (operation != ARP_REQUEST || !for_us)
        return;
    if (!entry && sender && (entry = entry_create(stack, sender))) {
        memcpy(entry->mac, sender_mac, 6);
        entry_set_state(stack, entry, ARP_STALE, ARP_STALE_KEEP_NS);
    }
    send_packet(stack, sender_mac, ARP_REPLY, stack->config.address, sender_mac, sender);
}
