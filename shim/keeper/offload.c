/*
 * offload.c - see offload.h.
 *
 * Theory of operation. Nobody can know beforehand, so it is tried: for some windows what is done is measured
 * the other way, and the way that does more is kept. Later, and ever more seldom, the other is tried again. A
 * trial of what is clearly worse ends with its first window.
 */
#include "shim/keeper/offload.h"
#include "stack/base/minmax.h"

#define WINDOW_MAX_NS (4 * HELPING_WINDOW_NS) /* longer: there was next to nothing to do */
#define BUSY_MIN 4
#define BUSY_MAX 8
#define TRIAL_WINDOWS 3 /* of which the first does not count */
#define PAUSE_MIN_NS UINT64_C(200000000)
#define PAUSE_MAX_NS UINT64_C(4000000000)

static void enter(struct helping *helping, enum helping_state state) {
    helping->state = state;
    helping->windows = 0;
    helping->sum = 0;
}

/* A trial has ended: the way that was tried is kept, or the one before. */
static void decide(struct helping *helping, bool better, bool clear, uint64_t now_ns) {
    bool was_helped = helping->state == HELPING_REVIEWED;
    uint64_t pause_ns = better ? PAUSE_MIN_NS : helping->pause_ns * (clear ? 4 : 2);
    helping->pause_ns = min_u64(max_u64(pause_ns, PAUSE_MIN_NS), PAUSE_MAX_NS);
    helping->next_ns = now_ns + helping->pause_ns;
    if (better)
        helping->rate = helping->sum / (TRIAL_WINDOWS - 1);
    enter(helping, better != was_helped ? HELPING : HELPING_NOT);
}

/* Help has a price, the latency of a hand-over: it has to be better by a tenth. */
static void end_trial_window(struct helping *helping, uint64_t rate, uint64_t now_ns) {
    uint64_t margin = helping->state == HELPING_TRIED ? helping->rate / 10 : 0;
    helping->sum += helping->windows > 1 ? rate : 0;
    if (rate < helping->rate * 2 / 3)
        decide(helping, false, true, now_ns);
    else if (helping->windows == TRIAL_WINDOWS)
        decide(helping, helping->sum / (TRIAL_WINDOWS - 1) > helping->rate + margin, false, now_ns);
}

static void end_window(struct helping *helping, uint64_t rate, uint64_t now_ns) {
    bool helped = helping->state == HELPING, due = now_ns >= helping->next_ns;
    helping->rate = helping->rate > 0 ? (helping->rate * 3 + rate) / 4 : rate;
    if (helped && helping->busy == 0) {
        helping->next_ns = 0; /* it was worth it: the next time at once */
        enter(helping, HELPING_NOT);
    } else if (due && (helped || helping->busy >= BUSY_MIN)) {
        enter(helping, helped ? HELPING_REVIEWED : HELPING_TRIED);
    }
}

bool helping_next(struct helping *helping, uint64_t done, bool busy, uint64_t length_ns, uint64_t now_ns) {
    uint64_t rate = done * HELPING_WINDOW_NS / length_ns;
    if (busy)
        helping->busy += helping->busy < BUSY_MAX;
    else
        helping->busy -= helping->busy > 0;
    helping->windows++;
    if (length_ns > WINDOW_MAX_NS) {
        helping->busy = 0;
        helping->rate = 0;
        enter(helping, HELPING_NOT);
    } else if (helping->state == HELPING_TRIED || helping->state == HELPING_REVIEWED) {
        end_trial_window(helping, rate, now_ns);
    } else {
        end_window(helping, rate, now_ns);
    }
    return helping->state == HELPING_TRIED || helping->state == HELPING;
}
