/* SPDX-License-Identifier: MIT */
/*
 * router.h - a router of IPv4 and IPv6 between Ethernets (RFC 1812, RFC 8200, RFC 4861), sans-I/O: frames and
 * time come in, frames and the next deadline come out. It has its own small input and output; what a host
 * does, TCP among it, it has not.
 *
 *   router_input -> ip4_receive | ip6_receive -> (NAT) -> forward: route, TTL, MTU -> router_transmit:
 *   (NAT) -> neighbour -> the port's queue -> router_output
 *
 * A step that takes a struct router_packet owns it: it passes it on or frees it. All memory is in struct
 * router, 14 MB of it, mostly packets that are touched when they are first needed.
 */
#ifndef STACK_ROUTER_ROUTER_H
#define STACK_ROUTER_ROUTER_H

#include "stack/base/random.h"
#include "stack/router/router_nat.h"
#include "stack/router/router_neighbours.h"
#include "stack/router/router_queue.h"
#include "stack/router/router_routes.h"

#define ROUTER_PORTS_MAX 16
#define ROUTER_ADDRESSES_MAX 8u
#define ROUTER_ICMP_BURST 50u /* errors at once, and ... */
#define ROUTER_ICMP_PER_SECOND 1000u
#define ROUTER_TTL 64u
#define ROUTER_RA_FIRST 3u /* advertisements that follow each other fast: RFC 4861 section 10 */
#define ROUTER_RA_FIRST_NS UINT64_C(16000000000)
#define ROUTER_RA_LEAST_NS UINT64_C(200000000000)
#define ROUTER_RA_MOST_NS UINT64_C(600000000000)
#define ROUTER_RA_DELAY_NS UINT64_C(20000000) /* of an answer, at most: RFC 4861 allows up to 0.5 s */

struct router_address {
    struct ip_address address;
    uint8_t bits; /* of its network, of 128 */
};

struct router_port_config {
    uint8_t mac[6];
    uint16_t mtu; /* 0: ROUTER_MTU_MAX */
    uint32_t address_count;
    struct router_address addresses[ROUTER_ADDRESSES_MAX];
    struct router_queue_config queue;
    bool advertise; /* sends Router Advertisements, if it has a global IPv6 address */
    bool silent;    /* an MTU black hole: says nothing of packets that are too long for it */
};

struct router_port {
    struct router_port_config config; /* its link-local address is added to its addresses */
    struct router_queue queue;
    uint64_t received, received_bytes;
    uint64_t advertise_ns,
        answer_ns; /* when the next advertisement is due, and one that was asked for; 0: not */
    uint32_t advertised;
};

/* By the names of RFC 4293 and RFC 2011. */
struct router_counters {
    uint64_t in_header_errors, in_address_errors, forwarded, delivered, no_routes, discarded;
    uint64_t ttl_exceeded, fragmented, fragments, too_long, redirects;
    uint64_t icmp_errors, icmp_limited, no_neighbour;
    uint64_t multicast; /* for groups, or broadcast: not forwarded */
};

struct router {
    int port_count, nat_port; /* -1: there is no NAT */
    struct router_port ports[ROUTER_PORTS_MAX];
    uint64_t now_ns;
    uint16_t identification;
    uint32_t icmp_tokens;
    uint64_t icmp_filled_ns;
    struct random random;
    struct router_counters counters;
    struct router_routes routes;
    struct router_neighbours neighbours;
    struct nat nat;
    struct router_packets packets;
};

/* `router` is zero-filled memory. */
void router_init(struct router *router, uint64_t now_ns, const uint8_t seed[RANDOM_SEED_BYTES]);

/* Gives it a port, whose networks become routes, and which says so on the link. Returns its number, or -1:
 * there are ROUTER_PORTS_MAX, or the MTU is no good. */
int router_add_port(struct router *router, const struct router_port_config *config);

/* Translates what leaves by a port, to its first IPv4 address. False: it has none. */
bool router_set_nat(struct router *router, int port);

/* A route by a next hop, which must be on one of its links. False: it is not, or the table is full. */
bool router_add_route(struct router *router, struct ip_address prefix, uint8_t bits,
                      struct ip_address next_hop);

/* A frame arrives at a port. */
void router_input(struct router *router, int port, uint64_t now_ns, const uint8_t *frame, uint32_t length);

/* The next frame that leaves a port by now, copied to `frame` (ROUTER_FRAME_MAX); its length, or 0. */
uint32_t router_output(struct router *router, int port, uint64_t now_ns, uint8_t *frame);

/* Does what is due; when something is, or a frame leaves: ROUTER_NEVER: not before one comes in. */
void router_advance(struct router *router, uint64_t now_ns);
uint64_t router_next(const struct router *router);

/* --- between the router's own files --- */

/* An address of the router's own, and the port that has it: -1: it is none. */
int router_port_of(const struct router *router, struct ip_address address);

/* The router's address that what leaves by a port to a next hop comes from; "::": it has none. */
struct ip_address router_source(const struct router *router, int port, struct ip_address towards);

/* Whether an address is of a network of a port's. */
bool router_is_on_link(const struct router *router, int port, struct ip_address address);

/* A packet of ours, its IP header whole, goes where the table says. */
void router_send(struct router *router, struct router_packet *packet);

/* ... goes to a next hop by a port, in parts if it is longer than the port's MTU. */
void router_send_by(struct router *router, int port, struct ip_address next_hop,
                    struct router_packet *packet);

/* A packet goes to a next hop by a port, past NAT. */
void router_transmit(struct router *router, int port, struct ip_address next_hop,
                     struct router_packet *packet);

/* A whole frame goes into the port's queue. */
void router_enqueue(struct router *router, int port, struct router_packet *packet, const uint8_t to[6],
                    uint16_t type);

/* An empty packet of the router's own, its frame's length set; NULL: there is none free. */
struct router_packet *router_new_packet(struct router *router, uint32_t ip_bytes);

void router_drop(struct router *router, struct router_packet *packet, uint64_t *counter);

/* One more error may leave. */
bool router_icmp_allowed(struct router *router);

void router_arp_input(struct router *router, int port, const uint8_t *packet, uint32_t length);
void router_arp_ask(struct router *router, int port, uint32_t address, const uint8_t to[6]);
void router_arp_announce(struct router *router, int port, uint32_t address);

void router_ip4_receive(struct router *router, struct router_packet *packet);
void router_ip6_receive(struct router *router, struct router_packet *packet);

/* Writes the header of a packet of the router's own, and its checksum. */
void router_ip4_header(struct router *router, uint8_t *ip, uint16_t length, uint8_t protocol, uint8_t tos,
                       uint32_t source, uint32_t destination);
void router_ip4_checksum(uint8_t *ip);

/* Updates the options that are the router's business (RFC 1812 section 5.2.4, 4.2.2.11), with the address of
 * the port that the packet leaves by. Returns the offset of one that is wrong, or 0. `routed`: they want a
 * route of the source's. */
uint32_t router_ip4_options(uint8_t *ip, uint32_t address, uint32_t time_ms, bool *routed);

/* Sends a packet that is longer than the port's MTU in parts (RFC 791 section 3.2); takes it. */
void router_ip4_fragment(struct router *router, int port, struct ip_address next_hop,
                         struct router_packet *packet);

/* Sends a packet of the router's own that is longer than the port's MTU in parts (RFC 8200 section 4.5); takes
 * it. Its header is followed by no extension header. */
void router_ip6_fragment(struct router *router, int port, struct ip_address next_hop,
                         struct router_packet *packet);

/* Answers a packet with an error, unless RFC 1812 section 4.3.2.7 forbids it. The packet stays the caller's. */
void router_icmp4_error(struct router *router, const struct router_packet *packet, uint8_t type, uint8_t code,
                        uint32_t info);
void router_icmp4_input(struct router *router, struct router_packet *packet);

void router_icmp6_error(struct router *router, const struct router_packet *packet, uint8_t type, uint8_t code,
                        uint32_t info);
void router_icmp6_input(struct router *router, struct router_packet *packet);
void router_icmp6_redirect(struct router *router, const struct router_packet *packet,
                           struct ip_address next_hop);
/* Writes header and checksum around a message that lies behind the IPv6 header. */
void router_icmp6_finish(uint8_t *ip, uint32_t message_bytes, struct ip_address source,
                         struct ip_address destination, uint8_t hop_limit);

void router_nd_input(struct router *router, int port, const uint8_t *ip, const uint8_t *message,
                     uint32_t length);
void router_nd_ask(struct router *router, int port, struct ip_address target, const uint8_t to[6]);
void router_nd_advertise(struct router *router, int port);

/* A packet finds nobody at its next hop. */
void router_unreachable(struct router *router, const struct router_packet *packet);

#endif
