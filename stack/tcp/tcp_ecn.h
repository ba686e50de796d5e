/* SPDX-License-Identifier: MIT */
/*
 * tcp_ecn.h - Explicit Congestion Notification (RFC 3168): routers mark packets instead of dropping them.
 *
 * Both ends must have agreed in the handshake. Data is sent as ECT(0); a receiver that gets a packet marked
 * CE says ECE in every acknowledgment until the sender says CWR: it has reduced its window. A peer that asks
 * for AccECN (RFC 9768) gets classic ECN, which is what such a peer falls back to.
 */
#ifndef STACK_TCP_TCP_ECN_H
#define STACK_TCP_TCP_ECN_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_ECN_ECT0 2u /* of the IP header's TOS */
#define TCP_ECN_CE 3u
#define TCP_ECN_MASK 3u

struct ip_packet;
struct stack;
struct tcp;
struct tcp_segment;

/* What is set in tcp->ecn. */
enum tcp_ecn_flag {
    TCP_ECN_ASKED = 1, /* in our SYN, or in the peer's */
    TCP_ECN_ON = 2,
    TCP_ECN_ECHO = 4,    /* a mark came: ECE until CWR */
    TCP_ECN_REDUCED = 8, /* the next new data says CWR */
    TCP_ECN_SEEN = 16,   /* packets of the peer are ECT */
};

/* The flags of our SYN or SYN-ACK. */
void tcp_ecn_syn(const struct stack *stack, struct tcp *tcp, struct tcp_segment *segment, bool again);

/* The peer's SYN has come to a listener; the peer has answered our SYN. */
void tcp_ecn_asked(const struct stack *stack, struct tcp *tcp, const struct ip_packet *packet,
                   const struct tcp_segment *segment);
void tcp_ecn_answered(struct tcp *tcp, const struct tcp_segment *segment);

/* A segment has come. */
void tcp_ecn_received(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment);

/* Sets ECE and CWR of a segment that is to be sent; returns the bits of its TOS. `fresh`: it has data that is
 * sent the first time. */
uint8_t tcp_ecn_send(struct tcp *tcp, struct tcp_segment *segment, bool fresh);

#endif
