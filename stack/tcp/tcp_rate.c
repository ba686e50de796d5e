/* SPDX-License-Identifier: MIT */
/*
 * tcp_rate.c - see tcp_rate.h.
 */
#include "stack/tcp/tcp_rate.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"

#define US_NS 1000u

static uint32_t us_between(uint64_t from_ns, uint64_t to_ns) {
    uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / US_NS : 0;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void tcp_rate_sent(const struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent) {
    struct tcp_rate *rate = &tcp->active->rate;
    uint32_t pipe = tcp_pipe(tcp);
    if (pipe == 0) {
        rate->first_sent_ns = rate->delivered_ns = stack->now_ns;
    }
    sent->rate = (struct tcp_rate_mark){.delivered = rate->delivered,
                                        .lost = rate->lost,
                                        .in_flight = pipe + tcp_rtx_span(sent),
                                        .sending_us = us_between(rate->first_sent_ns, stack->now_ns),
                                        .delivered_us = us_between(rate->delivered_ns, stack->now_ns)};
    sent->app_limited = rate->app_limited != 0;
}

void tcp_rate_delivered(const struct stack *stack, struct tcp *tcp, const struct tcp_rtx *sent,
                        struct tcp_rate_sample *sample) {
    const struct tcp_rate_mark *mark = &sent->rate;
    tcp_rate_delivered_part(stack, tcp, tcp_rtx_span(sent));
    if (sample->any && seq_lt(mark->delivered, sample->prior_delivered))
        return; /* one that was sent later is known */
    sample->any = true;
    sample->app_limited = sent->app_limited;
    sample->prior_delivered = mark->delivered;
    sample->prior_lost = mark->lost;
    sample->in_flight = mark->in_flight;
    sample->sending_us = mark->sending_us;
    sample->prior_ns = sent->sent_ns - (uint64_t)mark->delivered_us * US_NS;
    tcp->active->rate.first_sent_ns = sent->sent_ns;
}

void tcp_rate_delivered_part(const struct stack *stack, struct tcp *tcp, uint32_t bytes) {
    tcp->active->rate.delivered += bytes;
    tcp->active->rate.delivered_ns = stack->now_ns;
}

void tcp_rate_sampled(const struct stack *stack, struct tcp *tcp, struct tcp_rate_sample *sample) {
    struct tcp_rate *rate = &tcp->active->rate;
    if (rate->app_limited && seq_gt(rate->delivered, rate->app_limited))
        rate->app_limited = 0;
    if (!sample->any)
        return;
    sample->delivered = rate->delivered - sample->prior_delivered;
    sample->lost = rate->lost - sample->prior_lost;
    sample->interval_us = max_u32(sample->sending_us, us_between(sample->prior_ns, stack->now_ns));
    if (sample->interval_us < tcp->rtt.min_ns / US_NS)
        sample->interval_us = 0; /* of something that was sent twice, and arrived the first time */
    if (!sample->interval_us)
        return;
    uint64_t now = tcp_rate_of(sample->delivered, sample->interval_us);
    if (!sample->app_limited || now >= tcp_rate_of(rate->latest_bytes, rate->latest_us)) {
        rate->latest_bytes = sample->delivered;
        rate->latest_us = sample->interval_us;
        rate->latest_limited = sample->app_limited;
    }
}

void tcp_rate_limit(struct tcp *tcp) {
    uint32_t until = tcp->active->rate.delivered + tcp_pipe(tcp);
    tcp->active->rate.app_limited = until ? until : 1;
}

void tcp_rate_check_program(struct tcp *tcp) {
    if (tcp_unsent(tcp) < tcp->mss && tcp->active->scoreboard.lost_bytes == 0 &&
        tcp_pipe(tcp) < tcp->congestion.cwnd)
        tcp_rate_limit(tcp);
}

uint64_t tcp_rate_of(uint32_t bytes, uint32_t interval_us) {
    return interval_us ? bytes * UINT64_C(1000000) / interval_us : 0;
}
