/* SPDX-License-Identifier: MIT */
/*
 * router_icmp4.c - a router's ICMP (RFC 792, RFC 1812 section 4.3): errors about what it does not forward,
 * and the answer to a ping.
 */
#include "stack/base/checksum.h"
#include "stack/base/minmax.h"
#include "stack/router/router.h"

#define ICMP_BYTES 8u
#define ERROR_MAX 576u             /* RFC 1812 section 4.3.2.3 */
#define INTERNETWORK_CONTROL 0xc0u /* the precedence of errors: section 4.3.2.5 */
#define OFFSET_MASK 0x1fffu

static bool is_error(const uint8_t *ip, uint32_t header, uint32_t total) {
    uint8_t type = total > header ? ip[header] : 0;
    return ip[9] == IP_PROTOCOL_ICMP && (type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
}

/* RFC 1812 section 4.3.2.7. */
static bool may_answer(const struct router_packet *packet) {
    const uint8_t *ip = packet->frame + ETHER_HEADER_BYTES;
    uint32_t header = (ip[0] & 15u) * 4, source = wire_get32(ip + 12), first = source >> 24;
    return packet->in_port >= 0 && !(packet->frame[0] & 1) && first != 0 && first != 127 && first < 224 &&
           ip[16] < 224 && !(wire_get16(ip + 6) & OFFSET_MASK) &&
           !is_error(ip, header, packet->length - ETHER_HEADER_BYTES);
}

static void finish(uint8_t *icmp, uint32_t length) {
    wire_put16(icmp + 2, 0);
    wire_put_sum(icmp + 2, (uint16_t)~checksum_fold(checksum_add(0, icmp, length)));
}

/* A packet from inside that can't go on may have been translated already: then the error about it would be for
 * ourselves. It becomes one for the packet's sender, about what that sent; by a hairpin, its destination was
 * translated, too. */
static void undo_nat(struct router *router, uint8_t *at, uint32_t total) {
    if (router->nat_port < 0 || wire_get32(at + 16) != router->nat.outer_address ||
        nat_inward(&router->nat, router->now_ns, at, total) != NAT_TRANSLATED)
        return;
    nat_outward(&router->nat, router->now_ns, at, total);
    struct ip_address to = ip_from_v4(wire_get32(at + 16));
    const struct router_route *route = router_routes_find(&router->routes, to);
    struct ip_address from = route ? router_source(router, route->port, to) : (struct ip_address){0};
    if (!ip_is_any(from))
        wire_put32(at + 12, ip_to_v4(from));
    router_ip4_checksum(at);
}

void router_icmp4_error(struct router *router, const struct router_packet *packet, uint8_t type, uint8_t code,
                        uint32_t info) {
    const uint8_t *ip = packet->frame + ETHER_HEADER_BYTES;
    struct ip_address to = ip_from_v4(wire_get32(ip + 12));
    const struct router_route *route = may_answer(packet) ? router_routes_find(&router->routes, to) : NULL;
    if (!route || !router_icmp_allowed(router))
        return;
    struct ip_address from = router_source(router, route->port, to);
    uint32_t quoted = min_u32(packet->length - ETHER_HEADER_BYTES, ERROR_MAX - IP_HEADER_BYTES - ICMP_BYTES);
    uint32_t total = IP_HEADER_BYTES + ICMP_BYTES + quoted;
    struct router_packet *answer = ip_is_any(from) ? NULL : router_new_packet(router, total);
    if (!answer)
        return;
    uint8_t *at = router_packet_ip(answer), *icmp = at + IP_HEADER_BYTES;
    icmp[0] = type;
    icmp[1] = code;
    wire_put32(icmp + 4, info);
    memcpy(icmp + ICMP_BYTES, ip, quoted);
    finish(icmp, ICMP_BYTES + quoted);
    router_ip4_header(router, at, (uint16_t)total, IP_PROTOCOL_ICMP, INTERNETWORK_CONTROL, ip_to_v4(from),
                      ip_to_v4(to));
    if (packet->in_port != router->nat_port)
        undo_nat(router, at, total);
    router_send(router, answer);
}

/* Echo requests are answered from the address that was asked. */
void router_icmp4_input(struct router *router, struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    uint32_t header = (ip[0] & 15u) * 4, length = router_packet_bytes(packet) - header;
    const uint8_t *icmp = ip + header;
    uint32_t destination = wire_get32(ip + 16);
    if (length < ICMP_BYTES || checksum_fold(checksum_add(0, icmp, length)) != 0xffff || icmp[0] != 8 ||
        icmp[1] != 0 || router_port_of(router, ip_from_v4(destination)) < 0)
        return;
    struct router_packet *answer = router_new_packet(router, IP_HEADER_BYTES + length);
    if (!answer)
        return;
    uint8_t *at = router_packet_ip(answer);
    memcpy(at + IP_HEADER_BYTES, icmp, length);
    at[IP_HEADER_BYTES] = 0;
    finish(at + IP_HEADER_BYTES, length);
    router_ip4_header(router, at, (uint16_t)(IP_HEADER_BYTES + length), IP_PROTOCOL_ICMP, ip[1], destination,
                      wire_get32(ip + 12));
    router_send(router, answer);
}
