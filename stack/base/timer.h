/* SPDX-License-Identifier: MIT */
/*
 * timer.h - timers in a hierarchical wheel (Varghese and Lauck, 1987): start and stop in O(1).
 *
 * Four levels of 64 slots; a slot of the lowest level is TIMER_TICK_NS wide, one of the next 64 times that. A
 * timer fires at the first tick after its deadline, never before it. A deadline beyond the wheel waits in its
 * last slot and is placed anew when that comes up.
 */
#ifndef STACK_BASE_TIMER_H
#define STACK_BASE_TIMER_H

#include "stack/memory/list.h"
#include <stdint.h>

#define TIMER_TICK_NS UINT64_C(1048576)
#define TIMER_TICK_MAX ((UINT64_C(1) << 48) - 1)
#define TIMER_LEVELS 4
#define TIMER_SLOTS 64
#define TIMER_NEVER UINT64_MAX

struct timer {
    struct list link;
    uint64_t due : 48;  /* tick */
    uint64_t kind : 8;  /* an enum of the owner's, to tell whose timer fired */
    uint64_t level : 2; /* where it is in the wheel, when it is */
    uint64_t slot : 6;
};

struct timer_wheel {
    uint64_t tick; /* all ticks before this one have been run */
    uint64_t occupied[TIMER_LEVELS];
    struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns);
void timer_init(struct timer *timer, uint8_t kind);

/* Starts a timer, or moves one that runs. */
void timer_start(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ns);
void timer_stop(struct timer_wheel *wheel, struct timer *timer);

/* The first tick at or after a deadline. */
static inline uint64_t timer_tick(uint64_t deadline_ns) {
    return deadline_ns / TIMER_TICK_NS + (deadline_ns % TIMER_TICK_NS != 0);
}

/* Whether a timer of that deadline fires by now. */
static inline bool timer_is_due(uint64_t deadline_ns, uint64_t now_ns) {
    return timer_tick(deadline_ns) <= now_ns / TIMER_TICK_NS;
}

/* When a timer that was started fires. */
static inline uint64_t timer_deadline_ns(const struct timer *timer) {
    return timer->due * TIMER_TICK_NS;
}

static inline bool timer_running(const struct timer *timer) {
    return !list_empty(&timer->link);
}

/* Gives the next timer whose deadline is at or before now_ns, stopped; NULL when there is none left. */
struct timer *timer_expire(struct timer_wheel *wheel, uint64_t now_ns);

/* When timer_expire must be called at the latest, never later than the first deadline's tick; TIMER_NEVER
 * when no timer runs. */
uint64_t timer_next(const struct timer_wheel *wheel);

#endif
