/* SPDX-License-Identifier: MIT */
/*
 * tcp_sack.h - what the peer is told of what is held (RFC 2018, RFC 2883).
 */
#ifndef STACK_TCP_TCP_SACK_H
#define STACK_TCP_TCP_SACK_H

#include "stack/tcp/tcp.h"

void tcp_sack_duplicate(struct stack *stack, struct tcp *tcp, uint32_t start, uint32_t end); /* came twice */
/* A segment is held, in this block. Returns whether the block is another than the one that grew last: the
 * peer should be told at once. */
bool tcp_sack_held(struct tcp *tcp, const struct tcp_out_of_order *held, uint32_t sequence);
void tcp_sack_put(struct tcp *tcp, struct tcp_segment *segment); /* the blocks of an acknowledgment */

#endif
