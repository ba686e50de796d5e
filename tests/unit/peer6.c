/* SPDX-License-Identifier: MIT */
/*
 * peer6.c - see peer6.h.
 */
#include "tests/unit/peer6.h"
#include "stack/base/checksum.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/nd.h"
#include <stdlib.h>
#include <string.h>

const uint8_t PEER6_MAC[6] = {2, 0, 0x0a, 0x4d, 0, 2}, OTHER6_MAC[6] = {2, 9, 9, 9, 9, 9};

struct ip_address v6(const char *text) {
    struct ip_address address;
    assert_int_equal(ip_parse(text, &address), 0);
    return address;
}

struct host host6_create(bool autoconf) {
    const struct stack_config config = {.mac = {2, 0, 0x0a, 0x4d, 0, 1},
                                        .mtu = 1500,
                                        .loopback = true,
                                        .offload = getenv("BAREWIRE_OFFLOAD") != NULL,
                                        .ip6 = {.on = true, .autoconf = autoconf}};
    struct host host = host_create_configured(&config);
    stack_advance(host.stack, now + TIMER_TICK_NS); /* so that it begins */
    return host;
}

struct host host6_settled(bool autoconf, struct ip_address *own) {
    struct host host = host6_create(autoconf);
    host_run(&host, 5 * SECOND);
    host_discard(&host);
    *own = host.stack->ip6.addresses.entries[0].address;
    assert_int_equal(host.stack->ip6.addresses.entries[0].flags & IP6_FLAG_TENTATIVE, 0);
    return host;
}

void peer6_send(struct host *host, const struct packet6 *packet, const void *payload, uint32_t length) {
    static uint8_t frame[70000];
    uint8_t *ip = frame + ETHER_HEADER_BYTES, *body = ip + IP6_HEADER_BYTES;
    struct ip_address source = ip_is_any(packet->source) && !packet->from_nobody ? PEER6 : packet->source;
    struct ip_address destination =
        ip_is_any(packet->destination) ? host->stack->ip6.addresses.entries[0].address : packet->destination;
    uint8_t protocol = packet->protocol || packet->hop_by_hop ? packet->protocol : IP_PROTOCOL_ICMP6;
    memcpy(frame, host->stack->config.mac, 6);
    if (ip_is_multicast(destination))
        ip6_group_mac(destination, frame);
    memcpy(frame + 6, packet->mac ? packet->mac : PEER6_MAC, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP6);
    wire_put32(ip, 6u << 28 | (uint32_t)packet->tos << 20);
    wire_put16(ip + 4, packet->without_length ? 0 : (uint16_t)length);
    ip[6] = protocol;
    ip[7] = packet->ttl ? packet->ttl : 255;
    memcpy(ip + 8, source.bytes, 16);
    memcpy(ip + 24, destination.bytes, 16);
    memcpy(body, payload, length);
    if (protocol == IP_PROTOCOL_ICMP6 && length >= 4 && !packet->as_it_is) {
        wire_put16(body + 2, 0);
        uint64_t sum = checksum_pseudo_header(source, destination, protocol, (uint16_t)(length));
        uint16_t folded = (uint16_t)~checksum_fold(checksum_add(sum, body, length));
        wire_put_sum(body + 2, packet->wrong_checksum ? folded ^ 0x100 : folded);
    }
    host_input(host, frame, ETHER_HEADER_BYTES + IP6_HEADER_BYTES + length, 0);
}

bool peer6_read(struct host *host, struct seen6 *seen) {
    static struct seen frame;
    while (host_sent(host, &frame)) {
        const uint8_t *ip = frame.bytes + ETHER_HEADER_BYTES;
        if (wire_get16(frame.bytes + 12) != ETHER_TYPE_IP6)
            continue;
        assert_int_equal(ip[0] >> 4, 6);
        *seen = (struct seen6){.source = ip_from_bytes(ip + 8),
                               .destination = ip_from_bytes(ip + 24),
                               .protocol = ip[6],
                               .ttl = ip[7],
                               .tos = (uint8_t)(wire_get16(ip) >> 4),
                               .flow_label = wire_get32(ip) & 0xfffff,
                               .payload = ip + IP6_HEADER_BYTES,
                               .length = wire_get16(ip + 4)};
        memcpy(seen->mac, frame.bytes, 6);
        assert_int_equal(seen->length + ETHER_HEADER_BYTES + IP6_HEADER_BYTES, frame.length);
        return true;
    }
    return false;
}

bool peer6_read_message(struct host *host, uint8_t type, struct seen6 *seen) {
    while (peer6_read(host, seen)) {
        if (seen->protocol == IP6_HOP_BY_HOP) {
            uint32_t bytes = (seen->payload[1] + 1u) * 8;
            seen->protocol = seen->payload[0];
            seen->payload += bytes;
            seen->length -= bytes;
        }
        if (seen->protocol != IP_PROTOCOL_ICMP6 || seen->payload[0] != type)
            continue;
        uint64_t sum = checksum_pseudo_header(seen->source, seen->destination, IP_PROTOCOL_ICMP6,
                                              (uint16_t)(seen->length));
        assert_int_equal(checksum_fold(checksum_add(sum, seen->payload, seen->length)), 0xffff);
        return true;
    }
    return false;
}

static uint32_t write_mac(uint8_t *to, uint8_t kind, const uint8_t mac[6]) {
    to[0] = kind;
    to[1] = 1;
    memcpy(to + 2, mac, 6);
    return 8;
}

void peer6_router(struct host *host, struct ip_address router, const uint8_t mac[6],
                  const struct advertisement6 *advertisement) {
    uint8_t message[1400] = {ICMP6_ROUTER_ADVERTISEMENT};
    uint32_t length = 16;
    const struct packet6 packet = {.source = router, .destination = IP6_ALL_NODES, .mac = mac};
    message[4] = advertisement->hop_limit;
    message[5] = advertisement->flags;
    wire_put16(message + 6, advertisement->lifetime_s);
    wire_put32(message + 8, advertisement->reachable_ms);
    wire_put32(message + 12, advertisement->retransmit_ms);
    length += write_mac(message + length, ND_OPTION_SOURCE_MAC, mac);
    if (advertisement->options_length)
        memcpy(message + length, advertisement->options, advertisement->options_length);
    peer6_send(host, &packet, message, length + advertisement->options_length);
}

uint32_t write_prefix(uint8_t *to, const char *prefix, uint8_t length, uint8_t flags, uint32_t valid_s,
                      uint32_t preferred_s) {
    memset(to, 0, 32);
    to[0] = ND_OPTION_PREFIX;
    to[1] = 4;
    to[2] = length;
    to[3] = flags;
    wire_put32(to + 4, valid_s);
    wire_put32(to + 8, preferred_s);
    memcpy(to + 16, v6(prefix).bytes, 16);
    return 32;
}

void peer6_solicit(struct host *host, struct ip_address source, struct ip_address destination,
                   struct ip_address target, const uint8_t *mac) {
    uint8_t message[32] = {ICMP6_NEIGHBOUR_SOLICITATION};
    uint32_t length = 24;
    struct packet6 packet = {
        .source = source, .destination = destination, .mac = mac, .from_nobody = ip_is_any(source)};
    memcpy(message + 8, target.bytes, 16);
    if (mac)
        length += write_mac(message + 24, ND_OPTION_SOURCE_MAC, mac);
    peer6_send(host, &packet, message, length);
}

void peer6_advertise(struct host *host, struct ip_address target, uint8_t flags, const uint8_t *mac) {
    uint8_t message[32] = {ICMP6_NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags};
    struct packet6 packet = {.source = target, .mac = mac};
    uint32_t length = 24;
    if (!(flags & 0x40))
        packet.destination = IP6_ALL_NODES;
    memcpy(message + 8, target.bytes, 16);
    if (mac)
        length += write_mac(message + 24, ND_OPTION_TARGET_MAC, mac);
    peer6_send(host, &packet, message, length);
}

void peer6_ping(struct host *host, struct ip_address source, struct ip_address destination,
                const uint8_t *mac) {
    uint8_t message[16] = {ICMP6_ECHO_REQUEST, 0, 0, 0, 0x12, 0x34, 0, 1, 'a', 'b', 'c', 'd'};
    const struct packet6 packet = {.source = source, .destination = destination, .mac = mac, .ttl = 64};
    peer6_send(host, &packet, message, sizeof message);
}
