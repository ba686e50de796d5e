/* SPDX-License-Identifier: MIT */
/*
 * test_offload.c - shim/keeper/offload.c: a busy program is helped if that is worth it.
 */
#include "shim/keeper/offload.h"
#include "stack/base/random.h"
#include "tests/unit/host.h"

/* A program that does so much in a window, helped or not, give or take some percent. */
struct program {
    uint64_t helped, alone, noise;
    bool busy;
    struct offload offload;
    struct random random;
    uint64_t now_ns;
    bool is_offloaded;
    int windows_offloaded;
};

static void window(struct program *program, uint64_t length_ns) {
    uint64_t done = program->is_offloaded ? program->helped : program->alone;
    if (program->noise > 0)
        done = done * (100 - program->noise + random_u64(&program->random) % (2 * program->noise)) / 100;
    program->now_ns += length_ns;
    program->windows_offloaded += program->is_offloaded;
    program->is_offloaded = offload_next(&program->offload, done * length_ns / OFFLOAD_WINDOW_NS,
                                         program->busy, length_ns, program->now_ns);
}

static void run(struct program *program, int windows) {
    static const uint8_t seed[RANDOM_SEED_BYTES] = {7};
    if (program->now_ns == 0)
        random_init(&program->random, seed);
    program->windows_offloaded = 0;
    while (windows-- > 0)
        window(program, OFFLOAD_WINDOW_NS + OFFLOAD_WINDOW_NS / 20);
}

static void who_gains_is_helped_soon(void **state) {
    (void)state;
    struct program program = {.helped = 1500, .alone = 1000, .busy = true};
    run(&program, 10);
    assert_true(program.is_offloaded);
    run(&program, 1000);
    assert_in_range(program.windows_offloaded, 970, 999); /* but for reviews */
}

static void who_loses_is_hardly_disturbed(void **state) {
    (void)state;
    struct program program = {.helped = 500, .alone = 1000, .busy = true};
    run(&program, 1000);
    assert_in_range(program.windows_offloaded, 3, 7); /* a window each */
}

static void who_gains_little_is_left_alone(void **state) {
    (void)state;
    struct program program = {.helped = 1050, .alone = 1000, .busy = true};
    run(&program, 1000);
    assert_in_range(program.windows_offloaded, 9, 30);
}

static void who_has_time_is_left_alone(void **state) {
    (void)state;
    struct program program = {.helped = 5000, .alone = 1000};
    run(&program, 1000);
    assert_int_equal(program.windows_offloaded, 0);
}

static void help_ends_with_the_load(void **state) {
    (void)state;
    struct program program = {.helped = 1500, .alone = 1000, .busy = true};
    run(&program, 20);
    assert_true(program.is_offloaded);
    program.busy = false;
    run(&program, 12);
    assert_false(program.is_offloaded);
    program.busy = true;
    run(&program, 30);
    assert_true(program.is_offloaded);
    window(&program, 5 * OFFLOAD_WINDOW_NS); /* nothing came */
    assert_false(program.is_offloaded);
}

static void change_of_what_is_better_is_found_out(void **state) {
    (void)state;
    struct program program = {.helped = 1500, .alone = 1000, .busy = true};
    run(&program, 1000);
    program.helped = 700;
    run(&program, 450); /* 4 s are the longest that it is put off */
    run(&program, 100);
    assert_in_range(program.windows_offloaded, 0, 10);
}

static void better_way_is_found_in_noise(void **state) {
    (void)state;
    struct program gains = {.helped = 1500, .alone = 1000, .noise = 30, .busy = true};
    run(&gains, 4000);
    assert_in_range(gains.windows_offloaded, 3200, 4000);
    struct program loses = {.helped = 700, .alone = 1000, .noise = 30, .busy = true};
    run(&loses, 4000);
    assert_in_range(loses.windows_offloaded, 0, 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_gains_is_helped_soon),
        cmocka_unit_test(who_loses_is_hardly_disturbed),
        cmocka_unit_test(who_gains_little_is_left_alone),
        cmocka_unit_test(who_has_time_is_left_alone),
        cmocka_unit_test(help_ends_with_the_load),
        cmocka_unit_test(change_of_what_is_better_is_found_out),
        cmocka_unit_test(better_way_is_found_in_noise),
    };
    return cmocka_run_group_tests_name("helping", tests, NULL, NULL);
}
