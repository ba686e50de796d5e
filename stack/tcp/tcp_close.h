/* SPDX-License-Identifier: MIT */
/*
 * tcp_close.h - the ends of a connection, each direction's and the whole's.
 */
#ifndef STACK_TCP_TCP_CLOSE_H
#define STACK_TCP_TCP_CLOSE_H

#include "stack/tcp/tcp.h"

void tcp_close(struct stack *stack, struct tcp *tcp); /* the socket is gone */
void tcp_shutdown_send(struct stack *stack, struct tcp *tcp);
void tcp_input_fin(struct stack *stack, struct tcp *tcp);
void tcp_fin_acknowledged(struct stack *stack, struct tcp *tcp);
void tcp_enter_time_wait(struct stack *stack, struct tcp *tcp);

#endif
