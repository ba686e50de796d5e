/* SPDX-License-Identifier: MIT */
/*
 * tcp_timestamp.c - see tcp_timestamp.h.
 */
#include "stack/tcp/tcp_timestamp.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"

#define TICK_NS UINT64_C(1000000)
#define VALID_NS \
    (UINT64_C(24) * 86400 * 1000000000) /* section 5.5: an idle connection's is no measure after that */

uint32_t tcp_timestamp_now(const struct stack *stack, const struct tcp *tcp) {
    return tcp_timestamp_at(tcp, stack->now_ns);
}

uint32_t tcp_timestamp_at(const struct tcp *tcp, uint64_t ns) {
    return (uint32_t)(ns / TICK_NS) + tcp->timestamp_offset;
}

void tcp_timestamp_put(const struct stack *stack, const struct tcp *tcp, struct tcp_segment *segment) {
    segment->has_timestamp = true;
    segment->timestamp = tcp_timestamp_now(stack, tcp);
    segment->timestamp_echo = segment->flags & TCP_ACK ? tcp->timestamp_recent : 0;
}

bool tcp_timestamp_is_old(const struct stack *stack, const struct tcp *tcp,
                          const struct tcp_segment *segment) {
    return tcp->timestamps && segment->has_timestamp && seq_lt(segment->timestamp, tcp->timestamp_recent) &&
           stack->now_ns - tcp->timestamp_recent_ns < VALID_NS;
}

void tcp_timestamp_take(const struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    if (!tcp->timestamps || !segment->has_timestamp || seq_gt(segment->sequence, tcp->last_ack_sent))
        return;
    tcp->timestamp_recent = segment->timestamp;
    tcp->timestamp_recent_ns = stack->now_ns;
}

uint64_t tcp_timestamp_rtt_ns(const struct stack *stack, const struct tcp *tcp, uint32_t echo) {
    uint32_t ticks = tcp_timestamp_now(stack, tcp) - echo;
    return ticks < UINT32_C(1) << 24 ? (ticks ? ticks : 1) * TICK_NS : 0;
}
