/* SPDX-License-Identifier: MIT */
/*
 * tcp_window.h - the window that the peer is offered.
 */
#ifndef STACK_TCP_TCP_WINDOW_H
#define STACK_TCP_TCP_WINDOW_H

#include "stack/tcp/tcp.h"

uint32_t tcp_receive_start(const struct tcp *tcp); /* the number of the first byte that is not read */
uint32_t tcp_receive_space(const struct tcp *tcp);
uint16_t tcp_window_field(const struct tcp *tcp); /* of a segment, in units of rcv_scale */
/* A segment with that field has left: moves rcv_adv. */
void tcp_window_advertised(struct tcp *tcp, uint32_t acknowledgment, uint16_t field);
bool tcp_window_update_due(const struct tcp *tcp);
uint8_t tcp_window_scale(uint32_t space); /* that makes so much known to the peer */

#endif
