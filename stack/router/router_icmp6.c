/* SPDX-License-Identifier: MIT */
/*
 * router_icmp6.c - a router's ICMPv6 (RFC 4443): errors, the answer to a ping, and redirects (RFC 4861
 * section 8.2). Neighbor Discovery is in router_nd.c.
 */
#include "stack/base/checksum.h"
#include "stack/base/minmax.h"
#include "stack/router/router.h"

#define ICMP_BYTES 8u
#define ERROR_MAX 1280u
#define REDIRECT_BYTES 40u
#define OPTION_TARGET_MAC 2u
#define ND_HOP_LIMIT 255u

void router_icmp6_finish(uint8_t *ip, uint32_t bytes, struct ip_address source, struct ip_address destination,
                         uint8_t hop_limit) {
    uint8_t *message = ip + IP6_HEADER_BYTES;
    wire_put32(ip, 6u << 28);
    wire_put16(ip + 4, (uint16_t)bytes);
    ip[6] = IP_PROTOCOL_ICMP6;
    ip[7] = hop_limit;
    memcpy(ip + 8, source.bytes, sizeof source.bytes);
    memcpy(ip + 24, destination.bytes, sizeof destination.bytes);
    wire_put16(message + 2, 0);
    uint64_t sum = checksum_pseudo_header(source, destination, IP_PROTOCOL_ICMP6, (uint16_t)bytes);
    wire_put_sum(message + 2, (uint16_t)~checksum_fold(checksum_add(sum, message, bytes)));
}

/* Sends a message; to a link-local address by the port that it is about. */
static void send_message(struct router *router, int port, struct router_packet *packet, uint32_t bytes,
                         struct ip_address source, struct ip_address to, uint8_t hop_limit) {
    router_icmp6_finish(router_packet_ip(packet), bytes, source, to, hop_limit);
    if (ip_is_link_local(to))
        router_send_by(router, port, to, packet);
    else
        router_send(router, packet);
}

static bool is_error(const struct router_packet *packet) {
    const uint8_t *ip = packet->frame + ETHER_HEADER_BYTES;
    uint32_t bytes = packet->length - ETHER_HEADER_BYTES;
    return ip[6] == IP_PROTOCOL_ICMP6 &&
           (bytes <= IP6_HEADER_BYTES || ip[IP6_HEADER_BYTES] < 128 || ip[IP6_HEADER_BYTES] == 137);
}

/* RFC 4443 section 2.4 (e). */
static bool may_answer(const struct router_packet *packet) {
    const uint8_t *ip = packet->frame + ETHER_HEADER_BYTES;
    struct ip_address source = ip_from_bytes(ip + 8);
    return packet->in_port >= 0 && !(packet->frame[0] & 1) && ip[24] != 0xff && !ip_is_any(source) &&
           !ip_is_multicast(source) && !is_error(packet);
}

void router_icmp6_error(struct router *router, const struct router_packet *packet, uint8_t type, uint8_t code,
                        uint32_t info) {
    const uint8_t *ip = packet->frame + ETHER_HEADER_BYTES;
    struct ip_address to = ip_from_bytes(ip + 8);
    const struct router_route *route = router_routes_find(&router->routes, to);
    int port = ip_is_link_local(to) ? packet->in_port : route ? route->port : -1;
    if (port < 0 || !may_answer(packet) || !router_icmp_allowed(router))
        return;
    struct ip_address from = router_source(router, port, to);
    uint32_t bytes =
        ICMP_BYTES + min_u32(packet->length - ETHER_HEADER_BYTES, ERROR_MAX - IP6_HEADER_BYTES - ICMP_BYTES);
    struct router_packet *answer =
        ip_is_any(from) ? NULL : router_new_packet(router, IP6_HEADER_BYTES + bytes);
    if (!answer)
        return;
    uint8_t *message = router_packet_ip(answer) + IP6_HEADER_BYTES;
    message[0] = type;
    message[1] = code;
    wire_put32(message + 4, info);
    memcpy(message + ICMP_BYTES, ip, bytes - ICMP_BYTES);
    send_message(router, port, answer, bytes, from, to, ROUTER_TTL);
}

void router_icmp6_redirect(struct router *router, const struct router_packet *packet,
                           struct ip_address next_hop) {
    const uint8_t *ip = packet->frame + ETHER_HEADER_BYTES;
    struct ip_address to = ip_from_bytes(ip + 8), destination = ip_from_bytes(ip + 24);
    int port = packet->in_port;
    struct router_neighbour *entry = router_neighbour_find(router, port, next_hop);
    /* RFC 4861 section 8.2: its sender is a neighbour, and so is a router of link-local address, or the
     * destination itself. */
    if (!router_is_on_link(router, port, to) || !may_answer(packet) ||
        (!ip_is_link_local(next_hop) && !ip_equal(next_hop, destination)) || !router_icmp_allowed(router))
        return;
    uint32_t bytes = REDIRECT_BYTES + (entry && entry->known ? 8 : 0);
    struct router_packet *answer = router_new_packet(router, IP6_HEADER_BYTES + bytes);
    if (!answer)
        return;
    uint8_t *message = router_packet_ip(answer) + IP6_HEADER_BYTES;
    message[0] = 137;
    memcpy(message + 8, next_hop.bytes, IP_ADDRESS_BYTES);
    memcpy(message + 24, destination.bytes, IP_ADDRESS_BYTES);
    if (entry && entry->known) {
        message[REDIRECT_BYTES] = OPTION_TARGET_MAC;
        message[REDIRECT_BYTES + 1] = 1;
        memcpy(message + REDIRECT_BYTES + 2, entry->mac, sizeof entry->mac);
    }
    router->counters.redirects++;
    struct ip_address link_local = {.bytes = {0xfe, 0x80}};
    router_icmp6_finish(router_packet_ip(answer), bytes, router_source(router, port, link_local), to,
                        ND_HOP_LIMIT);
    router_transmit(router, port, to, answer);
}

static void answer_echo(struct router *router, const struct router_packet *packet) {
    const uint8_t *ip = packet->frame + ETHER_HEADER_BYTES;
    uint32_t bytes = packet->length - ETHER_HEADER_BYTES - IP6_HEADER_BYTES;
    struct ip_address to = ip_from_bytes(ip + 8), asked = ip_from_bytes(ip + 24);
    struct ip_address from = ip_is_multicast(asked) ? router_source(router, packet->in_port, to) : asked;
    struct router_packet *answer = router_new_packet(router, IP6_HEADER_BYTES + bytes);
    if (!answer)
        return;
    uint8_t *message = router_packet_ip(answer) + IP6_HEADER_BYTES;
    memcpy(message, ip + IP6_HEADER_BYTES, bytes);
    message[0] = 129;
    send_message(router, packet->in_port, answer, bytes, from, to, ROUTER_TTL);
}

void router_icmp6_input(struct router *router, struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet), *message = ip + IP6_HEADER_BYTES;
    uint32_t bytes = router_packet_bytes(packet) - IP6_HEADER_BYTES;
    uint64_t sum = checksum_pseudo_header(ip_from_bytes(ip + 8), ip_from_bytes(ip + 24), IP_PROTOCOL_ICMP6,
                                          (uint16_t)bytes);
    if (bytes < ICMP_BYTES || checksum_fold(checksum_add(sum, message, bytes)) != 0xffff)
        return;
    if (message[0] == 128 && !ip_is_any(ip_from_bytes(ip + 8)))
        answer_echo(router, packet);
    else if (message[0] >= 133 && message[0] <= 136 && ip[7] == ND_HOP_LIMIT && message[1] == 0)
        router_nd_input(router, packet->in_port, ip, message, bytes);
}
