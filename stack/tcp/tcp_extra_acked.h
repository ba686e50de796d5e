/* SPDX-License-Identifier: MIT */
/*
 * tcp_extra_acked.h - how much more is acknowledged at times than the path's rate explains, since acknowledgments come in
 * bunches: what BBR allows in flight beyond the path's content (draft-ietf-ccwg-bbr, section 4.5.5).
 */
#ifndef STACK_TCP_TCP_EXTRA_ACKED_H
#define STACK_TCP_TCP_EXTRA_ACKED_H

#include <stdbool.h>
#include <stdint.h>

/* An epoch begins whenever no more has been acknowledged than the rate explains. */
struct tcp_extra_acked {
    uint64_t began_ns;
    uint32_t delivered; /* bytes, in this epoch */
    uint32_t most[2];   /* bytes, of the five round trips before these, and of these */
    uint8_t rounds;
};

/* So many bytes are acknowledged. `bw`: the path's rate, in bytes a second; epoch_bytes: an epoch that has so many ends;
 * 0: it may be of any length. What is noted is at most the window. */
void tcp_extra_acked_add(struct tcp_extra_acked *extra, uint64_t now_ns, uint32_t acked, uint64_t bw,
                         uint32_t epoch_bytes, uint32_t cwnd);

/* A round trip has passed. */
void tcp_extra_acked_round(struct tcp_extra_acked *extra);

/* The most in the last five to ten round trips, in bytes. */
uint32_t tcp_extra_acked_most(const struct tcp_extra_acked *extra);

#endif
