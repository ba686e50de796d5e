/* SPDX-License-Identifier: MIT */
/*
 * ip6_source.h - which of the stack's addresses packets to a destination come from (RFC 6724 section 5).
 */
#ifndef STACK_IP_IP6_SOURCE_H
#define STACK_IP_IP6_SOURCE_H

#include "stack/ip/ip_address.h"

struct stack;

/* As in IPV6_ADDR_PREFERENCES (RFC 5014). */
enum ip6_source_preference {
    IP6_PREFER_TEMPORARY = 1,
    IP6_PREFER_PUBLIC = 2,
};

/* The policy table of RFC 6724 section 2.1, as far as addresses are chosen by it. */
#define IP6_POLICIES_COUNT 10u
extern const struct ip6_policy {
    struct ip_address prefix;
    uint8_t length, label;
} IP6_POLICIES[IP6_POLICIES_COUNT];

const struct ip6_policy *ip6_policy_of(struct ip_address address);

/* Chooses the source for a destination. `preferences`: enum ip6_source_preference, 0: as use_tempaddr says.
 * Returns 0, or -EADDRNOTAVAIL when there is none. */
int ip6_source(const struct stack *stack, struct ip_address destination, unsigned preferences,
               struct ip_address *source);

#endif
