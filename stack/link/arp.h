/* SPDX-License-Identifier: MIT */
/*
 * arp.h - address resolution for IPv4 (RFC 826), which the table of neighbours keeps (neighbour.h), and
 * conflict detection for the stack's own addresses (RFC 5227).
 */
#ifndef STACK_LINK_ARP_H
#define STACK_LINK_ARP_H

#include "stack/link/neighbour.h"

#define ARP_DEFEND_NS UINT64_C(10000000000) /* RFC 5227 DEFEND_INTERVAL */

struct arp {
    uint32_t conflicts;        /* packets that claimed an address of ours */
    uint32_t conflict_address; /* ... the last of them */
    uint8_t conflict_mac[6];   /* who sent it */
};

/* Handles a received ARP packet; `packet` and its length are what follows the Ethernet header. */
void arp_input(struct stack *stack, const uint8_t *packet, uint32_t length);

/* Asks for a neighbour's MAC address: all on the link, or it alone if `to` is its address as it is known. */
void arp_ask(struct stack *stack, uint32_t address, const uint8_t to[6]);

/* Claims the stack's own addresses: each by a probe, which its owner would answer, and an announcement (RFC
 * 5227). Waits for nothing: a conflict shows in arp.conflicts. */
void arp_announce(struct stack *stack);

/* Asks whether anybody uses an address, which is not ours yet; an answer is told to dhcp_conflict. */
void arp_probe(struct stack *stack, uint32_t address);

#endif
