/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_bbr3.c - the model of BBR's version 3 and states, sample by sample: tcp_bbr3.c. What it achieves: test_goodput.c.
 */
#include "stack/tcp/tcp_model.h"
#include "tests/unit/scene.h"
#include <netinet/in.h>

#define RTT (20 * MS)

struct rig {
    struct scene scene;
    struct stack *stack;
    struct tcp *tcp;
    struct tcp_bbr3 *bbr;
};

static void begin(struct rig *rig) {
    connected(&rig->scene, 65535, MSS);
    rig->stack = rig->scene.host.stack;
    assert_int_equal(socket_set_option(rig->stack, rig->scene.socket, IPPROTO_TCP, TCP_CONGESTION, "bbr3", 4),
                     0);
    rig->tcp = rig->scene.socket->tcp;
    assert_non_null(rig->tcp->congestion.model);
    rig->bbr = &rig->tcp->congestion.model->bbr3;
    rig->tcp->rtt.srtt_ns = RTT;
    tcp_bbr3_operations.begin(rig->stack, rig->tcp);
}

/* A round trip has passed, in which so many bytes were delivered, and so many lost. */
static void round_trip(struct rig *rig, uint32_t delivered, uint32_t lost) {
    struct tcp_rate *rate = &rig->tcp->active->rate;
    struct tcp_delivery delivery = {.delivered = delivered,
                                    .rtt_ns = RTT,
                                    .rate = {.any = true,
                                             .prior_delivered = rate->delivered,
                                             .delivered = delivered,
                                             .interval_us = RTT / 1000,
                                             .in_flight = delivered,
                                             .lost = lost}};
    rate->delivered += delivered;
    rig->stack->now_ns += RTT;
    tcp_bbr3_operations.acknowledged(rig->stack, rig->tcp, &delivery);
}

/* Until the rate, which has been found, grows no more; and the queue is taken away. */
static void find_the_rate(struct rig *rig) {
    for (uint32_t bytes = 10000; bytes <= 160000; bytes *= 2)
        round_trip(rig, bytes, 0);
    for (int i = 0; i < 4; i++)
        round_trip(rig, 160000, 0);
}

static void startup_goes_on_while_the_rate_doubles_and_ends_when_it_does_not(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    for (uint32_t bytes = 10000; bytes <= 160000; bytes *= 2) {
        round_trip(&rig, bytes, 0);
        assert_int_equal(rig.bbr->state, TCP_BBR3_STARTUP);
        assert_int_equal(rig.bbr->bw, tcp_rate_of(bytes, RTT / 1000));
    }
    round_trip(&rig, 160000, 0);
    round_trip(&rig, 160000, 0);
    assert_int_equal(rig.bbr->state, TCP_BBR3_STARTUP);
    round_trip(&rig, 160000, 0);
    assert_true(rig.bbr->full_bw_reached);
    assert_int_not_equal(rig.bbr->state, TCP_BBR3_STARTUP);
    scene_end(&rig.scene);
}

static void a_program_that_writes_too_little_does_not_end_startup(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    for (int i = 0; i < 20; i++) {
        struct tcp_delivery delivery = {.delivered = 10000,
                                        .rtt_ns = RTT,
                                        .rate = {.any = true,
                                                 .app_limited = true,
                                                 .prior_delivered = rig.tcp->active->rate.delivered,
                                                 .delivered = 10000,
                                                 .interval_us = RTT / 1000}};
        rig.tcp->active->rate.delivered += 10000;
        rig.stack->now_ns += RTT;
        tcp_bbr3_operations.acknowledged(rig.stack, rig.tcp, &delivery);
    }
    assert_int_equal(rig.bbr->state, TCP_BBR3_STARTUP);
    scene_end(&rig.scene);
}

static void the_window_is_twice_the_paths_content_and_the_rate_the_models(void **state) {
    struct rig rig;
    struct tcp_bbr_information info;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    assert_in_range(rig.bbr->state, TCP_BBR3_DOWN, TCP_BBR3_CRUISE);
    assert_int_equal(rig.bbr->min_rtt_ns, RTT);
    assert_in_range(rig.tcp->congestion.cwnd, 300000, 500000);
    for (int i = 0; i < 4; i++)
        round_trip(&rig, 160000, 0);
    assert_int_equal(rig.bbr->state, TCP_BBR3_CRUISE);
    assert_int_equal(rig.tcp->congestion.model->pacing_rate, UINT64_C(8000000) * 99 / 100);
    tcp_bbr3_operations.info(rig.tcp, &info);
    assert_int_equal(info.bw_low, 8000000);
    assert_int_equal(info.min_rtt_us, 20000);
    assert_int_equal(info.pacing_gain, 256);
    assert_int_equal(info.cwnd_gain, 512);
    scene_end(&rig.scene);
}

static void after_a_while_it_looks_for_more_and_finds_it(void **state) {
    struct rig rig;
    bool refilled = false, probed = false;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    for (int i = 0; i < 200 && !probed; i++) {
        round_trip(&rig, 160000, 0);
        refilled |= rig.bbr->state == TCP_BBR3_REFILL;
        probed = rig.bbr->state == TCP_BBR3_UP;
    }
    assert_true(refilled && probed);
    round_trip(&rig, 240000, 0);
    assert_int_equal(rig.bbr->bw, tcp_rate_of(240000, RTT / 1000));
    scene_end(&rig.scene);
}

static void the_round_trip_without_a_queue_is_looked_for_after_five_seconds(void **state) {
    struct rig rig;
    bool probed = false;
    uint32_t window = 0;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    uint64_t begun_ns = rig.bbr->probe_rtt_min_stamp_ns;
    for (int i = 0; i < 500 && !probed; i++) {
        struct tcp_delivery longer = {.delivered = MSS, .rtt_ns = RTT + 5 * MS};
        rig.stack->now_ns += RTT;
        tcp_bbr3_operations.acknowledged(rig.stack, rig.tcp, &longer);
        probed = rig.bbr->state == TCP_BBR3_PROBE_RTT;
        window = rig.tcp->congestion.cwnd;
    }
    assert_true(probed);
    assert_in_range(rig.stack->now_ns - begun_ns, 5 * SECOND, 5 * SECOND + 2 * RTT);
    assert_true(window <= 80000); /* half of the content */
    for (int i = 0; i < 20 && rig.bbr->state == TCP_BBR3_PROBE_RTT; i++)
        round_trip(&rig, 40000, 0);
    assert_int_not_equal(rig.bbr->state, TCP_BBR3_PROBE_RTT);
    assert_true(rig.tcp->congestion.cwnd > window);
    scene_end(&rig.scene);
}

static void losses_bound_what_is_in_flight_until_the_next_probe(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    assert_int_equal(rig.bbr->inflight_shortterm, TCP_BBR3_NONE);
    for (int i = 0; i < 2; i++) {
        tcp_bbr3_operations.congested(rig.tcp);
        round_trip(&rig, 100000, 10000);
    }
    assert_true(rig.bbr->inflight_shortterm < TCP_BBR3_NONE);
    assert_int_equal(rig.bbr->bw, 8000000 / 100 * 70);
    scene_end(&rig.scene);
}

static void what_was_needless_is_taken_back(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig);
    find_the_rate(&rig);
    tcp_bbr3_operations.recovery(rig.stack, rig.tcp, true);
    assert_true(rig.bbr->inflight_shortterm < TCP_BBR3_NONE);
    tcp_bbr3_operations.undo(rig.stack, rig.tcp);
    assert_int_equal(rig.bbr->inflight_shortterm, TCP_BBR3_NONE);
    assert_true(rig.bbr->bw_shortterm == UINT64_MAX);
    scene_end(&rig.scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(startup_goes_on_while_the_rate_doubles_and_ends_when_it_does_not),
        cmocka_unit_test(a_program_that_writes_too_little_does_not_end_startup),
        cmocka_unit_test(the_window_is_twice_the_paths_content_and_the_rate_the_models),
        cmocka_unit_test(after_a_while_it_looks_for_more_and_finds_it),
        cmocka_unit_test(the_round_trip_without_a_queue_is_looked_for_after_five_seconds),
        cmocka_unit_test(losses_bound_what_is_in_flight_until_the_next_probe),
        cmocka_unit_test(what_was_needless_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
