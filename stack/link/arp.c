/* SPDX-License-Identifier: MIT */
/*
 * arp.c - see arp.h. Only answers to our questions, and packets from neighbours that ask for us, make or
 * change entries of the table. Of a sender that is not on the link none is made; and a MAC address that has
 * just been learnt is kept for a second, whatever else is claimed, as Linux does, unless it is announced (RFC
 * 5227).
 */
#include "stack/link/arp.h"
#include "stack/base/wire.h"
#include "stack/link/ether.h"
#include "stack/stack.h"

enum {
    ARP_REQUEST = 1,
    ARP_REPLY = 2,
    ARP_PACKET_BYTES = 28,
};

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

void arp_ask(struct stack *stack, uint32_t address, const uint8_t to[6]) {
    static const uint8_t unknown[6];
    send_packet(stack, to ? to : ETHER_BROADCAST, ARP_REQUEST, ip4_source(stack, address), unknown, address);
}

void arp_probe(struct stack *stack, uint32_t address) {
    static const uint8_t unknown[6];
    send_packet(stack, ETHER_BROADCAST, ARP_REQUEST, 0, unknown, address);
}

static void announce(struct stack *stack, uint32_t address) {
    static const uint8_t unknown[6];
    send_packet(stack, ETHER_BROADCAST, ARP_REQUEST, address, unknown, address);
}

void arp_announce(struct stack *stack) {
    const struct ip4_addresses *addresses = &stack->addresses4;
    for (uint32_t i = 0; i < addresses->count; i++) {
        /* Linux answers a probe, but not an announcement, for an address that it has. */
        arp_probe(stack, addresses->entries[i].address);
        announce(stack, addresses->entries[i].address);
    }
}

/* Somebody else claims an address of ours: RFC 5227 section 2.4 (b), defend it once in DEFEND_INTERVAL. */
static void conflict(struct stack *stack, struct ip4_address *own, const uint8_t mac[6]) {
    memcpy(stack->arp.conflict_mac, mac, 6);
    stack->arp.conflict_address = own->address;
    stack->arp.conflicts++;
    if (own->defended_ns && stack->now_ns - own->defended_ns < ARP_DEFEND_NS)
        return;
    own->defended_ns = stack->now_ns;
    announce(stack, own->address);
}

/* Whether a MAC address for an entry that has another one is too early to be believed. An announcement is
 * believed at once: whoever takes an address over says so. */
static bool is_locked(const struct stack *stack, const struct neighbour *entry, const uint8_t mac[6],
                      bool announces) {
    return entry->state != NEIGHBOUR_INCOMPLETE && !announces && memcmp(entry->mac, mac, 6) != 0 &&
           stack->now_ns - entry->changed_ns < NEIGHBOUR_LOCK_NS;
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
    const struct ip4_address *claimed = ip4_address_find(stack, sender);
    if (claimed) {
        conflict(stack, &stack->addresses4.entries[claimed - stack->addresses4.entries], sender_mac);
        return;
    }
    /* RFC 5227 section 2.1.1: somebody has it, or is about to. */
    if (stack->dhcp.state == DHCP_PROBING && (sender ? sender : target) == stack->dhcp.offer.address) {
        dhcp_conflict(stack);
        return;
    }
    if (!stack->config.address)
        return;
    bool for_us = ip4_address_find(stack, target);
    struct neighbour *entry = sender ? neighbour_lookup(stack, ip_from_v4(sender)) : NULL;
    stack_work_on(stack, entry);
    if (entry && !is_locked(stack, entry, sender_mac, sender == target)) {
        /* An answer to us confirms; anything else may only tell of a new address (RFC 826's merge). */
        if (operation == ARP_REPLY && for_us)
            neighbour_learn(stack, entry, sender_mac, NEIGHBOUR_REACHABLE);
        else if (entry->state == NEIGHBOUR_INCOMPLETE || memcmp(entry->mac, sender_mac, 6) != 0)
            neighbour_learn(stack, entry, sender_mac, NEIGHBOUR_STALE);
    }
    if (operation != ARP_REQUEST || !for_us)
        return;
    if (!entry && sender && may_be_neighbour(stack, sender) &&
        (entry = neighbour_create(stack, ip_from_v4(sender))))
        neighbour_learn(stack, entry, sender_mac, NEIGHBOUR_STALE);
    send_packet(stack, sender_mac, ARP_REPLY, target, sender_mac, sender);
}
