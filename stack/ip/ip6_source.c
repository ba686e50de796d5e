/* SPDX-License-Identifier: MIT */
/*
 * ip6_source.c - see ip6_source.h.
 *
 * Each rule of RFC 6724 gives a candidate a number, the greater the better; the first rule in which two
 * differ decides. The interface's and the home agent's (4, 5) have nothing to choose from here.
 */
#include "stack/ip/ip6_source.h"
#include "stack/stack.h"
#include <errno.h>

/* As Linux has it (net/ipv6/addrlabel.c's table, which adds RFC 4843's to RFC 6724's), the longest first. */
const struct ip6_policy IP6_POLICIES[IP6_POLICIES_COUNT] = {
    {{.bytes = {[15] = 1}}, 128, 0},
    {{.bytes = {0}}, 96, 3},
    {{.bytes = {[10] = 0xff, 0xff}}, 96, 4},
    {{.bytes = {0x20, 0x01}}, 32, 6},
    {{.bytes = {0x20, 0x01, 0, 0x10}}, 28, 7},
    {{.bytes = {0x3f, 0xfe}}, 16, 12},
    {{.bytes = {0x20, 0x02}}, 16, 2},
    {{.bytes = {0xfe, 0xc0}}, 10, 11},
    {{.bytes = {0xfc}}, 7, 5},
    {{.bytes = {0}}, 0, 1},
};

const struct ip6_policy *ip6_policy_of(struct ip_address address) {
    const struct ip6_policy *policy = IP6_POLICIES;
    while (ip_common_bits(address, policy->prefix) < policy->length)
        policy++; /* the last is anybody's */
    return policy;
}

struct choice {
    const struct stack *stack;
    struct ip_address destination, next_hop;
    enum ip_scope scope;
    uint8_t label;
    bool temporary; /* rather than public ones */
};

/* Rule 2: the smallest scope that is large enough, else the largest. */
static int by_scope(const struct choice *choice, const struct ip6_address *entry) {
    int scope = (int)ip_scope(entry->address), wanted = (int)choice->scope;
    return scope >= wanted ? 100 - scope : scope - wanted;
}

/* Rule 5.5: of the prefix that the next hop told us of (RFC 8028). */
static int by_next_hop(const struct choice *choice, const struct ip6_address *entry) {
    const struct ip6_routes *table = &choice->stack->ip6.routes;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct ip6_route *route = &table->routes[i];
        if (route->origin == IP6_ROUTE_PREFIX && ip_equal(route->advertiser, choice->next_hop) &&
            ip_common_bits(route->destination, entry->address) >= route->prefix_length)
            return 1;
    }
    return 0;
}

/* Rule 8; bits beyond the prefix say nothing of the network. */
static int by_prefix(const struct choice *choice, const struct ip6_address *entry) {
    uint32_t common = ip_common_bits(choice->destination, entry->address);
    return (int)(common < entry->prefix_length ? common : entry->prefix_length);
}

#define RULES 8

static int value(const struct choice *choice, const struct ip6_address *entry, int rule) {
    switch (rule) {
    case 0: /* rule 1 */
        return ip_equal(entry->address, choice->destination);
    case 1: /* rule 2 */
        return by_scope(choice, entry);
    case 2: /* rule 3 */
        return !(entry->flags & (IP6_FLAG_DEPRECATED | IP6_FLAG_OPTIMISTIC));
    case 3: /* rule 5.5 */
        return by_next_hop(choice, entry);
    case 4: /* rule 6 */
        return ip6_policy_of(entry->address)->label == choice->label;
    case 5: /* rule 7 */
        return !(entry->flags & IP6_FLAG_TEMPORARY) != choice->temporary;
    case 6: /* rule 8 */
        return by_prefix(choice, entry);
    default:
        return !(entry->flags & IP6_FLAG_DEPRECATED);
    }
}

static bool is_better(const struct choice *choice, const struct ip6_address *one,
                      const struct ip6_address *other) {
    for (int rule = 0; rule < RULES; rule++) {
        int mine = value(choice, one, rule), its = value(choice, other, rule);
        if (mine != its)
            return mine > its;
    }
    return false;
}

int ip6_source(const struct stack *stack, struct ip_address destination, unsigned preferences,
               struct ip_address *source) {
    struct choice choice = {.stack = stack,
                            .destination = destination,
                            .scope = ip_scope(destination),
                            .label = ip6_policy_of(destination)->label,
                            .temporary = stack->sysctl.ip6_use_tempaddr > 1};
    const struct ip6_addresses *addresses = &stack->ip6.addresses;
    const struct ip6_address *found = NULL;
    if (ip_is_loopback(destination)) {
        *source = destination;
        return ip6_is_local(stack, destination) ? 0 : -EADDRNOTAVAIL;
    }
    if (preferences & (IP6_PREFER_TEMPORARY | IP6_PREFER_PUBLIC))
        choice.temporary = preferences & IP6_PREFER_TEMPORARY;
    ip6_route_lookup(stack, destination, (struct ip_address){0}, &choice.next_hop);
    for (uint32_t i = 0; i < addresses->count; i++) {
        const struct ip6_address *entry = &addresses->entries[i];
        if (ip6_address_usable(entry) && (!found || is_better(&choice, entry, found)))
            found = entry;
    }
    if (!found)
        return -EADDRNOTAVAIL;
    *source = found->address;
    return 0;
}
