/* SPDX-License-Identifier: MIT */
/*
 * tcp_isn.h - where a connection's numbers begin: initial sequence numbers (RFC 6528), the timestamps' clock
 * (RFC 7323 section 5.4), as Linux's secure_seq.c.
 *
 * A peer remembers a connection in TIME_WAIT for a minute, and one that it was not told the end of for
 * longer. What it remembers must be older, to it, than what the next connection between the same addresses
 * begins with: so both are a clock plus an offset which only a key decides. With the same key they go on
 * growing over connections, and over stacks of the same address (stack_config.key).
 */
#ifndef STACK_TCP_TCP_ISN_H
#define STACK_TCP_TCP_ISN_H

#include "stack/ip/ip_address.h"

/* A clock that ticks every 64 ns, plus a keyed hash of the connection's addresses and ports. */
uint32_t tcp_isn(const uint8_t key[16], uint64_t now_ns, struct ip_address local, uint16_t local_port,
                 struct ip_address remote, uint16_t remote_port);

/* What a pair of addresses adds to the timestamps' clock. */
uint32_t tcp_timestamp_origin(const uint8_t key[16], struct ip_address local, struct ip_address remote);

#endif
