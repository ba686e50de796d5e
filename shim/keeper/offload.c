/* SPDX-License-Identifier: MIT */
/*
 * offload.c - see offload.h.
 *
 * Theory of operation. Nobody can know beforehand, so it is tried: for some windows what is done is measured
 * the other way, and the way that does more is kept. Later, and ever more seldom, the other is tried again. A
 * trial of what is clearly worse ends with its first window.
 */
#include "shim/keeper/offload.h"
#include "stack/base/minmax.h"

#define WINDOW_MAX_NS (4 * OFFLOAD_WINDOW_NS) /* longer: there was next to nothing to do */
#define BUSY_MIN 4
#define BUSY_MAX 8
#define TRIAL_WINDOWS 3 /* of which the first does not count */
#define PAUSE_MIN_NS UINT64_C(200000000)
#define PAUSE_MAX_NS UINT64_C(4000000000)

static void enter_state(struct offload *offload, enum offload_state state) {
    offload->state = state;
    offload->windows = 0;
    offload->sum = 0;
}

/* A trial has ended: the way that was tried is kept, or the one before. */
static void decide(struct offload *offload, bool better, bool clear, uint64_t now_ns) {
    bool was_offloaded = offload->state == OFFLOAD_REVIEWED;
    uint64_t pause_ns = better ? PAUSE_MIN_NS : offload->pause_ns * (clear ? 4 : 2);
    offload->pause_ns = min_u64(max_u64(pause_ns, PAUSE_MIN_NS), PAUSE_MAX_NS);
    offload->next_ns = now_ns + offload->pause_ns;
    if (better)
        offload->rate = offload->sum / (TRIAL_WINDOWS - 1);
    enter_state(offload, better != was_offloaded ? OFFLOAD_ON : OFFLOAD_NOT);
}

/* Help has a price, the latency of a hand-over: it has to be better by a tenth. */
static void end_trial_window(struct offload *offload, uint64_t rate, uint64_t now_ns) {
    uint64_t margin = offload->state == OFFLOAD_TRIED ? offload->rate / 10 : 0;
    offload->sum += offload->windows > 1 ? rate : 0;
    if (rate < offload->rate * 2 / 3)
        decide(offload, false, true, now_ns);
    else if (offload->windows == TRIAL_WINDOWS)
        decide(offload, offload->sum / (TRIAL_WINDOWS - 1) > offload->rate + margin, false, now_ns);
}

static void end_window(struct offload *offload, uint64_t rate, uint64_t now_ns) {
    bool helped = offload->state == OFFLOAD_ON, due = now_ns >= offload->next_ns;
    offload->rate = offload->rate > 0 ? (offload->rate * 3 + rate) / 4 : rate;
    if (helped && offload->busy == 0) {
        offload->next_ns = 0; /* it was worth it: the next time at once */
        enter_state(offload, OFFLOAD_NOT);
    } else if (due && (helped || offload->busy >= BUSY_MIN)) {
        enter_state(offload, helped ? OFFLOAD_REVIEWED : OFFLOAD_TRIED);
    }
}

bool offload_next(struct offload *offload, uint64_t done, bool busy, uint64_t length_ns, uint64_t now_ns) {
    uint64_t rate = done * OFFLOAD_WINDOW_NS / length_ns;
    if (busy)
        offload->busy += offload->busy < BUSY_MAX;
    else
        offload->busy -= offload->busy > 0;
    offload->windows++;
    if (length_ns > WINDOW_MAX_NS) {
        offload->busy = 0;
        offload->rate = 0;
        enter_state(offload, OFFLOAD_NOT);
    } else if (offload->state == OFFLOAD_TRIED || offload->state == OFFLOAD_REVIEWED) {
        end_trial_window(offload, rate, now_ns);
    } else {
        end_window(offload, rate, now_ns);
    }
    return offload->state == OFFLOAD_TRIED || offload->state == OFFLOAD_ON;
}
