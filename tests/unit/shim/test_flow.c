/* SPDX-License-Identifier: MIT */
/*
 * test_flow.c - report/flow.c, series.c and stretch.c: flows of UDP, bytes over time, stretches of time.
 */
#include "shim/keeper/tools/report/flow.h"
#include "shim/keeper/tools/report/stretch.h"
#include "stack/base/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static uint64_t sum_of(const struct series *series) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < SERIES_SLOTS; i++)
        sum += series->bytes[i];
    return sum;
}

static void series_has_all_bytes_however_long_it_lasts(void **state) {
    struct series series = {0};
    uint64_t all = 0;
    (void)state;
    for (uint64_t i = 0; i < 5000; i++) {
        series_add(&series, 7 * SECOND + i * i * 1000, i);
        all += i;
        assert_int_equal(sum_of(&series), all);
    }
    series_add(&series, 6 * SECOND, 11); /* earlier than the first */
    series_add(&series, UINT64_MAX, 13); /* as late as a file can say */
    assert_int_equal(sum_of(&series), all + 24);
}

static void series_puts_bytes_where_their_time_is(void **state) {
    struct series series = {0};
    (void)state;
    for (uint64_t i = 0; i <= 100; i++)
        series_add(&series, SECOND + i * SECOND / 10, i < 50 ? 1 : 100);
    uint64_t half = 5 * SECOND / series.width_ns, early = 0;
    for (uint64_t i = 0; i < half; i++)
        early += series.bytes[i];
    assert_in_range(early, 45, 50);
    assert_true(series.width_ns * SERIES_SLOTS > 10 * SECOND &&
                series.width_ns * SERIES_SLOTS <= 21 * SECOND);
}

static void stretches_that_touch_are_one(void **state) {
    struct stretches stretches = {0};
    uint32_t cursor = 0;
    (void)state;
    stretches_add(&stretches, 10, 20);
    stretches_add(&stretches, 20, 30);
    stretches_add(&stretches, 25, 28);
    stretches_add(&stretches, 40, 40); /* nothing */
    stretches_add(&stretches, 50, 60);
    assert_int_equal(stretches.count, 2);
    assert_int_equal(stretches_within(&stretches, &cursor, 0, 15), 5);
    assert_int_equal(stretches_within(&stretches, &cursor, 15, 55), 20);
    assert_int_equal(stretches_within(&stretches, &cursor, 55, 100), 5);
    assert_int_equal(stretches_within(&stretches, &cursor, 100, 200), 0);
    free(stretches.all);
}

static void give(struct flows *flows, uint32_t from, uint16_t from_port, uint32_t to, uint16_t to_port,
                 uint32_t bytes, uint64_t now_ns) {
    uint8_t header[8] = {0}, addresses[8];
    wire_put32(addresses, from);
    wire_put32(addresses + 4, to);
    wire_put16(header, from_port);
    wire_put16(header + 2, to_port);
    struct captured_ip ip = {.source = packet_map(addresses),
                             .destination = packet_map(addresses + 4),
                             .protocol = PROTOCOL_UDP,
                             .payload = header,
                             .captured = sizeof header,
                             .length = (uint32_t)sizeof header + bytes};
    flow_packet(flows, &ip, now_ns);
}

static void flow_has_both_ways(void **state) {
    struct flows flows = {0};
    int side;
    (void)state;
    give(&flows, 1, 5000, 2, 53, 40, SECOND);
    give(&flows, 2, 53, 1, 5000, 100, SECOND + 30);
    give(&flows, 1, 5000, 2, 53, 41, SECOND + 500);
    give(&flows, 1, 5001, 2, 53, 42, SECOND + 600); /* another one */
    give(&flows, 1, 5000, 2, 53, 0, SECOND + 400);  /* which stands earlier in time */
    assert_int_equal(flows.count, 2);
    const struct flow *flow = &flows.all[0];
    assert_int_equal(flow->packets[0], 3);
    assert_int_equal(flow->bytes[0], 81);
    assert_int_equal(flow->packets[1], 1);
    assert_int_equal(flow->bytes[1], 100);
    assert_int_equal(flow->answer_ns, 30);
    assert_int_equal(flow->longest_pause_ns, 500);
    assert_int_equal(flow->end_ns, SECOND + 500);
    assert_string_equal(flow_kind(flow), "DNS");
    assert_ptr_equal(flow_find(&flows, &flow->addresses[1], 53, &flow->addresses[0], 5000, &side), flow);
    assert_int_equal(side, 1);
    assert_null(flow_find(&flows, &flow->addresses[1], 54, &flow->addresses[0], 5000, &side));
    flow_free(&flows);
}

/* A datagram that is too short for its header is none; flows have a bound, and what is beyond it is counted. */
static void flows_have_a_bound(void **state) {
    struct flows *flows = calloc(1, sizeof *flows);
    (void)state;
    struct captured_ip cut = {.protocol = PROTOCOL_UDP, .captured = 7, .length = 20};
    flow_packet(flows, &cut, SECOND);
    assert_int_equal(flows->count, 0);
    for (uint32_t i = 0; i < FLOWS_MAX + 500; i++)
        give(flows, 1, (uint16_t)(1 + i % 60000), 2 + i / 60000, 9, 1, SECOND + i);
    assert_int_equal(flows->count, FLOWS_MAX);
    assert_int_equal(flows->left_out, 500);
    for (uint32_t i = 0; i < FLOWS_MAX; i++) { /* what was there is found after the arrays have grown */
        int side;
        assert_ptr_equal(flow_find(flows, &flows->all[i].addresses[0], flows->all[i].ports[0],
                                   &flows->all[i].addresses[1], 9, &side),
                         &flows->all[i]);
    }
    flow_free(flows);
    free(flows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_has_all_bytes_however_long_it_lasts),
        cmocka_unit_test(series_puts_bytes_where_their_time_is),
        cmocka_unit_test(stretches_that_touch_are_one),
        cmocka_unit_test(flow_has_both_ways),
        cmocka_unit_test(flows_have_a_bound),
    };
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
