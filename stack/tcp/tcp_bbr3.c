/* SPDX-License-Identifier: MIT */
/*
 * tcp_bbr3.c - see tcp_bbr3.h. Sections are those of draft-ietf-ccwg-bbr.
 */
#include "stack/tcp/tcp_bbr3.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_model.h"

#define SECOND_NS UINT64_C(1000000000)
#define MIN_RTT_WINDOW_NS (10 * SECOND_NS)
#define PROBE_RTT_INTERVAL_NS (5 * SECOND_NS)
#define PROBE_RTT_DURATION_NS (SECOND_NS / 5)
#define PACING_MARGIN_PERCENT 1u
#define LOSS_THRESHOLD_PERCENT 2u
#define BETA_PERCENT 70u
#define HEADROOM_PERCENT 15u
#define STARTUP_FULL_LOSSES 6u
#define FULL_BW_ROUNDS 3u
#define MIN_PIPE_SEGMENTS 4u
#define RENO_ROUNDS_MAX 63u

/* Percent, by state: section 4.1 (its table). */
static const struct {
    uint16_t pacing, window;
} gains[] = {
    [TCP_BBR3_STARTUP] = {277, 200},  [TCP_BBR3_DRAIN] = {50, 200},   [TCP_BBR3_DOWN] = {90, 200},
    [TCP_BBR3_CRUISE] = {100, 200},   [TCP_BBR3_REFILL] = {100, 200}, [TCP_BBR3_UP] = {125, 225},
    [TCP_BBR3_PROBE_RTT] = {100, 50},
};

static struct tcp_bbr3 *bbr_of(const struct tcp *tcp) {
    return &tcp->congestion.model->bbr3;
}

static uint64_t max_bw(const struct tcp_bbr3 *bbr) {
    return max_u64(bbr->max_bw_filter[0], bbr->max_bw_filter[1]);
}

static uint32_t least_window(const struct tcp *tcp) {
    return MIN_PIPE_SEGMENTS * tcp->mss;
}

static bool in_probe_bw(const struct tcp_bbr3 *bbr) {
    return bbr->state >= TCP_BBR3_DOWN && bbr->state <= TCP_BBR3_UP;
}

static bool is_probing_bw(const struct tcp_bbr3 *bbr) {
    return bbr->state == TCP_BBR3_STARTUP || bbr->state == TCP_BBR3_REFILL || bbr->state == TCP_BBR3_UP;
}

/* The path's content at a rate, times a gain in percent. */
static uint32_t content(const struct tcp *tcp, uint64_t bw, uint32_t gain) {
    const struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (!bbr->min_rtt_ns)
        return TCP_INITIAL_SEGMENTS * tcp->mss;
    uint64_t bytes = bw * (bbr->min_rtt_ns / 1000) / 1000000; /* 10^10 of each: 64 bits do */
    return (uint32_t)min_u64(bytes * gain / 100, TCP_CWND_MAX);
}

/* Room for three bursts besides, so that waiting for a round one costs nothing: section 4.6.4.2. */
static uint32_t with_budget(const struct tcp *tcp, uint32_t bytes) {
    const struct tcp_bbr3 *bbr = bbr_of(tcp);
    uint32_t gso = (uint32_t)min_u64(tcp->congestion.model->pacing_rate / 1000, 65536);
    bytes = max_u32(max_u32(bytes, 3 * max_u32(gso, 2 * tcp->mss)), least_window(tcp));
    return bbr->state == TCP_BBR3_UP ? bytes + 2 * tcp->mss : bytes;
}

static uint32_t inflight_target(const struct tcp *tcp, uint64_t bw, uint32_t gain) {
    return with_budget(tcp, content(tcp, bw, gain));
}

static uint32_t inflight_with_headroom(const struct tcp *tcp) {
    const struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (bbr->inflight_longterm == TCP_BBR3_NONE)
        return TCP_BBR3_NONE;
    uint32_t headroom =
        max_u32((uint32_t)(bbr->inflight_longterm * (uint64_t)HEADROOM_PERCENT / 100), tcp->mss);
    uint32_t left = bbr->inflight_longterm > headroom ? bbr->inflight_longterm - headroom : 0;
    return max_u32(left, least_window(tcp));
}

static void start_round(struct tcp *tcp) {
    bbr_of(tcp)->next_round_delivered = tcp->active->rate.delivered;
}

static void reset_full_bw(struct tcp_bbr3 *bbr) {
    bbr->full_bw = 0;
    bbr->full_bw_count = 0;
    bbr->full_bw_now = false;
}

static void reset_short_term(struct tcp_bbr3 *bbr) {
    bbr->bw_shortterm = UINT64_MAX;
    bbr->inflight_shortterm = TCP_BBR3_NONE;
}

static void set_pacing_rate(struct tcp *tcp, uint32_t gain) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    uint64_t rate = bbr->bw * gain / 100 * (100 - PACING_MARGIN_PERCENT) / 100;
    if (rate && (bbr->full_bw_reached || rate > tcp->congestion.model->pacing_rate))
        tcp->congestion.model->pacing_rate = rate;
}

/* Section 4.3.3: the states of ProbeBW. */

static void start_down(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    bbr->loss_in_round = false;
    bbr->bw_latest = bbr->inflight_latest = 0;
    bbr->probe_up_cnt = TCP_BBR3_NONE;
    /* Flows that share a bottleneck shall not probe at the same time. */
    bbr->rounds_since_bw_probe = (uint8_t)random_below(&stack->random, 2);
    bbr->bw_probe_wait_ns = 2 * SECOND_NS + random_below(&stack->random, (uint32_t)SECOND_NS);
    bbr->cycle_stamp_ns = stack->now_ns;
    bbr->ack_phase = TCP_BBR3_ACKS_PROBE_STOPPING;
    start_round(tcp);
    bbr->state = TCP_BBR3_DOWN;
}

static void start_refill(struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    reset_short_term(bbr);
    bbr->bw_probe_up_rounds = 0;
    bbr->bw_probe_up_acks = 0;
    bbr->ack_phase = TCP_BBR3_ACKS_REFILLING;
    start_round(tcp);
    bbr->state = TCP_BBR3_REFILL;
}

/* How much must be acknowledged for each segment more: half as much every round trip. */
static void raise_slope(struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    uint32_t growth = UINT32_C(1) << bbr->bw_probe_up_rounds;
    if (bbr->bw_probe_up_rounds < 30)
        bbr->bw_probe_up_rounds++;
    bbr->probe_up_cnt = max_u32(tcp->congestion.cwnd / growth, tcp->mss);
}

static void start_up(struct tcp *tcp, uint64_t rate) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    bbr->ack_phase = TCP_BBR3_ACKS_PROBE_STARTING;
    start_round(tcp);
    reset_full_bw(bbr);
    bbr->full_bw = rate;
    bbr->state = TCP_BBR3_UP;
    raise_slope(tcp);
}

static bool start_refill_when_due(const struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    /* No rarer than Reno would look for more: section 4.3.3.5. */
    uint32_t segments = inflight_target(tcp, bbr->bw, 100) / tcp->mss;
    if (stack->now_ns - bbr->cycle_stamp_ns <= bbr->bw_probe_wait_ns &&
        bbr->rounds_since_bw_probe < min_u32(segments, RENO_ROUNDS_MAX))
        return false;
    start_refill(tcp);
    return true;
}

static bool is_time_to_cruise(const struct tcp *tcp) {
    uint32_t pipe = tcp_pipe(tcp);
    return pipe <= inflight_with_headroom(tcp) && pipe <= inflight_target(tcp, max_bw(bbr_of(tcp)), 100);
}

static bool is_time_to_go_down(struct tcp *tcp, uint64_t rate) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (tcp->active->cwnd_limited && tcp->congestion.cwnd >= bbr->inflight_longterm) {
        reset_full_bw(bbr); /* it is our own bound that limits the rate */
        bbr->full_bw = rate;
        return false;
    }
    return bbr->full_bw_now;
}

static void update_probe_bw(struct stack *stack, struct tcp *tcp, uint64_t rate) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    switch (bbr->state) {
    case TCP_BBR3_DOWN:
        if (!start_refill_when_due(stack, tcp) && is_time_to_cruise(tcp))
            bbr->state = TCP_BBR3_CRUISE;
        break;
    case TCP_BBR3_CRUISE:
        start_refill_when_due(stack, tcp);
        break;
    case TCP_BBR3_REFILL:
        if (bbr->round_start) {
            bbr->bw_probe_samples = true;
            start_up(tcp, rate);
        }
        break;
    case TCP_BBR3_UP:
        if (is_time_to_go_down(tcp, rate))
            start_down(stack, tcp);
        break;
    default:
        break;
    }
}

/* Sections 4.5.2 and 4.5.4: what the acknowledgment tells of the rate, and of the present round trip. */

static void update_round(struct tcp *tcp, const struct tcp_rate_sample *sample) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    bbr->round_start = sample->any && seq_ge(sample->prior_delivered, bbr->next_round_delivered);
    if (!bbr->round_start)
        return;
    start_round(tcp);
    if (bbr->rounds_since_bw_probe < UINT8_MAX)
        bbr->rounds_since_bw_probe++;
}

static void update_latest(struct tcp *tcp, const struct tcp_rate_sample *sample, uint64_t rate) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    bbr->bw_latest = max_u64(bbr->bw_latest, rate);
    bbr->inflight_latest = max_u32(bbr->inflight_latest, sample->delivered);
    bbr->loss_round_start = sample->any && seq_ge(sample->prior_delivered, bbr->loss_round_delivered);
    if (bbr->loss_round_start)
        bbr->loss_round_delivered = tcp->active->rate.delivered;
}

static void lower_bounds(struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (is_probing_bw(bbr) || !bbr->loss_in_round)
        return;
    if (bbr->bw_shortterm == UINT64_MAX)
        bbr->bw_shortterm = max_bw(bbr);
    if (bbr->inflight_shortterm == TCP_BBR3_NONE)
        bbr->inflight_shortterm = tcp->congestion.cwnd;
    bbr->bw_shortterm = max_u64(bbr->bw_latest, bbr->bw_shortterm / 100 * BETA_PERCENT);
    bbr->inflight_shortterm =
        max_u32(bbr->inflight_latest, (uint32_t)(bbr->inflight_shortterm * (uint64_t)BETA_PERCENT / 100));
}

/* Section 4.5.5. */
static void update_ack_aggregation(const struct stack *stack, struct tcp *tcp, uint32_t acked) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (bbr->round_start)
        tcp_extra_acked_round(&bbr->extra_acked);
    tcp_extra_acked_add(&bbr->extra_acked, stack->now_ns, acked, bbr->bw, 0, tcp->congestion.cwnd);
}

static void check_full_bw(struct tcp_bbr3 *bbr, const struct tcp_rate_sample *sample, uint64_t rate) {
    if (bbr->full_bw_now || sample->app_limited || !rate)
        return;
    if (rate >= bbr->full_bw + bbr->full_bw / 4) {
        reset_full_bw(bbr);
        bbr->full_bw = rate;
        return;
    }
    if (!bbr->round_start)
        return;
    bbr->full_bw_now = ++bbr->full_bw_count >= FULL_BW_ROUNDS;
    bbr->full_bw_reached |= bbr->full_bw_now;
}

static bool too_much_lost(uint32_t lost, uint32_t in_flight) {
    return lost > in_flight * (uint64_t)LOSS_THRESHOLD_PERCENT / 100;
}

/* Section 4.5.6.2: a probe has shown how much is too much. */
static void inflight_too_high(struct stack *stack, struct tcp *tcp, uint32_t in_flight, bool app_limited) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    bbr->bw_probe_samples = false;
    if (!app_limited)
        bbr->inflight_longterm =
            max_u32(in_flight, (uint32_t)(inflight_target(tcp, bbr->bw, 100) * (uint64_t)BETA_PERCENT / 100));
    if (bbr->state == TCP_BBR3_UP)
        start_down(stack, tcp);
}

/* Sections 4.3.1.2 and .3: Startup ends when the rate grows no more, or too much is lost. */
static void check_startup(struct tcp *tcp, const struct tcp_rate_sample *sample) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (bbr->state != TCP_BBR3_STARTUP)
        return;
    if (!bbr->full_bw_reached && bbr->loss_round_start && bbr->loss_events_in_round >= STARTUP_FULL_LOSSES &&
        too_much_lost(sample->lost, sample->in_flight)) {
        bbr->full_bw_reached = true;
        bbr->inflight_longterm = max_u32(inflight_target(tcp, max_bw(bbr), 100), bbr->inflight_latest);
    }
    if (bbr->full_bw_reached)
        bbr->state = TCP_BBR3_DRAIN;
}

/* While it probes, the bound that lasts grows faster and faster. */
static void probe_upward(struct tcp *tcp, uint32_t acked) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (!tcp->active->cwnd_limited || tcp->congestion.cwnd < bbr->inflight_longterm)
        return;
    bbr->bw_probe_up_acks += acked;
    if (bbr->bw_probe_up_acks >= bbr->probe_up_cnt) {
        uint32_t segments = bbr->bw_probe_up_acks / bbr->probe_up_cnt;
        bbr->bw_probe_up_acks -= segments * bbr->probe_up_cnt;
        bbr->inflight_longterm =
            (uint32_t)min_u64(bbr->inflight_longterm + (uint64_t)segments * tcp->mss, TCP_CWND_MAX);
    }
    if (bbr->round_start)
        raise_slope(tcp);
}

static void adapt_long_term(struct stack *stack, struct tcp *tcp, const struct tcp_rate_sample *sample,
                            uint32_t acked) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (bbr->ack_phase == TCP_BBR3_ACKS_PROBE_STARTING && bbr->round_start)
        bbr->ack_phase = TCP_BBR3_ACKS_PROBE_FEEDBACK;
    if (bbr->ack_phase == TCP_BBR3_ACKS_PROBE_STOPPING && bbr->round_start) {
        if (in_probe_bw(bbr) && !sample->app_limited) {
            bbr->max_bw_filter[0] = bbr->max_bw_filter[1];
            bbr->max_bw_filter[1] = 0;
        }
        bbr->ack_phase = TCP_BBR3_ACKS_INIT;
    }
    if (sample->any && too_much_lost(sample->lost, sample->in_flight)) {
        if (bbr->bw_probe_samples)
            inflight_too_high(stack, tcp, sample->in_flight, sample->app_limited);
        return;
    }
    if (bbr->inflight_longterm == TCP_BBR3_NONE)
        return;
    bbr->inflight_longterm = max_u32(bbr->inflight_longterm, sample->in_flight);
    if (bbr->state == TCP_BBR3_UP)
        probe_upward(tcp, acked);
}

/* Section 4.3.4: ProbeRTT. */

static void exit_probe_rtt(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    tcp->congestion.cwnd = max_u32(tcp->congestion.cwnd, bbr->prior_cwnd);
    reset_short_term(bbr);
    bbr->probe_rtt_min_stamp_ns = stack->now_ns;
    if (bbr->full_bw_reached) {
        start_down(stack, tcp);
        bbr->state = TCP_BBR3_CRUISE;
    } else {
        bbr->state = TCP_BBR3_STARTUP;
    }
}

static uint32_t probe_rtt_window(const struct tcp *tcp) {
    const struct tcp_bbr3 *bbr = bbr_of(tcp);
    return max_u32(content(tcp, bbr->bw, gains[TCP_BBR3_PROBE_RTT].window), least_window(tcp));
}

static void update_min_rtt(const struct stack *stack, struct tcp_bbr3 *bbr, uint64_t rtt_ns) {
    bbr->probe_rtt_expired = stack->now_ns > bbr->probe_rtt_min_stamp_ns + PROBE_RTT_INTERVAL_NS;
    if (rtt_ns && (!bbr->probe_rtt_min_ns || rtt_ns < bbr->probe_rtt_min_ns || bbr->probe_rtt_expired)) {
        bbr->probe_rtt_min_ns = rtt_ns;
        bbr->probe_rtt_min_stamp_ns = stack->now_ns;
    }
    bool expired = stack->now_ns > bbr->min_rtt_stamp_ns + MIN_RTT_WINDOW_NS;
    if (bbr->probe_rtt_min_ns && (!bbr->min_rtt_ns || bbr->probe_rtt_min_ns < bbr->min_rtt_ns || expired)) {
        bbr->min_rtt_ns = bbr->probe_rtt_min_ns;
        bbr->min_rtt_stamp_ns = bbr->probe_rtt_min_stamp_ns;
    }
}

static void probe_rtt(struct stack *stack, struct tcp *tcp, const struct tcp_rate_sample *sample) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (bbr->state != TCP_BBR3_PROBE_RTT && bbr->probe_rtt_expired && !bbr->idle_restart) {
        bbr->prior_cwnd = tcp->active->recovery.state < TCP_RECOVERY
                              ? tcp->congestion.cwnd
                              : max_u32(bbr->prior_cwnd, tcp->congestion.cwnd);
        bbr->state = TCP_BBR3_PROBE_RTT;
        bbr->probe_rtt_done_ns = 0;
        bbr->ack_phase = TCP_BBR3_ACKS_PROBE_STOPPING;
        start_round(tcp);
    }
    if (bbr->state == TCP_BBR3_PROBE_RTT) {
        tcp_rate_limit(tcp);
        if (!bbr->probe_rtt_done_ns && tcp_pipe(tcp) <= probe_rtt_window(tcp)) {
            bbr->probe_rtt_done_ns = stack->now_ns + PROBE_RTT_DURATION_NS;
            bbr->probe_rtt_round_done = false;
            start_round(tcp);
        } else if (bbr->probe_rtt_done_ns) {
            bbr->probe_rtt_round_done |= bbr->round_start;
            if (bbr->probe_rtt_round_done && stack->now_ns > bbr->probe_rtt_done_ns)
                exit_probe_rtt(stack, tcp);
        }
    }
    if (sample->any && sample->delivered > 0)
        bbr->idle_restart = false;
}

/* Section 4.6.4. */
static void set_window(struct tcp *tcp, uint32_t acked) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    uint32_t window = gains[bbr->state].window, cwnd = tcp->congestion.cwnd, cap = TCP_BBR3_NONE;
    uint32_t extra = bbr->full_bw_reached ? tcp_extra_acked_most(&bbr->extra_acked) : 0;
    uint32_t most = with_budget(tcp, content(tcp, bbr->bw, window) + extra);
    if (bbr->full_bw_reached)
        cwnd = min_u32(cwnd + acked, most);
    else if (cwnd < most || tcp->active->rate.delivered < TCP_INITIAL_SEGMENTS * tcp->mss)
        cwnd += acked;
    cwnd = max_u32(cwnd, least_window(tcp));
    if (bbr->state == TCP_BBR3_PROBE_RTT)
        cwnd = min_u32(cwnd, probe_rtt_window(tcp));
    if (bbr->state == TCP_BBR3_PROBE_RTT || bbr->state == TCP_BBR3_CRUISE)
        cap = inflight_with_headroom(tcp);
    else if (in_probe_bw(bbr))
        cap = bbr->inflight_longterm;
    cap = max_u32(min_u32(cap, bbr->inflight_shortterm), least_window(tcp));
    tcp->congestion.cwnd = min_u32(min_u32(cwnd, cap), TCP_CWND_MAX);
}

static void update_model(struct stack *stack, struct tcp *tcp, const struct tcp_delivery *delivery,
                         uint64_t rate) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    const struct tcp_rate_sample *sample = &delivery->rate;
    update_latest(tcp, sample, rate);
    update_round(tcp, sample);
    if (rate && (rate >= max_bw(bbr) || !sample->app_limited))
        bbr->max_bw_filter[1] = max_u64(bbr->max_bw_filter[1], rate);
    if (bbr->loss_round_start)
        lower_bounds(tcp);
    update_ack_aggregation(stack, tcp, delivery->delivered);
    check_full_bw(bbr, sample, rate);
    check_startup(tcp, sample);
    if (bbr->loss_round_start) {
        bbr->loss_in_round = false;
        bbr->loss_events_in_round = 0;
    }
    if (bbr->state == TCP_BBR3_DRAIN && tcp_pipe(tcp) <= inflight_target(tcp, max_bw(bbr), 100))
        start_down(stack, tcp);
    if (bbr->full_bw_reached) {
        adapt_long_term(stack, tcp, sample, delivery->delivered);
        update_probe_bw(stack, tcp, rate);
    }
    update_min_rtt(stack, bbr, delivery->rtt_ns);
    probe_rtt(stack, tcp, sample);
    if (bbr->loss_round_start) {
        bbr->bw_latest = rate;
        bbr->inflight_latest = sample->delivered;
    }
    bbr->bw = min_u64(max_bw(bbr), bbr->bw_shortterm);
}

static void acknowledged(struct stack *stack, struct tcp *tcp, const struct tcp_delivery *delivery) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (bbr->too_high) {
        bbr->too_high = false;
        inflight_too_high(stack, tcp, bbr->too_high_flight, false);
    }
    update_model(stack, tcp, delivery, tcp_rate_of(delivery->rate.delivered, delivery->rate.interval_us));
    set_pacing_rate(tcp, gains[bbr->state].pacing);
    set_window(tcp, delivery->delivered);
}

static void congested(struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (!bbr->loss_in_round)
        bbr->loss_round_delivered = tcp->active->rate.delivered;
    bbr->loss_in_round = true;
}

/* Section 4.5.6.2: with how much in flight the loss passed what is borne. */
static void lost(struct tcp *tcp, const struct tcp_rtx *sent) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    uint32_t lost = tcp->active->rate.lost - sent->rate.lost, in_flight = sent->rate.in_flight;
    uint32_t span = tcp_rtx_span(sent);
    congested(tcp);
    if (bbr->loss_events_in_round < UINT8_MAX)
        bbr->loss_events_in_round++;
    if (!bbr->bw_probe_samples || bbr->too_high || sent->app_limited || !too_much_lost(lost, in_flight))
        return;
    uint64_t flight_before = in_flight > span ? in_flight - span : 0, lost_before = lost - span;
    uint64_t borne = flight_before * LOSS_THRESHOLD_PERCENT / 100;
    uint64_t prefix = borne > lost_before ? (borne - lost_before) * 100 / (100 - LOSS_THRESHOLD_PERCENT) : 0;
    bbr->too_high = true;
    bbr->too_high_flight = (uint32_t)(flight_before + prefix);
}

static void recovery(struct stack *stack, struct tcp *tcp, bool timeout) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    (void)stack;
    bbr->undo_bw_shortterm = bbr->bw_shortterm;
    bbr->undo_inflight_shortterm = bbr->inflight_shortterm;
    bbr->undo_inflight_longterm = bbr->inflight_longterm;
    if (!timeout)
        return;
    bbr->full_bw = 0;
    if (!is_probing_bw(bbr) && bbr->inflight_shortterm == TCP_BBR3_NONE)
        bbr->inflight_shortterm = max_u32(tcp->congestion.cwnd, tcp->active->recovery.prior_cwnd);
}

static void undo(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    (void)stack;
    reset_full_bw(bbr);
    bbr->loss_in_round = false;
    bbr->bw_shortterm = max_u64(bbr->bw_shortterm, bbr->undo_bw_shortterm);
    bbr->inflight_shortterm = max_u32(bbr->inflight_shortterm, bbr->undo_inflight_shortterm);
    bbr->inflight_longterm = max_u32(bbr->inflight_longterm, bbr->undo_inflight_longterm);
}

/* A window a round trip: section 4.6.2. */
static void init_pacing_rate(struct tcp *tcp) {
    uint64_t rtt_ns = tcp->rtt.srtt_ns ? tcp->rtt.srtt_ns : SECOND_NS / 1000;
    tcp->congestion.model->pacing_rate =
        tcp->congestion.cwnd * SECOND_NS / rtt_ns * gains[TCP_BBR3_STARTUP].pacing / 100;
}

static void restart(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    if (!bbr->min_rtt_ns && tcp->rtt.srtt_ns) {
        bbr->min_rtt_ns = tcp->rtt.srtt_ns; /* of the handshake */
        init_pacing_rate(tcp);
    }
    if (!tcp->active->rate.app_limited)
        return;
    bbr->idle_restart = true;
    bbr->extra_acked.began_ns = stack->now_ns;
    if (in_probe_bw(bbr))
        set_pacing_rate(tcp, 100);
}

static void begin(struct stack *stack, struct tcp *tcp) {
    struct tcp_bbr3 *bbr = bbr_of(tcp);
    *bbr = (struct tcp_bbr3){.state = TCP_BBR3_STARTUP,
                             .inflight_longterm = TCP_BBR3_NONE,
                             .probe_up_cnt = TCP_BBR3_NONE,
                             .min_rtt_ns = tcp->rtt.srtt_ns,
                             .min_rtt_stamp_ns = stack->now_ns,
                             .probe_rtt_min_stamp_ns = stack->now_ns,
                             .extra_acked.began_ns = stack->now_ns,
                             .next_round_delivered = tcp->active->rate.delivered,
                             .loss_round_delivered = tcp->active->rate.delivered};
    reset_short_term(bbr);
    init_pacing_rate(tcp);
}

static void info(const struct tcp *tcp, struct tcp_bbr_information *told) {
    const struct tcp_bbr3 *bbr = bbr_of(tcp);
    *told = (struct tcp_bbr_information){.bw_low = (uint32_t)bbr->bw,
                                         .bw_high = (uint32_t)(bbr->bw >> 32),
                                         .min_rtt_us = (uint32_t)(bbr->min_rtt_ns / 1000),
                                         .pacing_gain = gains[bbr->state].pacing * 256u / 100,
                                         .cwnd_gain = gains[bbr->state].window * 256u / 100};
}

const struct tcp_model_operations tcp_bbr3_operations = {begin, acknowledged, lost,    recovery,
                                                         undo,  congested,    restart, info};
