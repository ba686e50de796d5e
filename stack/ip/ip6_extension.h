/* SPDX-License-Identifier: MIT */
/*
 * ip6_extension.h - extension headers (RFC 8200 section 4).
 */
#ifndef STACK_IP_IP6_EXTENSION_H
#define STACK_IP_IP6_EXTENSION_H

#include "stack/ip/ip_address.h"
#include <stdbool.h>
#include <stdint.h>

#define IP6_ROUTING_BYTES 24u  /* of type 2: one address */
#define IP6_EXTENSIONS_MAX 64u /* bytes of those that a packet of ours may have, each kind */
#define IP6_OPTIONS_MAX 8u     /* in one header, but for padding: max_hbh_opts_number, max_dst_opts_number */

struct stack;
struct ip_packet;

/* What a program wants between IPv6's header and the transport's (RFC 3542): whole headers, as on the wire
 * but for their first byte, each a multiple of 8 bytes long; 0 bytes: none. */
struct ip6_extension {
    uint8_t length;
    uint8_t bytes[IP6_EXTENSIONS_MAX];
};

struct ip6_extensions {
    struct ip6_extension hop_by_hop;
    struct ip6_extension routing_options; /* destination options in front of a routing header */
    struct ip6_extension routing;
    struct ip6_extension options; /* destination options for the destination alone */
};

/* How many bytes they take, all together: options in front of a routing header are left out where there is none. */
static inline uint32_t ip6_extensions_bytes(const struct ip6_extensions *extensions) {
    if (!extensions)
        return 0;
    uint32_t routing =
        extensions->routing.length ? extensions->routing_options.length + extensions->routing.length : 0u;
    return extensions->hop_by_hop.length + routing + extensions->options.length;
}

#define IP6_CHAIN_MAX (4 * IP6_EXTENSIONS_MAX)

enum ip6_parts {
    IP6_PART_EVERY_FRAGMENT = 1, /* what stands in front of a fragment header */
    IP6_PART_ONCE = 2,           /* what is cut with the payload */
    IP6_ALL_PARTS = 3,
};

/* Writes the headers of `parts`, each with the number of what follows it; the last is followed by *protocol,
 * which becomes the number of the first. Returns how many bytes they take. */
uint32_t ip6_extensions_write(const struct ip6_extensions *extensions, enum ip6_parts parts,
                              uint8_t *protocol, uint8_t bytes[IP6_CHAIN_MAX]);

/* Where a packet goes first: to the address in a routing header (type 2: RFC 6275 section 6.4), if there is one. The
 * destination takes its place there, in what ip6_extensions_write wrote. */
struct ip_address ip6_extensions_route(const struct ip6_extensions *extensions, struct ip_address destination,
                                       uint8_t *bytes);

/* Handles the extension headers of a received packet, in the order that they come in. True: the chain begins
 * with packet->protocol's header. False: the packet is to be dropped, or its chain was kept with others. */
bool ip6_extensions_input(struct stack *stack, struct ip_packet *packet);

/* Looks for the header behind all extension headers of a packet, of which `length` bytes are there: its
 * number and its place. False when it is not there: the packet is cut off before it, or a fragment but the
 * first. */
bool ip6_find_transport(const uint8_t *packet, uint32_t length, uint8_t *protocol, uint32_t *at);

#endif
