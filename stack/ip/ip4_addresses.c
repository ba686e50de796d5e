/* SPDX-License-Identifier: MIT */
/*
 * ip4_addresses.c - see ip4_addresses.h.
 */
#include "stack/ip/ip4_addresses.h"
#include "stack/stack.h"
#include <string.h>

static bool has_network(const struct ip4_addresses *addresses, uint32_t address, uint8_t prefix_length) {
    for (uint32_t i = 0; i < addresses->count; i++)
        if (addresses->entries[i].prefix_length == prefix_length &&
            !((addresses->entries[i].address ^ address) & addresses->entries[i].mask))
            return true;
    return false;
}

/* A primary address goes before all secondary ones. */
static void add(struct ip4_addresses *addresses, uint32_t address, uint8_t prefix_length) {
    uint32_t mask = ip4_mask(prefix_length), at = addresses->count;
    struct ip4_address entry = {.address = address,
                                .mask = mask,
                                .broadcast = prefix_length < 31 ? address | ~mask : UINT32_MAX,
                                .prefix_length = prefix_length,
                                .secondary = has_network(addresses, address, prefix_length)};
    for (; !entry.secondary && at > 0 && addresses->entries[at - 1].secondary; at--)
        addresses->entries[at] = addresses->entries[at - 1];
    addresses->entries[at] = entry;
    addresses->count++;
}

void ip4_addresses_set(struct stack *stack) {
    const struct stack_config *config = &stack->config;
    memset(&stack->addresses4, 0, sizeof stack->addresses4);
    if (config->address)
        add(&stack->addresses4, config->address, config->prefix_length);
    for (uint32_t i = 0; config->address && i < config->more_count; i++)
        add(&stack->addresses4, config->more[i].address, config->more[i].prefix_length);
}

const struct ip4_address *ip4_address_find(const struct stack *stack, uint32_t address) {
    const struct ip4_addresses *addresses = &stack->addresses4;
    for (uint32_t i = 0; i < addresses->count; i++)
        if (addresses->entries[i].address == address)
            return &addresses->entries[i];
    return NULL;
}

enum ip4_kind ip4_address_kind(const struct stack *stack, uint32_t address) {
    const struct ip4_addresses *addresses = &stack->addresses4;
    bool broadcast = address == UINT32_MAX;
    for (uint32_t i = 0; i < addresses->count; i++) {
        if (addresses->entries[i].address == address)
            return IP4_OWN;
        broadcast |= addresses->entries[i].broadcast == address;
    }
    return broadcast ? IP4_BROADCAST : IP4_NOBODYS;
}

const struct ip4_address *ip4_address_near(const struct stack *stack, uint32_t address) {
    const struct ip4_addresses *addresses = &stack->addresses4;
    for (uint32_t i = 0; i < addresses->count; i++)
        if (!((addresses->entries[i].address ^ address) & addresses->entries[i].mask))
            return &addresses->entries[i];
    return NULL;
}

/* The primary address of an own one's network, and of one that is that network's broadcast. */
static const struct ip4_address *of_own_network(const struct stack *stack, uint32_t destination) {
    const struct ip4_addresses *addresses = &stack->addresses4;
    const struct ip4_address *own = ip4_address_find(stack, destination);
    for (uint32_t i = 0; i < addresses->count; i++) {
        const struct ip4_address *entry = &addresses->entries[i];
        if (own ? entry->prefix_length == own->prefix_length && !((entry->address ^ destination) & own->mask)
                : entry->broadcast == destination && destination != UINT32_MAX)
            return entry;
    }
    return NULL;
}

/* Linux's fib_result_prefsrc: a network's own route names its primary address; any other has that which is
 * nearest to the gateway. */
static const struct ip4_address *of_route(const struct stack *stack, uint32_t destination) {
    const struct ip4_addresses *addresses = &stack->addresses4;
    const struct ip_route *route = ip_route_find(&stack->routes, destination);
    if (!route)
        return NULL;
    if (route->gateway)
        return ip4_address_near(stack, route->gateway);
    for (uint32_t i = 0; i < addresses->count; i++)
        if (addresses->entries[i].mask == route->mask &&
            (addresses->entries[i].address & route->mask) == route->destination)
            return &addresses->entries[i];
    return NULL;
}

uint32_t ip4_source(const struct stack *stack, uint32_t destination) {
    const struct ip4_addresses *addresses = &stack->addresses4;
    if (ip4_is_loopback(destination))
        return IP_LOOPBACK;
    if (addresses->count < 2)
        return stack->config.address;
    const struct ip4_address *entry = of_own_network(stack, destination);
    if (!entry)
        entry = of_route(stack, destination);
    return entry ? entry->address : addresses->entries[0].address;
}
