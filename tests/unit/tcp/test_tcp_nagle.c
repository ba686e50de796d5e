/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_nagle.c - when little is sent: tcp_nagle.c.
 */
#include "stack/tcp/tcp_nagle.h"
#include "tests/unit/scene.h"
#include <netinet/in.h>

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

static void nagle_and_nodelay_on_the_wire(void **state) {
    (void)state;
    struct scene scene;
    int one = 1;
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, "a", 1, 0);
    expect(&scene, TCP_ACK, scene.local, 1);
    send_bytes(&scene.host, scene.socket, "b", 1, 0);
    send_bytes(&scene.host, scene.socket, "c", 1, 0);
    expect_nothing(&scene);
    say(&scene, TCP_ACK, scene.remote, scene.local + 1, 65535, NULL, 0);
    expect(&scene, TCP_ACK, scene.local + 1, 2); /* held, and sent as one */
    send_bytes(&scene.host, scene.socket, "d", 1, 0);
    expect_nothing(&scene);
    socket_set_option(scene.host.stack, scene.socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    expect(&scene, TCP_ACK, scene.local + 3, 1);
    send_bytes(&scene.host, scene.socket, "e", 1, 0);
    expect(&scene, TCP_ACK, scene.local + 4, 1);
    send_bytes(&scene.host, scene.socket, "f", 1, MSG_MORE);
    expect_nothing(&scene);
    send_bytes(&scene.host, scene.socket, "g", 1, 0);
    expect(&scene, TCP_ACK, scene.local + 5, 2);
    scene_end(&scene);
}

static void more_holds_back_until_the_next_acknowledgment(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    assert_int_equal(send_all(&scene, 2100, MSG_MORE), 2100);
    expect(&scene, TCP_ACK, scene.local, 1000);
    expect(&scene, TCP_ACK, scene.local + 1000, 1000);
    expect_nothing(&scene);
    acknowledge(&scene, 1000);
    expect(&scene, TCP_ACK, scene.local + 2000, 100);
    assert_false(scene.packet.tcp.flags & TCP_PSH); /* the write is not over */
    scene_end(&scene);
}

static void cork_holds_back_until_it_is_drawn_or_delay_is_forbidden(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_CORK, 1);
    send_all(&scene, 40, 0);
    send_all(&scene, 40, 0);
    expect_nothing(&scene);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_CORK, 0);
    expect(&scene, TCP_ACK, scene.local, 80);
    acknowledge(&scene, 80);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_CORK, 1);
    send_all(&scene, 40, 0);
    expect_nothing(&scene);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    expect(&scene, TCP_ACK, scene.local + 80, 40);
    scene_end(&scene);
}

/* What is written while earlier segments wait for the NIC is gathered: Linux's autocorking. */
static void little_writes_wait_for_a_busy_nic(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    send_bytes(&scene.host, scene.socket, bytes, 10, 0);
    for (uint32_t i = 1; i < 5; i++)
        send_bytes(&scene.host, scene.socket, bytes + 10 * i, 10, 0);
    assert_int_equal(scene.host.stack->transmit.count, 1);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPAutoCorking, 4);
    expect(&scene, TCP_ACK, scene.local, 10); /* the NIC takes it ... */
    stack_advance(scene.host.stack, now);
    expect(&scene, TCP_ACK, scene.local + 10, 40); /* ... and the rest follows, as one */
    assert_memory_equal(scene.packet.payload, bytes + 10, 40);
    assert_int_equal(sysctl_set(&scene.host.stack->sysctl, "net.ipv4.tcp_autocorking", "0"), 0);
    send_bytes(&scene.host, scene.socket, bytes, 10, 0);
    send_bytes(&scene.host, scene.socket, bytes, 10, 0);
    assert_int_equal(scene.host.stack->transmit.count, 2);
    host_discard(&scene.host);
    scene.local += 70;
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nagle_holds_small_segment_while_data_is_unacked),
        cmocka_unit_test(nagle_lets_full_segments_go),
        cmocka_unit_test(peer_with_a_tiny_buffer_gets_half_of_it_at_a_time),
        cmocka_unit_test(nagle_and_nodelay_on_the_wire),
        cmocka_unit_test(more_holds_back_until_the_next_acknowledgment),
        cmocka_unit_test(cork_holds_back_until_it_is_drawn_or_delay_is_forbidden),
        cmocka_unit_test(little_writes_wait_for_a_busy_nic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
