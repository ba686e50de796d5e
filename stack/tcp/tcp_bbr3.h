/* SPDX-License-Identifier: MIT */
/*
 * tcp_bbr3.h - BBR, version 3 (draft-ietf-ccwg-bbr): congestion control by a model of the path rather than by
 * what is lost. Its name is "bbr3"; Linux's "bbr" is version 1 (tcp_bbr.h).
 *
 * The model is two figures, the highest rate at which data arrived and the shortest round trip, and two
 * bounds on what may be in flight: one that lasts, found by probing until too much is lost, and one for now,
 * from the losses of the last round trips. What is sent is paced at the rate, a little faster or slower as
 * the state says; the window is twice the path's content. So random loss does not slow it down, and it keeps
 * queues short.
 *
 * The names of fields are the draft's.
 */
#ifndef STACK_TCP_TCP_BBR3_H
#define STACK_TCP_TCP_BBR3_H

#include "stack/tcp/tcp_extra_acked.h"
#include <stdbool.h>
#include <stdint.h>

#define TCP_BBR3_NONE UINT32_MAX /* of a bound: there is none */

struct tcp_model_operations;

enum tcp_bbr3_state {
    TCP_BBR3_STARTUP,   /* doubles its rate every round trip until it grows no more */
    TCP_BBR3_DRAIN,     /* takes away the queue that this made */
    TCP_BBR3_DOWN,      /* of ProbeBW: a little slower, to leave others room */
    TCP_BBR3_CRUISE,    /* ... as fast as the model says, for most of the time */
    TCP_BBR3_REFILL,    /* ... the short bounds are forgotten, for a round trip */
    TCP_BBR3_UP,        /* ... a little faster, to see whether there is more */
    TCP_BBR3_PROBE_RTT, /* hardly anything in flight for 200 ms: how long is the path without a queue? */
};

/* Of which phase of a probe the acknowledgments tell that come now. */
enum tcp_bbr3_ack_phase {
    TCP_BBR3_ACKS_INIT,
    TCP_BBR3_ACKS_PROBE_STARTING,
    TCP_BBR3_ACKS_PROBE_FEEDBACK,
    TCP_BBR3_ACKS_PROBE_STOPPING,
    TCP_BBR3_ACKS_REFILLING,
};

struct tcp_bbr3 {
    uint8_t state, ack_phase;
    bool round_start, loss_round_start, loss_in_round;
    bool full_bw_now, full_bw_reached;
    bool probe_rtt_expired, probe_rtt_round_done, idle_restart;
    bool bw_probe_samples;    /* losses tell of a probe for more */
    bool too_high;            /* ... and have told that it was too much: */
    uint32_t too_high_flight; /* ... how much was in flight */
    uint8_t full_bw_count, bw_probe_up_rounds, rounds_since_bw_probe, loss_events_in_round;
    uint32_t next_round_delivered, loss_round_delivered;

    uint64_t bw;               /* bytes a second */
    uint64_t max_bw_filter[2]; /* of the probing cycle before this one, and of this one */
    uint64_t full_bw, bw_latest, bw_shortterm;
    uint32_t inflight_latest, inflight_longterm, inflight_shortterm; /* bytes */
    uint32_t prior_cwnd;
    uint32_t probe_up_cnt, bw_probe_up_acks; /* bytes: a segment more for each so many acknowledged */
    uint64_t min_rtt_ns, min_rtt_stamp_ns, probe_rtt_min_ns, probe_rtt_min_stamp_ns;
    uint64_t probe_rtt_done_ns; /* 0: not begun */
    uint64_t cycle_stamp_ns, bw_probe_wait_ns;
    struct tcp_extra_acked extra_acked;

    uint64_t undo_bw_shortterm;
    uint32_t undo_inflight_shortterm, undo_inflight_longterm;
};

extern const struct tcp_model_operations tcp_bbr3_operations;

#endif
