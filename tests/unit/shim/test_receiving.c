/* SPDX-License-Identifier: MIT */
/*
 * test_receiving.c - shim/region/receiving.c: who takes frames in.
 */
#include "shim/region/receiving.h"
#include "shim/region/region.h"
#include "tests/unit/host.h"

static struct process keeper, program, other;

/* A process takes in so many frames of so many bytes. */
static bool takes_in(struct receiving *receiving, struct process *process, int frames, uint32_t bytes) {
    uint32_t number;
    assert_true(receiving_begin(receiving, process, process == &keeper, 1000, &number));
    return receiving_end(receiving, process, number, frames, bytes * (uint32_t)frames);
}

/* The keeper was woken while a program is at work, and polls. */
static struct receiving polled(void) {
    struct receiving receiving = {0};
    takes_in(&receiving, &keeper, 1, 60);
    assert_true(receiving_came(&receiving, RECEIVER_AT_CALLS));
    assert_int_equal(receiving.state, RECEIVING_POLLED);
    return receiving;
}

static void a_frame_for_programs_that_cannot_receive_leaves_the_nic_watched(void **state) {
    (void)state;
    struct receiving receiving = {0};
    assert_false(receiving_came(&receiving, RECEIVER_NONE));
    assert_int_equal(receiving.state, RECEIVING_WATCHED);
}

static void the_nic_is_polled_while_a_program_takes_frames_in_at_its_calls(void **state) {
    (void)state;
    struct receiving receiving = polled();
    assert_false(receiving_came(&receiving, RECEIVER_AT_CALLS)); /* it is already */
    for (int i = 0; i < 100; i++) {
        takes_in(&receiving, &program, 1, 60);
        assert_int_equal(receiving_tick(&receiving, RECEIVER_AT_CALLS), RECEIVING_LEAVE);
    }
}

static void the_keeper_takes_in_what_a_program_leaves_and_watches_again_after_five_ticks(void **state) {
    (void)state;
    struct receiving receiving = polled();
    for (int i = 0; i < RECEIVING_IDLE_TICKS; i++) {
        assert_int_equal(receiving_tick(&receiving, RECEIVER_AT_CALLS), RECEIVING_TAKE);
        takes_in(&receiving, &keeper, 1, 60); /* which is no work of the program's */
    }
    assert_int_equal(receiving_tick(&receiving, RECEIVER_AT_CALLS), RECEIVING_WATCH);
    assert_true(receiving_watch(&receiving));
    assert_int_equal(receiving.state, RECEIVING_WATCHED);
    assert_false(receiving_watch(&receiving));
}

static void a_program_that_works_between_idle_ticks_keeps_the_nic_polled(void **state) {
    (void)state;
    struct receiving receiving = polled();
    for (int i = 0; i < 100; i++) {
        if (i % RECEIVING_IDLE_TICKS == 0)
            takes_in(&receiving, &program, 1, 60);
        assert_int_not_equal(receiving_tick(&receiving, RECEIVER_AT_CALLS), RECEIVING_WATCH);
    }
}

static void what_a_thread_sleeps_for_on_the_nic_is_left_to_it(void **state) {
    (void)state;
    struct receiving receiving = polled();
    assert_int_equal(receiving_tick(&receiving, RECEIVER_SLEEPS), RECEIVING_LEAVE);
}

static void the_nic_is_watched_when_the_last_receiver_has_gone(void **state) {
    (void)state;
    struct receiving receiving = polled();
    takes_in(&receiving, &program, 1, 60);
    assert_int_equal(receiving_tick(&receiving, RECEIVER_NONE), RECEIVING_WATCH);
}

static void bulk_is_many_bytes_in_long_frames(void **state) {
    (void)state;
    struct receiving receiving = {0};
    takes_in(&receiving, &program, 8, 1500);
    assert_true(receiving.bulk);
    takes_in(&receiving, &program, 0, 0); /* nothing says nothing */
    assert_true(receiving.bulk);
    takes_in(&receiving, &program, 2, 1500); /* too little */
    assert_false(receiving.bulk);
    takes_in(&receiving, &program, 32, 500); /* much, but in short ones */
    assert_false(receiving.bulk);
}

static void two_processors_share_bulk_so_the_nic_is_not_polled(void **state) {
    (void)state;
    struct receiving receiving = {0}, at_work = polled();
    takes_in(&receiving, &keeper, 8, 1500);
    assert_false(receiving_came(&receiving, RECEIVER_AT_CALLS));
    takes_in(&at_work, &program, 8, 1500);
    assert_int_equal(receiving_tick(&at_work, RECEIVER_AT_CALLS), RECEIVING_WATCH);
}

static void an_offloaded_stack_is_never_polled(void **state) {
    (void)state;
    struct receiving receiving = polled();
    assert_true(receiving_offload(&receiving, true));
    assert_false(receiving_offload(&receiving, true));
    assert_false(receiving_watch(&receiving));
    assert_int_equal(receiving.state, RECEIVING_OFFLOADED);
    assert_false(receiving_came(&receiving, RECEIVER_AT_CALLS));
    assert_false(receiving_is_due(&receiving, 0, 2000));
    assert_true(receiving_offload(&receiving, false));
    assert_int_equal(receiving.state, RECEIVING_WATCHED);
}

static void a_trial_that_does_not_begin_leaves_the_nic_polled(void **state) {
    (void)state;
    struct receiving receiving = polled();
    assert_false(receiving_offload(&receiving, false));
    assert_int_equal(receiving.state, RECEIVING_POLLED);
}

static void a_call_takes_frames_in_when_that_was_done_too_long_ago(void **state) {
    (void)state;
    struct receiving receiving = polled(); /* at 1000 */
    assert_false(receiving_is_due(&receiving, 500, 1500));
    assert_true(receiving_is_due(&receiving, 500, 1501));
    receiving_watch(&receiving);
    assert_false(receiving_is_due(&receiving, 500, 1501));
}

static void who_finds_that_it_is_anothers_has_that_one_look_once_more(void **state) {
    (void)state;
    struct receiving receiving = {0};
    uint32_t number, others;
    assert_true(receiving_begin(&receiving, &program, false, 1000, &number));
    assert_false(receiving_begin(&receiving, &other, false, 1000, &others));
    assert_true(receiving_end(&receiving, &program, number, 1, 60));
    assert_true(receiving_begin(&receiving, &other, false, 1000, &others));
    assert_false(receiving_end(&receiving, &other, others, 1, 60));
}

static void the_keeper_alone_takes_the_lease_of_a_stopped_process_over(void **state) {
    (void)state;
    struct receiving receiving = {0};
    uint32_t number, keepers, others;
    assert_true(receiving_begin(&receiving, &program, false, 1000, &number));
    assert_false(receiving_begin(&receiving, &keeper, true, 1000 + RECEIVING_LEASE_NS, &keepers));
    assert_false(receiving_begin(&receiving, &other, false, 1001 + RECEIVING_LEASE_NS, &others));
    assert_true(receiving_begin(&receiving, &keeper, true, 1001 + RECEIVING_LEASE_NS, &keepers));
    receiving_end(&receiving, &program, number, 1, 60); /* which goes on, and has it no more */
    assert_ptr_equal(receiving.lease.owner, &keeper);
    receiving_end(&receiving, &keeper, keepers, 1, 60);
    assert_null(receiving.lease.owner);
}

static void a_lease_ends_with_its_owner_or_in_a_repair(void **state) {
    (void)state;
    struct lease lease = {0};
    uint32_t number = lease_begin(&lease, &program, 1);
    assert_false(lease_reap(&lease, &other));
    assert_true(lease_reap(&lease, &program));
    number = lease_begin(&lease, &program, 2);
    lease_revoke(&lease);
    lease_begin(&lease, &program, 3);
    assert_false(lease_end(&lease, &program, number)); /* of the one before */
    assert_ptr_equal(lease.owner, &program);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_for_programs_that_cannot_receive_leaves_the_nic_watched),
        cmocka_unit_test(the_nic_is_polled_while_a_program_takes_frames_in_at_its_calls),
        cmocka_unit_test(the_keeper_takes_in_what_a_program_leaves_and_watches_again_after_five_ticks),
        cmocka_unit_test(a_program_that_works_between_idle_ticks_keeps_the_nic_polled),
        cmocka_unit_test(what_a_thread_sleeps_for_on_the_nic_is_left_to_it),
        cmocka_unit_test(the_nic_is_watched_when_the_last_receiver_has_gone),
        cmocka_unit_test(bulk_is_many_bytes_in_long_frames),
        cmocka_unit_test(two_processors_share_bulk_so_the_nic_is_not_polled),
        cmocka_unit_test(an_offloaded_stack_is_never_polled),
        cmocka_unit_test(a_trial_that_does_not_begin_leaves_the_nic_polled),
        cmocka_unit_test(a_call_takes_frames_in_when_that_was_done_too_long_ago),
        cmocka_unit_test(who_finds_that_it_is_anothers_has_that_one_look_once_more),
        cmocka_unit_test(the_keeper_alone_takes_the_lease_of_a_stopped_process_over),
        cmocka_unit_test(a_lease_ends_with_its_owner_or_in_a_repair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
