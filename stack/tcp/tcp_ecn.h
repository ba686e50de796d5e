/* SPDX-License-Identifier: MIT */
/*
 * tcp_ecn.h - Explicit Congestion Notification: routers mark packets instead of dropping them.
 *
 * Both ends must have agreed in the handshake, and to one of two ways. Data is sent as ECT(0).
 *
 * Classic (RFC 3168): a receiver that gets a packet marked CE says ECE in every acknowledgment until the sender says
 * CWR: it has reduced its window. By DCTCP (RFC 8257) ECE says of each acknowledgment whether what it is for was
 * marked.
 *
 * Accurate (RFC 9768, "AccECN"; net.ipv4.tcp_ecn 3 to 5): the flags AE, CWR and ECE are one number, ACE, which counts
 * the packets marked CE, modulo 8, from 5 on; in the handshake it says how the SYN or SYN-ACK arrived. Its option,
 * which counts bytes, is not sent, and ignored: it may be left out (section 3.2.3). A peer without it gets classic ECN.
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
struct tcp_delivery;
struct tcp_segment;

/* What is set in tcp->ecn. */
enum tcp_ecn_flag {
    TCP_ECN_ASKED = 1, /* in our SYN, or in the peer's */
    TCP_ECN_ON = 2,
    TCP_ECN_ECHO = 4,      /* classic: a mark came: ECE until CWR; else: the last data was marked */
    TCP_ECN_REDUCED = 8,   /* classic: the next new data says CWR */
    TCP_ECN_SEEN = 16,     /* packets of the peer are ECT */
    TCP_ECN_ACCURATE = 32, /* asked for, or agreed on, in the accurate way */
    TCP_ECN_MANGLED = 64,  /* something on the way clears ACE: nothing is sent as ECT */
};

/* Of the accurate way: what is said of the handshake, and was said last. */
struct tcp_ecn_told {
    uint8_t mark : 2;      /* how the peer's SYN or SYN-ACK arrived */
    uint8_t reflects : 1;  /* the next segment says so: the first of a client */
    uint8_t reflected : 1; /* what came last says so */
    uint8_t ace : 3;       /* in the last segment that left */
};

/* The flags of our SYN or SYN-ACK. */
void tcp_ecn_syn(const struct stack *stack, struct tcp *tcp, struct tcp_segment *segment, bool again);

/* The peer's SYN has come to a listener; the peer has answered our SYN. */
void tcp_ecn_asked(const struct stack *stack, struct tcp *tcp, const struct ip_packet *packet,
                   const struct tcp_segment *segment);
void tcp_ecn_answered(struct tcp *tcp, const struct tcp_segment *segment);

/* A segment has come. */
void tcp_ecn_received(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment);

/* An acknowledgment has been taken: what it says of marks. */
void tcp_ecn_acknowledged(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                          const struct tcp_delivery *delivery);

/* Sets the flags of a segment that is to be sent; returns the bits of its TOS. `fresh`: it has data that is sent the
 * first time. */
uint8_t tcp_ecn_send(struct tcp *tcp, struct tcp_segment *segment, bool fresh);

/* Whether the segments of a burst, which the NIC cuts, may have the same flags. CWR is left on the first alone. */
bool tcp_ecn_sends_bursts(const struct tcp *tcp);

#endif
