/* SPDX-License-Identifier: MIT */
/*
 * nd_router.c - see nd_router.h.
 */
#include "stack/ip/nd_router.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/nd.h"
#include "stack/stack.h"

#define MS UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
#define LIFETIME_FOREVER UINT32_MAX
#define REACHABLE_MAX_MS 3600000u
#define RETRANSMIT_MAX_MS 60000u /* packets wait for a neighbour three times as long */
#define SHORTEST_MS 100u         /* as Linux: no router can make us ask all the time */

enum {
    FLAG_MANAGED = 0x80,
    FLAG_OTHER = 0x40,
    PREFIX_ON_LINK = 0x80,
    PREFIX_AUTONOMOUS = 0x40,
};

void nd_router_init(struct stack *stack) {
    memset(&stack->ip6.router, 0, sizeof stack->ip6.router);
    stack->ip6.router.due_ns = TIMER_NEVER;
}

/* RFC 8415 section 15: so long, give or take a tenth. */
static uint64_t about(struct stack *stack, uint64_t ns) {
    return ns - ns / 10 + random_u64(&stack->random) % (ns / 5 + 1);
}

void nd_router_start(struct stack *stack) {
    struct nd_router *router = &stack->ip6.router;
    const struct sysctl *sysctl = &stack->sysctl;
    if (router->asking || router->answered || !stack->config.ip6.autoconf || !sysctl->ip6_accept_ra ||
        !sysctl->ip6_rtr_solicitations)
        return;
    router->asking = true;
    router->asked = 0;
    router->interval_ns = about(stack, sysctl->ip6_rtr_solicitation_interval * SECOND_NS);
    router->due_ns = stack->now_ns;
    ip6_wake(stack);
}

static uint64_t min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void solicit_routers(struct stack *stack) {
    struct nd_router *router = &stack->ip6.router;
    const struct sysctl *sysctl = &stack->sysctl;
    if (router->asked >= sysctl->ip6_rtr_solicitations) {
        router->due_ns = TIMER_NEVER;
        return;
    }
    nd_solicit_routers(stack);
    router->asked++;
    router->due_ns = stack->now_ns + router->interval_ns;
    router->interval_ns =
        min_u64(about(stack, 2 * router->interval_ns), sysctl->ip6_rtr_solicitation_max_interval * SECOND_NS);
}

static uint64_t lifetime_ns(uint32_t seconds) {
    return seconds == LIFETIME_FOREVER ? TIMER_NEVER : seconds * SECOND_NS;
}

static uint64_t until(const struct stack *stack, uint64_t ns) {
    return ns > TIMER_NEVER - stack->now_ns ? TIMER_NEVER : stack->now_ns + ns;
}

/* RFC 4191 section 2.1: two bits with a sign; -2 is to be taken for 0. */
static int8_t preference_of(uint8_t flags) {
    static const int8_t preferences[4] = {0, 1, 0, -1};
    return preferences[flags >> 3 & 3];
}

/* A route that a router tells of, for so long; 0: it takes it back. */
static void told(struct stack *stack, const struct ip6_route *route, uint64_t ns) {
    struct ip6_routes *table = &stack->ip6.routes;
    struct ip6_route whole = *route;
    whole.until_ns = until(stack, ns);
    if (ns > 0) {
        ip6_route_add(stack, &whole);
        return;
    }
    for (uint32_t i = table->count; i-- > 0;) {
        const struct ip6_route *there = &table->routes[i];
        if (there->origin == whole.origin && there->prefix_length == whole.prefix_length &&
            ip_equal(there->gateway, whole.gateway) &&
            ip_equal(there->destination, ip_prefix(whole.destination, whole.prefix_length)))
            ip6_route_remove(stack, there);
    }
}

static void prefix_option(struct stack *stack, const uint8_t *option, struct ip_address router) {
    if (option[1] != 4 || option[2] > IP_ADDRESS_BITS)
        return;
    struct ip6_lifetimes lifetimes = {.valid_ns = lifetime_ns(wire_get32(option + 4)),
                                      .preferred_ns = lifetime_ns(wire_get32(option + 8))};
    struct ip_address prefix = ip_prefix(ip_from_bytes(option + 16), option[2]);
    if (ip_is_link_local(prefix) || ip_is_multicast(prefix) || ip_is_v4(prefix) ||
        lifetimes.preferred_ns > lifetimes.valid_ns)
        return;
    if (option[3] & PREFIX_ON_LINK && option[2] > 0) {
        const struct ip6_route route = {.destination = prefix,
                                        .prefix_length = option[2],
                                        .origin = IP6_ROUTE_PREFIX,
                                        .advertiser = router};
        told(stack, &route, lifetimes.valid_ns);
    }
    if (option[3] & PREFIX_AUTONOMOUS && option[2] == IP6_INTERFACE_BITS && stack->sysctl.ip6_autoconf)
        ip6_address_prefix(stack, prefix, &lifetimes);
}

static void route_option(struct stack *stack, const uint8_t *option, struct ip_address router) {
    uint32_t bytes = option[1] * 8u;
    struct ip6_route route = {.gateway = router,
                              .prefix_length = option[2],
                              .origin = IP6_ROUTE_TOLD,
                              .preference = preference_of(option[3])};
    if (option[2] > stack->sysctl.ip6_accept_ra_rt_info_max_plen || option[2] > IP_ADDRESS_BITS ||
        bytes < 8u + (option[2] + 63u) / 64 * 8 || (option[3] >> 3 & 3) == 2)
        return;
    memcpy(route.destination.bytes, option + 8, bytes - 8 < 16 ? bytes - 8 : 16);
    told(stack, &route, lifetime_ns(wire_get32(option + 4)));
}

static void mtu_option(struct stack *stack, const uint8_t *option) {
    uint32_t mtu = wire_get32(option + 4);
    if (option[1] == 1 && mtu >= IP6_MTU_MIN && mtu <= stack->config.mtu && stack->sysctl.ip6_accept_ra_mtu)
        stack->ip6.mtu = (uint16_t)mtu;
}

static void set_dns(struct stack *stack, struct ip_address address, uint64_t ns) {
    struct nd_router *router = &stack->ip6.router;
    uint32_t at = 0;
    while (at < router->dns_count && !ip_equal(router->dns[at].address, address))
        at++;
    if (at == router->dns_count && (ns == 0 || at == ND_DNS_MAX))
        return;
    if (at == router->dns_count || ns == 0)
        router->changed_ns = stack->now_ns;
    router->dns[at] = (struct nd_dns){address, until(stack, ns)};
    router->dns_count += at == router->dns_count;
}

static void dns_option(struct stack *stack, const uint8_t *option) {
    uint64_t ns = lifetime_ns(wire_get32(option + 4));
    if (option[1] < 3 || option[1] % 2 == 0)
        return;
    for (uint32_t at = 8; at < option[1] * 8u; at += 16) {
        struct ip_address address = ip_from_bytes(option + at);
        if (!ip_is_multicast(address) && !ip_is_any(address) && !ip_is_v4(address))
            set_dns(stack, address, ns);
    }
}

/* Reads a name of RFC 1035 section 3.1, without compression. Returns what it takes of `left` bytes, or 0. */
static uint32_t read_domain(const uint8_t *from, uint32_t left, char name[ND_DOMAIN_BYTES]) {
    uint32_t at = 0, written = 0;
    while (at < left && from[at]) {
        uint32_t label = from[at++];
        if (label > 63 || label > left - at || written + label + 2 > ND_DOMAIN_BYTES)
            return 0;
        for (uint32_t i = 0; i < label; i++, at++) {
            bool plain = (from[at] >= 'a' && from[at] <= 'z') || (from[at] >= 'A' && from[at] <= 'Z') ||
                         (from[at] >= '0' && from[at] <= '9') || from[at] == '-' || from[at] == '_';
            if (!plain)
                return 0;
            name[written++] = (char)from[at];
        }
        name[written++] = '.';
    }
    name[written ? written - 1 : 0] = 0;
    return at < left ? at + 1 : 0;
}

static void set_domain(struct stack *stack, const char *name, uint64_t ns) {
    struct nd_router *router = &stack->ip6.router;
    uint32_t at = 0;
    while (at < router->domain_count && strcmp(router->domains[at].name, name) != 0)
        at++;
    if (at == router->domain_count && (ns == 0 || at == ND_DOMAINS_MAX))
        return;
    if (at == router->domain_count || ns == 0)
        router->changed_ns = stack->now_ns;
    memcpy(router->domains[at].name, name, strlen(name) + 1);
    router->domains[at].until_ns = until(stack, ns);
    router->domain_count += at == router->domain_count;
}

static void domain_option(struct stack *stack, const uint8_t *option) {
    uint64_t ns = lifetime_ns(wire_get32(option + 4));
    uint32_t left = option[1] * 8u - 8;
    const uint8_t *at = option + 8;
    while (left > 0 && *at) {
        char name[ND_DOMAIN_BYTES];
        uint32_t taken = read_domain(at, left, name);
        if (!taken)
            return;
        set_domain(stack, name, ns);
        at += taken;
        left -= taken;
    }
}

static void handle_option(struct stack *stack, const uint8_t *option, struct ip_address router) {
    switch (option[0]) {
    case ND_OPTION_PREFIX:
        if (stack->sysctl.ip6_accept_ra_pinfo)
            prefix_option(stack, option, router);
        break;
    case ND_OPTION_ROUTE:
        route_option(stack, option, router);
        break;
    case ND_OPTION_MTU:
        mtu_option(stack, option);
        break;
    case ND_OPTION_RDNSS:
        dns_option(stack, option);
        break;
    case ND_OPTION_DNSSL:
        domain_option(stack, option);
        break;
    default:
        break;
    }
}

/* What is said of the link in the message's own fields; 0: nothing. */
static void set_parameters(struct stack *stack, const uint8_t *message) {
    uint32_t reachable_ms = wire_get32(message + 8), retransmit_ms = wire_get32(message + 12);
    if (message[4] && message[4] >= stack->sysctl.ip6_accept_ra_min_hop_limit)
        stack->ip6.hop_limit = message[4];
    if (reachable_ms && reachable_ms <= REACHABLE_MAX_MS)
        stack->ip6.reachable_ns = (reachable_ms < SHORTEST_MS ? SHORTEST_MS : reachable_ms) * MS;
    if (retransmit_ms && retransmit_ms <= RETRANSMIT_MAX_MS)
        stack->ip6.retransmit_ns = (retransmit_ms < SHORTEST_MS ? SHORTEST_MS : retransmit_ms) * MS;
}

void nd_router_advertisement(struct stack *stack, const struct ip_packet *packet) {
    const uint8_t *message = buffer_data(packet->chain), *options = message + 16, *option;
    uint32_t left = packet->length - 16;
    struct nd_router *router = &stack->ip6.router;
    uint32_t lifetime_s = wire_get16(message + 6);
    if (!ip_is_link_local(packet->source) || ip6_address_find(stack, packet->source) ||
        !stack->config.ip6.autoconf || !stack->sysctl.ip6_accept_ra)
        return;
    router->answered = true;
    router->asking = false;
    router->due_ns = TIMER_NEVER;
    set_parameters(stack, message);
    const struct ip6_route route = {
        .gateway = packet->source,
        .origin = IP6_ROUTE_TOLD,
        .preference = lifetime_s && stack->sysctl.ip6_accept_ra_rtr_pref ? preference_of(message[5]) : 0};
    if (stack->sysctl.ip6_accept_ra_defrtr)
        told(stack, &route, lifetime_s * SECOND_NS);
    const uint8_t *mac = nd_find_option(options, left, ND_OPTION_SOURCE_MAC);
    struct neighbour *entry = nd_heard(stack, packet->source, mac, true);
    if (entry)
        entry->is_router = true;
    ip6_route_works(stack, packet->source);
    while ((option = nd_next_option(&options, &left)))
        handle_option(stack, option, packet->source);
    dhcp6_router(stack, message[5] & FLAG_MANAGED, message[5] & FLAG_OTHER);
    ip6_wake(stack);
}

void nd_router_redirect(struct stack *stack, const struct ip_packet *packet) {
    const uint8_t *message = buffer_data(packet->chain), *options = message + 40;
    uint32_t left = packet->length - 40;
    struct ip_address target = ip_from_bytes(message + 8), destination = ip_from_bytes(message + 24);
    struct ip_address next_hop;
    bool on_link = ip_equal(target, destination);
    /* Section 8.1: from the router that we would ask, and to another on the link. */
    if (!stack->sysctl.ip6_accept_redirects || !ip_is_link_local(packet->source) ||
        ip_is_multicast(destination) || ip_is_link_local(destination) || ip_is_any(destination) ||
        ip_is_v4(destination) || ip6_is_local(stack, destination) ||
        (!on_link && !ip_is_link_local(target)) || ip6_address_find(stack, target) ||
        ip6_route_lookup(stack, destination, (struct ip_address){0}, &next_hop) ||
        !ip_equal(next_hop, packet->source))
        return;
    struct neighbour *entry =
        nd_heard(stack, target, nd_find_option(options, left, ND_OPTION_TARGET_MAC), true);
    if (entry && !on_link)
        entry->is_router = true;
    struct ip6_route route = {.destination = destination,
                              .prefix_length = IP_ADDRESS_BITS,
                              .origin = IP6_ROUTE_REDIRECT,
                              .until_ns = TIMER_NEVER};
    if (!on_link)
        route.gateway = target;
    ip6_route_add(stack, &route);
}

void nd_router_failed(struct stack *stack, struct ip_address address) {
    ip6_route_failed(stack, address);
}

void nd_router_left(struct stack *stack, struct ip_address address) {
    struct ip6_routes *table = &stack->ip6.routes;
    for (uint32_t i = table->count; i-- > 0;) {
        const struct ip6_route *route = &table->routes[i];
        if ((route->origin == IP6_ROUTE_TOLD || route->origin == IP6_ROUTE_REDIRECT) &&
            ip_equal(route->gateway, address))
            ip6_route_remove(stack, route);
    }
}

uint64_t nd_router_due(const struct stack *stack) {
    const struct nd_router *router = &stack->ip6.router;
    uint64_t due_ns = router->due_ns;
    for (uint32_t i = 0; i < router->dns_count; i++)
        due_ns = min_u64(due_ns, router->dns[i].until_ns);
    for (uint32_t i = 0; i < router->domain_count; i++)
        due_ns = min_u64(due_ns, router->domains[i].until_ns);
    return due_ns;
}

static void forget_old(struct stack *stack) {
    struct nd_router *router = &stack->ip6.router;
    uint32_t dns = 0, domains = 0;
    for (uint32_t i = 0; i < router->dns_count; i++)
        if (router->dns[i].until_ns > stack->now_ns)
            router->dns[dns++] = router->dns[i];
    for (uint32_t i = 0; i < router->domain_count; i++)
        if (router->domains[i].until_ns > stack->now_ns)
            router->domains[domains++] = router->domains[i];
    if (dns != router->dns_count || domains != router->domain_count)
        router->changed_ns = stack->now_ns;
    router->dns_count = dns;
    router->domain_count = domains;
}

void nd_router_run(struct stack *stack) {
    if (stack->ip6.router.due_ns <= stack->now_ns)
        solicit_routers(stack);
    forget_old(stack);
}
