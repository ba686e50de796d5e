/* SPDX-License-Identifier: MIT */
/*
 * router_nat.h - translation of addresses and ports, IPv4 to IPv4, as home routers do it.
 *
 * Mapping is endpoint-independent (RFC 4787 section 4.1): one address and port inside has one port outside,
 * the same number if that is free. So is filtering: whoever knows the port reaches it. A mapping ages (RFC
 * 4787 section 4.3: UDP; RFC 5382 section 5: TCP, by its state; RFC 5508 section 3.2: ICMP queries). An inside
 * host reaches another by its outside port (hairpin, RFC 4787 section 6). What ICMP errors quote is
 * translated, too (RFC 5508 section 4). A fragment that is not the first follows the first, if that came
 * before it.
 */
#ifndef STACK_ROUTER_ROUTER_NAT_H
#define STACK_ROUTER_ROUTER_NAT_H

#include "stack/base/random.h"
#include <stdbool.h>

#define NAT_MAPPINGS_MAX 16384u
#define NAT_BUCKETS 8192u
#define NAT_FRAGMENTS_MAX 64u
#define NAT_UDP_NS UINT64_C(300000000000)
#define NAT_TCP_NS UINT64_C(7440000000000) /* established: 2 hours and 4 minutes */
#define NAT_TCP_OPENING_NS UINT64_C(240000000000)
#define NAT_ICMP_NS UINT64_C(60000000000)
#define NAT_FRAGMENT_NS UINT64_C(30000000000)

struct nat_mapping {
    uint8_t protocol; /* 0: free */
    bool fixed;       /* made by the user: does not age */
    bool established; /* TCP: both sides have sent, and it is not closing */
    bool closing;     /* a FIN or RST has been seen since the last SYN */
    bool seen_in, seen_out;
    uint16_t inner_port, outer_port; /* of ICMP: the identifier */
    uint32_t inner_address;
    uint64_t until_ns;
    uint32_t next_inner, next_outer; /* in its buckets, counted from 1 */
};

/* What became of the first fragment of a packet, for the others. */
struct nat_fragment {
    uint32_t source, destination; /* as they came */
    uint16_t identification;
    uint8_t protocol;
    bool outward;
    uint32_t translated; /* the address that was put in */
    uint64_t until_ns;   /* 0: free */
};

struct nat_counters {
    uint64_t outward, inward, hairpins; /* packets */
    uint64_t unknown;                   /* from outside, for no mapping */
    uint64_t full, malformed, fragments_lost;
};

struct nat {
    uint32_t outer_address;
    uint32_t count, free, fresh;
    uint64_t sweep_ns;
    uint32_t by_inner[NAT_BUCKETS], by_outer[NAT_BUCKETS];
    struct nat_mapping mappings[NAT_MAPPINGS_MAX];
    struct nat_fragment fragments[NAT_FRAGMENTS_MAX];
    struct nat_counters counters;
    struct random random;
};

enum nat_verdict {
    NAT_AS_IT_IS, /* not translated */
    NAT_TRANSLATED,
    NAT_DROPPED,
};

void nat_init(struct nat *nat, uint32_t outer_address, const struct random *random);

/* A packet that leaves, or one from inside to the outer address: its source becomes the outer address. The
 * packet is whole, its header checked; `length` is its total length. */
enum nat_verdict nat_outward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t length);

/* A packet for the outer address: its destination becomes the inner one. NAT_AS_IT_IS: no mapping; it is the
 * router's own. */
enum nat_verdict nat_inward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t length);

/* A port outside that leads to an address and port inside, for good. False: it is taken, or the table full. */
bool nat_map(struct nat *nat, uint8_t protocol, uint16_t outer_port, uint32_t inner_address,
             uint16_t inner_port);

/* Forgets what has aged; when to call again, UINT64_MAX: when there is something. */
void nat_advance(struct nat *nat, uint64_t now_ns);
uint64_t nat_next(const struct nat *nat);

/* The mapping of an outer port, NULL: none (any more). */
const struct nat_mapping *nat_find_outer(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint16_t port);

#endif
