/* SPDX-License-Identifier: MIT */
/*
 * ip.h - IP: what TCP, UDP and raw sockets know of it, of both families; and IPv4 (RFC 791): routes, what
 * comes in, what goes out.
 *
 * What begins with ip_ and takes a struct ip_address is for both. IPv4's own part, ip4_, has its addresses in
 * host order.
 */
#ifndef STACK_IP_IP_H
#define STACK_IP_IP_H

#include "stack/base/wire.h"
#include "stack/ip/ip_address.h"
#include "stack/link/frame.h"

#define IP_ROUTES_MAX 32u
#define IP_DEFAULT_TTL 64u
#define IP_LOOPBACK 0x7f000001u  /* 127.0.0.1 */
#define IP_ALL_HOSTS 0xe0000001u /* 224.0.0.1 */
#define IP_MTU_MIN 68u           /* RFC 791: every link carries so much */

struct stack;
struct icmp_error;
struct datagram_stamp;
struct ip6_extensions;
struct icmp_quoted;

struct ip_route {
    uint32_t destination, mask;
    uint32_t gateway; /* 0: on the link */
};

struct ip_routes {
    uint32_t count;
    struct ip_route routes[IP_ROUTES_MAX];
};

/* A received packet, its header checked. The chain begins with the payload; the header still lies before it.
 */
#define IP_OPTIONS_MAX 40u

/* As in a header: a multiple of 4 bytes. */
struct ip_options {
    uint8_t length;
    uint8_t bytes[IP_OPTIONS_MAX];
};

struct ip_packet {
    struct ip_address source, destination;
    uint8_t protocol, ttl, tos; /* of IPv6: that of the last header, hop limit, traffic class */
    bool multicast;             /* sent to a broadcast or multicast address, of either layer */
    bool looped;                /* the stack sent it to itself */
    bool checksum_partial; /* the transport checksum may be unfinished: see STACK_INPUT_CHECKSUM_PARTIAL */
    bool checksum_good;    /* it is known to be right: see STACK_INPUT_CHECKSUM_GOOD */
    uint32_t header_at;    /* the header's place in chain->storage */
    uint32_t length;       /* payload bytes */
    uint32_t covered;      /* UDP-Lite: bytes of it that the checksum covers; 0: all */
    uint32_t longest_fragment; /* bytes of the longest packet that a part of it came in; 0: it came whole */
    uint32_t flow_label;       /* of IPv6 */
    uint32_t extensions;       /* ... bytes of headers between its own and the payload */
    uint32_t next_header_at;   /* ... the place in chain->storage of the byte that says what the payload is */
    bool fragmented;           /* ... it has, or had, a fragment header */
    uint8_t first_extension;   /* ... what the headers of `options` begin with */
    struct ip_options options; /* of IPv6: its extension headers, as they came */
    struct buffer *chain;      /* owned by whoever handles the packet; NULL once taken */
};

/* What IP is told of a packet that is to be sent. */
struct ip_parameters {
    struct ip_address source, destination;
    uint8_t protocol, ttl, tos;
    uint32_t flow_label;                     /* of IPv6, 20 bits; 0: none */
    bool dont_fragment;                      /* the header's flag */
    bool on_link;                            /* to a neighbour only: SO_DONTROUTE */
    bool loop;                               /* a multicast comes back to ourselves */
    const struct ip_options *options;        /* NULL: none; they are no part of mtu */
    const struct ip6_extensions *extensions; /* of IPv6; NULL: none */
    struct datagram_stamp *stamp;            /* whoever wants to know when it leaves; NULL: nobody */
    uint16_t *identification; /* a connected socket's own counter, or NULL: see ip_identification.h */
    uint32_t mtu; /* what is longer goes in fragments; 0: the sender has seen to it that it fits */
};

/* Adds a route, or replaces the one for the same network. Returns 0 or -ENOBUFS. */
int ip_route_add(struct ip_routes *routes, uint32_t destination, uint32_t mask, uint32_t gateway);

/* The route to a destination, by longest prefix; or NULL. */
const struct ip_route *ip_route_find(const struct ip_routes *routes, uint32_t destination);

/* The next hop for a destination, by that route. Returns 0 or -ENETUNREACH. */
int ip_route_lookup(const struct ip_routes *routes, uint32_t destination, uint32_t *next_hop);

/* Whether a route goes by that gateway. */
bool ip_route_names(const struct ip_routes *routes, uint32_t gateway);

/* An upper layer heard from a destination: its next hop works (RFC 4861 section 7.3.1). */
void ip_confirm(struct stack *stack, struct ip_address destination);

/* Whether an address is one of the stack's own: of the loopback networks, too, if they are the stack's. */
bool ip_is_local(const struct stack *stack, struct ip_address address);
bool ip_is_broadcast(const struct stack *stack, struct ip_address address);
bool ip4_is_local(const struct stack *stack, uint32_t address);
bool ip4_is_broadcast(const struct stack *stack, uint32_t address);
bool ip4_is_loopback(uint32_t address);
bool ip4_is_multicast(uint32_t address);

/* The interface that an address says nothing without (sin6_scope_id): there is one. 0: it needs none. */
uint32_t ip_scope_id(const struct stack *stack, struct ip_address address);

/* Whether there is a way to a destination: 0 or -ENETUNREACH. */
int ip_reachable(const struct stack *stack, struct ip_address destination);

/* The source address for a destination, of IPv6 by preferences (enum ip6_source_preference, 0: none), and the
 * largest packet on the way to it (ip_path.h): packets to ourselves have no MTU but IP's own. */
struct ip_address ip_source(const struct stack *stack, struct ip_address destination, unsigned preferences);
uint32_t ip_mtu(const struct stack *stack, struct ip_address destination);

/* The most that a packet carries behind IP's own header. */
static inline uint32_t ip_payload_max(struct ip_address address) {
    return ip_is_v4(address) ? IP_DATAGRAM_MAX - IP_HEADER_BYTES : IP_DATAGRAM_MAX;
}

/* The bytes of an IP header, without options, in a packet between addresses of that family. */
static inline uint32_t ip_header_bytes(struct ip_address address) {
    return ip_is_v4(address) ? IP_HEADER_BYTES : IP6_HEADER_BYTES;
}

enum ip_input_flag {
    IP_INPUT_LINK_MULTICAST = 1,   /* the frame was not for us alone */
    IP_INPUT_CHECKSUM_PARTIAL = 2, /* see STACK_INPUT_CHECKSUM_PARTIAL */
    IP_INPUT_LOOPED = 4,           /* the stack sent it to itself */
    IP_INPUT_CHECKSUM_GOOD = 8,    /* see STACK_INPUT_CHECKSUM_GOOD */
};

/* Answers a packet whose port nobody has with an error of its family. */
void ip_refuse_port(struct stack *stack, const struct ip_packet *packet);

/* Handles a received packet in a chain that begins at the IP header; takes the chain. */
void ip_input(struct stack *stack, struct buffer *chain, unsigned flags);

/* Whether the NIC can compute the transport checksum of such a packet: it leaves as it is, in one piece. */
bool ip_offloads(const struct stack *stack, const struct ip_parameters *parameters,
                 const struct frame *frame);

/* Sends the frame of frame_begin, which has its transport header and payload; the stack's own address loops
 * back. Returns 0, -ENETUNREACH, -EMSGSIZE or -ENOBUFS; the frame is used up in each case. */
int ip_output(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters);

/* Sends a frame that has its IP header already, too, of any length; see ip_output. */
int ip_output_whole(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters);

/* Writes the IP header of a frame: `offset` is that of a fragment, `flags` IP_DONT_FRAGMENT and so on. */
#define IP_DONT_FRAGMENT 0x4000u
#define IP_MORE_FRAGMENTS 0x2000u
#define IP_OFFSET_MASK 0x1fffu
void ip_write_header(struct frame *frame, const struct ip_parameters *parameters, uint16_t identification,
                     uint16_t flags_and_offset);

/* Makes the options that a program gives those of a header: IP_OPTIONS of ip(7). Returns 0, or -EINVAL for
 * what can't be, and for source routes. */
int ip_options_set(struct ip_options *options, const uint8_t *from, uint32_t length);

/* Puts the checksum into an IP header that has all the rest, options included. */
void ip_seal_header(uint8_t *header);

/* Tells the owner of a packet that could not be delivered. `header` is the packet from its IP header on, of
 * which `length` bytes are there. */
void ip_error(struct stack *stack, const uint8_t *header, uint32_t length, const struct icmp_error *error);

/* The same of a packet of either family whose headers have been read. */
void ip_error_quoted(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error);

#endif
