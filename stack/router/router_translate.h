/* SPDX-License-Identifier: MIT */
/*
 * router_translate.h - what the translation of packets (router_translate.c) and of what ICMP errors quote
 * (router_translate_icmp.c) have of the table of mappings, and of each other.
 */
#ifndef STACK_ROUTER_ROUTER_TRANSLATE_H
#define STACK_ROUTER_ROUTER_TRANSLATE_H

#include "stack/router/router_nat.h"

/* NULL: there is none. */
struct nat_mapping *nat_by_outer(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint16_t port);
struct nat_mapping *nat_by_inner(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint32_t address,
                                 uint16_t port);

/* A new one; NULL: no port is free, or the table is full. */
struct nat_mapping *nat_make(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint32_t address,
                             uint16_t port);

/* Puts an address at `at`, and right the checksums that cover it: of the header, and `transport_sum`
 * unless NULL. */
void nat_put_address(uint8_t *ip, uint8_t *at, uint32_t address, uint8_t *transport_sum);

/* Notes what was done to a first fragment, before it is, for those that follow. */
void nat_note_fragment(struct nat *nat, uint64_t now_ns, const uint8_t *ip, bool outward, uint32_t address);

/* A packet of ICMP, of which `length` bytes are there behind the header, not a fragment. */
enum nat_verdict nat_icmp_outward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t header,
                                  uint32_t length);
enum nat_verdict nat_icmp_inward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t header,
                                 uint32_t length);

/* Sums in place: what a 16-bit word or more (even) that a checksum covers becomes (RFC 1624). */
void nat_adjust(uint8_t *sum, const void *before, const void *after, uint32_t length);

#endif
