/* SPDX-License-Identifier: MIT */
/*
 * ip6_reassembly.h - fragments of IPv6 packets, put together (RFC 8200 section 4.5).
 */
#ifndef STACK_IP_IP6_REASSEMBLY_H
#define STACK_IP_IP6_REASSEMBLY_H

#include "stack/ip/ip6.h"

/* Takes the chain of a fragment, which begins behind its fragment header; the header's place is given. True:
 * it is the last that was missing, and *packet is the whole datagram, or a fragment that is a whole by itself
 * (RFC 6946). */
bool ip6_reassemble(struct stack *stack, struct ip_packet *packet, uint32_t fragment_header_at);

#endif
