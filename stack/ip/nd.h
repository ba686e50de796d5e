/* SPDX-License-Identifier: MIT */
/*
 * nd.h - Neighbor Discovery (RFC 4861): questions and answers between neighbours, which the table of
 * neighbours keeps (neighbour.h), and questions about our own addresses (ip6_addresses.h). What routers say
 * is in nd_router.h.
 */
#ifndef STACK_IP_ND_H
#define STACK_IP_ND_H

#include "stack/ip/ip6.h"

#define ND_HOP_LIMIT 255u /* a packet with less has passed a router */
#define ND_NONCE_BYTES 6u /* RFC 7527 */

enum nd_option {
    ND_OPTION_SOURCE_MAC = 1,
    ND_OPTION_TARGET_MAC = 2,
    ND_OPTION_PREFIX = 3,
    ND_OPTION_REDIRECTED = 4,
    ND_OPTION_MTU = 5,
    ND_OPTION_NONCE = 14,
    ND_OPTION_ROUTE = 24, /* RFC 4191 */
    ND_OPTION_RDNSS = 25, /* RFC 8106 */
    ND_OPTION_DNSSL = 31,
};

/* Handles a message of Neighbor Discovery, its checksum checked: of 8 bytes at least. */
void nd_input(struct stack *stack, struct ip_packet *packet);

/* Walks options: gives the next one of `left` bytes at *option, and moves on; NULL when none is left. Options
 * that are no such thing have been refused before (nd_input). */
const uint8_t *nd_next_option(const uint8_t **at, uint32_t *left);

/* The first option of a kind, or NULL. */
const uint8_t *nd_find_option(const uint8_t *options, uint32_t length, enum nd_option kind);

/* Asks for a neighbour's MAC address: its solicited-node group, or it alone if `mac` is its address as it is
 * known. */
void nd_ask(struct stack *stack, struct ip_address target, const uint8_t mac[6]);

/* Asks whether somebody has an address that is being checked. */
void nd_probe(struct stack *stack, struct ip_address address, const uint8_t nonce[ND_NONCE_BYTES]);

/* Tells all on the link of an address of ours. */
void nd_announce(struct stack *stack, struct ip_address address);

/* Asks for routers. */
void nd_solicit_routers(struct stack *stack);

/* A message says which MAC address its sender has: the table learns what is new of it. `create`: even if
 * there is no entry yet. Returns the entry, or NULL. */
struct neighbour *nd_heard(struct stack *stack, struct ip_address sender, const uint8_t *mac_option,
                           bool create);

#endif
