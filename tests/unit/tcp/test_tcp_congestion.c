/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_congestion.c - how much may be in flight: tcp_congestion.c.
 */
#include "tests/unit/scene.h"

/* Gives a window so many acknowledgments of a segment each. */
static void grow(struct tcp_congestion *congestion, struct tcp_growth *growth, uint32_t count,
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
    grow(&congestion, &growth, 10, SECOND, 50 * MS);
    assert_int_equal(congestion.cwnd, 20000);
    congestion.ssthresh = 20000;
    grow(&congestion, &growth, 20, SECOND, 50 * MS);
    assert_int_equal(congestion.cwnd, 21000);
    assert_int_equal(tcp_congestion_threshold(&congestion, &growth, 20000, 1000, false), 10000);
    assert_int_equal(tcp_congestion_threshold(&congestion, &growth, 2000, 1000, false),
                     2000); /* no less than two */
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
    congestion.ssthresh = tcp_congestion_threshold(&congestion, &growth, congestion.cwnd, 1000, false);
    assert_int_equal(congestion.ssthresh, 700 * 1000);
    congestion.cwnd = congestion.ssthresh;
    double k = 0; /* the cube root of 300 / 0.4 */
    while (k * k * k < 750)
        k += 0.01;
    for (began = clock; clock - began < 30 * SECOND; clock += rtt) {
        grow(&congestion, &growth, congestion.cwnd / 1000, clock, rtt);
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
    tcp_congestion_threshold(&congestion, &growth, congestion.cwnd, 1000, false);
    assert_true(congestion.w_max < 900);
}

static void slow_start_is_left_when_round_trips_get_longer(void **state) {
    (void)state;
    struct tcp_congestion congestion = {0};
    struct tcp_growth growth = {0};
    uint64_t clock = SECOND;
    tcp_congestion_init(&congestion, TCP_CUBIC, 1000);
    for (int round = 0; round < 4; round++)
        grow(&congestion, &growth, 20, clock += 50 * MS, 50 * MS);
    assert_int_equal(growth.hystart.slow_rounds, 0);
    for (int round = 0; round < 20; round++)
        grow(&congestion, &growth, 1, clock += 80 * MS, 80 * MS); /* each is a round: una is nxt */
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

static void initial_window_is_ten_segments(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, bytes, 60000, 0);
    int segments = 0;
    while (hear(&scene))
        segments++;
    assert_int_equal(segments, 10);
    say(&scene, TCP_ACK, scene.remote, scene.local + 2 * MSS, 65535, NULL, 0);
    while (hear(&scene))
        segments++;
    assert_int_equal(segments, 14); /* two left the network, and slow start adds two */
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_start_doubles_and_renos_avoidance_adds_one_segment_a_window),
        cmocka_unit_test(cubic_comes_back_to_where_the_loss_was_and_lingers),
        cmocka_unit_test(slow_start_is_left_when_round_trips_get_longer),
        cmocka_unit_test(slow_start_is_left_wherever_sequence_numbers_begin),
        cmocka_unit_test(algorithms_are_found_by_linux_names),
        cmocka_unit_test(initial_window_is_ten_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
