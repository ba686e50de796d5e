/* SPDX-License-Identifier: MIT */
/*
 * tcp_pmtu.h - ICMP errors, the path's MTU and black holes, as a connection sees them.
 */
#ifndef STACK_TCP_TCP_PMTU_H
#define STACK_TCP_TCP_PMTU_H

#include "stack/tcp/tcp.h"

void tcp_path_begin(const struct stack *stack, struct tcp *tcp, uint16_t mss_peer); /* the MSS is known */
void tcp_path_measure(struct stack *stack, struct tcp *tcp); /* its headers have another length */
/* A timeout: `retransmits` is how many came before it. */
void tcp_path_timeout(struct stack *stack, struct tcp *tcp);
void tcp_path_lost(struct stack *stack, struct tcp *tcp); /* something has to be sent again */
bool tcp_path_probe_due(const struct stack *stack, const struct tcp *tcp, uint32_t left, uint32_t room);
void tcp_path_probed(struct tcp *tcp); /* a segment of the full length has just been sent */
void tcp_path_acknowledged(struct stack *stack, struct tcp *tcp);
/* What ip_error found to be a segment of ours. */
void tcp_error(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error);

#endif
