/*
 * ip.h - IPv4 (RFC 791) with its routes.
 */
#ifndef STACK_IP_H
#define STACK_IP_H

#include "frame.h"

#define IP_ROUTES_MAX 16u
#define IP_DEFAULT_TTL 64u
#define IP_LOOPBACK 0x7f000001u /* 127.0.0.1 */

struct stack;

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
struct ip_packet {
    uint32_t source, destination;
    uint8_t protocol, ttl, tos;
    bool multicast;        /* sent to a broadcast or multicast address, of either layer */
    bool checksum_partial; /* the transport checksum may be unfinished: see STACK_INPUT_CHECKSUM_PARTIAL */
    uint32_t header_at;    /* the header's place in chain->storage */
    uint32_t length;       /* payload bytes */
    struct buffer *chain;  /* owned by whoever handles the packet; NULL once taken */
};

/* Adds a route. Returns 0 or -ENOBUFS. */
int ip_route_add(struct ip_routes *routes, uint32_t destination, uint32_t mask, uint32_t gateway);

/* The next hop for a destination, by longest prefix. Returns 0 or -ENETUNREACH. */
int ip_route_lookup(const struct ip_routes *routes, uint32_t destination, uint32_t *next_hop);

/* An upper layer heard from a destination: its next hop works (RFC 4861 section 7.3.1). */
void ip_confirm(struct stack *stack, uint32_t destination);

/* Whether an address is one of the stack's own: 127.0.0.0/8 too, if the loopback network is the stack's. */
bool ip_is_local(const struct stack *stack, uint32_t address);
bool ip_is_loopback(uint32_t address);

/* The source address for a destination, and the largest packet on the way to it: packets to ourselves have no
 * MTU but IP's own. */
uint32_t ip_source(const struct stack *stack, uint32_t destination);
uint32_t ip_mtu(const struct stack *stack, uint32_t destination);

enum ip_input_flag {
    IP_INPUT_LINK_MULTICAST = 1,   /* the frame was not for us alone */
    IP_INPUT_CHECKSUM_PARTIAL = 2, /* see STACK_INPUT_CHECKSUM_PARTIAL */
    IP_INPUT_LOOPED = 4,           /* the stack sent it to itself */
};

/* Handles a received packet in a chain that begins at the IP header; takes the chain. */
void ip_input(struct stack *stack, struct buffer *chain, unsigned flags);

/* Sends the frame of frame_begin, which has its transport header and payload; the stack's own address loops
 * back. Returns 0, -ENETUNREACH or -ENOBUFS; the frame is used up in each case. */
int ip_output(struct stack *stack, struct frame *frame, uint32_t source, uint32_t destination,
              uint8_t protocol, uint8_t ttl, uint8_t tos);

/* Tells the owner of a packet that could not be delivered. `header` is the packet from its IP header on, of
 * which `length` bytes are there, at least the IP header and 8 more. `error` is an errno. */
void ip_error(struct stack *stack, const uint8_t *header, uint32_t length, int error);

#endif
