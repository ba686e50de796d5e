/*
 * ip_reassembly.h - datagrams that arrive in fragments (RFC 791 section 3.2, RFC 815).
 *
 * A datagram that two fragments describe differently is dropped whole, as RFC 5722 argues for IPv6 and Linux
 * does for IPv4. What is held is bounded, by memory and by time; the oldest makes room.
 */
#ifndef STACK_IP_REASSEMBLY_H
#define STACK_IP_REASSEMBLY_H

#include "hash.h"
#include "ip.h"
#include "ip_address.h"
#include "timer.h"

#define IP_REASSEMBLIES_MAX 1024u
#define IP_REASSEMBLY_BUCKETS 256u
#define IP_REASSEMBLY_BYTES_MAX 4194304u       /* net.ipv4.ipfrag_high_thresh */
#define IP_REASSEMBLY_DATAGRAM_MAX 1048576u    /* memory of one: tiny fragments take much */
#define IP_REASSEMBLY_NS UINT64_C(30000000000) /* net.ipv4.ipfrag_time */

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
    struct ip_address source, destination;
    uint16_t identification;
    uint8_t protocol;
    uint32_t total, received; /* payload bytes; total 0: the last fragment is not there */
    uint32_t storage;         /* bytes of memory that it takes */
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

/* The rest has not come in time. */
void ip_reassembly_timer(struct stack *stack, struct ip_reassembly *reassembly);

#endif
