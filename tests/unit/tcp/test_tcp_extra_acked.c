/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_extra_acked.c - what is acknowledged beyond the path's rate: tcp_extra_acked.c.
 */
#include "stack/tcp/tcp_extra_acked.h"
#include "tests/unit/scene.h"

#define BW 1000000u /* bytes a second: 1000 a ms */
#define CWND 100000u

static void bunches_are_noted_and_what_the_rate_explains_is_not(void **state) {
    struct tcp_extra_acked extra = {0};
    (void)state;
    for (uint64_t ms = 1; ms <= 10; ms++)
        tcp_extra_acked_add(&extra, ms * MS, 1000, BW, 0, CWND);
    assert_int_equal(tcp_extra_acked_most(&extra), 1000); /* the epoch's first */
    tcp_extra_acked_add(&extra, 11 * MS, 5000, BW, 0, CWND);
    tcp_extra_acked_add(&extra, 11 * MS, 5000, BW, 0, CWND);
    assert_int_equal(tcp_extra_acked_most(&extra), 10000);
    tcp_extra_acked_add(&extra, 11 * MS, 500000, BW, 0, CWND);
    assert_int_equal(tcp_extra_acked_most(&extra), CWND);
}

static void what_is_ten_round_trips_old_is_forgotten(void **state) {
    struct tcp_extra_acked extra = {0};
    (void)state;
    tcp_extra_acked_add(&extra, MS, 7000, BW, 0, CWND);
    for (int i = 0; i < 9; i++)
        tcp_extra_acked_round(&extra);
    assert_int_equal(tcp_extra_acked_most(&extra), 7000);
    tcp_extra_acked_round(&extra);
    assert_int_equal(tcp_extra_acked_most(&extra), 0);
}

static void an_epoch_that_is_long_enough_ends(void **state) {
    struct tcp_extra_acked extra = {0};
    (void)state;
    for (int i = 0; i < 3; i++)
        tcp_extra_acked_add(&extra, MS, 4000, BW, 10000, CWND);
    assert_int_equal(extra.delivered, 4000);
    assert_int_equal(tcp_extra_acked_most(&extra), 8000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bunches_are_noted_and_what_the_rate_explains_is_not),
        cmocka_unit_test(what_is_ten_round_trips_old_is_forgotten),
        cmocka_unit_test(an_epoch_that_is_long_enough_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
