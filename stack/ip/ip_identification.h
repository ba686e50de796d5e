/* SPDX-License-Identifier: MIT */
/*
 * ip_identification.h - the identification field of IPv4 headers (RFC 791, RFC 6864, RFC 7739), as Linux has
 * it.
 *
 * It is for fragments to be told apart, so what has DF and is not cut needs none: 0. One counter for all
 * packets would tell strangers how much the host sends, and to whom by comparing (the idle scan), and forgers
 * what the next fragment will bear. So a connected socket counts for itself; other packets are counted by
 * destination, source and protocol, in a table of counters that a keyed hash chooses and that time moves on
 * by chance.
 */
#ifndef STACK_IP_IP_IDENTIFICATION_H
#define STACK_IP_IP_IDENTIFICATION_H

#include "stack/ip/ip.h"

#define IP_IDENTIFICATIONS 2048u

struct ip_identifications {
    uint64_t key[2];
    struct {
        uint32_t used_ms; /* when it was used last */
        uint16_t next;
    } counters[IP_IDENTIFICATIONS];
};

/* Of a stack whose random numbers are there. */
void ip_identification_init(struct stack *stack);

/* The number of a packet, and as many as follow it (a burst's, cut by the NIC). `whole`: it has DF, and is
 * not a fragment. */
uint16_t ip_identification(struct stack *stack, const struct ip_parameters *parameters, bool whole,
                           uint32_t count);

#endif
