/* SPDX-License-Identifier: MIT */
/*
 * test_ip_reassembly.c - fragments put together: ip_reassembly.c.
 */
#include "tests/unit/network.h"
#include <errno.h>

static void fragments_come_in_any_order_and_twice(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 9);
    uint32_t total = make_datagram(1992);
    static const uint8_t orders[][5] = {{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 0, 4, 1, 3}};
    for (uint16_t o = 0; o < 3; o++) {
        for (int i = 0; i < 5; i++) {
            uint32_t at = orders[o][i] * 400u;
            for (int twice = 0; twice < 2 && (i < 4 || twice < 1); twice++)
                send_piece(&host, o, at, at + 400 < total ? 400 : total - at, at + 400 < total);
        }
        assert_int_equal(receive_bytes(&host, socket, got, sizeof got, 0), 1992);
        assert_memory_equal(got, payload, 1992);
    }
    assert_int_equal(host.stack->mib.IpReasmOKs, 3);
    assert_int_equal(host.stack->reassemblies.storage, 0);
    /* Two datagrams at a time do not mix. */
    send_piece(&host, 8, 0, 1000, true);
    send_piece(&host, 9, 1000, 1000, false);
    assert_int_equal(receive_bytes(&host, socket, got, sizeof got, 0), -EAGAIN);
    send_piece(&host, 9, 0, 1000, true);
    struct iovec piece = {got, sizeof got};
    struct socket_message message = {.pieces = &piece, .count = 1};
    assert_int_equal(socket_receive(host.stack, socket, &message), 1992);
    assert_int_equal(message.longest_fragment, IP_HEADER_BYTES + 1000);
    send_udp(&host, HOST_B, HOST_A, 9, "whole");
    assert_int_equal(socket_receive(host.stack, socket, &message), 5);
    assert_int_equal(message.longest_fragment, 0);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void fragments_that_contradict_are_dropped_with_their_datagram(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 9);
    make_datagram(1992);
    peer_introduce(&host);
    static const struct {
        uint32_t offset, length;
        bool more;
    } pairs[][2] = {
        {{0, 800, true}, {400, 800, true}},       /* overlap */
        {{400, 800, true}, {0, 408, true}},       /* by a little, from before */
        {{0, 1600, true}, {400, 400, true}},      /* within */
        {{1600, 400, false}, {1200, 800, false}}, /* two ends */
        {{800, 400, false}, {1600, 400, true}},   /* beyond the end */
        {{1600, 400, true}, {800, 400, false}},   /* an end before what is there */
    };
    for (uint16_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        uint64_t overlaps = host.stack->mib.IpExtReasmOverlaps;
        for (int j = 0; j < 2; j++)
            send_piece(&host, i, pairs[i][j].offset, pairs[i][j].length, pairs[i][j].more);
        assert_int_equal(host.stack->mib.IpExtReasmOverlaps, overlaps + 1);
        assert_int_equal(host.stack->reassemblies.pool.used, 0);
    }
    uint64_t fails = host.stack->mib.IpReasmFails;
    send_piece(&host, 50, 0, 401, true); /* only the last may have such a length */
    struct packet_shape shape = {.protocol = IP_PROTOCOL_UDP, .fragment = 0x1fff};
    peer_packet(&host, &shape, payload, 100); /* ends beyond 65,535 */
    assert_int_equal(host.stack->mib.IpReasmFails, fails + 2);
    assert_int_equal(receive_bytes(&host, socket, got, sizeof got, 0), -EAGAIN);
    socket_release(host.stack, socket);
    host_discard(&host);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void half_datagrams_are_given_up_and_told(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    make_datagram(1992);
    peer_introduce(&host);
    send_piece(&host, 1, 0, 400, true);
    send_piece(&host, 2, 400, 400, true); /* without the first: not told */
    host_run(&host, 29 * SECOND);
    assert_int_equal(host.stack->reassemblies.pool.used, 2);
    peer_introduce(&host);
    host_run(&host, 2 * SECOND);
    assert_int_equal(host.stack->reassemblies.pool.used, 0);
    assert_int_equal(host.stack->mib.IpReasmTimeout, 2);
    assert_true(next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length));
    assert_int_equal(body[0], ICMP_TIME_EXCEEDED);
    assert_int_equal(body[1], ICMP_REASSEMBLY_TIME);
    assert_memory_equal(body + 8 + 20, datagram, 8); /* quoted */
    assert_false(next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length));
    host_run(&host, 60 * SECOND);
    host_discard(&host);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void flood_of_fragments_is_bounded(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    make_datagram(1992);
    for (uint32_t i = 0; i < 20000; i++) {
        send_piece(&host, (uint16_t)i, 8 * (i % 100), 8, true);
        assert_true(host.stack->reassemblies.pool.used <= IP_REASSEMBLIES_MAX);
        assert_true(host.stack->reassemblies.storage <= IP_REASSEMBLY_BYTES_MAX);
    }
    /* One datagram of tiny pieces. */
    struct host other = host_create(HOST_A, 1500);
    for (uint32_t i = 0; i < 8000; i++) {
        struct packet_shape shape = {.protocol = IP_PROTOCOL_UDP,
                                     .fragment = (uint16_t)(i | IP_MORE_FRAGMENTS)};
        peer_packet(&other, &shape, payload, 8);
        assert_true(other.stack->reassemblies.storage <= IP_REASSEMBLY_DATAGRAM_MAX);
    }
    assert_true(other.stack->mib.IpReasmFails > 0);
    host_destroy(&host);
    host_destroy(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_come_in_any_order_and_twice),
        cmocka_unit_test(fragments_that_contradict_are_dropped_with_their_datagram),
        cmocka_unit_test(half_datagrams_are_given_up_and_told),
        cmocka_unit_test(flood_of_fragments_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
