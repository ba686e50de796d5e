/* SPDX-License-Identifier: MIT */
/*
 * test_impair.c - nic/impair.c: what becomes of frames on a bad link.
 */
#include "nic/impair.h"
#include "nic/tso.h"
#include "stack/base/checksum.h"
#include "tests/unit/host.h"
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
    assert_int_equal(parse("queue=50ms").in.queue_ns, 50000000);
    assert_int_equal(parse("queue=50ms,queue=9").in.queue_ns, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(impair_parse(wrong[i], &specs, error));
}

/* What is wrong with an item is said, and which one it is. */
static void error_names_the_item_and_what_it_wants(void **state) {
    static const struct {
        const char *text, *item, *why;
    } cases[] = {
        {"loss=1", "'loss=1'", "a percentage is wanted"},
        {"delay=1ms,loss=120%", "'loss=120%'", "from 0% to 100%"},
        {"delay=20", "'delay=20'", "with its unit"},
        {"los=1%", "'los=1%'", "is nothing known: there are loss, "},
        {"tx:rate=5", "'tx:rate=5'", "bits a second"},
        {"loss", "'loss'", "NAME=VALUE"},
        {"queue=0", "'queue=0'", "a time such as 50ms"},
        {"tx:seed=4", "'tx:seed=4'", "of both directions"},
        {"burst=x", "'burst=x'", "a number of frames"},
    };
    char error[IMPAIR_ERROR_BYTES];
    struct impair_specs specs;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(impair_parse(cases[i].text, &specs, error));
        assert_non_null(strstr(error, cases[i].item));
        assert_non_null(strstr(error, cases[i].why));
    }
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

static uint64_t count_lost(const char *text, uint32_t frames, uint32_t length, uint64_t gap_ns) {
    struct impair_specs specs = parse(text);
    struct impair *impair = impair_create(&specs.out, 1);
    static uint8_t frame[1514], got[1514];
    uint64_t clock = 0;
    for (uint32_t i = 0; i < frames; i++, clock += gap_ns) {
        impair_put(impair, clock, frame, length);
        while (impair_get(impair, clock, got, sizeof got))
            continue;
    }
    uint64_t lost = impair_count(impair)->overflowed;
    impair_destroy(impair);
    return lost;
}

/* A long way holds all that is on it: 50 ms of 1 Gbit/s are 4,128 frames. */
static void delay_alone_loses_nothing(void **state) {
    (void)state;
    assert_int_equal(count_lost("delay=50ms", 20000, 1514, 12112), 0);
    assert_int_equal(count_lost("delay=60s,jitter=1ms", 20000, 1514, 0), 0);
    assert_in_range(count_lost("delay=60s", 200000, 1514, 0), 20000, 30000); /* memory has an end */
    assert_int_equal(count_lost("delay=50ms,queue=100", 1000, 1514, 0), 900);
}

/* 12 Mbit/s: a millisecond for each frame of 1,500 bytes. */
static void queue_is_a_time_and_the_way_behind_it_is_none_of_it(void **state) {
    (void)state;
    assert_in_range(count_lost("rate=12mbit", 1000, 1500, 0), 1000 - 102, 1000 - 99);
    assert_in_range(count_lost("rate=12mbit,queue=50ms", 1000, 1500, 0), 1000 - 52, 1000 - 50);
    assert_int_equal(count_lost("rate=12mbit,queue=50ms,delay=5s", 1000, 1500, 1000000), 0);
    assert_int_equal(count_lost("rate=12mbit,queue=10,delay=5s", 1000, 1500, 1000000), 0);
    assert_in_range(count_lost("rate=64kbit", 100, 1500, 0), 80, 85); /* a slow line holds some frames, too */
}

static void put_gso(uint8_t *frame, uint32_t length) {
    memset(frame, 0, length);
    frame[12] = 8;
    frame[14] = 0x45;
    wire_put16(frame + 16, (uint16_t)(length - 14));
    wire_put16(frame + 18, 700);
    frame[22] = 64;
    frame[23] = 6;
    wire_put32(frame + 26, HOST_A);
    wire_put32(frame + 30, HOST_B);
    wire_put32(frame + 38, 0xfffffff0); /* its sequence number */
    frame[46] = 0x80;
    frame[47] = 0x99; /* CWR ACK PSH FIN */
    for (uint32_t i = 66; i < length; i++)
        frame[i] = (uint8_t)(i * 7);
}

/* A frame of 64 KB is 45 on the wire: each may be lost by itself, as those may that come cut already. */
static void long_frames_are_cut_before_they_are_lost(void **state) {
    static uint8_t frame[65226], part[2000];
    struct impair_specs specs = parse("loss=10%");
    specs.out.longest = 1514;
    struct impair *impair = impair_create(&specs.out, 1);
    (void)state;
    put_gso(frame, sizeof frame);
    uint32_t parts = 0;
    for (int i = 0; i < 100; i++) {
        impair_put(impair, 0, frame, sizeof frame);
        for (uint32_t length; (length = impair_get(impair, 0, part, sizeof part)); parts++)
            assert_in_range(length, 67, 1514);
    }
    assert_int_equal(impair_count(impair)->frames, 4500);
    assert_in_range(impair_count(impair)->lost, 400, 500);
    assert_int_equal(parts + impair_count(impair)->lost, 4500);
    impair_destroy(impair);
}

static void parts_of_a_burst_are_whole_segments(void **state) {
    static uint8_t frame[5000], part[TSO_SEGMENT_MAX];
    uint32_t at = 66;
    (void)state;
    put_gso(frame, sizeof frame);
    assert_int_equal(tso_segments(frame, sizeof frame, 1514), 4);
    assert_int_equal(tso_segments(frame, 1514, 1514), 0);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t length = tso_segment(frame, sizeof frame, 1514, i, part);
        assert_int_equal(wire_get16(part + 16), length - 14);
        assert_int_equal(wire_get16(part + 18), 700 + i);
        assert_int_equal(wire_get32(part + 38), 0xfffffff0 + at - 66);
        assert_int_equal(part[47], i == 0 ? 0x90 : i == 3 ? 0x19 : 0x10);
        assert_int_equal(checksum_fold(checksum_add(0, part + 14, 20)), 0xffff);
        uint64_t pseudo =
            checksum_pseudo_header(ip_from_v4(HOST_A), ip_from_v4(HOST_B), 6, (uint16_t)(length - 34));
        assert_int_equal(checksum_fold(checksum_add(pseudo, part + 34, length - 34)), 0xffff);
        assert_memory_equal(part + 66, frame + at, length - 66);
        at += length - 66;
    }
    assert_int_equal(at, sizeof frame);
    frame[46] = 0xf0; /* longer headers than there are */
    for (uint32_t length = 0; length < 200; length++)
        assert_in_range(tso_segments(frame, length, 100), 0, 18);
}

/* A frame whose checksum is unfinished would pass for good with any content: it is finished before a bit is
 * turned. */
static void corrupted_frame_never_passes_for_a_good_one(void **state) {
    uint8_t frame[14 + 20 + 20 + 101] = {[12] = 8, [14] = 0x45, [16] = 0, [17] = 141, [22] = 64, [23] = 6};
    (void)state;
    for (size_t i = 26; i < sizeof frame; i++)
        frame[i] = (uint8_t)(i * 37);
    uint64_t pseudo = checksum_pseudo_header(ip_from_v4(wire_get32(frame + 26)),
                                             ip_from_v4(wire_get32(frame + 30)), 6, 121);
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
        cmocka_unit_test(error_names_the_item_and_what_it_wants),
        cmocka_unit_test(delay_alone_loses_nothing),
        cmocka_unit_test(queue_is_a_time_and_the_way_behind_it_is_none_of_it),
        cmocka_unit_test(long_frames_are_cut_before_they_are_lost),
        cmocka_unit_test(parts_of_a_burst_are_whole_segments),
        cmocka_unit_test(good_link_gives_all_in_order_at_once),
        cmocka_unit_test(same_seed_gives_the_same_and_another_another),
        cmocka_unit_test(losses_and_duplicates_are_as_many_as_wanted),
        cmocka_unit_test(only_reordered_frames_are_overtaken),
        cmocka_unit_test(delay_and_rate_are_kept_and_the_queue_is_bounded),
        cmocka_unit_test(corrupted_frame_never_passes_for_a_good_one),
    };
    return cmocka_run_group_tests_name("impair", tests, NULL, NULL);
}
