/* SPDX-License-Identifier: MIT */
/*
 * tcp_dctcp.c - see tcp_dctcp.h.
 */
#include "stack/tcp/tcp_dctcp.h"
#include "stack/base/minmax.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_ecn.h"

#define GAIN 16u /* section 4.2: g is 1/16 */

/* Section 3.3; less than a sixteenth of alpha's units goes to zero, as Linux has it. */
static uint16_t average(uint16_t alpha, uint32_t marked, uint32_t delivered) {
    uint32_t part = (uint32_t)((uint64_t)marked * TCP_DCTCP_ALPHA_MAX / max_u32(delivered, 1));
    uint32_t kept = alpha - (alpha >= GAIN ? alpha / GAIN : alpha);
    return (uint16_t)min_u32(kept + part / GAIN, TCP_DCTCP_ALPHA_MAX);
}

void tcp_dctcp_acknowledged(struct tcp *tcp, uint32_t packets, uint32_t marked) {
    struct tcp_dctcp *round = &tcp->active->dctcp;
    if (round->delivered == 0) /* one begins */
        round->end = tcp->snd_nxt;
    round->delivered += packets;
    round->marked += marked;
    if (seq_lt(tcp->snd_una, round->end))
        return;
    tcp->congestion.alpha = average(tcp->congestion.alpha, round->marked, round->delivered);
    *round = (struct tcp_dctcp){0};
}

uint32_t tcp_dctcp_threshold(uint32_t cwnd, uint16_t alpha) {
    return cwnd - (uint32_t)((uint64_t)cwnd * alpha / (2 * TCP_DCTCP_ALPHA_MAX));
}

void tcp_dctcp_info(const struct tcp *tcp, struct tcp_dctcp_information *told) {
    const struct tcp_dctcp *round = &tcp->active->dctcp;
    *told = (struct tcp_dctcp_information){.enabled = (tcp->ecn & TCP_ECN_ON) != 0,
                                           .ce_state = (tcp->ecn & TCP_ECN_ECHO) != 0,
                                           .alpha = tcp->congestion.alpha,
                                           .marked_bytes = round->marked * tcp->mss,
                                           .bytes = round->delivered * tcp->mss};
}
