/* SPDX-License-Identifier: MIT */
/*
 * ip_reassembly.h - datagrams that arrive in fragments (RFC 791 section 3.2, RFC 815; RFC 8200 section 4.5).
 * Both families keep theirs in one store, and share its bounds.
 *
 * A datagram that two fragments describe differently is dropped whole, as RFC 5722 argues for IPv6 and Linux
 * does for IPv4. What is held is bounded, by memory and by time; the oldest makes room.
 */
#ifndef STACK_IP_IP_REASSEMBLY_H
#define STACK_IP_IP_REASSEMBLY_H

#include "stack/base/timer.h"
#include "stack/ip/ip.h"
#include "stack/ip/ip_address.h"
#include "stack/memory/hash.h"

#define IP_REASSEMBLIES_MAX 1024u
#define IP_REASSEMBLY_BUCKETS 256u
#define IP_REASSEMBLY_BYTES_MAX 4194304u       /* net.ipv4.ipfrag_high_thresh */
#define IP_REASSEMBLY_DATAGRAM_MAX 1048576u    /* memory of one: tiny fragments take much */
#define IP_REASSEMBLY_NS UINT64_C(30000000000) /* net.ipv4.ipfrag_time */

/* Which datagram a fragment is a part of. */
struct ip_datagram_name {
    struct ip_address source, destination;
    uint32_t identification;
    uint32_t protocol; /* of IPv4; 0 of IPv6 */
};

struct ip_fragment {
    struct list link; /* in ip_reassembly.fragments, by offset */
    uint32_t offset, length;
    uint32_t header_at; /* see struct ip_packet */
    struct buffer *chain;
};

/* A datagram of which some fragments are there. */
struct ip_reassembly {
    struct hash_link hash;
    struct list age; /* in ip_reassemblies.ages, oldest first */
    struct timer timer;
    struct ip_datagram_name name;
    uint32_t total, received; /* payload bytes; total 0: the last fragment is not there */
    uint32_t storage;         /* bytes of memory that it takes */
    uint32_t longest;         /* of the packets that its fragments came in */
    struct list fragments;
};

struct ip_reassemblies {
    struct pool pool, fragments;
    struct list ages;
    struct hash_link *buckets[IP_REASSEMBLY_BUCKETS];
    uint32_t storage;
};

void ip_reassembly_init(struct stack *stack);

/* Takes the chain of a fragment, whose flags and offset are given. True: it was the last that was missing,
 * and *packet is the whole datagram. */
bool ip_reassemble(struct stack *stack, struct ip_packet *packet, uint16_t flags_and_offset);

/* For both families: a fragment, and where it belongs. */
struct ip_piece {
    struct buffer **chain; /* taken, if it is kept */
    uint32_t header_at;    /* see struct ip_packet */
    uint32_t offset, length;
    uint32_t packet_bytes; /* with IP's header */
    bool last;
};

enum ip_piece_fate {
    IP_PIECE_HELD,    /* others are missing; or it was there already */
    IP_PIECE_WHOLE,   /* it was the last that was missing: the caller puts all together */
    IP_PIECE_REFUSED, /* it contradicts others, or there is no room */
};

/* Keeps a fragment for so long at most. *reassembly: the datagram, if it is whole; ip_reassembly_end it. */
enum ip_piece_fate ip_reassembly_keep(struct stack *stack, const struct ip_datagram_name *name,
                                      const struct ip_piece *piece, uint64_t wait_ns,
                                      struct ip_reassembly **reassembly);

/* Copies the payloads of a whole datagram, after `length` bytes of a header, into one chain. NULL: memory is
 * out. */
struct buffer *ip_reassembly_join(struct stack *stack, const struct ip_reassembly *reassembly,
                                  const uint8_t *header, uint32_t length);

void ip_reassembly_end(struct stack *stack, struct ip_reassembly *reassembly);

/* The rest has not come in time. */
void ip_reassembly_timer(struct stack *stack, struct ip_reassembly *reassembly);

#endif
