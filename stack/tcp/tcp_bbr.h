/* SPDX-License-Identifier: MIT */
/*
 * tcp_bbr.h - BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00), which is what Linux has under the name
 * "bbr". Version 3 is tcp_bbr3.h.
 *
 * The model is two figures: the highest rate at which data arrived in the last ten round trips, and the shortest round
 * trip of the last ten seconds. What is sent is paced at that rate; every eighth round trip a quarter faster, to see
 * whether there is more, and then a quarter slower, to take away what queue that made. The window is twice the path's
 * content. Losses change neither, except in the first round trip of a recovery, in which no more is sent than arrives;
 * and where they look like a policer's (a token bucket that drops a fifth and more), whose rate is then kept to.
 */
#ifndef STACK_TCP_TCP_BBR_H
#define STACK_TCP_TCP_BBR_H

#include "stack/tcp/tcp_extra_acked.h"
#include <stdbool.h>
#include <stdint.h>

#define TCP_BBR_FILTER_ROUNDS 10u

struct tcp_model_operations;

enum tcp_bbr_state {
    TCP_BBR_STARTUP,   /* doubles its rate every round trip until it grows no more */
    TCP_BBR_DRAIN,     /* takes away the queue that this made */
    TCP_BBR_PROBE_BW,  /* a cycle of eight phases, a round trip each */
    TCP_BBR_PROBE_RTT, /* four segments in flight for 200 ms: how long is the path without a queue? */
};

/* What looks like a policer: intervals from loss to loss, of four to sixteen round trips, in which a fifth was lost,
 * and in which about the same rate arrived. */
struct tcp_bbr_policer {
    bool sampling, found;
    uint8_t rounds;           /* of the interval; or since it was found */
    uint32_t delivered, lost; /* when the interval began */
    uint64_t began_ns;
    uint64_t bw; /* bytes a second, of the interval before; 0: there was none */
};

struct tcp_bbr {
    uint8_t state;
    uint8_t cycle;          /* of PROBE_BW: which phase */
    uint8_t recovery_state; /* enum tcp_recovery_state, at the last acknowledgment */
    uint8_t full_bw_count;
    bool round_start, full_bw_reached, conserving, idle_restart, probe_rtt_round_done, has_seen_rtt;
    uint32_t round; /* a count */
    uint32_t next_round_delivered;
    uint32_t lost_seen; /* of rate.lost */
    uint32_t prior_cwnd;
    uint64_t max_bw[TCP_BBR_FILTER_ROUNDS]; /* bytes a second, by round */
    uint32_t max_bw_round;                  /* of the last sample in it */
    uint64_t full_bw;
    uint64_t min_rtt_ns, min_rtt_stamp_ns; /* 0: not known */
    uint64_t cycle_stamp_ns, probe_rtt_done_ns;
    struct tcp_bbr_policer policer;
    struct tcp_extra_acked extra_acked;
};

extern const struct tcp_model_operations tcp_bbr_operations;

#endif
