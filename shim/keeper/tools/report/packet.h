/* SPDX-License-Identifier: MIT */
/*
 * packet.h - the headers of a captured packet: IPv4, IPv6, and TCP with its options, in host order.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_PACKET_H
#define SHIM_KEEPER_TOOLS_REPORT_PACKET_H

#include "shim/keeper/tools/report/capture.h"

#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_UDPLITE 136
#define PROTOCOL_ICMPV6 58

/* An IPv6 address; IPv4's are mapped (::ffff:a.b.c.d). */
struct address {
    uint8_t bytes[16];
};

/* A packet of IP, its extension headers passed over. */
struct captured_ip {
    struct address source, destination;
    uint8_t protocol, ttl;
    uint16_t identification; /* 0 with IPv6, which has none */
    bool fragment;           /* not the first: no transport header is in it */
    const uint8_t *payload;
    uint32_t captured, length; /* of the payload: what is there, what was sent */
};

/* A segment of TCP. */
struct header {
    struct address source, destination;
    uint32_t sequence, acknowledgment, window, length;
    uint32_t timestamp, echo; /* TSval and TSecr (RFC 7323); 0: none */
    uint16_t from, to, mss;
    int scale; /* -1: not said */
    uint16_t identification;
    uint8_t flags, ttl, sack_count;
    bool timestamps, sack_permitted;
    uint32_t sack[8];
};

/* Sequence numbers, which wrap around. */
static inline bool sequence_before(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) < 0;
}

uint32_t packet_get16(const uint8_t *at);
uint32_t packet_get32(const uint8_t *at);

/* An address as text: 10.77.0.2, or 2001:db8::2. The text is one of several buffers, used in turn. */
const char *packet_address(const struct address *address);
bool packet_same_address(const struct address *a, const struct address *b);

/* Maps an IPv4 address of four bytes. */
struct address packet_map(const uint8_t *bytes);

/* False: the packet is not one of IP, or its headers are not whole. */
bool packet_read_ip(const struct capture_packet *packet, struct captured_ip *ip);
bool packet_read_tcp(const struct captured_ip *ip, struct header *header);

#endif
