/* SPDX-License-Identifier: MIT */
/*
 * tcp_reassembly.h - what came before its turn.
 */
#ifndef STACK_TCP_TCP_REASSEMBLY_H
#define STACK_TCP_TCP_REASSEMBLY_H

#include "stack/tcp/tcp.h"

/* Holds a segment. Returns the block that it is in now; NULL: it is not held. */
const struct tcp_out_of_order *tcp_reassembly_insert(struct stack *stack, struct tcp *tcp,
                                                     struct tcp_segment *segment);
/* Moves what has become contiguous into the receive queue. Returns whether a FIN came into its turn. */
bool tcp_reassembly_advance(struct stack *stack, struct tcp *tcp);
uint32_t tcp_reassembly_end(const struct tcp *tcp); /* of the last that is held; rcv_nxt when nothing is */
void tcp_reassembly_purge(struct stack *stack, struct tcp *tcp);

#endif
