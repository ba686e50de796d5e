/* SPDX-License-Identifier: MIT */
/*
 * tcp_bbr.c - see tcp_bbr.h. Sections are those of draft-cardwell-iccrg-bbr-congestion-control-00; what the draft does
 * not have (policers, bunches of acknowledgments, the first round trip of a recovery) is as Linux's behaviour.
 */
#include "stack/tcp/tcp_bbr.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_model.h"
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define MIN_RTT_WINDOW_NS (10 * SECOND_NS)
#define PROBE_RTT_DURATION_NS (SECOND_NS / 5)
#define PACING_MARGIN_PERCENT 1u
#define UNIT 256u                          /* gains are parts of it */
#define HIGH_GAIN (UNIT * 2885 / 1000 + 1) /* 2/ln 2: the least that doubles the rate every round trip */
#define DRAIN_GAIN (UNIT * 1000 / 2885)
#define PROBE_BW_WINDOW_GAIN (2 * UNIT)
#define CYCLE_PHASES 8u
#define PROBE_UP 0u /* a phase */
#define FULL_BW_ROUNDS 3u
#define MIN_PIPE_SEGMENTS 4u
#define EXTRA_ACKED_MAX_NS (SECOND_NS / 10)
#define EXTRA_ACKED_EPOCH_MAX (UINT32_C(1) << 30)
#define BURST_BYTES_MAX 65536u

#define POLICER_ROUNDS_MIN 4u
#define POLICER_ROUNDS_MAX 16u
#define POLICER_LOSS 50u      /* of 256: lost, of what was delivered */
#define POLICER_SAME_RATIO 8u /* two rates are one if they differ by an eighth, ... */
#define POLICER_SAME 500u     /* ... or by so many bytes a second */
#define POLICER_KEEP_ROUNDS 48u

static struct tcp_bbr *bbr_of(const struct tcp *tcp) {
    return &tcp->congestion.model->bbr;
}

static uint64_t max_bw(const struct tcp_bbr *bbr) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < TCP_BBR_FILTER_ROUNDS; i++)
        most = max_u64(most, bbr->max_bw[i]);
    return most;
}

/* Rounds without a sample that counts pass only when the next one comes: what a program did not use is not forgotten
 * meanwhile. */
static void max_bw_sample(struct tcp_bbr *bbr, uint64_t rate) {
    uint32_t passed = min_u32(bbr->round - bbr->max_bw_round, TCP_BBR_FILTER_ROUNDS);
    for (uint32_t i = 0; i < passed; i++)
        bbr->max_bw[(bbr->round - i) % TCP_BBR_FILTER_ROUNDS] = 0;
    uint64_t *slot = &bbr->max_bw[bbr->round % TCP_BBR_FILTER_ROUNDS];
    *slot = max_u64(*slot, rate);
    bbr->max_bw_round = bbr->round;
}

static uint64_t bw_of(const struct tcp_bbr *bbr) {
    return bbr->policer.found ? bbr->policer.bw : max_bw(bbr);
}

static uint32_t pacing_gain(const struct tcp_bbr *bbr) {
    switch (bbr->state) {
    case TCP_BBR_STARTUP:
        return HIGH_GAIN;
    case TCP_BBR_DRAIN:
        return DRAIN_GAIN;
    case TCP_BBR_PROBE_BW:
        if (bbr->policer.found)
            return UNIT;
        return bbr->cycle == PROBE_UP ? UNIT * 5 / 4 : bbr->cycle == PROBE_UP + 1 ? UNIT * 3 / 4 : UNIT;
    default:
        return UNIT;
    }
}

static uint32_t window_gain(const struct tcp_bbr *bbr) {
    switch (bbr->state) {
    case TCP_BBR_PROBE_BW:
        return PROBE_BW_WINDOW_GAIN;
    case TCP_BBR_PROBE_RTT:
        return UNIT;
    default:
        return HIGH_GAIN;
    }
}

/* The path's content at a rate, times a gain. */
static uint32_t content(const struct tcp *tcp, uint64_t bw, uint32_t gain) {
    const struct tcp_bbr *bbr = bbr_of(tcp);
    if (!bbr->min_rtt_ns)
        return TCP_INITIAL_SEGMENTS * tcp->mss;
    uint64_t bytes = bw * (bbr->min_rtt_ns / 1000) / 1000000; /* 10^10 of each: 64 bits do */
    return (uint32_t)min_u64(bytes * gain / UNIT, TCP_CWND_MAX);
}

/* What leaves at once. */
static uint32_t burst(const struct tcp *tcp) {
    uint64_t rate = tcp->congestion.model->pacing_rate;
    uint32_t least = (rate < 1200000 / 8 ? 1u : 2u) * tcp->mss;
    return max_u32((uint32_t)min_u64(rate / 1000, BURST_BYTES_MAX), least);
}

/* Room for three bursts besides, one that is sent, one that is received and one that is acknowledged; and in the phase
 * that probes, lest a tiny window be too small for it. */
static uint32_t with_budget(const struct tcp *tcp, uint32_t bytes) {
    const struct tcp_bbr *bbr = bbr_of(tcp);
    bytes += 3 * burst(tcp);
    return bbr->state == TCP_BBR_PROBE_BW && bbr->cycle == PROBE_UP ? bytes + 2 * tcp->mss : bytes;
}

static uint32_t inflight(const struct tcp *tcp, uint64_t bw, uint32_t gain) {
    return with_budget(tcp, content(tcp, bw, gain));
}

static void start_round(struct tcp *tcp) {
    bbr_of(tcp)->next_round_delivered = tcp->active->rate.delivered;
}

static void set_pacing_rate(struct tcp *tcp, uint64_t bw, uint32_t gain) {
    struct tcp_model *model = tcp->congestion.model;
    uint64_t rate = bw * gain / UNIT * (100 - PACING_MARGIN_PERCENT) / 100;
    if (rate && (model->bbr.full_bw_reached || rate > model->pacing_rate))
        model->pacing_rate = rate;
}

/* A window a round trip, as long as no rate is known: section 4.2.1. */
static void init_pacing_rate(struct tcp *tcp) {
    struct tcp_model *model = tcp->congestion.model;
    model->bbr.has_seen_rtt = tcp->rtt.srtt_ns > 0;
    uint64_t rtt_ns = tcp->rtt.srtt_ns ? tcp->rtt.srtt_ns : SECOND_NS / 1000;
    model->pacing_rate = tcp->congestion.cwnd * SECOND_NS / rtt_ns * HIGH_GAIN / UNIT;
}

/* What arrives at a rate that a policer lets through. */

static void policer_begin_interval(struct tcp *tcp) {
    struct tcp_bbr_policer *policer = &bbr_of(tcp)->policer;
    const struct tcp_rate *rate = &tcp->active->rate;
    policer->began_ns = rate->delivered_ns;
    policer->delivered = rate->delivered;
    policer->lost = rate->lost;
    policer->rounds = 0;
}

static void policer_forget(struct tcp *tcp) {
    bbr_of(tcp)->policer = (struct tcp_bbr_policer){0};
    policer_begin_interval(tcp);
}

static bool is_same_rate(uint64_t a, uint64_t b) {
    uint64_t difference = a > b ? a - b : b - a;
    return difference <= b / POLICER_SAME_RATIO || difference <= POLICER_SAME;
}

static void policer_end_interval(struct tcp *tcp, uint64_t bw) {
    struct tcp_bbr_policer *policer = &bbr_of(tcp)->policer;
    if (policer->bw && is_same_rate(bw, policer->bw)) {
        policer->bw = (bw + policer->bw) / 2;
        policer->found = true;
        policer->rounds = 0;
        return;
    }
    policer->bw = bw;
    policer_begin_interval(tcp);
}

static void start_probe_bw(struct stack *stack, struct tcp *tcp);

static void policer_kept(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    if (bbr->state != TCP_BBR_PROBE_BW || !bbr->round_start || ++bbr->policer.rounds < POLICER_KEEP_ROUNDS)
        return;
    policer_forget(tcp);
    start_probe_bw(stack, tcp);
}

static void policer_sample(struct stack *stack, struct tcp *tcp, bool app_limited, uint32_t losses) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    struct tcp_bbr_policer *policer = &bbr->policer;
    const struct tcp_rate *rate = &tcp->active->rate;
    if (policer->found) {
        policer_kept(stack, tcp);
        return;
    }
    if (!policer->sampling) {
        if (!losses)
            return;
        policer_begin_interval(tcp);
        policer->sampling = true;
    }
    if (bbr->round_start)
        policer->rounds++;
    if (app_limited || policer->rounds > POLICER_ROUNDS_MAX) {
        policer_forget(tcp);
        return;
    }
    uint32_t lost = rate->lost - policer->lost, delivered = rate->delivered - policer->delivered;
    uint64_t us = (rate->delivered_ns - policer->began_ns) / 1000;
    if (policer->rounds < POLICER_ROUNDS_MIN || !losses || !delivered || us < 1000 ||
        lost * UINT64_C(256) < delivered * (uint64_t)POLICER_LOSS)
        return;
    policer_end_interval(tcp, delivered * UINT64_C(1000000) / us);
}

/* Sections 4.1.1 and 4.1.2: the highest rate. */

static void update_round(struct tcp *tcp, const struct tcp_rate_sample *sample) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    bbr->round_start = sample->any && seq_ge(sample->prior_delivered, bbr->next_round_delivered);
    if (!bbr->round_start)
        return;
    start_round(tcp);
    bbr->round++;
    bbr->conserving = false;
}

static void update_bw(struct stack *stack, struct tcp *tcp, const struct tcp_rate_sample *sample,
                      uint32_t losses) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    uint64_t rate = tcp_rate_of(sample->delivered, sample->interval_us);
    bbr->round_start = false;
    if (!rate)
        return;
    update_round(tcp, sample);
    policer_sample(stack, tcp, sample->app_limited, losses);
    if (!sample->app_limited || rate >= max_bw(bbr))
        max_bw_sample(bbr, rate);
}

static void update_ack_aggregation(const struct stack *stack, struct tcp *tcp, uint32_t acked) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    if (!acked)
        return;
    if (bbr->round_start)
        tcp_extra_acked_round(&bbr->extra_acked);
    tcp_extra_acked_add(&bbr->extra_acked, stack->now_ns, acked, bw_of(bbr), EXTRA_ACKED_EPOCH_MAX,
                        tcp->congestion.cwnd);
}

/* Section 4.3.4: the states, and the phases of PROBE_BW. */

static void next_phase(struct stack *stack, struct tcp_bbr *bbr) {
    bbr->cycle = (uint8_t)((bbr->cycle + 1) % CYCLE_PHASES);
    bbr->cycle_stamp_ns = stack->now_ns;
}

/* With any phase but the one that sends less: flows that share a bottleneck shall not probe at the same time. */
static void start_probe_bw(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    bbr->state = TCP_BBR_PROBE_BW;
    bbr->cycle = (uint8_t)(CYCLE_PHASES - 1 - random_below(&stack->random, CYCLE_PHASES - 1));
    next_phase(stack, bbr);
}

/* What is in the network when the next segment leaves, which pacing may have put off. */
static uint32_t at_departure(const struct stack *stack, const struct tcp *tcp, uint32_t bytes) {
    const struct tcp_bbr *bbr = bbr_of(tcp);
    uint64_t due_ns = tcp->active->pacing_due_ns;
    uint64_t wait_us = due_ns > stack->now_ns ? (due_ns - stack->now_ns) / 1000 : 0;
    uint64_t arrives = bw_of(bbr) * wait_us / 1000000;
    if (pacing_gain(bbr) > UNIT)
        bytes += burst(tcp);
    return arrives < bytes ? bytes - (uint32_t)arrives : 0;
}

static void update_phase(struct stack *stack, struct tcp *tcp, uint32_t prior_flight, uint32_t losses) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    uint32_t gain = pacing_gain(bbr), flight = at_departure(stack, tcp, prior_flight);
    bool full_length = stack->now_ns - bbr->cycle_stamp_ns > bbr->min_rtt_ns, over = full_length;
    if (bbr->state != TCP_BBR_PROBE_BW)
        return;
    if (gain > UNIT) /* until that much is in flight, unless it is too much for the path */
        over = full_length && (losses || flight >= inflight(tcp, max_bw(bbr), gain));
    else if (gain < UNIT) /* no longer than the queue lasts */
        over = full_length || flight <= inflight(tcp, max_bw(bbr), UNIT);
    if (over)
        next_phase(stack, bbr);
}

static void check_full_bw(struct tcp_bbr *bbr, const struct tcp_rate_sample *sample) {
    if (bbr->full_bw_reached || !bbr->round_start || sample->app_limited)
        return;
    uint64_t bw = max_bw(bbr);
    if (bw >= bbr->full_bw + bbr->full_bw / 4) {
        bbr->full_bw = bw;
        bbr->full_bw_count = 0;
        return;
    }
    bbr->full_bw_reached = ++bbr->full_bw_count >= FULL_BW_ROUNDS;
}

static void check_drain(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    if (bbr->state == TCP_BBR_STARTUP && bbr->full_bw_reached) {
        bbr->state = TCP_BBR_DRAIN;
        tcp->congestion.ssthresh = inflight(tcp, max_bw(bbr), UNIT);
    }
    if (bbr->state == TCP_BBR_DRAIN &&
        at_departure(stack, tcp, tcp_pipe(tcp)) <= inflight(tcp, max_bw(bbr), UNIT))
        start_probe_bw(stack, tcp);
}

/* Section 4.3.5: PROBE_RTT. */

static void save_window(struct tcp *tcp) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    bool good = bbr->recovery_state < TCP_RECOVERY && bbr->state != TCP_BBR_PROBE_RTT;
    bbr->prior_cwnd = good ? tcp->congestion.cwnd : max_u32(bbr->prior_cwnd, tcp->congestion.cwnd);
}

static void check_probe_rtt_done(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    if (!bbr->probe_rtt_done_ns || stack->now_ns <= bbr->probe_rtt_done_ns)
        return;
    bbr->min_rtt_stamp_ns = stack->now_ns;
    tcp->congestion.cwnd = max_u32(tcp->congestion.cwnd, bbr->prior_cwnd);
    if (bbr->full_bw_reached)
        start_probe_bw(stack, tcp);
    else
        bbr->state = TCP_BBR_STARTUP;
}

static void stay_in_probe_rtt(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    tcp_rate_limit(tcp); /* it is we who do not use the path */
    if (!bbr->probe_rtt_done_ns && tcp_pipe(tcp) <= MIN_PIPE_SEGMENTS * tcp->mss) {
        bbr->probe_rtt_done_ns = stack->now_ns + PROBE_RTT_DURATION_NS;
        bbr->probe_rtt_round_done = false;
        start_round(tcp);
    } else if (bbr->probe_rtt_done_ns) {
        bbr->probe_rtt_round_done |= bbr->round_start;
        if (bbr->probe_rtt_round_done)
            check_probe_rtt_done(stack, tcp);
    }
}

static void update_min_rtt(struct stack *stack, struct tcp *tcp, const struct tcp_delivery *delivery) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    uint64_t rtt_ns = delivery->rtt_ns;
    bool expired = stack->now_ns > bbr->min_rtt_stamp_ns + MIN_RTT_WINDOW_NS;
    if (rtt_ns && (!bbr->min_rtt_ns || rtt_ns < bbr->min_rtt_ns || expired)) {
        bbr->min_rtt_ns = rtt_ns;
        bbr->min_rtt_stamp_ns = stack->now_ns;
    }
    if (expired && !bbr->idle_restart && bbr->state != TCP_BBR_PROBE_RTT) {
        save_window(tcp);
        bbr->state = TCP_BBR_PROBE_RTT;
        bbr->probe_rtt_done_ns = 0;
    }
    if (bbr->state == TCP_BBR_PROBE_RTT)
        stay_in_probe_rtt(stack, tcp);
    if (delivery->rate.any && delivery->rate.delivered > 0)
        bbr->idle_restart = false;
}

/* Section 4.2.3: the window. */

/* In the first round trip of a recovery no more is sent than arrives; after it the window is what it was. Returns
 * whether the window is found by that. */
static bool conserve(struct tcp *tcp, uint32_t acked, uint32_t losses) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    uint8_t before = bbr->recovery_state, state = tcp->active->recovery.state;
    uint32_t *cwnd = &tcp->congestion.cwnd, pipe = tcp_pipe(tcp);
    if (losses)
        *cwnd = *cwnd > losses + tcp->mss ? *cwnd - losses : tcp->mss;
    if (state == TCP_RECOVERY && before != TCP_RECOVERY) {
        bbr->conserving = true;
        start_round(tcp);
        *cwnd = pipe + acked;
    } else if (before >= TCP_RECOVERY && state < TCP_RECOVERY) {
        *cwnd = max_u32(*cwnd, bbr->prior_cwnd);
        bbr->conserving = false;
    }
    bbr->recovery_state = state;
    if (bbr->conserving)
        *cwnd = max_u32(*cwnd, pipe + acked);
    return bbr->conserving;
}

static void set_window(struct tcp *tcp, uint32_t acked, uint32_t losses) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    if (acked && !conserve(tcp, acked, losses)) {
        uint32_t cwnd = tcp->congestion.cwnd;
        uint32_t target = content(tcp, bw_of(bbr), window_gain(bbr));
        if (bbr->full_bw_reached) {
            uint64_t most = bw_of(bbr) * (EXTRA_ACKED_MAX_NS / 1000) / 1000000;
            target += (uint32_t)min_u64(tcp_extra_acked_most(&bbr->extra_acked), most);
        }
        target = with_budget(tcp, target);
        if (bbr->full_bw_reached)
            cwnd = min_u32(cwnd + acked, target);
        else if (cwnd < target || tcp->active->rate.delivered < TCP_INITIAL_SEGMENTS * tcp->mss)
            cwnd += acked;
        tcp->congestion.cwnd = max_u32(cwnd, MIN_PIPE_SEGMENTS * tcp->mss);
    }
    tcp->congestion.cwnd = min_u32(tcp->congestion.cwnd, TCP_CWND_MAX);
    if (bbr->state == TCP_BBR_PROBE_RTT)
        tcp->congestion.cwnd = min_u32(tcp->congestion.cwnd, MIN_PIPE_SEGMENTS * tcp->mss);
}

static void acknowledged(struct stack *stack, struct tcp *tcp, const struct tcp_delivery *delivery) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    const struct tcp_rate_sample *sample = &delivery->rate;
    uint32_t losses = tcp->active->rate.lost - bbr->lost_seen;
    uint32_t prior_flight = tcp_pipe(tcp) + delivery->delivered + losses;
    bbr->lost_seen = tcp->active->rate.lost;
    update_bw(stack, tcp, sample, losses);
    update_ack_aggregation(stack, tcp, delivery->delivered);
    update_phase(stack, tcp, prior_flight, losses);
    check_full_bw(bbr, sample);
    check_drain(stack, tcp);
    update_min_rtt(stack, tcp, delivery);
    if (!bbr->has_seen_rtt && tcp->rtt.srtt_ns)
        init_pacing_rate(tcp);
    set_pacing_rate(tcp, bw_of(bbr), pacing_gain(bbr));
    set_window(tcp, delivery->delivered, losses);
}

/* rate.lost has it, and that is looked at with the next acknowledgment. */
static void lost(struct tcp *tcp, const struct tcp_rtx *sent) {
    (void)tcp, (void)sent;
}

static void congested(struct tcp *tcp) {
    (void)tcp;
}

static void recovery(struct stack *stack, struct tcp *tcp, bool timeout) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    save_window(tcp);
    if (!timeout)
        return;
    bbr->recovery_state = TCP_LOSS;
    bbr->full_bw = 0;
    bbr->round_start = true; /* a timeout ends a round trip */
    policer_sample(stack, tcp, false, tcp->mss);
}

static void undo(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    (void)stack;
    bbr->full_bw = 0; /* what was thought to be the most may have been the false recovery's */
    bbr->full_bw_count = 0;
    policer_forget(tcp);
}

static void restart(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    if (!bbr->has_seen_rtt && tcp->rtt.srtt_ns)
        init_pacing_rate(tcp); /* of the handshake */
    if (!tcp->active->rate.app_limited)
        return;
    bbr->idle_restart = true;
    bbr->extra_acked.began_ns = stack->now_ns;
    bbr->extra_acked.delivered = 0;
    if (bbr->state == TCP_BBR_PROBE_BW)
        set_pacing_rate(tcp, bw_of(bbr), UNIT);
    else if (bbr->state == TCP_BBR_PROBE_RTT)
        check_probe_rtt_done(stack, tcp);
}

static void begin(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr *bbr = bbr_of(tcp);
    memset(bbr, 0, sizeof *bbr);
    bbr->min_rtt_ns = tcp->rtt.min_ns;
    bbr->min_rtt_stamp_ns = bbr->extra_acked.began_ns = bbr->cycle_stamp_ns = stack->now_ns;
    bbr->next_round_delivered = tcp->active->rate.delivered;
    bbr->lost_seen = tcp->active->rate.lost;
    bbr->prior_cwnd = tcp->congestion.cwnd;
    policer_forget(tcp);
    init_pacing_rate(tcp);
}

static void info(const struct tcp *tcp, struct tcp_bbr_information *told) {
    const struct tcp_bbr *bbr = bbr_of(tcp);
    uint64_t bw = bw_of(bbr);
    *told = (struct tcp_bbr_information){.bw_low = (uint32_t)bw,
                                         .bw_high = (uint32_t)(bw >> 32),
                                         .min_rtt_us = (uint32_t)(bbr->min_rtt_ns / 1000),
                                         .pacing_gain = pacing_gain(bbr),
                                         .cwnd_gain = window_gain(bbr)};
}

const struct tcp_model_operations tcp_bbr_operations = {begin, acknowledged, lost,    recovery,
                                                        undo,  congested,    restart, info};
