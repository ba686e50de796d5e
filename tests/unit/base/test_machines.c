/* SPDX-License-Identifier: MIT */
/*
 * test_machines.c - the small machines that stand alone: checksum.c, random.c, timer.c, tcp_segment.c,
 * tcp_isn.c, tcp_rtt.c, tcp_congestion.c, tcp_nagle.c.
 */
#include "stack/base/checksum.h"
#include "stack/base/md5.h"
#include "stack/tcp/tcp_congestion.h"
#include "stack/tcp/tcp_isn.h"
#include "stack/tcp/tcp_nagle.h"
#include "stack/tcp/tcp_rtt.h"
#include "tests/unit/host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void checksum_matches_the_definition_for_all_lengths(void **state) {
    (void)state;
    uint8_t bytes[300];
    srand(3);
    for (size_t length = 0; length < sizeof bytes; length++) {
        uint32_t sum = 0;
        for (size_t i = 0; i < length; i++) {
            bytes[i] = (uint8_t)rand();
            sum += (uint32_t)(i % 2 ? bytes[i] : bytes[i] << 8); /* RFC 1071 section 1, big-endian words */
        }
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        uint16_t ours = checksum_fold(checksum_add(0, bytes, length));
        assert_int_equal(__builtin_bswap16(ours), sum);
    }
}

static void checksum_of_pieces_is_that_of_the_whole(void **state) {
    (void)state;
    static struct buffer a, b, c;
    uint8_t whole[900];
    srand(4);
    for (size_t i = 0; i < sizeof whole; i++)
        whole[i] = (uint8_t)rand();
    for (uint32_t first = 0; first < 60; first++) {
        for (uint32_t second = 0; second < 9; second++) {
            uint32_t rest = (uint32_t)sizeof whole - first - second;
            a.end = first;
            b.end = second;
            c.end = rest;
            memcpy(a.storage, whole, first);
            memcpy(b.storage, whole + first, second);
            memcpy(c.storage, whole + first + second, rest);
            a.next = &b;
            b.next = &c;
            uint16_t expected = checksum_fold(checksum_add(0, whole, sizeof whole));
            assert_int_equal(checksum_fold(checksum_add_chain(0, &a)), expected);
            assert_int_equal(checksum_fold(checksum_add_range(0, (struct byte_cursor){&a, 0}, sizeof whole)),
                             expected);
        }
    }
}

static void siphash_gives_its_authors_vectors(void **state) {
    (void)state;
    static const uint64_t expected[] = {UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
                                        UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d)};
    uint8_t key_bytes[16], message[16];
    uint64_t key[2];
    for (uint8_t i = 0; i < 16; i++)
        key_bytes[i] = message[i] = i;
    memcpy(key, key_bytes, sizeof key);
    for (size_t length = 0; length < 4; length++)
        assert_true(siphash(key, message, length) == expected[length]);
    assert_true(siphash(key, message, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void random_below_stays_below_and_reaches_all(void **state) {
    (void)state;
    struct random random;
    uint8_t seed[RANDOM_SEED_BYTES] = {1};
    int seen[10] = {0};
    random_init(&random, seed);
    for (int i = 0; i < 10000; i++)
        seen[random_below(&random, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 800, 1200);
}

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

static void segment_is_read_as_it_was_written(void **state) {
    (void)state;
    uint8_t header[60];
    struct tcp_segment out = {.source_port = 1,
                              .destination_port = 65535,
                              .sequence = 0xdeadbeef,
                              .acknowledgment = 0xfeedface,
                              .window = 4321,
                              .flags = TCP_SYN | TCP_ACK,
                              .mss = 1460,
                              .window_scale = 7};
    struct tcp_segment in;
    uint32_t length = tcp_segment_write(&out, header);
    assert_int_equal(length, 28);
    assert_int_equal(tcp_segment_parse(&in, header, length), 28);
    assert_int_equal(in.sequence, out.sequence);
    assert_int_equal(in.acknowledgment, out.acknowledgment);
    assert_int_equal(in.window, out.window);
    assert_int_equal(in.flags, out.flags);
    assert_int_equal(in.mss, 1460);
    assert_int_equal(in.window_scale, 7);
}

static void malformed_segments_are_refused_or_read_in_bounds(void **state) {
    (void)state;
    struct tcp_segment segment;
    uint8_t header[60] = {[12] = 0x40};
    assert_int_equal(tcp_segment_parse(&segment, header, 20), -1); /* data offset below 5 */
    header[12] = 0x60;
    assert_int_equal(tcp_segment_parse(&segment, header, 20), -1); /* beyond what is there */
    assert_int_equal(tcp_segment_parse(&segment, header, 19), -1);
    header[13] = TCP_SYN;
    srand(6);
    for (int i = 0; i < 100000; i++) {
        uint32_t length = 20 + (uint32_t)rand() % 11 * 4;
        uint8_t *exact = malloc(length); /* so that a sanitizer sees a step beyond */
        for (uint32_t j = 0; j < length; j++)
            exact[j] = (uint8_t)rand();
        exact[12] = (uint8_t)(length / 4 << 4);
        exact[13] = TCP_SYN;
        assert_int_equal(tcp_segment_parse(&segment, exact, length), length);
        assert_in_range((unsigned)segment.window_scale + 1, 0, 15);
        free(exact);
    }
}

static void sequence_numbers_compare_across_the_wrap(void **state) {
    (void)state;
    assert_true(seq_lt(0xfffffff0, 5));
    assert_true(seq_gt(5, 0xfffffff0));
    assert_true(seq_le(7, 7) && seq_ge(7, 7));
    assert_false(seq_lt(7, 7));
    assert_true(seq_lt(0, 0x7fffffff));
}

static void isn_differs_by_connection_and_grows_with_time(void **state) {
    (void)state;
    uint8_t key[16] = {9, 8, 7};
    uint32_t a = tcp_isn(key, 0, ip_from_v4(HOST_A), 1000, ip_from_v4(HOST_B), 80);
    assert_int_not_equal(a, tcp_isn(key, 0, ip_from_v4(HOST_A), 1001, ip_from_v4(HOST_B), 80));
    assert_int_equal(tcp_isn(key, 64000, ip_from_v4(HOST_A), 1000, ip_from_v4(HOST_B), 80) - a,
                     1000); /* 64 ns each */
    key[0]++;
    assert_int_not_equal(a, tcp_isn(key, 0, ip_from_v4(HOST_A), 1000, ip_from_v4(HOST_B), 80));
}

static void rto_follows_rfc_6298(void **state) {
    (void)state;
    struct tcp_rtt rtt = {.rto_ns = TCP_RTO_INITIAL_NS};
    tcp_rtt_sample(&rtt, 100 * MS);
    assert_int_equal(rtt.srtt_ns, 100 * MS);
    assert_int_equal(rtt.rttvar_ns, 50 * MS);
    assert_int_equal(rtt.rto_ns, 300 * MS); /* SRTT + 4 RTTVAR */
    tcp_rtt_sample(&rtt, 200 * MS);
    assert_in_range(rtt.srtt_ns, 112 * MS, 113 * MS);
    assert_in_range(rtt.rttvar_ns, 62 * MS, 63 * MS);
    tcp_rtt_backoff(&rtt);
    uint64_t once = rtt.rto_ns;
    tcp_rtt_backoff(&rtt);
    assert_int_equal(rtt.rto_ns, 2 * once);
    for (int i = 0; i < 20; i++)
        tcp_rtt_backoff(&rtt);
    assert_int_equal(rtt.rto_ns, TCP_RTO_MAX_NS);
    tcp_rtt_restore(&rtt);
    assert_in_range(rtt.rto_ns, 300 * MS, 400 * MS);
}

static void rto_has_linux_floor(void **state) {
    (void)state;
    struct tcp_rtt rtt = {0};
    for (int i = 0; i < 50; i++)
        tcp_rtt_sample(&rtt, MS);
    assert_in_range(rtt.rto_ns, 200 * MS, 202 * MS);
}

/* Gives a window so many acknowledgments of a segment each. */
static void acknowledge(struct tcp_congestion *congestion, struct tcp_growth *growth, uint32_t count,
                        uint64_t now_ns, uint64_t rtt_ns) {
    struct tcp_progress progress = {.bytes = 1000,
                                    .mss = 1000,
                                    .now_ns = now_ns,
                                    .srtt_ns = rtt_ns,
                                    .rtt_ns = rtt_ns,
                                    .una = 1,
                                    .nxt = 1};
    while (count-- > 0)
        tcp_congestion_acknowledged(congestion, growth, &progress);
}

static void slow_start_doubles_and_renos_avoidance_adds_one_segment_a_window(void **state) {
    (void)state;
    struct tcp_congestion congestion = {0};
    struct tcp_growth growth = {0};
    tcp_congestion_init(&congestion, TCP_RENO, 1000);
    assert_int_equal(congestion.cwnd, 10000);
    acknowledge(&congestion, &growth, 10, SECOND, 50 * MS);
    assert_int_equal(congestion.cwnd, 20000);
    congestion.ssthresh = 20000;
    acknowledge(&congestion, &growth, 20, SECOND, 50 * MS);
    assert_int_equal(congestion.cwnd, 21000);
    assert_int_equal(tcp_congestion_threshold(&congestion, &growth, 20000, 1000), 10000);
    assert_int_equal(tcp_congestion_threshold(&congestion, &growth, 2000, 1000), 2000); /* no less than two */
}

/* RFC 9438 section 4.2: after a loss at W the window is at 0.7 W, and at W again after K seconds, where it
 * lingers. */
static void cubic_comes_back_to_where_the_loss_was_and_lingers(void **state) {
    (void)state;
    struct tcp_congestion congestion = {0};
    struct tcp_growth growth = {0};
    uint64_t clock = 1000 * SECOND, began, rtt = 100 * MS;
    uint32_t at_k = 0, later = 0;
    tcp_congestion_init(&congestion, TCP_CUBIC, 1000);
    congestion.cwnd = 1000 * 1000;
    congestion.ssthresh = tcp_congestion_threshold(&congestion, &growth, congestion.cwnd, 1000);
    assert_int_equal(congestion.ssthresh, 700 * 1000);
    congestion.cwnd = congestion.ssthresh;
    double k = 0; /* the cube root of 300 / 0.4 */
    while (k * k * k < 750)
        k += 0.01;
    for (began = clock; clock - began < 30 * SECOND; clock += rtt) {
        acknowledge(&congestion, &growth, congestion.cwnd / 1000, clock, rtt);
        double seconds = (double)(clock - began) / 1e9;
        if (seconds < k - 2)
            assert_true(congestion.cwnd < 1000 * 1000);
        if (seconds < k + 0.2)
            at_k = congestion.cwnd;
        if (seconds < k + 2)
            later = congestion.cwnd;
    }
    assert_in_range(at_k, 970 * 1000, 1010 * 1000);
    assert_in_range(later, 990 * 1000, 1030 * 1000);
    assert_true(congestion.cwnd > 2000 * 1000); /* and then it looks for more */
    /* Less than before at the next loss: room for others. */
    congestion.cwnd = 900 * 1000;
    tcp_congestion_threshold(&congestion, &growth, congestion.cwnd, 1000);
    assert_true(congestion.w_max < 900);
}

static void slow_start_is_left_when_round_trips_get_longer(void **state) {
    (void)state;
    struct tcp_congestion congestion = {0};
    struct tcp_growth growth = {0};
    uint64_t clock = SECOND;
    tcp_congestion_init(&congestion, TCP_CUBIC, 1000);
    for (int round = 0; round < 4; round++)
        acknowledge(&congestion, &growth, 20, clock += 50 * MS, 50 * MS);
    assert_int_equal(growth.hystart.slow_rounds, 0);
    for (int round = 0; round < 20; round++)
        acknowledge(&congestion, &growth, 1, clock += 80 * MS, 80 * MS); /* each is a round: una is nxt */
    for (int round = 0; round < 10; round++) {
        struct tcp_progress progress = {.bytes = 1000,
                                        .mss = 1000,
                                        .now_ns = clock,
                                        .srtt_ns = 80 * MS,
                                        .rtt_ns = 80 * MS,
                                        .una = 1,
                                        .nxt = 5000};
        growth.hystart.in_round = true;
        growth.hystart.round_end = 5000;
        growth.hystart.last_round_min_ns = 50 * MS;
        for (int i = 0; i < 10; i++)
            tcp_congestion_acknowledged(&congestion, &growth, &progress);
        progress.una = 5000;
        tcp_congestion_acknowledged(&congestion, &growth, &progress);
    }
    assert_true(congestion.ssthresh < TCP_CWND_MAX);
}

/* Where in the numbers a connection begins must not matter: ten segments a round, and round trips that grow.
 */
static void slow_start_is_left_wherever_sequence_numbers_begin(void **state) {
    static const uint32_t begins[] = {1, 0x7fffff00, 0x80000001, 0xc0000000, 0xfffff000};
    (void)state;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        struct tcp_congestion congestion = {0};
        struct tcp_growth growth = {0};
        uint32_t una = begins[i];
        uint64_t clock = SECOND, rtt = 50 * MS;
        tcp_congestion_init(&congestion, TCP_CUBIC, 1000);
        for (int round = 0; round < 12; round++, rtt += 10 * MS) {
            uint32_t nxt = una + 10000;
            for (; una != nxt; una += 1000) {
                struct tcp_progress progress = {.bytes = 1000,
                                                .mss = 1000,
                                                .now_ns = clock,
                                                .srtt_ns = rtt,
                                                .rtt_ns = rtt,
                                                .una = una + 1000,
                                                .nxt = una + 11000};
                tcp_congestion_acknowledged(&congestion, &growth, &progress);
            }
            clock += rtt;
        }
        assert_true(congestion.ssthresh < TCP_CWND_MAX);
    }
}

static void algorithms_are_found_by_linux_names(void **state) {
    (void)state;
    assert_int_equal(tcp_congestion_find("cubic", 5), TCP_CUBIC);
    assert_int_equal(tcp_congestion_find("reno\0\0\0", 7), TCP_RENO);
    assert_int_equal(tcp_congestion_find("renown", 6), -1);
    assert_int_equal(tcp_congestion_find("ren", 3), -1);
}

static void nagle_holds_small_segment_while_data_is_unacked(void **state) {
    (void)state;
    struct nagle_segment segment = {
        .length = 10, .mss = 1460, .largest_window = 65535, .last = true, .in_flight = true};
    assert_false(nagle_allows(&segment));
    segment.in_flight = false;
    assert_true(nagle_allows(&segment));
    segment.in_flight = true;
    segment.nodelay = true;
    assert_true(nagle_allows(&segment));
    segment.cork = true;
    assert_false(nagle_allows(&segment)); /* tcp(7): TCP_CORK prevails */
    segment.fin = true;
    assert_true(nagle_allows(&segment));
}

static void nagle_lets_full_segments_go(void **state) {
    (void)state;
    struct nagle_segment segment = {
        .length = 1460, .mss = 1460, .largest_window = 65535, .in_flight = true, .cork = true};
    assert_true(nagle_allows(&segment));
    segment.length = 1;
    assert_false(nagle_allows(&segment));
}

static void peer_with_a_tiny_buffer_gets_half_of_it_at_a_time(void **state) {
    (void)state;
    struct nagle_segment segment = {.length = 200, .mss = 1460, .largest_window = 400, .in_flight = true};
    assert_true(nagle_allows(&segment));
    segment.length = 199;
    assert_false(nagle_allows(&segment));
}

/* RFC 1321 section A.5, in whatever pieces it is given. */
static void md5_gives_the_digests_of_its_rfc(void **state) {
    (void)state;
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 0; cut <= strlen(cases[i].text); cut++) {
            struct md5 md5;
            uint8_t digest[MD5_BYTES];
            char text[2 * MD5_BYTES + 1];
            md5_begin(&md5);
            md5_add(&md5, cases[i].text, cut);
            md5_add(&md5, cases[i].text + cut, strlen(cases[i].text) - cut);
            md5_end(&md5, digest);
            for (size_t b = 0; b < MD5_BYTES; b++)
                snprintf(text + 2 * b, 3, "%02x", digest[b]);
            assert_string_equal(text, cases[i].digest);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md5_gives_the_digests_of_its_rfc),
        cmocka_unit_test(checksum_matches_the_definition_for_all_lengths),
        cmocka_unit_test(checksum_of_pieces_is_that_of_the_whole),
        cmocka_unit_test(siphash_gives_its_authors_vectors),
        cmocka_unit_test(random_below_stays_below_and_reaches_all),
        cmocka_unit_test(timers_fire_in_order_never_early_and_at_most_a_tick_late),
        cmocka_unit_test(timer_that_is_moved_fires_once_at_its_new_time),
        cmocka_unit_test(segment_is_read_as_it_was_written),
        cmocka_unit_test(malformed_segments_are_refused_or_read_in_bounds),
        cmocka_unit_test(sequence_numbers_compare_across_the_wrap),
        cmocka_unit_test(isn_differs_by_connection_and_grows_with_time),
        cmocka_unit_test(rto_follows_rfc_6298),
        cmocka_unit_test(rto_has_linux_floor),
        cmocka_unit_test(slow_start_doubles_and_renos_avoidance_adds_one_segment_a_window),
        cmocka_unit_test(cubic_comes_back_to_where_the_loss_was_and_lingers),
        cmocka_unit_test(slow_start_is_left_when_round_trips_get_longer),
        cmocka_unit_test(slow_start_is_left_wherever_sequence_numbers_begin),
        cmocka_unit_test(algorithms_are_found_by_linux_names),
        cmocka_unit_test(nagle_holds_small_segment_while_data_is_unacked),
        cmocka_unit_test(nagle_lets_full_segments_go),
        cmocka_unit_test(peer_with_a_tiny_buffer_gets_half_of_it_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
