/* SPDX-License-Identifier: MIT */
/*
 * tcp_congestion.c - see tcp_congestion.h.
 */
#include "stack/tcp/tcp_congestion.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_dctcp.h"
#include "stack/tcp/tcp_model.h"
#include <string.h>

#define BETA 0.7 /* RFC 9438 section 4.6 */
#define C 0.4    /* section 5 */
#define SECOND 1e9

#define HYSTART_MIN_ETA_NS UINT64_C(4000000) /* RFC 9406 section 4.2 */
#define HYSTART_MAX_ETA_NS UINT64_C(16000000)
#define HYSTART_SAMPLES 8
#define HYSTART_GROWTH_DIVISOR 4
#define HYSTART_ROUNDS 5

void tcp_congestion_init(struct tcp_congestion *congestion, enum tcp_algorithm algorithm, uint32_t mss) {
    bool begun = congestion->cwnd > 0;
    uint32_t cwnd = congestion->cwnd, ssthresh = congestion->ssthresh;
    *congestion = (struct tcp_congestion){.algorithm = (uint8_t)algorithm,
                                          .alpha = TCP_DCTCP_ALPHA_MAX,
                                          .cwnd = begun ? cwnd : TCP_INITIAL_SEGMENTS * mss,
                                          .ssthresh = begun ? ssthresh : TCP_CWND_MAX};
}

void tcp_congestion_begin(struct stack *stack, struct tcp *tcp, enum tcp_algorithm algorithm) {
    const struct tcp_model_operations *operations = tcp_model_of(algorithm);
    struct tcp_model *model = operations && tcp_active_take(stack, tcp) ? pool_take(&stack->models) : NULL;
    tcp_congestion_end(stack, tcp);
    if (tcp_active_is_own(stack, tcp))
        tcp->active->growth = (struct tcp_growth){0};
    tcp_congestion_init(&tcp->congestion, operations && !model ? TCP_CUBIC : algorithm, tcp->mss);
    tcp->congestion.model = model;
    if (model)
        operations->begin(stack, tcp);
}

void tcp_congestion_end(struct stack *stack, struct tcp *tcp) {
    if (tcp->congestion.model)
        pool_return(&stack->models, tcp->congestion.model);
    tcp->congestion.model = NULL;
}

void tcp_congestion_lost(struct tcp *tcp, const struct tcp_rtx *sent) {
    if (tcp_congestion_models(&tcp->congestion))
        tcp_model(tcp)->lost(tcp, sent);
}

/* Newton's method: there is no mathematical library in a program that has none. */
static double cube_root(double x) {
    double guess = x > 1 ? x / 3 : 1;
    if (x <= 0)
        return 0;
    for (int i = 0; i < 60; i++) {
        double next = (2 * guess + x / (guess * guess)) / 3;
        double change = next > guess ? next - guess : guess - next;
        guess = next;
        if (change < 1e-6 * guess)
            break;
    }
    return guess;
}

static void reno_avoid(struct tcp_congestion *congestion, const struct tcp_progress *progress) {
    congestion->acked += progress->bytes;
    if (congestion->acked >= congestion->cwnd) {
        congestion->acked -= congestion->cwnd;
        congestion->cwnd += progress->mss;
    }
}

static void cubic_begin_epoch(struct tcp_cubic *cubic, double w_max, double cwnd, uint64_t now_ns) {
    cubic->epoch_ns = now_ns ? now_ns : 1;
    cubic->w_est = cwnd;
    cubic->gained = 0;
    cubic->origin = cwnd < w_max ? w_max : cwnd;
    cubic->k = cube_root((cubic->origin - cwnd) / C);
}

/* RFC 9438 sections 4.2 to 4.5; windows in segments. */
static void cubic_avoid(struct tcp_congestion *congestion, struct tcp_cubic *cubic,
                        const struct tcp_progress *progress) {
    double cwnd = (double)congestion->cwnd / progress->mss;
    double acked = (double)progress->bytes / progress->mss;
    if (!cubic->epoch_ns)
        cubic_begin_epoch(cubic, congestion->w_max, cwnd, progress->now_ns);
    double t = (double)(progress->now_ns - cubic->epoch_ns + progress->srtt_ns) / SECOND - cubic->k;
    double target = cubic->origin + C * t * t * t;
    target = target < cwnd ? cwnd : target > 1.5 * cwnd ? 1.5 * cwnd : target;
    double alpha = cubic->w_est < congestion->w_max ? 3 * (1 - BETA) / (1 + BETA) : 1;
    cubic->w_est += alpha * acked / cwnd;
    if (cubic->w_est > target)
        cubic->gained += cubic->w_est > cwnd ? cubic->w_est - cwnd : 0;
    else
        cubic->gained += (target - cwnd) / cwnd * acked;
    if (cubic->gained >= 1) {
        uint32_t whole = cubic->gained < 1000 ? (uint32_t)cubic->gained : 1000;
        congestion->cwnd += whole * progress->mss;
        cubic->gained = 0;
    }
}

/* Whether this round's shortest round trip shows that a queue builds up. */
static bool hystart_slower(const struct tcp_hystart *hystart) {
    uint64_t eta = hystart->last_round_min_ns / 8;
    eta = eta < HYSTART_MIN_ETA_NS ? HYSTART_MIN_ETA_NS : eta > HYSTART_MAX_ETA_NS ? HYSTART_MAX_ETA_NS : eta;
    return hystart->samples >= HYSTART_SAMPLES && hystart->last_round_min_ns &&
           hystart->round_min_ns >= hystart->last_round_min_ns + eta;
}

static void hystart(struct tcp_congestion *congestion, struct tcp_hystart *state,
                    const struct tcp_progress *progress) {
    if (!state->in_round)
        state->round_end = progress->nxt;
    state->in_round = true;
    if (progress->rtt_ns) {
        state->samples++;
        if (!state->round_min_ns || progress->rtt_ns < state->round_min_ns)
            state->round_min_ns = progress->rtt_ns;
    }
    if (!state->slow_rounds && hystart_slower(state)) {
        state->slow_rounds = 1;
        state->slow_min_ns = state->round_min_ns;
    } else if (state->slow_rounds && state->samples >= HYSTART_SAMPLES &&
               state->round_min_ns < state->slow_min_ns) {
        state->slow_rounds = 0; /* it was a passing delay */
    }
    if (seq_lt(progress->una, state->round_end))
        return;
    if (state->slow_rounds && ++state->slow_rounds > HYSTART_ROUNDS)
        congestion->ssthresh = congestion->cwnd;
    state->round_end = progress->nxt;
    state->last_round_min_ns = state->round_min_ns;
    state->round_min_ns = 0;
    state->samples = 0;
}

void tcp_congestion_acknowledged(struct tcp_congestion *congestion, struct tcp_growth *growth,
                                 const struct tcp_progress *progress) {
    if (congestion->cwnd < congestion->ssthresh) {
        uint32_t bytes = progress->bytes;
        if (congestion->algorithm == TCP_CUBIC)
            hystart(congestion, &growth->hystart, progress);
        if (growth->hystart.slow_rounds)
            bytes /= HYSTART_GROWTH_DIVISOR;
        congestion->cwnd += bytes; /* RFC 3465 without its limit, as Linux */
    } else if (congestion->algorithm == TCP_CUBIC) {
        cubic_avoid(congestion, &growth->cubic, progress);
    } else {
        reno_avoid(congestion, progress);
    }
    if (congestion->cwnd > TCP_CWND_MAX)
        congestion->cwnd = TCP_CWND_MAX;
}

uint32_t tcp_congestion_threshold(struct tcp_congestion *congestion, struct tcp_growth *growth,
                                  uint32_t in_flight, uint32_t mss, bool marked) {
    uint32_t threshold = in_flight / 2;
    congestion->acked = 0;
    *growth = (struct tcp_growth){0};
    if (congestion->algorithm == TCP_CUBIC) {
        double cwnd = (double)congestion->cwnd / mss;
        /* Section 4.7, fast convergence: a flow that has less than before makes room for others. */
        congestion->w_max = (float)(cwnd < congestion->w_max ? cwnd * (1 + BETA) / 2 : cwnd);
        threshold = (uint32_t)(congestion->cwnd * BETA);
    } else if (congestion->algorithm == TCP_DCTCP && marked) {
        threshold = tcp_dctcp_threshold(congestion->cwnd, congestion->alpha);
    }
    return threshold > 2 * mss ? threshold : 2 * mss;
}
