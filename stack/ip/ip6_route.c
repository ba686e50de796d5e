/* SPDX-License-Identifier: MIT */
/*
 * ip6_route.c - see ip6_route.h.
 */
#include "stack/ip/ip6_route.h"
#include "stack/stack.h"
#include <errno.h>

#define PROBE_NS UINT64_C(60000000000) /* router_probe_interval */

static inline bool matches(const struct ip6_route *route, struct ip_address address) {
    uint32_t bits = route->prefix_length;
    uint64_t high = __builtin_bswap64(ip_high(address) ^ ip_high(route->destination));
    uint64_t low = __builtin_bswap64(ip_low(address) ^ ip_low(route->destination));
    if (bits <= 64)
        return bits == 0 || high >> (64 - bits) == 0;
    return !high && low >> (IP_ADDRESS_BITS - bits) == 0;
}

static bool is_on_link(const struct ip6_route *route) {
    return ip_is_any(route->gateway);
}

/* RFC 8028: whether a gateway is the router that told of the prefix of a source address. */
static bool gave_source(const struct stack *stack, const struct ip6_route *route, struct ip_address source) {
    const struct ip6_routes *table = &stack->ip6.routes;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct ip6_route *prefix = &table->routes[i];
        if (prefix->origin == IP6_ROUTE_PREFIX && ip_equal(prefix->advertiser, route->gateway) &&
            matches(prefix, source))
            return true;
    }
    return false;
}

static bool is_better(const struct stack *stack, const struct ip6_route *one, const struct ip6_route *other,
                      struct ip_address source) {
    if (one->prefix_length != other->prefix_length)
        return one->prefix_length > other->prefix_length;
    if (is_on_link(one) != is_on_link(other))
        return is_on_link(one);
    if (one->failed != other->failed)
        return other->failed;
    if (one->failed && one->asked_ns != other->asked_ns)
        return one->asked_ns < other->asked_ns; /* in turns, until one answers */
    if (one->preference != other->preference)
        return one->preference > other->preference;
    return !ip_is_any(source) && gave_source(stack, one, source) && !gave_source(stack, other, source);
}

static const struct ip6_route *best(const struct stack *stack, struct ip_address destination,
                                    struct ip_address source) {
    const struct ip6_routes *table = &stack->ip6.routes;
    const struct ip6_route *found = NULL;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct ip6_route *route = &table->routes[i];
        if (matches(route, destination) && (!found || is_better(stack, route, found, source)))
            found = route;
    }
    return found;
}

int ip6_route_lookup(const struct stack *stack, struct ip_address destination, struct ip_address source,
                     struct ip_address *next_hop) {
    *next_hop = destination;
    if (ip_is_link_local(destination))
        return 0;
    const struct ip6_route *route = best(stack, destination, source);
    if (!route)
        return -ENETUNREACH;
    if (!is_on_link(route))
        *next_hop = route->gateway;
    return 0;
}

bool ip6_route_is_on_link(const struct stack *stack, struct ip_address address) {
    struct ip_address next_hop;
    return ip6_route_lookup(stack, address, (struct ip_address){0}, &next_hop) == 0 &&
           ip_equal(next_hop, address);
}

uint8_t ip6_route_prefix(const struct stack *stack, struct ip_address destination) {
    const struct ip6_route *route =
        ip_is_link_local(destination) ? NULL : best(stack, destination, (struct ip_address){0});
    if (ip_is_link_local(destination))
        return 64;
    return route ? route->prefix_length : IP_ADDRESS_BITS;
}

bool ip6_route_names(const struct stack *stack, struct ip_address gateway) {
    const struct ip6_routes *table = &stack->ip6.routes;
    for (uint32_t i = 0; i < table->count; i++)
        if (!is_on_link(&table->routes[i]) && ip_equal(table->routes[i].gateway, gateway))
            return true;
    return false;
}

void ip6_route_remove(struct stack *stack, const struct ip6_route *route) {
    struct ip6_routes *table = &stack->ip6.routes;
    uint32_t index = (uint32_t)(route - table->routes);
    memmove(&table->routes[index], &table->routes[index + 1],
            (table->count - index - 1) * sizeof *table->routes);
    table->count--;
    stack->changes++;
}

static bool is_told(const struct ip6_route *route) {
    return route->origin == IP6_ROUTE_PREFIX || route->origin == IP6_ROUTE_TOLD;
}

/* Makes room for a route. Redirects give way to each other; of what routers tell, what goes by a gateway that
 * does not answer. */
static bool make_room(struct stack *stack, const struct ip6_route *route) {
    struct ip6_routes *table = &stack->ip6.routes;
    const struct ip6_route *redirect = NULL, *dead = NULL;
    uint32_t redirects = 0, told = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct ip6_route *other = &table->routes[i];
        if (other->origin == IP6_ROUTE_REDIRECT && redirects++ == 0)
            redirect = other;
        if (is_told(other) && ++told && other->failed && !dead)
            dead = other;
    }
    if (route->origin == IP6_ROUTE_REDIRECT && redirects == IP6_REDIRECTS_MAX)
        ip6_route_remove(stack, redirect);
    if (is_told(route) && told == IP6_TOLD_MAX) {
        if (!dead)
            return false;
        ip6_route_remove(stack, dead);
    }
    return table->count < IP6_ROUTES_MAX;
}

static struct ip6_route *find(struct stack *stack, const struct ip6_route *like) {
    struct ip6_routes *table = &stack->ip6.routes;
    for (uint32_t i = 0; i < table->count; i++) {
        struct ip6_route *route = &table->routes[i];
        bool gateway = like->origin == IP6_ROUTE_REDIRECT || ip_equal(route->gateway, like->gateway);
        if (route->origin == like->origin && route->prefix_length == like->prefix_length && gateway &&
            ip_equal(route->destination, like->destination))
            return route;
    }
    return NULL;
}

int ip6_route_add(struct stack *stack, const struct ip6_route *route) {
    struct ip6_routes *table = &stack->ip6.routes;
    struct ip6_route whole = *route;
    whole.destination = ip_prefix(route->destination, route->prefix_length);
    struct ip6_route *there = find(stack, &whole);
    if (there) {
        whole.failed = there->failed && ip_equal(there->gateway, whole.gateway);
        whole.asked_ns = there->asked_ns;
        *there = whole;
    } else {
        if (!make_room(stack, route))
            return -ENOBUFS;
        table->routes[table->count] = whole;
        atomic_signal_fence(memory_order_seq_cst);
        table->count++;
    }
    stack->changes++;
    ip6_wake(stack);
    return 0;
}

void ip6_route_failed(struct stack *stack, struct ip_address gateway) {
    struct ip6_routes *table = &stack->ip6.routes;
    for (uint32_t i = table->count; i-- > 0;) {
        struct ip6_route *route = &table->routes[i];
        if (!ip_equal(is_on_link(route) ? route->destination : route->gateway, gateway))
            continue;
        if (route->origin == IP6_ROUTE_REDIRECT)
            ip6_route_remove(stack, route);
        else if (!is_on_link(route)) {
            route->failed = true;
            route->asked_ns = stack->now_ns;
        }
    }
}

void ip6_route_works(struct stack *stack, struct ip_address gateway) {
    struct ip6_routes *table = &stack->ip6.routes;
    for (uint32_t i = 0; i < table->count; i++)
        if (table->routes[i].failed && ip_equal(table->routes[i].gateway, gateway))
            table->routes[i].failed = false;
}

void ip6_route_probe(struct stack *stack, struct ip_address destination) {
    struct ip6_routes *table = &stack->ip6.routes;
    const struct ip6_route *used = NULL;
    for (uint32_t i = 0; i < table->count; i++) {
        struct ip6_route *route = &table->routes[i];
        if (!route->failed || stack->now_ns - route->asked_ns < PROBE_NS || !matches(route, destination))
            continue;
        used = used ? used : best(stack, destination, (struct ip_address){0});
        if (!used || used->failed || route->prefix_length < used->prefix_length ||
            (route->prefix_length == used->prefix_length && route->preference < used->preference))
            continue;
        route->asked_ns = stack->now_ns;
        neighbour_ask(stack, route->gateway);
        return;
    }
}

uint64_t ip6_routes_due(const struct stack *stack) {
    const struct ip6_routes *table = &stack->ip6.routes;
    uint64_t due_ns = TIMER_NEVER;
    for (uint32_t i = 0; i < table->count; i++)
        if (table->routes[i].until_ns < due_ns)
            due_ns = table->routes[i].until_ns;
    return due_ns;
}

void ip6_routes_run(struct stack *stack) {
    struct ip6_routes *table = &stack->ip6.routes;
    for (uint32_t i = table->count; i-- > 0;)
        if (table->routes[i].until_ns <= stack->now_ns)
            ip6_route_remove(stack, &table->routes[i]);
}
