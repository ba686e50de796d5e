/* SPDX-License-Identifier: MIT */
/*
 * router_fragment.c - packets that are longer than the next link carries: of IPv4 (RFC 791 section 3.2), and
 * the router's own of IPv6 (RFC 8200 section 4.5). All parts but the last have a length that is a multiple of
 * 8; options of IPv4 that are not to be copied are in the first alone.
 */
#include "stack/base/minmax.h"
#include "stack/router/router.h"

#define MORE_FRAGMENTS 0x2000u
#define OFFSET_MASK 0x1fffu
#define IP6_FRAGMENT_BYTES 8u

/* Makes the header of the parts after the first. Returns its length. */
static uint32_t copy_header(uint8_t *to, const uint8_t *ip) {
    uint32_t header = (ip[0] & 15u) * 4, length = IP_HEADER_BYTES;
    memcpy(to, ip, IP_HEADER_BYTES);
    for (uint32_t at = IP_HEADER_BYTES; at < header && ip[at] != 0;) {
        uint32_t bytes = ip[at] == 1 ? 1 : ip[at + 1]; /* router_ip4_options has checked them */
        if (ip[at] & 0x80) {
            memcpy(to + length, ip + at, bytes);
            length += bytes;
        }
        at += bytes;
    }
    while (length % 4)
        to[length++] = 0;
    to[0] = (uint8_t)(0x40 | length / 4);
    return length;
}

void router_ip4_fragment(struct router *router, int port, struct ip_address next_hop,
                         struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    uint8_t later[IP_HEADER_MAX];
    uint32_t header = (ip[0] & 15u) * 4, total = router_packet_bytes(packet), at = header;
    uint32_t mtu = router->ports[port].config.mtu, flags = wire_get16(ip + 6);
    uint32_t later_header = copy_header(later, ip);
    router->counters.fragmented++;
    while (at < total) {
        bool first = at == header;
        uint32_t own = first ? header : later_header, left = total - at;
        uint32_t bytes = own + left <= mtu ? left : (mtu - own) & ~7u;
        struct router_packet *part = router_new_packet(router, own + bytes);
        if (!part)
            break;
        uint8_t *to = router_packet_ip(part);
        memcpy(to, first ? ip : later, own);
        memcpy(to + own, ip + at, bytes);
        wire_put16(to + 2, (uint16_t)(own + bytes));
        uint32_t offset = (flags & OFFSET_MASK) + (at - header) / 8;
        bool more = at + bytes < total || flags & MORE_FRAGMENTS;
        wire_put16(to + 6, (uint16_t)(offset | (more ? MORE_FRAGMENTS : 0)));
        router_ip4_checksum(to);
        part->in_port = packet->in_port;
        router->counters.fragments++;
        router_transmit(router, port, next_hop, part);
        at += bytes;
    }
    router_packet_free(&router->packets, packet);
}

void router_ip6_fragment(struct router *router, int port, struct ip_address next_hop,
                         struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    uint32_t payload = router_packet_bytes(packet) - IP6_HEADER_BYTES;
    uint32_t most = (router->ports[port].config.mtu - IP6_HEADER_BYTES - IP6_FRAGMENT_BYTES) & ~7u;
    uint32_t identification = (uint32_t)random_u64(&router->random); /* RFC 7739: not to be foreseen */
    for (uint32_t at = 0; at < payload; at += most) {
        uint32_t bytes = min_u32(payload - at, most);
        struct router_packet *part = router_new_packet(router, IP6_HEADER_BYTES + IP6_FRAGMENT_BYTES + bytes);
        if (!part)
            break;
        uint8_t *to = router_packet_ip(part), *header = to + IP6_HEADER_BYTES;
        memcpy(to, ip, IP6_HEADER_BYTES);
        wire_put16(to + 4, (uint16_t)(IP6_FRAGMENT_BYTES + bytes));
        to[6] = IP6_FRAGMENT;
        header[0] = ip[6];
        wire_put16(header + 2, (uint16_t)(at | (at + bytes < payload)));
        wire_put32(header + 4, identification);
        memcpy(header + IP6_FRAGMENT_BYTES, ip + IP6_HEADER_BYTES + at, bytes);
        router_transmit(router, port, next_hop, part);
    }
    router_packet_free(&router->packets, packet);
}
