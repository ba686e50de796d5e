/* SPDX-License-Identifier: MIT */
/*
 * tcp_extra_acked.c - see tcp_extra_acked.h.
 */
#include "stack/tcp/tcp_extra_acked.h"
#include "stack/base/minmax.h"

#define ROUNDS 5u /* of one of two slots */
#define SECOND_NS UINT64_C(1000000000)

void tcp_extra_acked_round(struct tcp_extra_acked *extra) {
    if (++extra->rounds < ROUNDS)
        return;
    extra->rounds = 0;
    extra->most[0] = extra->most[1];
    extra->most[1] = 0;
}

void tcp_extra_acked_add(struct tcp_extra_acked *extra, uint64_t now_ns, uint32_t acked, uint64_t bw,
                         uint32_t epoch_bytes, uint32_t cwnd) {
    uint64_t since_us = (now_ns - extra->began_ns) / 1000;
    uint64_t expected = since_us < 10 * SECOND_NS / 1000 ? bw * since_us / 1000000 : UINT32_MAX;
    if (extra->delivered <= expected || (epoch_bytes && extra->delivered + acked >= epoch_bytes)) {
        extra->delivered = 0;
        extra->began_ns = now_ns;
        expected = 0;
    }
    extra->delivered += acked;
    extra->most[1] = max_u32(extra->most[1], min_u32(extra->delivered - (uint32_t)expected, cwnd));
}

uint32_t tcp_extra_acked_most(const struct tcp_extra_acked *extra) {
    return max_u32(extra->most[0], extra->most[1]);
}
