/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_bbr.c - the model of BBR's version 1, sample by sample: tcp_bbr.c. What it achieves: test_goodput.c.
 */
#include "stack/tcp/tcp_model.h"
#include "tests/unit/scene.h"
#include <netinet/in.h>

#define RTT (20 * MS)

struct rig {
    struct scene scene;
    struct stack *stack;
    struct tcp *tcp;
    struct tcp_bbr *bbr;
};

static void begin(struct rig *rig) {
    connected(&rig->scene, 65535, MSS);
    rig->stack = rig->scene.host.stack;
    assert_int_equal(socket_set_option(rig->stack, rig->scene.socket, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3),
                     0);
    rig->tcp = rig->scene.socket->tcp;
    assert_int_equal(rig->tcp->congestion.algorithm, TCP_BBR);
    rig->bbr = &rig->tcp->congestion.model->bbr;
    rig->tcp->rtt.srtt_ns = rig->tcp->rtt.min_ns = RTT;
    tcp_bbr_operations.begin(rig->stack, rig->tcp);
}

/* A round trip of such a length has passed, in which so many bytes were delivered, and so many lost. */
static void round_trip_of(struct rig *rig, uint32_t delivered, uint32_t lost, uint64_t rtt_ns,
                          bool app_limited) {
    struct tcp_rate *rate = &rig->tcp->active->rate;
    struct tcp_delivery delivery = {.delivered = delivered,
                                    .rtt_ns = rtt_ns,
                                    .rate = {.any = true,
                                             .app_limited = app_limited,
                                             .prior_delivered = rate->delivered,
                                             .delivered = delivered,
                                             .interval_us = (uint32_t)(RTT / 1000),
                                             .in_flight = delivered,
                                             .lost = lost}};
    rate->delivered += delivered;
    rate->lost += lost;
    rig->stack->now_ns += rtt_ns;
    rate->delivered_ns = rig->stack->now_ns;
    tcp_bbr_operations.acknowledged(rig->stack, rig->tcp, &delivery);
}

static void round_trip(struct rig *rig, uint32_t delivered, uint32_t lost) {
    round_trip_of(rig, delivered, lost, RTT, false);
}

static uint64_t rate_told(struct rig *rig) {
    struct tcp_bbr_information told;
    tcp_bbr_operations.info(rig->tcp, &told);
    return told.bw_low;
}

static void find_the_rate(struct rig *rig) {
    for (uint32_t bytes = 10000; bytes <= 160000; bytes *= 2)
        round_trip(rig, bytes, 0);
    for (int i = 0; i < 4; i++)
        round_trip(rig, 160000, 0);
    assert_int_equal(rig->bbr->state, TCP_BBR_PROBE_BW);
}

static void startup_goes_on_while_the_rate_doubles_and_ends_when_it_does_not(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    for (uint32_t bytes = 10000; bytes <= 160000; bytes *= 2) {
        round_trip(&rig, bytes, 0);
        assert_int_equal(rig.bbr->state, TCP_BBR_STARTUP);
        assert_int_equal(rate_told(&rig), tcp_rate_of(bytes, RTT / 1000));
    }
    round_trip(&rig, 160000, 0);
    round_trip(&rig, 160000, 0);
    assert_int_equal(rig.bbr->state, TCP_BBR_STARTUP);
    round_trip(&rig, 160000, 0);
    assert_true(rig.bbr->full_bw_reached);
    assert_int_not_equal(rig.bbr->state, TCP_BBR_STARTUP);
    scene_end(&rig.scene);
}

static void what_the_program_did_not_use_is_not_the_paths_rate(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    for (int i = 0; i < 20; i++)
        round_trip_of(&rig, 10000, 0, RTT, true);
    assert_int_equal(rig.bbr->state, TCP_BBR_STARTUP);
    find_the_rate(&rig);
    for (int i = 0; i < 50; i++)
        round_trip_of(&rig, 10000, 0, RTT, true);
    assert_int_equal(rate_told(&rig), 8000000);
    scene_end(&rig.scene);
}

static void a_cycle_probes_in_one_round_trip_of_eight_and_drains_in_the_next(void **state) {
    struct rig rig;
    uint32_t gains[64];
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    for (int i = 0; i < 64; i++) {
        struct tcp_bbr_information told;
        tcp_bbr_operations.info(rig.tcp, &told);
        gains[i] = told.pacing_gain;
        assert_int_equal(told.cwnd_gain, 512);
        assert_int_equal(rig.tcp->congestion.model->pacing_rate,
                         UINT64_C(8000000) * told.pacing_gain / 256 * 99 / 100);
        rig.tcp->snd_nxt = rig.tcp->snd_una + 250000; /* as if so much were in flight */
        round_trip_of(&rig, 160000, 0, RTT + 1000000, false);
        rig.tcp->snd_nxt = rig.tcp->snd_una;
    }
    int up = 0, down = 0;
    for (int i = 0; i + 1 < 64; i++) {
        up += gains[i] == 320;
        down += gains[i] == 192;
        if (gains[i] == 320 && gains[i + 1] != 320)
            assert_int_equal(gains[i + 1], 192);
    }
    assert_in_range(up, 6, 9);
    assert_in_range(down, 6, 9);
    scene_end(&rig.scene);
}

static void the_rate_of_ten_round_trips_ago_is_forgotten(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    for (int i = 0; i < 9; i++)
        round_trip(&rig, 80000, 0);
    assert_int_equal(rate_told(&rig), 8000000);
    round_trip(&rig, 80000, 0);
    assert_int_equal(rate_told(&rig), 4000000);
    scene_end(&rig.scene);
}

static void losses_change_neither_the_rate_nor_the_window(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    for (int i = 0; i < 20; i++)
        round_trip(&rig, 160000, 0);
    uint32_t window = rig.tcp->congestion.cwnd;
    for (int i = 0; i < 20; i++) {
        tcp_bbr_operations.congested(rig.tcp);
        round_trip(&rig, 160000, 16000);
    }
    assert_int_equal(rate_told(&rig), 8000000);
    assert_in_range(rig.tcp->congestion.cwnd, window * 9 / 10, window * 11 / 10);
    scene_end(&rig.scene);
}

static void in_the_first_round_trip_of_a_recovery_no_more_is_sent_than_arrives(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    uint32_t window = rig.tcp->congestion.cwnd;
    tcp_bbr_operations.recovery(rig.stack, rig.tcp, false);
    rig.tcp->active->recovery.state = TCP_RECOVERY;
    struct tcp_delivery some = {.delivered = 2 * MSS, .rtt_ns = RTT};
    tcp_bbr_operations.acknowledged(rig.stack, rig.tcp, &some);
    assert_int_equal(rig.tcp->congestion.cwnd, 2 * MSS); /* nothing is in flight */
    rig.tcp->active->recovery.state = TCP_OPEN;
    round_trip(&rig, 160000, 0);
    assert_in_range(rig.tcp->congestion.cwnd, window - 10, window + 160000);
    scene_end(&rig.scene);
}

static void a_policers_rate_is_found_and_kept_to_for_a_while(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    for (int i = 0; i < 30 && !rig.bbr->policer.found; i++)
        round_trip(&rig, 160000, 40000);
    assert_true(rig.bbr->policer.found);
    assert_in_range(rate_told(&rig), 7900000, 8100000);
    round_trip(&rig, 320000, 0); /* more for a moment, as a token bucket gives */
    assert_in_range(rate_told(&rig), 7900000, 8100000);
    for (int i = 0; i < 48; i++)
        round_trip(&rig, 160000, 0);
    assert_false(rig.bbr->policer.found);
    scene_end(&rig.scene);
}

static void the_round_trip_without_a_queue_is_looked_for_after_ten_seconds(void **state) {
    struct rig rig;
    bool probed = false;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    uint64_t begun_ns = rig.bbr->min_rtt_stamp_ns;
    for (int i = 0; i < 1000 && !probed; i++) {
        round_trip_of(&rig, 160000, 0, RTT + 5 * MS, false);
        probed = rig.bbr->state == TCP_BBR_PROBE_RTT;
    }
    assert_true(probed);
    assert_in_range(rig.stack->now_ns - begun_ns, 10 * SECOND, 10 * SECOND + 2 * RTT);
    assert_int_equal(rig.tcp->congestion.cwnd, 4 * MSS);
    for (int i = 0; i < 20 && rig.bbr->state == TCP_BBR_PROBE_RTT; i++)
        round_trip_of(&rig, 4 * MSS, 0, RTT, rig.tcp->active->rate.app_limited > 0);
    assert_int_equal(rig.bbr->state, TCP_BBR_PROBE_BW);
    assert_true(rig.tcp->congestion.cwnd > 160000); /* what it was before */
    scene_end(&rig.scene);
}

static void what_was_needless_is_taken_back(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    round_trip(&rig, 10000, 0);
    round_trip(&rig, 10000, 0);
    round_trip(&rig, 10000, 0);
    assert_int_equal(rig.bbr->full_bw_count, 2);
    tcp_bbr_operations.recovery(rig.stack, rig.tcp, false);
    tcp_bbr_operations.undo(rig.stack, rig.tcp);
    assert_int_equal(rig.bbr->full_bw_count, 0);
    assert_false(rig.bbr->policer.sampling);
    scene_end(&rig.scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(startup_goes_on_while_the_rate_doubles_and_ends_when_it_does_not),
        cmocka_unit_test(what_the_program_did_not_use_is_not_the_paths_rate),
        cmocka_unit_test(a_cycle_probes_in_one_round_trip_of_eight_and_drains_in_the_next),
        cmocka_unit_test(the_rate_of_ten_round_trips_ago_is_forgotten),
        cmocka_unit_test(losses_change_neither_the_rate_nor_the_window),
        cmocka_unit_test(in_the_first_round_trip_of_a_recovery_no_more_is_sent_than_arrives),
        cmocka_unit_test(a_policers_rate_is_found_and_kept_to_for_a_while),
        cmocka_unit_test(the_round_trip_without_a_queue_is_looked_for_after_ten_seconds),
        cmocka_unit_test(what_was_needless_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
