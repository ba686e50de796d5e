/*
 * test_impair.c - nic/impair.c: what becomes of frames on a bad link.
 */
#include "checksum.h"
#include "host.h"
#include "impair.h"
#include <string.h>

#define FRAMES 100000

static struct impair_specs parse(const char *text) {
    struct impair_specs specs;
    char error[IMPAIR_ERROR_BYTES];
    assert_true(impair_parse(text, &specs, error));
    return specs;
}

static void items_are_read_with_their_units_and_directions(void **state) {
    char error[IMPAIR_ERROR_BYTES];
    struct impair_specs specs = parse("loss=1%,tx:delay=20ms,rx:delay=1.5s,jitter=5us,duplicate=0.1%,reorder="
                                      "100%,corrupt=0.01%,rate=100mbit,"
                                      "burst=3,queue=50,seed=7");
    static const char *const wrong[] = {"loss",      "loss=1", "loss=101%",  "delay=5",
                                        "speed=1%",  "rate=5", "delay=-1ms", "seed=x",
                                        "tx:seed=1", "",       "loss=1%,",   "delay=2h"};
    (void)state;
    assert_int_equal(specs.out.loss, 10000);
    assert_int_equal(specs.in.loss, 10000);
    assert_int_equal(specs.out.delay_ns, 20000000);
    assert_int_equal(specs.in.delay_ns, 1500000000);
    assert_int_equal(specs.in.jitter_ns, 5000);
    assert_int_equal(specs.in.duplicate, 1000);
    assert_int_equal(specs.in.reorder, 1000000);
    assert_int_equal(specs.in.corrupt, 100);
    assert_int_equal(specs.in.rate, 100000000);
    assert_int_equal(specs.in.burst, 3);
    assert_int_equal(specs.in.queue, 50);
    assert_int_equal(specs.seed, 7);
    assert_int_equal(parse("loss=1%").out.queue, IMPAIR_QUEUE_DEFAULT);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(impair_parse(wrong[i], &specs, error));
}

/* Sends numbered frames, and writes down when each came. Returns how many did. */
static uint32_t send_numbered(const char *text, uint64_t seed, uint64_t gap_ns, uint32_t *order) {
    struct impair_specs specs = parse(text);
    struct impair *impair = impair_create(&specs.out, seed);
    uint32_t frame[25] = {0}, received = 0, got[25];
    uint64_t clock = 0;
    for (uint32_t i = 0; i < FRAMES; i++, clock += gap_ns) {
        frame[0] = i;
        impair_put(impair, clock, frame, sizeof frame);
        while (impair_get(impair, clock, got, sizeof got))
            order[received++] = got[0];
    }
    while (impair_next(impair) != IMPAIR_NEVER) {
        clock = impair_next(impair);
        assert_int_equal(impair_get(impair, clock, got, sizeof got), sizeof got);
        order[received++] = got[0];
    }
    impair_destroy(impair);
    return received;
}

static uint32_t first[FRAMES * 2], second[FRAMES * 2];

static void good_link_gives_all_in_order_at_once(void **state) {
    (void)state;
    assert_int_equal(send_numbered("loss=0%", 1, 1000, first), FRAMES);
    for (uint32_t i = 0; i < FRAMES; i++)
        assert_int_equal(first[i], i);
}

static void same_seed_gives_the_same_and_another_another(void **state) {
    static const char spec[] = "loss=5%,duplicate=2%,reorder=3%,delay=10ms,jitter=4ms,corrupt=1%";
    (void)state;
    uint32_t count = send_numbered(spec, 5, 50000, first);
    assert_int_equal(send_numbered(spec, 5, 50000, second), count);
    assert_memory_equal(first, second, count * sizeof *first);
    send_numbered(spec, 6, 50000, second);
    assert_true(memcmp(first, second, count * sizeof *first) != 0);
}

static void losses_and_duplicates_are_as_many_as_wanted(void **state) {
    (void)state;
    uint32_t left = send_numbered("loss=10%", 3, 1000, first);
    assert_in_range(left, FRAMES * 89 / 100, FRAMES * 91 / 100);
    left = send_numbered("loss=10%,burst=5", 3, 1000, first);
    assert_in_range(left, FRAMES * 88 / 100, FRAMES * 92 / 100);
    uint32_t gaps = 0;
    for (uint32_t i = 1; i < left; i++)
        gaps += first[i] != first[i - 1] + 1;
    assert_in_range((FRAMES - left) / gaps, 4, 6); /* frames lost in a row */
    assert_in_range(send_numbered("duplicate=10%", 3, 1000, first), FRAMES * 109 / 100, FRAMES * 111 / 100);
    assert_int_equal(send_numbered("loss=100%", 3, 1000, first), 0);
}

static void only_reordered_frames_are_overtaken(void **state) {
    (void)state;
    send_numbered("delay=10ms,jitter=8ms", 3, 100000, first);
    for (uint32_t i = 0; i < FRAMES; i++)
        assert_int_equal(first[i], i);
    uint32_t late = 0;
    send_numbered("reorder=5%", 3, 100000, first);
    for (uint32_t i = 1; i < FRAMES; i++)
        late += first[i] < first[i - 1];
    assert_in_range(late, FRAMES * 4 / 100, FRAMES * 6 / 100);
}

static void delay_and_rate_are_kept_and_the_queue_is_bounded(void **state) {
    struct impair_specs specs = parse("delay=20ms,rate=1mbit,queue=10");
    struct impair *impair = impair_create(&specs.out, 1);
    uint8_t frame[1250] = {0}; /* 10 ms at that rate */
    (void)state;
    for (int i = 0; i < 50; i++)
        impair_put(impair, 0, frame, sizeof frame);
    assert_int_equal(impair_count(impair)->overflowed, 40);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(impair_next(impair), (10 * i + 20) * MS);
        assert_int_equal(impair_get(impair, impair_next(impair) - 1, frame, sizeof frame), 0);
        assert_int_equal(impair_get(impair, impair_next(impair), frame, sizeof frame), sizeof frame);
    }
    assert_true(impair_next(impair) == IMPAIR_NEVER);
    impair_destroy(impair);
}

/* A frame whose checksum is unfinished would pass for good with any content: it is finished before a bit is
 * turned. */
static void corrupted_frame_never_passes_for_a_good_one(void **state) {
    uint8_t frame[14 + 20 + 20 + 101] = {[12] = 8, [14] = 0x45, [16] = 0, [17] = 141, [22] = 64, [23] = 6};
    (void)state;
    for (size_t i = 26; i < sizeof frame; i++)
        frame[i] = (uint8_t)(i * 37);
    uint64_t pseudo = checksum_pseudo_header(wire_get32(frame + 26), wire_get32(frame + 30), 6, 121);
    wire_put_sum(frame + 50, checksum_fold(pseudo)); /* as CHECKSUM_PARTIAL has it */
    impair_finish_checksum(frame, sizeof frame);
    assert_int_equal(checksum_fold(checksum_add(pseudo, frame + 34, 121)), 0xffff);
    uint8_t before[sizeof frame];
    memcpy(before, frame, sizeof frame);
    impair_finish_checksum(frame, sizeof frame); /* finished already: left as it is */
    assert_memory_equal(before, frame, sizeof frame);
    frame[16] = 0xff; /* longer than it is */
    for (uint32_t length = 0; length < sizeof frame; length++)
        impair_finish_checksum(frame, length);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_read_with_their_units_and_directions),
        cmocka_unit_test(good_link_gives_all_in_order_at_once),
        cmocka_unit_test(same_seed_gives_the_same_and_another_another),
        cmocka_unit_test(losses_and_duplicates_are_as_many_as_wanted),
        cmocka_unit_test(only_reordered_frames_are_overtaken),
        cmocka_unit_test(delay_and_rate_are_kept_and_the_queue_is_bounded),
        cmocka_unit_test(corrupted_frame_never_passes_for_a_good_one),
    };
    return cmocka_run_group_tests_name("impair", tests, NULL, NULL);
}
