/* SPDX-License-Identifier: MIT */
/*
 * tcp_handshake.h - connections being opened, by us and by the peer.
 */
#ifndef STACK_TCP_TCP_HANDSHAKE_H
#define STACK_TCP_TCP_HANDSHAKE_H

#include "stack/tcp/tcp.h"

int tcp_connect(struct stack *stack, struct tcp *tcp, struct ip_address address, uint16_t port);
int tcp_listen(struct stack *stack, struct tcp *tcp);
void tcp_unlisten(struct stack *stack, struct socket *listener);
void tcp_input_listen(struct stack *stack, struct tcp *listener, const struct ip_packet *packet,
                      struct tcp_segment *segment);
void tcp_input_syn_sent(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment);
/* A connection in SYN_RECV got its acknowledgment. False: it can't be accepted now, the segment is to be
 * dropped. */
bool tcp_handshake_done(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment);
/* What is assumed of a peer that does not say it: RFC 9293 section 3.7.1. */
static inline uint16_t tcp_default_mss(const struct tcp *tcp) {
    return ip_is_v4(tcp->remote_address) ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT6;
}

uint16_t tcp_own_mss(const struct stack *stack, const struct tcp *tcp); /* that we offer */
void tcp_send_syn(struct stack *stack, struct tcp *tcp);
void tcp_leave_queue(struct tcp *tcp);
/* Our SYN has been acknowledged, by this segment. */
void tcp_measure_handshake(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment);

#endif
