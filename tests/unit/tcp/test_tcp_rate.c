/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_rate.c - how fast data arrives at the peer (draft-cheng-iccrg-delivery-rate-estimation): tcp_rate.c.
 */
#include "stack/tcp/tcp_rate.h"
#include "tests/unit/scene.h"

/* An open connection, with a window for all of this. The samples that count are in rate->latest_*. */
static struct tcp_rate *begin(struct scene *scene) {
    connected(scene, 65535, MSS);
    return &scene->socket->tcp->active->rate;
}

static void a_rate_is_bytes_a_second(void **state) {
    (void)state;
    assert_int_equal(tcp_rate_of(1500, 1000), 1500000);
    assert_int_equal(tcp_rate_of(UINT32_MAX, 1), UINT64_C(4294967295000000));
    assert_int_equal(tcp_rate_of(1500, 0), 0);
}

static void what_is_acknowledged_over_the_time_that_it_took_is_the_rate(void **state) {
    struct scene scene;
    struct tcp_rate *rate = begin(&scene);
    (void)state;
    send_all(&scene, 10 * MSS, 0);
    host_run(&scene.host, 50 * MS);
    host_discard(&scene.host);
    acknowledge(&scene, 5 * MSS);
    assert_int_equal(rate->delivered, 5 * MSS);
    assert_int_equal(rate->latest_bytes, 5 * MSS);
    assert_in_range(rate->latest_us, 49999, 51000);
    host_run(&scene.host, 25 * MS);
    host_discard(&scene.host);
    acknowledge(&scene, 10 * MSS);
    assert_int_equal(rate->delivered, 10 * MSS);
    assert_int_equal(rate->latest_bytes, 10 * MSS); /* since what came with the first had left */
    assert_in_range(rate->latest_us, 74999, 77000);
    scene_end(&scene);
}

static void a_segment_bears_what_was_delivered_when_it_left(void **state) {
    struct scene scene;
    (void)state;
    begin(&scene);
    send_all(&scene, 4 * MSS, 0);
    host_run(&scene.host, 40 * MS);
    host_discard(&scene.host);
    acknowledge(&scene, 2 * MSS);
    host_run(&scene.host, 10 * MS);
    send_all(&scene, MSS, 0); /* two delivered, two in flight */
    const struct tcp_rtx *last = container_of(scene.socket->tcp->active->sent.previous, struct tcp_rtx, link);
    assert_int_equal(last->rate.delivered, 2 * MSS);
    assert_int_equal(last->rate.in_flight, 3 * MSS);
    assert_in_range(last->rate.delivered_us, 9999, 11000);
    assert_true(last->app_limited);
    host_discard(&scene.host);
    acknowledge(&scene, 5 * MSS);
    scene_end(&scene);
}

static void a_lower_rate_of_the_programs_own_does_not_count(void **state) {
    struct scene scene;
    struct tcp_rate *rate = begin(&scene);
    (void)state;
    send_all(&scene, 10 * MSS, 0);
    host_run(&scene.host, 20 * MS);
    host_discard(&scene.host);
    acknowledge(&scene, 10 * MSS);
    assert_int_equal(rate->latest_bytes, 10 * MSS);
    send_all(&scene, 100, 0);
    assert_true(rate->app_limited > 0);
    host_run(&scene.host, 20 * MS);
    host_discard(&scene.host);
    acknowledge(&scene, 10 * MSS + 100);
    assert_int_equal(rate->delivered, 10 * MSS + 100);
    assert_int_equal(rate->latest_bytes, 10 * MSS);
    scene_end(&scene);
}

static void a_sample_that_is_faster_than_the_path_is_none(void **state) {
    struct scene scene;
    struct tcp_rate *rate = begin(&scene);
    struct tcp *tcp = scene.socket->tcp;
    struct tcp_rate_sample sample = {.any = true, .prior_ns = scene.host.stack->now_ns};
    (void)state;
    tcp->rtt.min_ns = 50 * MS;
    sample.sending_us = 49999;
    rate->delivered = 1000;
    tcp_rate_sampled(scene.host.stack, tcp, &sample);
    assert_int_equal(sample.interval_us, 0);
    assert_int_equal(rate->latest_bytes, 0);
    sample.sending_us = 50000;
    tcp_rate_sampled(scene.host.stack, tcp, &sample);
    assert_int_equal(sample.interval_us, 50000);
    assert_int_equal(sample.delivered, 1000);
    assert_int_equal(rate->latest_bytes, 1000);
    scene_end(&scene);
}

static void of_several_segments_the_one_that_left_last_counts(void **state) {
    struct scene scene;
    (void)state;
    begin(&scene);
    struct tcp *tcp = scene.socket->tcp;
    struct tcp_rate_sample sample = {0};
    const struct tcp_rtx late = {.sequence = 1, .length = 100, .rate = {.delivered = 500, .in_flight = 9}},
                         early = {.sequence = 101, .length = 100, .rate = {.delivered = 400, .in_flight = 7}};
    tcp_rate_delivered(scene.host.stack, tcp, &late, &sample);
    tcp_rate_delivered(scene.host.stack, tcp, &early, &sample);
    assert_int_equal(sample.prior_delivered, 500);
    assert_int_equal(sample.in_flight, 9);
    assert_int_equal(tcp->active->rate.delivered, 200);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_bytes_a_second),
        cmocka_unit_test(what_is_acknowledged_over_the_time_that_it_took_is_the_rate),
        cmocka_unit_test(a_segment_bears_what_was_delivered_when_it_left),
        cmocka_unit_test(a_lower_rate_of_the_programs_own_does_not_count),
        cmocka_unit_test(a_sample_that_is_faster_than_the_path_is_none),
        cmocka_unit_test(of_several_segments_the_one_that_left_last_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
