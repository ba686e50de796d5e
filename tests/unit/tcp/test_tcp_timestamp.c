/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_timestamp.c - the timestamps option (RFC 7323): tcp_timestamp.c.
 */
#include "stack/tcp/tcp_timestamp.h"
#include "tests/unit/scene.h"

#define DAY (UINT64_C(86400) * SECOND)

static struct tcp tcp_with_timestamps(void) {
    return (struct tcp){.timestamps = true, .timestamp_recent = 1000, .last_ack_sent = 5000};
}

static void the_clock_goes_on_by_one_each_millisecond(void **state) {
    (void)state;
    const struct tcp tcp = {.timestamp_offset = 0xffffffff};
    assert_int_equal(tcp_timestamp_at(&tcp, MS - 1), 0xffffffff);
    assert_int_equal(tcp_timestamp_at(&tcp, MS), 0);
    assert_int_equal(tcp_timestamp_at(&tcp, 5 * SECOND), 4999);
}

static void a_segment_bears_our_time_and_the_peers_if_it_acknowledges(void **state) {
    struct host host = host_create(HOST_A, 1500);
    const struct tcp tcp = tcp_with_timestamps();
    struct tcp_segment syn = {.flags = TCP_SYN}, ack = {.flags = TCP_ACK};
    (void)state;
    host.stack->now_ns = 7 * MS;
    tcp_timestamp_put(host.stack, &tcp, &syn);
    tcp_timestamp_put(host.stack, &tcp, &ack);
    assert_true(syn.has_timestamp && ack.has_timestamp);
    assert_int_equal(ack.timestamp, 7);
    assert_int_equal(syn.timestamp_echo, 0);
    assert_int_equal(ack.timestamp_echo, 1000);
    host_destroy(&host);
}

static void a_segment_with_an_older_time_is_old_for_24_days(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct tcp tcp = tcp_with_timestamps();
    struct tcp_segment segment = {.has_timestamp = true, .timestamp = 999};
    (void)state;
    host.stack->now_ns = tcp.timestamp_recent_ns = 100 * DAY;
    assert_true(tcp_timestamp_is_old(host.stack, &tcp, &segment));
    segment.timestamp = 1000;
    assert_false(tcp_timestamp_is_old(host.stack, &tcp, &segment));
    segment.timestamp = 1000 + 0x80000001u; /* before it, across the wrap */
    assert_true(tcp_timestamp_is_old(host.stack, &tcp, &segment));
    host.stack->now_ns += 24 * DAY;
    assert_false(tcp_timestamp_is_old(host.stack, &tcp, &segment));
    host.stack->now_ns--;
    assert_true(tcp_timestamp_is_old(host.stack, &tcp, &segment));
    segment.has_timestamp = false;
    assert_false(tcp_timestamp_is_old(host.stack, &tcp, &segment));
    host_destroy(&host);
}

static void what_is_echoed_is_of_the_segment_that_the_last_acknowledgment_waits_for(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct tcp tcp = tcp_with_timestamps();
    struct tcp_segment ahead = {.has_timestamp = true, .timestamp = 2000, .sequence = 5001};
    struct tcp_segment next = {.has_timestamp = true, .timestamp = 1500, .sequence = 5000};
    (void)state;
    host.stack->now_ns = SECOND;
    tcp_timestamp_take(host.stack, &tcp, &ahead);
    assert_int_equal(tcp.timestamp_recent, 1000);
    tcp_timestamp_take(host.stack, &tcp, &next);
    assert_int_equal(tcp.timestamp_recent, 1500);
    assert_int_equal(tcp.timestamp_recent_ns, SECOND);
    host_destroy(&host);
}

static void a_round_trip_is_a_tick_at_least_and_none_that_cannot_be(void **state) {
    struct host host = host_create(HOST_A, 1500);
    const struct tcp tcp = tcp_with_timestamps();
    (void)state;
    host.stack->now_ns = 100 * MS;
    assert_int_equal(tcp_timestamp_rtt_ns(host.stack, &tcp, 60), 40 * MS);
    assert_int_equal(tcp_timestamp_rtt_ns(host.stack, &tcp, 100), MS);
    assert_int_equal(tcp_timestamp_rtt_ns(host.stack, &tcp, 101), 0); /* not sent yet */
    assert_int_equal(tcp_timestamp_rtt_ns(host.stack, &tcp, 100 - (1 << 24)), 0);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_goes_on_by_one_each_millisecond),
        cmocka_unit_test(a_segment_bears_our_time_and_the_peers_if_it_acknowledges),
        cmocka_unit_test(a_segment_with_an_older_time_is_old_for_24_days),
        cmocka_unit_test(what_is_echoed_is_of_the_segment_that_the_last_acknowledgment_waits_for),
        cmocka_unit_test(a_round_trip_is_a_tick_at_least_and_none_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
