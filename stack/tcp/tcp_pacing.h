/* SPDX-License-Identifier: MIT */
/*
 * tcp_pacing.h - sending at a rate, rather than as fast as the window lets: SO_MAX_PACING_RATE (socket(7)),
 * and whatever algorithm of congestion control has a rate.
 *
 * Segments leave as their time comes, up to a tick of the timer wheel early, so that a burst is what the rate
 * sends in a millisecond or two.
 */
#ifndef STACK_TCP_TCP_PACING_H
#define STACK_TCP_TCP_PACING_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_PACING_NONE UINT64_MAX

struct stack;
struct tcp;

/* Bytes a second: the algorithm's, or what the window and the round trip make of it, with tcp_pacing_ss_ratio
 * or tcp_pacing_ca_ratio, SO_MAX_PACING_RATE at most. TCP_PACING_NONE: no round trip is known yet. */
uint64_t tcp_pacing_rate(const struct stack *stack, const struct tcp *tcp);

/* How many bytes may leave at once: what the rate sends in a millisecond, when it is kept by pacing. */
uint32_t tcp_pacing_burst(const struct stack *stack, const struct tcp *tcp);

/* Whether a segment has to wait; its timer runs then. */
bool tcp_pacing_holds(struct stack *stack, struct tcp *tcp);

/* So many bytes have left. */
void tcp_pacing_sent(struct stack *stack, struct tcp *tcp, uint32_t bytes);

#endif
