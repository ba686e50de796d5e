/* SPDX-License-Identifier: MIT */
/*
 * tcp_rtt.c - see tcp_rtt.h.
 */
#include "stack/tcp/tcp_rtt.h"

static uint64_t clamp_rto(uint64_t rto_ns) {
    return rto_ns < TCP_RTO_MIN_NS ? TCP_RTO_MIN_NS : rto_ns > TCP_RTO_MAX_NS ? TCP_RTO_MAX_NS : rto_ns;
}

void tcp_rtt_restore(struct tcp_rtt *rtt) {
    if (!rtt->srtt_ns) {
        rtt->rto_ns = TCP_RTO_INITIAL_NS;
        return;
    }
    uint64_t margin = 4 * rtt->rttvar_ns;
    rtt->rto_ns = clamp_rto(rtt->srtt_ns + (margin < TCP_RTO_MIN_NS ? TCP_RTO_MIN_NS : margin));
}

void tcp_rtt_sample(struct tcp_rtt *rtt, uint64_t measured_ns) {
    uint64_t measured = measured_ns ? measured_ns : 1;
    if (!rtt->srtt_ns) {
        rtt->srtt_ns = measured;
        rtt->rttvar_ns = measured / 2;
    } else {
        uint64_t error = rtt->srtt_ns > measured ? rtt->srtt_ns - measured : measured - rtt->srtt_ns;
        rtt->rttvar_ns += error / 4 - rtt->rttvar_ns / 4;
        rtt->srtt_ns += measured / 8 - rtt->srtt_ns / 8;
    }
    if (!rtt->min_ns || measured < rtt->min_ns)
        rtt->min_ns = measured;
    tcp_rtt_restore(rtt);
}

void tcp_rtt_backoff(struct tcp_rtt *rtt) {
    rtt->rto_ns = clamp_rto(rtt->rto_ns * 2);
}
