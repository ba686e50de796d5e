/* SPDX-License-Identifier: MIT */
/*
 * ip4_addresses.h - the stack's own addresses of IPv4, and which of them a packet comes from.
 *
 * They are configured (stack_config) or given by DHCP, and stand in the order in which Linux lists those of an
 * interface: the first of each network (primary), which has the route to it, and behind them all others of
 * those networks (secondary).
 */
#ifndef STACK_IP_IP4_ADDRESSES_H
#define STACK_IP_IP4_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#define IP4_ADDRESSES_MAX 4u
#define IP4_MORE_MAX (IP4_ADDRESSES_MAX - 1)

struct stack;

struct ip4_own {
    uint32_t address; /* host order */
    uint8_t prefix_length;
};

struct ip4_address {
    uint32_t address, mask;
    uint32_t broadcast; /* of its network; UINT32_MAX: it has none, with 31 or 32 bits */
    uint8_t prefix_length;
    bool secondary;
    uint64_t defended_ns; /* when somebody else's claim to it was answered last (RFC 5227); 0: never */
};

struct ip4_addresses {
    uint32_t count;
    struct ip4_address entries[IP4_ADDRESSES_MAX];
};

static inline uint32_t ip4_mask(uint8_t prefix_length) {
    return prefix_length ? UINT32_MAX << (32 - prefix_length) : 0;
}

/* Takes the configured addresses into use. */
void ip4_addresses_set(struct stack *stack);

/* The entry of an address of the stack's own, but for those of the loopback; or NULL. */
const struct ip4_address *ip4_address_find(const struct stack *stack, uint32_t address);

enum ip4_kind { IP4_NOBODYS, IP4_OWN, IP4_BROADCAST };

/* Whether an address is one of the stack's own, or goes to all of a network of theirs: each packet is asked for both. */
enum ip4_kind ip4_address_kind(const struct stack *stack, uint32_t address);

/* The first entry on whose network an address is, or NULL. */
const struct ip4_address *ip4_address_near(const struct stack *stack, uint32_t address);

/* The source address for a destination, as Linux chooses: that of the route's network, or of the gateway's;
 * 0: there is none yet. */
uint32_t ip4_source(const struct stack *stack, uint32_t destination);

#endif
