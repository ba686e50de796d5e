/* SPDX-License-Identifier: MIT */
/*
 * tcp_syncookie.h - SYN cookies (RFC 4987 section 3.6): a SYN-ACK whose sequence number is all that is
 * remembered of the SYN, so that a flood of SYNs takes no memory and keeps nobody out.
 *
 * The number holds the time (in 64 s), the peer's MSS (one of a few), and a keyed hash of those and of the
 * addresses. With timestamps, the lowest bits of ours hold the peer's window scale and whether it has SACK
 * and ECN; the peer echoes them.
 */
#ifndef STACK_TCP_TCP_SYNCOOKIE_H
#define STACK_TCP_TCP_SYNCOOKIE_H

#include <stdbool.h>

struct ip_packet;
struct stack;
struct tcp;
struct tcp_segment;

/* Chooses the sequence number of a connection whose SYN has been taken, and forgets what it can't hold. */
void tcp_syncookie_make(struct stack *stack, struct tcp *tcp);

/* Writes the options into our timestamp. */
void tcp_syncookie_put(const struct tcp *tcp, struct tcp_segment *answer);

/* Whether an acknowledgment is of a cookie that we made of late; *syn is what the SYN must have been. */
bool tcp_syncookie_check(struct stack *stack, const struct ip_packet *packet,
                         const struct tcp_segment *segment, struct tcp_segment *syn);

#endif
