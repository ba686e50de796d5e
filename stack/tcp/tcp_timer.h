/* SPDX-License-Identifier: MIT */
/*
 * tcp_timer.h - what is repeated when nothing comes, and until when.
 */
#ifndef STACK_TCP_TCP_TIMER_H
#define STACK_TCP_TCP_TIMER_H

#include "stack/tcp/tcp.h"

void tcp_retransmit_timer(struct stack *stack, struct tcp *tcp);
void tcp_state_timer(struct stack *stack, struct tcp *tcp);
void tcp_arm_retransmit(struct stack *stack, struct tcp *tcp);
void tcp_arm_keepalive(struct stack *stack, struct tcp *tcp);

#endif
