/* SPDX-License-Identifier: MIT */
/*
 * tcp_autotune.c - see tcp_autotune.h. The formulas are Linux's (tcp_rcv_space_adjust, tcp_rcv_rtt_update,
 * tcp_sndbuf_expand), with half of a receive buffer as its window.
 */
#include "stack/tcp/tcp_autotune.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_reassembly.h"
#include "stack/tcp/tcp_window.h"

void tcp_tuning_begin(struct tcp *tcp, const struct socket *socket) {
    bool begun = tcp->tuning.offered > 0;
    tcp->tuning.receive_fixed = socket->receive_limit_set;
    if (socket->receive_limit_set || tcp->receive_window < socket->receive_limit / 2)
        tcp->receive_window = socket->receive_limit / 2;
    if (!begun)
        tcp->tuning.offered = min_u32(tcp->receive_window, 65535);
}

void tcp_tuning_resume(const struct stack *stack, struct tcp *tcp) {
    tcp->active->reading = (struct tcp_reading){.rtt_started_ns = stack->now_ns,
                                                .rtt_end = tcp->rcv_nxt + tcp->receive_window,
                                                .started_ns = stack->now_ns,
                                                .start = tcp_receive_start(tcp)};
}

void tcp_tuning_established(struct stack *stack, struct tcp *tcp) {
    struct tcp_tuning *tuning = &tcp->tuning;
    tuning->space = min_u32(tcp->receive_window, TCP_INITIAL_SEGMENTS * tcp->mss);
    tcp_tuning_resume(stack, tcp);
    tcp_ack_begin(stack, tcp);
    tcp_tuning_send(stack, tcp);
}

/* A round trip as the receiver sees it can only be too long: the sender may have had nothing to send. */
static void sample(struct tcp_tuning *tuning, uint64_t rtt_ns, bool certain) {
    if (!rtt_ns)
        rtt_ns = 1;
    if (!tuning->rtt_ns || (!certain && rtt_ns < tuning->rtt_ns))
        tuning->rtt_ns = rtt_ns;
    else if (certain)
        tuning->rtt_ns += rtt_ns / 8 - tuning->rtt_ns / 8;
}

#define PRESSED_SEGMENTS 4u

/* The window that is offered opens as data comes; while memory is short, less is offered to who has not read
 * half of what it may hold. */
static void offer_more(const struct stack *stack, struct tcp *tcp, uint32_t length) {
    struct tcp_tuning *tuning = &tcp->tuning;
    if (stack->memory.pressure) {
        if (tcp->receive.length > tcp->receive_window / 2)
            tuning->offered = min_u32(tuning->offered, PRESSED_SEGMENTS * tcp->mss);
        return;
    }
    if (tuning->offered < tcp->receive_window)
        tuning->offered = min_u32(tcp->receive_window, tuning->offered + 2 * length);
}

void tcp_tuning_received(struct stack *stack, struct tcp *tcp, uint32_t length, bool has_echo,
                         uint32_t echo) {
    struct tcp_tuning *tuning = &tcp->tuning;
    struct tcp_reading *reading = &tcp->active->reading;
    offer_more(stack, tcp, length);
    if (has_echo) {
        if (length >= tcp->mss && echo != reading->echo) {
            reading->echo = echo;
            uint64_t rtt_ns = tcp_timestamp_rtt_ns(stack, tcp, echo);
            if (rtt_ns)
                sample(tuning, rtt_ns, true);
        }
        return;
    }
    if (seq_lt(tcp->rcv_nxt, reading->rtt_end))
        return;
    sample(tuning, stack->now_ns - reading->rtt_started_ns, false);
    reading->rtt_started_ns = stack->now_ns;
    reading->rtt_end = tcp->rcv_nxt + tcp->receive_window;
}

/* Makes the window as large as what was read in a round trip wants it, and what waits for something missing:
 * of that no more than the program's reading justifies, or the peer alone could say how large. */
static void grow(struct stack *stack, struct tcp *tcp, uint64_t window) {
    uint32_t most = stack->sysctl.tcp_rmem[2] / 2, held = tcp_reassembly_end(tcp) - tcp->rcv_nxt;
    if (!stack->sysctl.tcp_moderate_rcvbuf || tcp->tuning.receive_fixed || !tcp->socket ||
        stack->memory.pressure)
        return;
    window += min_u64(held, window);
    tcp->receive_window = max_u32(tcp->receive_window, window < most ? (uint32_t)window : most);
    tcp->socket->receive_limit = max_u32(tcp->socket->receive_limit, 2 * tcp->receive_window);
}

/* Twice what was read in a round trip, for a sender that doubles. */
static uint64_t window_for(const struct tcp *tcp, uint32_t read) {
    return 2 * (uint64_t)read + 16 * tcp->mss;
}

void tcp_tuning_read(struct stack *stack, struct tcp *tcp) {
    struct tcp_tuning *tuning = &tcp->tuning;
    struct tcp_reading *reading = &tcp->active->reading;
    uint32_t position = tcp_receive_start(tcp), copied = position - reading->start;
    if (!tcp_active_is_own(stack, tcp) || !tuning->rtt_ns ||
        stack->now_ns - reading->started_ns < tuning->rtt_ns)
        return;
    if (copied > tuning->space) {
        uint64_t window = window_for(tcp, copied); /* and more as the rate grows */
        window += 2 * window * (copied - tuning->space) / max_u32(tuning->space, 1);
        tuning->space = copied;
        grow(stack, tcp, window);
    }
    reading->start = position;
    reading->started_ns = stack->now_ns;
}

void tcp_tuning_held(struct stack *stack, struct tcp *tcp, uint32_t length) {
    struct tcp_tuning *tuning = &tcp->tuning;
    grow(stack, tcp, window_for(tcp, tuning->space));
    offer_more(stack, tcp, length);
}

/* What Linux reckons a segment to take of a buffer: 640 bytes more than its payload for headers, rounded up
 * to a power of two, and 256. */
static uint64_t memory_of_segment(uint32_t mss) {
    uint32_t bytes = 1;
    while (bytes < mss + 640)
        bytes *= 2;
    return bytes + 256;
}

void tcp_tuning_send(struct stack *stack, struct tcp *tcp) {
    struct socket *socket = tcp->socket;
    if (!socket || socket->send_limit_set || tcp_pipe(tcp) + tcp->mss > tcp->congestion.cwnd)
        return; /* with the window full, a larger buffer would not help */
    uint32_t segments = max_u32(tcp->congestion.cwnd / tcp->mss, TCP_INITIAL_SEGMENTS);
    uint64_t wanted = 2 * segments * memory_of_segment(tcp->mss);
    if (wanted > stack->sysctl.tcp_wmem[2])
        wanted = stack->sysctl.tcp_wmem[2];
    socket->send_limit = max_u32(socket->send_limit, (uint32_t)wanted);
}
