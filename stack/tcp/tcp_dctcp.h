/* SPDX-License-Identifier: MIT */
/*
 * tcp_dctcp.h - Data Center TCP (RFC 8257): the window shrinks in proportion to how much of what arrived in a round trip
 * was marked, rather than by half for any mark. It grows as Reno's. Without ECN it is Reno.
 *
 * alpha, in 1,024ths, is an average of that part; a mark takes half of alpha off the window. The feedback is
 * tcp_ecn.h's.
 */
#ifndef STACK_TCP_TCP_DCTCP_H
#define STACK_TCP_TCP_DCTCP_H

#include <stdint.h>

#define TCP_DCTCP_ALPHA_MAX 1024u

struct tcp;

/* Of the present round trip, in packets. */
struct tcp_dctcp {
    uint32_t end; /* a sequence number */
    uint32_t delivered, marked;
};

/* What TCP_CC_INFO tells: Linux's struct tcp_dctcp_info. */
struct tcp_dctcp_information {
    uint16_t enabled, ce_state;
    uint32_t alpha, marked_bytes, bytes;
};

/* So many packets have arrived, of which so many were marked. */
void tcp_dctcp_acknowledged(struct tcp *tcp, uint32_t packets, uint32_t marked);

/* What is left of a window when a mark is told of. */
uint32_t tcp_dctcp_threshold(uint32_t cwnd, uint16_t alpha);

void tcp_dctcp_info(const struct tcp *tcp, struct tcp_dctcp_information *told);

#endif
