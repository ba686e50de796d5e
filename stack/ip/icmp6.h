/* SPDX-License-Identifier: MIT */
/*
 * icmp6.h - ICMPv6 (RFC 4443): echo, errors in and out. Neighbor Discovery (nd.h, nd_router.h) and Multicast
 * Listener Discovery (mld.h) are messages of it.
 */
#ifndef STACK_IP_ICMP6_H
#define STACK_IP_ICMP6_H

#include "stack/ip/ip6.h"

#define ICMP6_HEADER_BYTES 8u

enum icmp6_type {
    ICMP6_UNREACHABLE = 1,
    ICMP6_TOO_BIG = 2,
    ICMP6_TIME_EXCEEDED = 3,
    ICMP6_PARAMETER_PROBLEM = 4,
    ICMP6_ECHO_REQUEST = 128, /* the first that is not an error */
    ICMP6_ECHO_REPLY = 129,
    ICMP6_MLD_QUERY = 130,
    ICMP6_MLD_REPORT = 131,
    ICMP6_MLD_DONE = 132,
    ICMP6_ROUTER_SOLICITATION = 133,
    ICMP6_ROUTER_ADVERTISEMENT = 134,
    ICMP6_NEIGHBOUR_SOLICITATION = 135,
    ICMP6_NEIGHBOUR_ADVERTISEMENT = 136,
    ICMP6_REDIRECT = 137,
    ICMP6_MLD2_REPORT = 143,
};

enum icmp6_code {
    ICMP6_NO_ROUTE = 0, /* of unreachable */
    ICMP6_ADDRESS_UNREACHABLE = 3,
    ICMP6_PORT_UNREACHABLE = 4,
    ICMP6_REASSEMBLY_TIME = 1, /* of time exceeded */
    ICMP6_WRONG_FIELD = 0,     /* of parameter problem */
    ICMP6_UNKNOWN_NEXT_HEADER = 1,
    ICMP6_UNKNOWN_OPTION = 2,
    ICMP6_INCOMPLETE_CHAIN = 3, /* RFC 7112 */
};

void icmp6_input(struct stack *stack, struct ip_packet *packet);

/* Answers a packet with an error, unless RFC 4443 section 2.4 (e) or a rate limit forbids it. `info` is the
 * message's second word. */
void icmp6_send_error(struct stack *stack, const struct ip_packet *packet, enum icmp6_type type,
                      enum icmp6_code code, uint32_t info);

/* A packet of ours, of which `length` bytes are there, its header whole, found no neighbour: its socket is
 * told. */
void icmp6_undelivered(struct stack *stack, const uint8_t *packet, uint32_t length);

/* Sends a message that lies at frame->header + FRAME_TRANSPORT_AT, its checksum not yet computed, with or
 * without a payload; see ip6_output. */
int icmp6_output(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters);

#endif
