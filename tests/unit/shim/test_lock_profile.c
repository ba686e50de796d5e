/* SPDX-License-Identifier: MIT */
/*
 * test_lock_profile.c - shim/region/lock_profile.c: histograms of how long a lock is held.
 */
#include "shim/region/lock_profile.h"
#include "tests/unit/host.h"
#include <stdio.h>
#include <string.h>

static struct lock_profile profile;

static int new_profile(void **state) {
    (void)state;
    memset(&profile, 0, sizeof profile);
    return 0;
}

static void each_time_is_in_a_column_that_is_right_within_a_fifth(void **state) {
    (void)state;
    uint64_t previous = 0;
    for (uint64_t ns = 1; ns < UINT64_C(400000000); ns += 1 + ns / 50) {
        uint32_t column = lock_times_column(ns);
        assert_in_range(column, 0, LOCK_TIMES - 1);
        assert_in_range(lock_times_most(column), ns, ns + ns / 4);
        assert_true(column == 0 || lock_times_most(column - 1) < ns);
        assert_true(lock_times_most(column) >= previous);
        previous = lock_times_most(column);
    }
}

static void a_time_beyond_all_is_in_the_last_column(void **state) {
    (void)state;
    assert_int_equal(lock_times_column(UINT64_MAX), LOCK_TIMES - 1);
    assert_int_equal(lock_times_column(UINT64_C(1) << 40), LOCK_TIMES - 1);
}

static void quantiles_are_those_of_what_was_noted(void **state) {
    (void)state;
    struct lock_place place = {.name = "write"};
    for (int i = 0; i < 99; i++)
        lock_profile_note(&profile, &place, 10, 1000);
    lock_profile_note(&profile, &place, 10, 50000);
    const struct lock_times *held = &profile.places[0].held;
    assert_int_equal(held->count, 100);
    assert_int_equal(held->sum_ns, 99 * 1000 + 50000);
    assert_in_range(lock_times_quantile(held, 0.5), 1000, 1250);
    assert_in_range(lock_times_quantile(held, 1), 50000, 62500);
    assert_int_equal(lock_times_quantile(&profile.places[1].held, 0.5), 0);
}

static void a_name_is_one_place_in_all_processes(void **state) {
    (void)state;
    struct lock_place here = {.name = "write"}, there = {.name = "write"}, other = {.name = "read"};
    lock_profile_note(&profile, &here, 0, 1);
    lock_profile_note(&profile, &there, 0, 1);
    lock_profile_note(&profile, &other, 0, 1);
    assert_int_equal(profile.count, 2);
    assert_int_equal(profile.places[0].held.count, 2);
    assert_string_equal(profile.places[1].name, "read");
}

static void places_beyond_the_last_are_counted_together(void **state) {
    (void)state;
    static char names[LOCK_PLACES_MAX + 20][LOCK_PLACE_NAME_BYTES + 20];
    for (int i = 0; i < LOCK_PLACES_MAX + 20; i++) {
        struct lock_place place = {.name = names[i]};
        snprintf(names[i], sizeof names[i], "%03d a name that is longer than there is room for", i);
        lock_profile_note(&profile, &place, 0, 1);
    }
    assert_int_equal(profile.count, LOCK_PLACES_MAX);
    assert_string_equal(profile.places[LOCK_PLACES_MAX - 1].name, "(others)");
    assert_int_equal(profile.places[LOCK_PLACES_MAX - 1].held.count, 21);
}

static void what_was_noted_before_does_not_count(void **state) {
    (void)state;
    struct lock_place place = {.name = "write"};
    lock_profile_note(&profile, &place, 0, 1000);
    struct lock_times before = profile.places[0].held;
    lock_profile_note(&profile, &place, 0, 50000);
    struct lock_times since = profile.places[0].held;
    lock_times_since(&since, &before);
    assert_int_equal(since.count, 1);
    assert_int_equal(since.sum_ns, 50000);
    assert_in_range(lock_times_quantile(&since, 0.5), 50000, 62500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_time_is_in_a_column_that_is_right_within_a_fifth),
        cmocka_unit_test(a_time_beyond_all_is_in_the_last_column),
        cmocka_unit_test_setup(quantiles_are_those_of_what_was_noted, new_profile),
        cmocka_unit_test_setup(a_name_is_one_place_in_all_processes, new_profile),
        cmocka_unit_test_setup(places_beyond_the_last_are_counted_together, new_profile),
        cmocka_unit_test_setup(what_was_noted_before_does_not_count, new_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
