/* SPDX-License-Identifier: MIT */
/*
 * test_timer.c - the timer wheel: timer.c.
 */
#include "tests/unit/host.h"
#include <stdlib.h>

static void timers_fire_in_order_never_early_and_at_most_a_tick_late(void **state) {
    (void)state;
    static struct timer_wheel wheel;
    enum { COUNT = 2000 };
    static struct timer timers[COUNT];
    static uint64_t deadlines[COUNT];
    uint64_t time = 77 * SECOND;
    int fired = 0;
    srand(5);
    timer_wheel_init(&wheel, time);
    for (int i = 0; i < COUNT; i++) {
        static const uint64_t scales[] = {MS, 50 * MS, SECOND, 100 * SECOND, 20000 * SECOND};
        timer_init(&timers[i], 0);
        deadlines[i] = time + (uint64_t)rand() % scales[i % 5];
        timer_start(&wheel, &timers[i], deadlines[i]);
    }
    for (int i = 0; i < COUNT; i += 10)
        timer_stop(&wheel, &timers[i]);
    while (fired < COUNT * 9 / 10) {
        uint64_t next = timer_next(&wheel);
        assert_true(next != TIMER_NEVER);
        if (next > time)
            time = next;
        struct timer *timer;
        while ((timer = timer_expire(&wheel, time))) {
            assert_true(deadlines[timer - timers] <= time);
            assert_true(time - deadlines[timer - timers] <= TIMER_TICK_NS);
            assert_true((timer - timers) % 10 != 0);
            assert_false(timer_running(timer));
            fired++;
        }
    }
    assert_true(timer_next(&wheel) == TIMER_NEVER);
}

static void timer_that_is_moved_fires_once_at_its_new_time(void **state) {
    (void)state;
    static struct timer_wheel wheel;
    struct timer timer;
    timer_wheel_init(&wheel, 0);
    timer_init(&timer, 3);
    timer_start(&wheel, &timer, 10 * MS);
    timer_start(&wheel, &timer, 500 * SECOND);
    timer_start(&wheel, &timer, 30 * MS);
    assert_null(timer_expire(&wheel, 29 * MS));
    assert_ptr_equal(timer_expire(&wheel, 40 * MS), &timer);
    assert_null(timer_expire(&wheel, 1000 * SECOND));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_never_early_and_at_most_a_tick_late),
        cmocka_unit_test(timer_that_is_moved_fires_once_at_its_new_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
