/* SPDX-License-Identifier: MIT */
/*
 * tcp_input.h - segments that arrive (RFC 9293 section 3.10.7).
 */
#ifndef STACK_TCP_TCP_INPUT_H
#define STACK_TCP_TCP_INPUT_H

#include "stack/tcp/tcp.h"

void tcp_input(struct stack *stack, struct ip_packet *packet);
void tcp_input_connection(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment);
void tcp_take_text(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment); /* in its turn */
/* The SYN-ACK of a SYN with data has come: what of the data it does not acknowledge is sent again. */
void tcp_acknowledge_syn_data(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment);

#endif
