/* SPDX-License-Identifier: MIT */
/*
 * router_ip6.c - IPv6 in a router (RFC 8200): what is its own ends here, the rest goes on, its hop limit
 * counted down, or its sender is told by ICMPv6 (RFC 4443). Nobody cuts a packet on its way. What has a
 * link-local address stays on its link (RFC 4291 section 2.5.6).
 */
#include "stack/router/router.h"

static bool is_whole(struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    uint32_t bytes = router_packet_bytes(packet);
    if (bytes < IP6_HEADER_BYTES || ip[0] >> 4 != 6 || IP6_HEADER_BYTES + wire_get16(ip + 4) > bytes)
        return false;
    packet->length = ETHER_HEADER_BYTES + IP6_HEADER_BYTES + wire_get16(ip + 4);
    return true;
}

/* ff02::1, ff02::2, and the solicited-node groups of the port's addresses. */
static bool is_our_group(const struct router *router, int port, struct ip_address group) {
    static const uint8_t start[] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const struct router_port_config *config = &router->ports[port].config;
    if (memcmp(group.bytes, start, sizeof start) == 0 && (group.bytes[15] == 1 || group.bytes[15] == 2))
        return true;
    for (uint32_t i = 0; i < config->address_count; i++)
        if (!ip_is_v4(config->addresses[i].address) &&
            ip_equal(ip_solicited_node(config->addresses[i].address), group))
            return true;
    return false;
}

static void deliver(struct router *router, struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    router->counters.delivered++;
    if (ip[6] == IP_PROTOCOL_ICMP6)
        router_icmp6_input(router, packet);
    else if (ip[6] == IP_PROTOCOL_UDP)
        router_icmp6_error(router, packet, 1, 4, 0);
    else if (ip[6] != IP6_FRAGMENT)
        router_icmp6_error(router, packet, 4, 1, 6); /* the next header is not known here */
    router_packet_free(&router->packets, packet);
}

static void forward(struct router *router, struct router_packet *packet) {
    uint8_t *ip = router_packet_ip(packet);
    struct ip_address destination = ip_from_bytes(ip + 24);
    const struct router_route *route = router_routes_find(&router->routes, destination);
    if (!route) {
        router_icmp6_error(router, packet, 1, 0, 0);
        router_drop(router, packet, &router->counters.no_routes);
        return;
    }
    if (ip[7] <= 1) {
        router_icmp6_error(router, packet, 3, 0, 0);
        router_drop(router, packet, &router->counters.ttl_exceeded);
        return;
    }
    const struct router_port_config *config = &router->ports[route->port].config;
    struct ip_address next_hop = ip_is_any(route->next_hop) ? destination : route->next_hop;
    if (router_packet_bytes(packet) > config->mtu) {
        if (!config->silent)
            router_icmp6_error(router, packet, 2, 0, config->mtu);
        router_drop(router, packet, &router->counters.too_long);
        return;
    }
    if (route->port == packet->in_port)
        router_icmp6_redirect(router, packet, next_hop);
    ip[7]--;
    router->counters.forwarded++;
    router_transmit(router, route->port, next_hop, packet);
}

void router_ip6_receive(struct router *router, struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    if (!is_whole(packet)) {
        router_drop(router, packet, &router->counters.in_header_errors);
        return;
    }
    struct ip_address source = ip_from_bytes(ip + 8), destination = ip_from_bytes(ip + 24);
    int port = router_port_of(router, destination);
    if (ip_is_multicast(source) || ip_is_loopback(source) || ip_is_v4(source) ||
        ip_is_loopback(destination) || ip_is_v4(destination) || ip_is_any(destination)) {
        router_drop(router, packet, &router->counters.in_address_errors);
    } else if (ip_is_multicast(destination)
                   ? is_our_group(router, packet->in_port, destination)
                   : port >= 0 && (port == packet->in_port || !ip_is_link_local(destination))) {
        deliver(router, packet);
    } else if (ip_is_multicast(destination)) {
        router_drop(router, packet, &router->counters.multicast);
    } else if (packet->frame[0] & 1 || ip_is_any(source) || ip_is_link_local(destination)) {
        router_drop(router, packet, &router->counters.in_address_errors);
    } else if (ip_is_link_local(source)) {
        router_icmp6_error(router, packet, 1, 2, 0); /* beyond the scope of its source */
        router_drop(router, packet, &router->counters.in_address_errors);
    } else {
        forward(router, packet);
    }
}
