/* SPDX-License-Identifier: MIT */
/*
 * tcp_window.c - the receive window: what is offered to the peer (RFC 9293 section 3.8.6).
 *
 * The right edge never moves back. It moves on only by worthwhile steps (section 3.8.6.2.2, silly window
 * avoidance): a program that reads little by little does not make the peer send little by little.
 */
#include "stack/tcp/tcp_window.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"

uint32_t tcp_receive_start(const struct tcp *tcp) {
    return tcp->rcv_nxt - tcp->fin_received - tcp->receive.length;
}

#define LENIENT_BUFFERS 16u

/* What waits to be read takes of the window: its length, or half of the buffers that it is in, if that is
 * more; but a few buffers may be as empty as they are. */
static uint32_t receive_weight(const struct tcp *tcp) {
    uint32_t buffers = tcp->receive.buffers;
    uint32_t weight = buffers > LENIENT_BUFFERS ? (buffers - LENIENT_BUFFERS) * (BUFFER_BYTES / 2) : 0;
    return max_u32(tcp->receive.length, weight);
}

/* The window's length when nothing waits to be read, but for what has still to be offered. */
static uint32_t window_limit(const struct tcp *tcp) {
    uint32_t clamp = tcp->options.window_clamp;
    return clamp ? min_u32(clamp, tcp->receive_window) : tcp->receive_window;
}

uint32_t tcp_receive_space(const struct tcp *tcp) {
    uint32_t limit = window_limit(tcp), weight = receive_weight(tcp);
    return min_u32(weight < limit ? limit - weight : 0, tcp->tuning.offered);
}

uint8_t tcp_window_scale(uint32_t space) {
    uint8_t scale = 0;
    while (scale < TCP_WINDOW_SCALE_MAX && space >> scale > 65535)
        scale++;
    return scale;
}

/* How far the right edge could be. */
static uint32_t possible_edge(const struct tcp *tcp) {
    return tcp->rcv_nxt + tcp_receive_space(tcp);
}

/* The least step by which the edge should move, RFC 9293 section 3.8.6.2.2: min(half the buffer, one
 * segment); of the buffer that the peer can know, since it waits for no more than half of that. */
static uint32_t least_step(const struct tcp *tcp) {
    return min_u32(min_u32(window_limit(tcp), tcp->tuning.offered) / 2, tcp->mss);
}

uint16_t tcp_window_field(const struct tcp *tcp) {
    uint32_t edge = possible_edge(tcp);
    if (seq_lt(edge, tcp->rcv_adv + least_step(tcp)) && !seq_lt(tcp->rcv_adv, tcp->rcv_nxt))
        edge = tcp->rcv_adv;
    uint32_t window = edge - tcp->rcv_nxt;
    uint32_t unit = UINT32_C(1) << tcp->rcv_scale;
    uint32_t up = (window + unit - 1) >> tcp->rcv_scale;
    /* Rounded up when the edge stays where it is, so that it does not move back; down when it is a new one,
     * or when it would creep on with every little segment. */
    bool creeps = tcp->receive.length + (up << tcp->rcv_scale) > tcp->receive_window + unit;
    uint32_t field = edge == tcp->rcv_adv && !creeps ? up : window >> tcp->rcv_scale;
    return (uint16_t)(field > 65535 ? 65535 : field);
}

void tcp_window_advertised(struct tcp *tcp, uint32_t acknowledgment, uint16_t field) {
    uint32_t edge = acknowledgment + ((uint32_t)field << tcp->rcv_scale);
    if (seq_gt(edge, tcp->rcv_adv))
        tcp->rcv_adv = edge;
}

bool tcp_window_update_due(const struct tcp *tcp) {
    uint32_t edge = possible_edge(tcp);
    if (!seq_gt(edge, tcp->rcv_adv))
        return false;
    uint32_t gain = edge - tcp->rcv_adv;
    uint32_t left = tcp->rcv_adv - tcp->rcv_nxt;
    /* Linux's rule: when at least as much is won as is left. With more left the news can ride on the next
     * acknowledgment. */
    return gain >= left && gain >= least_step(tcp);
}
