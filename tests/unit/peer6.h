/* SPDX-License-Identifier: MIT */
/*
 * peer6.h - a scripted peer that speaks IPv6 to one stack, for tests of the layer itself.
 */
#ifndef TESTS_UNIT_PEER6_H
#define TESTS_UNIT_PEER6_H

#include "tests/unit/host.h"

/* An address by its text. */
struct ip_address v6(const char *text);

#define PEER6 v6("fe80::2") /* the peer's; its MAC address is that of HOST_B */
extern const uint8_t PEER6_MAC[6], OTHER6_MAC[6];

/* A stack that has IPv6 alone: with `autoconf` it asks for routers. */
struct host host6_create(bool autoconf);

/* The same, and its link-local address has been checked; what it has sent is gone. Gives that address. */
struct host host6_settled(bool autoconf, struct ip_address *own);

/* A packet of the peer's; what is 0 has its usual value. */
struct packet6 {
    struct ip_address source, destination; /* PEER6; and the stack's link-local address */
    const uint8_t *mac;                    /* of the frame's sender */
    uint8_t protocol, ttl, tos;            /* ICMPv6; 255 */
    bool hop_by_hop;                       /* the protocol is 0 indeed: hop-by-hop options */
    bool from_nobody;                      /* its source is "::" */
    bool wrong_checksum;                   /* of ICMPv6 */
    bool as_it_is;                         /* of ICMPv6 the checksum is not touched */
    bool without_length;                   /* IPv6's header says 0 */
};
void peer6_send(struct host *host, const struct packet6 *packet, const void *payload, uint32_t length);

/* The next packet of IPv6 that the stack has sent: its payload is what follows IPv6's header. False: none. */
struct seen6 {
    struct ip_address source, destination;
    uint8_t mac[6]; /* to whom */
    uint8_t protocol, ttl, tos;
    uint32_t flow_label;
    const uint8_t *payload;
    uint32_t length;
};
bool peer6_read(struct host *host, struct seen6 *seen);

/* The next message of ICMPv6 of a type; all others are passed over. Its checksum is right. Skips hop-by-hop
 * options. */
bool peer6_read_message(struct host *host, uint8_t type, struct seen6 *seen);

/* Messages of the peer's. Returns the length. */
struct advertisement6 {
    uint8_t hop_limit, flags;
    uint16_t lifetime_s;
    uint32_t reachable_ms, retransmit_ms;
    const uint8_t *options;
    uint32_t options_length;
};
void peer6_router(struct host *host, struct ip_address router, const uint8_t mac[6],
                  const struct advertisement6 *advertisement);
uint32_t write_prefix(uint8_t *to, const char *prefix, uint8_t length, uint8_t flags, uint32_t valid_s,
                      uint32_t preferred_s);
void peer6_solicit(struct host *host, struct ip_address source, struct ip_address destination,
                   struct ip_address target, const uint8_t *mac);
void peer6_advertise(struct host *host, struct ip_address target, uint8_t flags, const uint8_t *mac);
void peer6_ping(struct host *host, struct ip_address source, struct ip_address destination,
                const uint8_t *mac);

#endif
