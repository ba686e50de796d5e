/* SPDX-License-Identifier: MIT */
/*
 * timer.c - see timer.h.
 *
 * A timer with deadline tick d lies in level 0 when d is within 64 ticks of the wheel's tick, else in the
 * level whose slots are just wide enough. When the wheel's tick enters a slot of a higher level, that slot's
 * timers are placed anew, one level or more further down.
 */
#include "stack/base/timer.h"

#define SLOT_BITS 6
#define SLOT_MASK (TIMER_SLOTS - 1)

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns) {
    wheel->tick = now_ns / TIMER_TICK_NS;
    for (int level = 0; level < TIMER_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (int slot = 0; slot < TIMER_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

void timer_init(struct timer *timer, uint8_t kind) {
    list_init(&timer->link);
    timer->kind = kind;
}

void timer_stop(struct timer_wheel *wheel, struct timer *timer) {
    if (!timer_running(timer))
        return;
    list_remove(&timer->link);
    if (list_empty(&wheel->slots[timer->level][timer->slot]))
        wheel->occupied[timer->level] &= ~(UINT64_C(1) << timer->slot);
}

static void wheel_place(struct timer_wheel *wheel, struct timer *timer) {
    uint64_t due = timer->due > wheel->tick ? timer->due : wheel->tick;
    int level = 0;
    /* The distance is counted in the level's own slots: 63 of them may lie ahead of the current one. */
    while (level < TIMER_LEVELS - 1 &&
           (due >> (SLOT_BITS * level)) - (wheel->tick >> (SLOT_BITS * level)) >= TIMER_SLOTS)
        level++;
    uint64_t ahead = (due >> (SLOT_BITS * level)) - (wheel->tick >> (SLOT_BITS * level));
    if (ahead >= TIMER_SLOTS)
        ahead = TIMER_SLOTS - 1;
    uint8_t slot = (uint8_t)(((wheel->tick >> (SLOT_BITS * level)) + ahead) & SLOT_MASK);
    timer->level = (unsigned)level & (TIMER_LEVELS - 1);
    timer->slot = slot & SLOT_MASK;
    list_add_tail(&wheel->slots[level][slot], &timer->link);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

void timer_start(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ns) {
    timer_stop(wheel, timer);
    uint64_t due = timer_tick(deadline_ns);
    timer->due = due < TIMER_TICK_MAX ? due : TIMER_TICK_MAX;
    wheel_place(wheel, timer);
}

static int lowest_slot_ahead(uint64_t occupied, unsigned current) {
    uint64_t rotated = current ? occupied >> current | occupied << (TIMER_SLOTS - current) : occupied;
    return rotated ? __builtin_ctzll(rotated) : -1;
}

/* The first tick at or after the wheel's at which something is to be done: a slot of level 0 fires, or a slot
 * of a higher level is entered. */
static uint64_t next_tick(const struct timer_wheel *wheel) {
    uint64_t soonest = TIMER_NEVER;
    for (int level = 0; level < TIMER_LEVELS; level++) {
        uint64_t current = wheel->tick >> (SLOT_BITS * level);
        int ahead = lowest_slot_ahead(wheel->occupied[level], (unsigned)(current & SLOT_MASK));
        if (ahead < 0)
            continue;
        uint64_t tick = (current + (uint64_t)ahead) << (SLOT_BITS * level);
        if (tick < wheel->tick)
            tick = wheel->tick; /* inside the current slot of a higher level: place anew right away */
        if (tick < soonest)
            soonest = tick;
    }
    return soonest;
}

uint64_t timer_next(const struct timer_wheel *wheel) {
    uint64_t tick = next_tick(wheel);
    return tick == TIMER_NEVER ? TIMER_NEVER : tick * TIMER_TICK_NS;
}

/* Moves the timers of the higher levels' current slots further down. */
static void wheel_cascade(struct timer_wheel *wheel) {
    for (int level = TIMER_LEVELS - 1; level > 0; level--) {
        unsigned slot = (unsigned)(wheel->tick >> (SLOT_BITS * level)) & SLOT_MASK;
        struct list *head = &wheel->slots[level][slot];
        struct list waiting;
        if (list_empty(head))
            continue;
        /* Take the whole slot first: a far deadline may be placed into it again. */
        list_insert_between(&waiting, head->previous, head);
        list_remove(head);
        wheel->occupied[level] &= ~(UINT64_C(1) << slot);
        struct list *link, *next;
        list_for_each(link, next, &waiting) {
            struct timer *timer = container_of(link, struct timer, link);
            list_remove(&timer->link);
            wheel_place(wheel, timer);
        }
    }
}

struct timer *timer_expire(struct timer_wheel *wheel, uint64_t now_ns) {
    uint64_t now = now_ns / TIMER_TICK_NS;
    for (;;) {
        uint64_t tick = next_tick(wheel);
        if (tick > now) {
            /* Nothing is due: the wheel may stand at now, as no occupied slot is passed over. */
            if (wheel->tick < now)
                wheel->tick = now;
            return NULL;
        }
        wheel->tick = tick;
        wheel_cascade(wheel);
        struct list *slot = &wheel->slots[0][tick & SLOT_MASK];
        struct list *link, *next;
        list_for_each(link, next, slot) {
            struct timer *timer = container_of(link, struct timer, link);
            timer_stop(wheel, timer);
            return timer;
        }
    }
}
