/* SPDX-License-Identifier: MIT */
/*
 * tcp_bbr.h - BBR, version 3 (draft-ietf-ccwg-bbr): congestion control by a model of the path rather than by
 * what is lost.
 *
 * The model is two figures, the highest rate at which data arrived and the shortest round trip, and two
 * bounds on what may be in flight: one that lasts, found by probing until too much is lost, and one for now,
 * from the losses of the last round trips. What is sent is paced at the rate, a little faster or slower as
 * the state says; the window is twice the path's content. So random loss does not slow it down, and it keeps
 * queues short.
 *
 * The names of fields are the draft's.
 */
#ifndef STACK_TCP_TCP_BBR_H
#define STACK_TCP_TCP_BBR_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_BBR_NONE UINT32_MAX /* of a bound: there is none */

struct stack;
struct tcp;
struct tcp_delivery;
struct tcp_rtx;

enum tcp_bbr_state {
    TCP_BBR_STARTUP,   /* doubles its rate every round trip until it grows no more */
    TCP_BBR_DRAIN,     /* takes away the queue that this made */
    TCP_BBR_DOWN,      /* of ProbeBW: a little slower, to leave others room */
    TCP_BBR_CRUISE,    /* ... as fast as the model says, for most of the time */
    TCP_BBR_REFILL,    /* ... the short bounds are forgotten, for a round trip */
    TCP_BBR_UP,        /* ... a little faster, to see whether there is more */
    TCP_BBR_PROBE_RTT, /* hardly anything in flight for 200 ms: how long is the path without a queue? */
};

/* Of which phase of a probe the acknowledgments tell that come now. */
enum tcp_bbr_ack_phase {
    TCP_BBR_ACKS_INIT,
    TCP_BBR_ACKS_PROBE_STARTING,
    TCP_BBR_ACKS_PROBE_FEEDBACK,
    TCP_BBR_ACKS_PROBE_STOPPING,
    TCP_BBR_ACKS_REFILLING,
};

struct tcp_bbr {
    uint8_t state, ack_phase;
    bool round_start, loss_round_start, loss_in_round;
    bool full_bw_now, full_bw_reached;
    bool probe_rtt_expired, probe_rtt_round_done, idle_restart;
    bool bw_probe_samples;    /* losses tell of a probe for more */
    bool too_high;            /* ... and have told that it was too much: */
    uint32_t too_high_flight; /* ... how much was in flight */
    uint8_t full_bw_count, bw_probe_up_rounds, rounds_since_bw_probe, loss_events_in_round;
    uint32_t next_round_delivered, loss_round_delivered;

    uint64_t pacing_rate, bw;  /* bytes a second */
    uint64_t max_bw_filter[2]; /* of the probing cycle before this one, and of this one */
    uint64_t full_bw, bw_latest, bw_shortterm;
    uint32_t inflight_latest, inflight_longterm, inflight_shortterm; /* bytes */
    uint32_t prior_cwnd;
    uint32_t probe_up_cnt, bw_probe_up_acks; /* bytes: a segment more for each so many acknowledged */
    uint64_t min_rtt_ns, min_rtt_stamp_ns, probe_rtt_min_ns, probe_rtt_min_stamp_ns;
    uint64_t probe_rtt_done_ns; /* 0: not begun */
    uint64_t cycle_stamp_ns, bw_probe_wait_ns;

    /* What arrives beyond its rate, since acknowledgments come in bunches. */
    uint64_t extra_acked_start_ns;
    uint32_t extra_acked_delivered, extra_acked[2];
    uint8_t extra_acked_rounds;

    uint64_t undo_bw_shortterm;
    uint32_t undo_inflight_shortterm, undo_inflight_longterm;
};

/* In congestion.bbr, zero-filled: begins; the connection may be open for long already. */
void tcp_bbr_begin(const struct stack *stack, struct tcp *tcp);

/* An acknowledgment has been taken, and losses have been judged by it: sets the window and the rate. */
void tcp_bbr_acknowledged(struct stack *stack, struct tcp *tcp, const struct tcp_delivery *delivery);

/* A segment is taken for lost; rate.lost counts it. */
void tcp_bbr_lost(struct tcp *tcp, const struct tcp_rtx *sent);

/* A recovery begins, by acknowledgments or by a timeout; it was needless. */
void tcp_bbr_recovery(struct tcp *tcp, bool timeout);
void tcp_bbr_undo(struct tcp *tcp);

/* Something was lost, or marked, nobody knows what. */
void tcp_bbr_congested(struct tcp *tcp);

/* Something is about to be sent while nothing is in flight. */
void tcp_bbr_restart(const struct stack *stack, struct tcp *tcp);

/* What TCP_CC_INFO tells: Linux's struct tcp_bbr_info. */
struct tcp_bbr_information {
    uint32_t bw_low, bw_high; /* bytes a second */
    uint32_t min_rtt_us;
    uint32_t pacing_gain, cwnd_gain; /* of 256 */
};

void tcp_bbr_info(const struct tcp *tcp, struct tcp_bbr_information *info);

#endif
