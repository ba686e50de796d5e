/* SPDX-License-Identifier: MIT */
/*
 * tcp_timestamp.h - the timestamps option (RFC 7323): round trips, and protection against wrapped sequence
 * numbers.
 */
#ifndef STACK_TCP_TCP_TIMESTAMP_H
#define STACK_TCP_TCP_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_TIMESTAMP_BYTES 12u /* of a header, with its padding */

struct stack;
struct tcp;
struct tcp_segment;

/* The connection's own clock: milliseconds from a start that nobody can guess. */
uint32_t tcp_timestamp_now(const struct stack *stack, const struct tcp *tcp);
uint32_t tcp_timestamp_at(const struct tcp *tcp, uint64_t ns); /* what it showed then */

/* Writes ours, and the peer's echo, into a segment. */
void tcp_timestamp_put(const struct stack *stack, const struct tcp *tcp, struct tcp_segment *segment);

/* Section 5: whether a segment is older than what has been received, so that its sequence number means
 * nothing. */
bool tcp_timestamp_is_old(const struct stack *stack, const struct tcp *tcp,
                          const struct tcp_segment *segment);

/* Section 4.3: remembers what is to be echoed. */
void tcp_timestamp_take(const struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment);

/* How long ago what is echoed was sent, in ns; 0: no such time can be meant. */
uint64_t tcp_timestamp_rtt_ns(const struct stack *stack, const struct tcp *tcp, uint32_t echo);

#endif
