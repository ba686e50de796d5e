/* SPDX-License-Identifier: MIT */
/*
 * netlink_route6.c - see netlink_route6.h. What a message holds, and in which order, is the kernel's
 * (inet6_fill_ifaddr, rt6_fill_node).
 */
#include "shim/region/netlink_route6.h"
#include "shim/region/region.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define METRIC_OWN 256u   /* of routes that come with an address */
#define METRIC_TOLD 1024u /* of all others */
#define NS_PER_S UINT64_C(1000000000)
#define LINK_LOCAL_BITS 64u

static void put_six(struct netlink_answer *answer, uint16_t type, struct ip_address address) {
    netlink_put(answer, type, address.bytes, sizeof address.bytes);
}

static uint32_t seconds_until(uint64_t end_ns) {
    uint64_t now_ns = shared->stack.now_ns;
    if (end_ns == TIMER_NEVER)
        return UINT32_MAX;
    return end_ns > now_ns ? (uint32_t)((end_ns - now_ns) / NS_PER_S) : 0;
}

static void tell_address(struct netlink_answer *answer, struct ip_address address, uint8_t prefix_length,
                         uint32_t flags, struct ifa_cacheinfo times, uint8_t scope, unsigned interface) {
    struct ifaddrmsg header = {.ifa_family = AF_INET6,
                               .ifa_prefixlen = prefix_length,
                               .ifa_flags = (uint8_t)flags,
                               .ifa_scope = scope,
                               .ifa_index = interface};
    netlink_begin(answer, RTM_NEWADDR, &header, sizeof header);
    put_six(answer, IFA_ADDRESS, address);
    netlink_put(answer, IFA_CACHEINFO, &times, sizeof times);
    netlink_put_u32(answer, IFA_FLAGS, flags);
    netlink_end(answer);
}

void netlink_tell_addresses6(struct netlink_answer *answer, const struct interface *all, unsigned only) {
    static const struct ip_address loopback = {{{[15] = 1}}};
    const struct ip6_addresses *addresses = &shared->stack.ip6.addresses;
    const struct ifa_cacheinfo for_good = {.ifa_prefered = UINT32_MAX, .ifa_valid = UINT32_MAX};
    if (!only || only == all[INTERFACE_LOOPBACK].index)
        tell_address(answer, loopback, IP_ADDRESS_BITS, IFA_F_PERMANENT, for_good, RT_SCOPE_HOST,
                     all[INTERFACE_LOOPBACK].index);
    if (only && only != all[INTERFACE_OWN].index)
        return;
    for (int link = 0; link < 2; link++) /* the kernel has those of the link last */
        for (uint32_t i = 0; i < addresses->count; i++) {
            const struct ip6_address *entry = &addresses->entries[i];
            struct ifa_cacheinfo times = {.ifa_prefered = seconds_until(entry->preferred_ns),
                                          .ifa_valid = seconds_until(entry->valid_ns)};
            uint32_t flags = entry->flags;
            if (entry->origin == IP6_ADDRESS_STABLE)
                flags |= IFA_F_MANAGETEMPADDR; /* temporary ones may be made of its prefix, too */
            if (ip_is_link_local(entry->address) == link)
                tell_address(answer, entry->address, entry->prefix_length, flags, times,
                             link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, all[INTERFACE_OWN].index);
        }
}

struct told_route {
    struct ip_address destination, gateway, source;
    struct ip_address from; /* of an answer to a question: the source that was asked about */
    bool asked;
    uint64_t until_ns; /* 0, TIMER_NEVER: no end */
    uint8_t prefix_length, protocol, type;
    uint32_t table, metric;
    unsigned interface;
    int8_t preference;
};

/* ICMPV6_ROUTER_PREF_*: 0 medium, 1 high, 3 low. */
static uint8_t wire_preference(int8_t preference) {
    return preference > 0 ? 1 : preference < 0 ? 3 : 0;
}

/* What a router says of its link stands with the routes by it, as the kernel has it. */
static void put_metrics(struct netlink_answer *answer, const struct told_route *route) {
    const struct ip6 *ip6 = &shared->stack.ip6;
    struct {
        struct rtattr header;
        uint32_t value;
    } metrics[2];
    uint8_t count = 0;
    if (route->prefix_length || route->protocol != RTPROT_RA)
        return;
    if (ip6->mtu)
        metrics[count++].value = ip6->mtu, metrics[0].header.rta_type = RTAX_MTU;
    if (ip6->hop_limit)
        metrics[count].value = ip6->hop_limit, metrics[count++].header.rta_type = RTAX_HOPLIMIT;
    for (uint8_t i = 0; i < count; i++)
        metrics[i].header.rta_len = sizeof metrics[i];
    if (count)
        netlink_put(answer, RTA_METRICS, metrics, count * sizeof metrics[0]);
}

static void tell_route(struct netlink_answer *answer, const struct told_route *route) {
    struct rta_cacheinfo cache = {0};
    bool ends = route->until_ns && route->until_ns != TIMER_NEVER;
    struct rtmsg header = {.rtm_family = AF_INET6,
                           .rtm_dst_len = route->asked ? IP_ADDRESS_BITS : route->prefix_length,
                           .rtm_src_len = route->asked ? IP_ADDRESS_BITS : 0,
                           .rtm_table = (uint8_t)route->table,
                           .rtm_protocol = route->protocol,
                           .rtm_scope = RT_SCOPE_UNIVERSE,
                           .rtm_type = route->type};
    netlink_begin(answer, RTM_NEWROUTE, &header, sizeof header);
    if (route->prefix_length || route->asked)
        put_six(answer, RTA_DST, route->destination);
    if (route->asked)
        put_six(answer, RTA_SRC, route->from);
    netlink_put_u32(answer, RTA_TABLE, route->table);
    put_metrics(answer, route);
    if (!ip_is_any(route->source))
        put_six(answer, RTA_PREFSRC, route->source);
    netlink_put_u32(answer, RTA_PRIORITY, route->metric);
    if (!ip_is_any(route->gateway))
        put_six(answer, RTA_GATEWAY, route->gateway);
    netlink_put_u32(answer, RTA_OIF, route->interface);
    if (ends) /* in hundredths of a second; a question about one destination is not told of it */
        cache.rta_expires = route->asked ? 0 : (int)seconds_until(route->until_ns) * 100;
    netlink_put(answer, RTA_CACHEINFO, &cache, sizeof cache);
    netlink_put_u8(answer, RTA_PREF, wire_preference(route->preference));
    netlink_end(answer);
}

static struct ip_address masked(struct ip_address address, unsigned bits) {
    for (unsigned i = 0; i < IP_ADDRESS_BYTES; i++) {
        unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
        address.bytes[i] &= (uint8_t)(kept >= 8 ? 0xff : 0xff00 >> kept);
    }
    return address;
}

/* A route of the table, as it is told of. A prefix that a router names is the kernel's, as addresses' are. */
static struct told_route told_of(const struct ip6_route *entry, const struct interface *all) {
    bool own = entry->origin == IP6_ROUTE_PREFIX || ip_is_any(entry->gateway);
    return (struct told_route){.destination = masked(entry->destination, entry->prefix_length),
                               .gateway = entry->gateway,
                               .until_ns = entry->until_ns,
                               .prefix_length = entry->prefix_length,
                               .protocol = entry->origin == IP6_ROUTE_REDIRECT ? RTPROT_REDIRECT
                                           : own                               ? RTPROT_KERNEL
                                           : entry->origin != IP6_ROUTE_USER   ? RTPROT_RA
                                                                               : RTPROT_STATIC,
                               .type = RTN_UNICAST,
                               .table = RT_TABLE_MAIN,
                               .metric = own ? METRIC_OWN : METRIC_TOLD,
                               .interface = all[INTERFACE_OWN].index,
                               .preference = entry->preference};
}

/* In the kernel's order: default routes are last. */
static void tell_table_main(struct netlink_answer *answer, const struct interface *all) {
    const struct ip6_routes *routes = &shared->stack.ip6.routes;
    for (uint32_t i = 0; i < routes->count; i++) {
        struct told_route route = told_of(&routes->routes[i], all);
        if (route.prefix_length)
            tell_route(answer, &route);
    }
    if (shared->stack.ip6.addresses.count > 0)
        tell_route(answer, &(struct told_route){.destination = {{{0xfe, 0x80}}},
                                                .prefix_length = LINK_LOCAL_BITS,
                                                .protocol = RTPROT_KERNEL,
                                                .type = RTN_UNICAST,
                                                .table = RT_TABLE_MAIN,
                                                .metric = METRIC_OWN,
                                                .interface = all[INTERFACE_OWN].index});
    for (uint32_t i = 0; i < routes->count; i++) {
        struct told_route route = told_of(&routes->routes[i], all);
        if (!route.prefix_length)
            tell_route(answer, &route);
    }
}

static void tell_table_local(struct netlink_answer *answer, const struct interface *all) {
    const struct ip6_addresses *addresses = &shared->stack.ip6.addresses;
    struct told_route route = {.destination = {{{[15] = 1}}},
                               .prefix_length = IP_ADDRESS_BITS,
                               .protocol = RTPROT_KERNEL,
                               .type = RTN_LOCAL,
                               .table = RT_TABLE_LOCAL,
                               .interface = all[INTERFACE_LOOPBACK].index};
    tell_route(answer, &route);
    route.interface = all[INTERFACE_OWN].index;
    for (uint32_t i = 0; i < addresses->count; i++) {
        route.destination = addresses->entries[i].address;
        tell_route(answer, &route);
    }
    tell_route(answer, &(struct told_route){.destination = {{{0xff}}},
                                            .prefix_length = 8,
                                            .protocol = RTPROT_KERNEL,
                                            .type = RTN_MULTICAST,
                                            .table = RT_TABLE_LOCAL,
                                            .metric = METRIC_OWN,
                                            .interface = all[INTERFACE_OWN].index});
}

void netlink_tell_routes6(struct netlink_answer *answer, const struct interface *all, uint32_t table) {
    if (table == RT_TABLE_UNSPEC || table == RT_TABLE_MAIN)
        tell_table_main(answer, all);
    if (table == RT_TABLE_UNSPEC || table == RT_TABLE_LOCAL)
        tell_table_local(answer, all);
}

/* The route of the table by which a destination is reached over a next hop: as told, its gateway among it. */
static bool find_route(struct ip_address destination, struct ip_address next_hop, const struct interface *all,
                       struct told_route *found) {
    const struct ip6_routes *routes = &shared->stack.ip6.routes;
    uint8_t bits = ip6_route_prefix(&shared->stack, destination);
    for (uint32_t i = 0; i < routes->count; i++) {
        const struct ip6_route *entry = &routes->routes[i];
        struct ip_address hop = ip_is_any(entry->gateway) ? destination : entry->gateway;
        if (entry->prefix_length == bits && ip_equal(hop, next_hop) &&
            ip_equal(masked(destination, bits), masked(entry->destination, bits))) {
            *found = told_of(entry, all);
            return true;
        }
    }
    return false;
}

int netlink_look_up_route6(struct netlink_answer *answer, const struct interface *all) {
    struct stack *stack = &shared->stack;
    const void *asked = netlink_attribute(answer->request, sizeof(struct rtmsg), RTA_DST, IP_ADDRESS_BYTES);
    const void *from = netlink_attribute(answer->request, sizeof(struct rtmsg), RTA_SRC, IP_ADDRESS_BYTES);
    struct told_route route = {.prefix_length = IP_ADDRESS_BITS,
                               .protocol = RTPROT_KERNEL,
                               .type = RTN_UNICAST,
                               .table = RT_TABLE_MAIN,
                               .metric = METRIC_OWN,
                               .interface = all[INTERFACE_OWN].index};
    struct ip_address destination, source, next_hop;
    if (!asked)
        return -EINVAL;
    destination = ip_from_bytes(asked);
    if (ip6_source(stack, destination, 0, &source))
        return -ENETUNREACH;
    if (ip_is_loopback(destination) || ip6_is_local(stack, destination)) {
        route.type = RTN_LOCAL;
        route.table = RT_TABLE_LOCAL;
        route.metric = 0;
        route.interface = all[INTERFACE_LOOPBACK].index;
    } else if (ip_is_multicast(destination)) {
        route.type = RTN_MULTICAST;
        route.table = RT_TABLE_LOCAL;
    } else if (ip6_route_lookup(stack, destination, (struct ip_address){0}, &next_hop)) {
        return -ENETUNREACH;
    } else {
        find_route(destination, next_hop, all, &route); /* else on the link, by its own prefix */
    }
    route.destination = destination;
    route.source = source;
    route.asked = true;
    if (from)
        route.from = ip_from_bytes(from);
    tell_route(answer, &route);
    return 0;
}
