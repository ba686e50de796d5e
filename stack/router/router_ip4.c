/* SPDX-License-Identifier: MIT */
/*
 * router_ip4.c - IPv4 in a router: RFC 1812 section 5.2.
 *
 * A packet is checked (5.2.2); what is the router's own, or for everybody, ends here (5.2.3); of the rest the
 * route is found (5.2.4), the TTL counted down (5.3.1), and what is too long for the way is cut, or its
 * sender told (5.2.6, RFC 1191). It is not forwarded when its addresses are nobody's (5.3.7), nor when the
 * link brought it as a broadcast (5.3.4), nor to the broadcast address of a network (RFC 2644).
 */
#include "stack/base/checksum.h"
#include "stack/base/minmax.h"
#include "stack/router/router.h"

#define DONT_FRAGMENT 0x4000u
#define OFFSET_MASK 0x1fffu
#define IP_TOTAL_MAX 65535u

void router_ip4_checksum(uint8_t *ip) {
    wire_put16(ip + 10, 0);
    wire_put_sum(ip + 10, (uint16_t)~checksum_fold(checksum_header(ip, (ip[0] & 15u) * 4)));
}

void router_ip4_header(struct router *router, uint8_t *ip, uint16_t length, uint8_t protocol, uint8_t tos,
                       uint32_t source, uint32_t destination) {
    ip[0] = 0x45;
    ip[1] = tos;
    wire_put16(ip + 2, length);
    wire_put16(ip + 4, router->identification++);
    wire_put16(ip + 6, 0);
    ip[8] = ROUTER_TTL;
    ip[9] = protocol;
    wire_put32(ip + 12, source);
    wire_put32(ip + 16, destination);
    router_ip4_checksum(ip);
}

/* RFC 1812 section 5.2.2; what the link has padded is cut off. */
static bool is_whole(struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    uint32_t bytes = router_packet_bytes(packet);
    if (bytes < IP_HEADER_BYTES || ip[0] >> 4 != 4)
        return false;
    uint32_t header = (ip[0] & 15u) * 4, total = wire_get16(ip + 2);
    uint32_t before = (wire_get16(ip + 6) & OFFSET_MASK) * 8; /* of the datagram that it is a fragment of */
    if (header < IP_HEADER_BYTES || total < header || total > bytes || before + total > IP_TOTAL_MAX ||
        checksum_fold(checksum_header(ip, header)) != 0xffff)
        return false;
    packet->length = ETHER_HEADER_BYTES + total;
    return true;
}

/* 0.0.0.0/8, 127.0.0.0/8, and class D and E are no host's. */
static bool is_martian(uint32_t address) {
    uint32_t first = address >> 24;
    return first == 0 || first == 127 || first >= 224;
}

/* 255.255.255.255, or of a network of ours. */
static bool is_broadcast(const struct router *router, uint32_t address) {
    if (address == UINT32_MAX)
        return true;
    for (int i = 0; i < router->port_count; i++)
        for (uint32_t j = 0; j < router->ports[i].config.address_count; j++) {
            const struct router_address *own = &router->ports[i].config.addresses[j];
            if (!ip_is_v4(own->address) || own->bits >= IP_V4_PREFIX + 31)
                continue;
            uint32_t host = UINT32_MAX >> (own->bits - IP_V4_PREFIX),
                     network = ip_to_v4(own->address) & ~host;
            if (address == (network | host) || address == network)
                return true;
        }
    return false;
}

static void deliver(struct router *router, struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    bool fragment = wire_get16(ip + 6) & 0x3fff, group = is_martian(wire_get32(ip + 16));
    router->counters.delivered++;
    if (!fragment && ip[9] == IP_PROTOCOL_ICMP)
        router_icmp4_input(router, packet);
    else if (!fragment && !group && !is_broadcast(router, wire_get32(ip + 16)))
        router_icmp4_error(router, packet, 3, ip[9] == IP_PROTOCOL_UDP ? 3 : 2, 0);
    router_packet_free(&router->packets, packet);
}

static void count_down(uint8_t *ip) {
    uint32_t sum = wire_get16(ip + 10) + 0x100u; /* RFC 1141 */
    ip[8]--;
    wire_put16(ip + 10, (uint16_t)(sum + (sum >> 16)));
}

static void too_long(struct router *router, int port, struct router_packet *packet) {
    const struct router_port_config *config = &router->ports[port].config;
    if (!config->silent)
        router_icmp4_error(router, packet, 3, 4, config->mtu);
    router_drop(router, packet, &router->counters.too_long);
}

/* The next hop is on the link that the packet came from: its sender could have had it itself (5.2.7.2). */
static void redirect(struct router *router, const struct router_packet *packet, struct ip_address next_hop) {
    const uint8_t *ip = packet->frame + ETHER_HEADER_BYTES;
    if (!router_is_on_link(router, packet->in_port, ip_from_v4(wire_get32(ip + 12))) ||
        router->nat_port == packet->in_port)
        return;
    router->counters.redirects++;
    router_icmp4_error(router, packet, 5, 1, ip_to_v4(next_hop));
}

static void forward(struct router *router, struct router_packet *packet) {
    uint8_t *ip = router_packet_ip(packet);
    struct ip_address destination = ip_from_v4(wire_get32(ip + 16));
    const struct router_route *route = router_routes_find(&router->routes, destination);
    bool routed = false;
    if (!route) {
        router_icmp4_error(router, packet, 3, 0, 0);
        router_drop(router, packet, &router->counters.no_routes);
        return;
    }
    if (ip[8] <= 1) {
        router_icmp4_error(router, packet, 11, 0, 0);
        router_drop(router, packet, &router->counters.ttl_exceeded);
        return;
    }
    struct ip_address next_hop = ip_is_any(route->next_hop) ? destination : route->next_hop;
    if (route->port == packet->in_port)
        redirect(router, packet, next_hop);
    uint32_t total = router_packet_bytes(packet), mtu = router->ports[route->port].config.mtu;
    if (total > mtu && (wire_get16(ip + 6) & DONT_FRAGMENT || router->ports[route->port].config.silent)) {
        too_long(router, route->port, packet);
        return;
    }
    uint32_t wrong = router_ip4_options(ip, ip_to_v4(router_source(router, route->port, next_hop)),
                                        (uint32_t)(router->now_ns / 1000000 % 86400000), &routed);
    if (wrong || routed) {
        router_icmp4_error(router, packet, routed ? 3 : 12, routed ? 5 : 0, wrong << 24);
        router_drop(router, packet, &router->counters.in_header_errors);
        return;
    }
    count_down(ip);
    router->counters.forwarded++;
    if (total > mtu)
        router_ip4_fragment(router, route->port, next_hop, packet);
    else
        router_transmit(router, route->port, next_hop, packet);
}

/* A host inside sends to an address outside that is ours: to another host inside, if there is a mapping. */
static enum nat_verdict hairpin(struct router *router, struct router_packet *packet) {
    uint8_t *ip = router_packet_ip(packet);
    uint32_t total = router_packet_bytes(packet);
    enum nat_verdict verdict = nat_inward(&router->nat, router->now_ns, ip, total);
    if (verdict != NAT_TRANSLATED)
        return verdict;
    router->nat.counters.hairpins++;
    return nat_outward(&router->nat, router->now_ns, ip, total);
}

/* For the router's address outside: whether it is translated, and goes on. */
static enum nat_verdict translate(struct router *router, struct router_packet *packet) {
    uint8_t *ip = router_packet_ip(packet);
    if (router->nat_port < 0 || wire_get32(ip + 16) != router->nat.outer_address)
        return NAT_AS_IT_IS;
    if (packet->in_port != router->nat_port)
        return hairpin(router, packet);
    return nat_inward(&router->nat, router->now_ns, ip, router_packet_bytes(packet));
}

void router_ip4_receive(struct router *router, struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    bool broadcast = packet->frame[0] & 1;
    if (!is_whole(packet)) {
        router_drop(router, packet, &router->counters.in_header_errors);
        return;
    }
    uint32_t source = wire_get32(ip + 12), destination = wire_get32(ip + 16);
    enum nat_verdict verdict = translate(router, packet);
    if (verdict == NAT_DROPPED) {
        router_drop(router, packet, &router->counters.discarded);
        return;
    }
    bool ours = router_port_of(router, ip_from_v4(destination)) >= 0;
    if (verdict == NAT_AS_IT_IS && (ours || is_broadcast(router, destination))) {
        if (is_martian(source) || router_port_of(router, ip_from_v4(source)) >= 0)
            router_drop(router, packet, &router->counters.in_address_errors);
        else
            deliver(router, packet);
        return;
    }
    destination = wire_get32(ip + 16);
    if (destination >> 28 == 14) {
        router_drop(router, packet, &router->counters.multicast);
        return;
    }
    if (broadcast || is_martian(source) || is_martian(destination) || source >> 16 == 0xa9fe ||
        destination >> 16 == 0xa9fe || is_broadcast(router, source)) {
        router_drop(router, packet, &router->counters.in_address_errors);
        return;
    }
    forward(router, packet);
}
