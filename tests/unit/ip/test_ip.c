/* SPDX-License-Identifier: MIT */
/*
 * test_ip.c - IPv4's header, routes and loopback: ip.c.
 */
#include "tests/unit/network.h"
#include <errno.h>

static void options_are_checked_and_skipped(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 9);
    uint32_t length = make_datagram(100);
    peer_introduce(&host);
    static const uint8_t good[][8] = {
        {1, 1, 1, 0, 0, 0, 0, 0}, {0x94, 4, 0, 0, 1, 1, 1, 0}, {7, 7, 4, 0, 0, 0, 0, 0}};
    static const uint8_t bad[][8] = {{7, 9, 4, 0, 0, 0, 0, 0},
                                     {7, 0, 0, 0, 0, 0, 0, 0},
                                     {1, 1, 1, 1, 1, 1, 1, 7},
                                     {7, 1, 0, 0, 0, 0, 0, 0}};
    static const uint8_t routed[][8] = {{131, 7, 4, 10, 0, 0, 1, 0}, {137, 7, 4, 10, 0, 0, 1, 0}};
    struct packet_shape shape = {.protocol = IP_PROTOCOL_UDP, .options_length = 8};
    for (int i = 0; i < 3; i++) {
        shape.options = good[i];
        peer_packet(&host, &shape, datagram, length);
        assert_int_equal(receive_bytes(&host, socket, got, sizeof got, 0), 100);
        assert_memory_equal(got, payload, 100);
    }
    for (int i = 0; i < 4; i++) {
        shape.options = bad[i];
        peer_packet(&host, &shape, datagram, length);
        assert_true(next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length));
        assert_int_equal(body[0], ICMP_PARAMETER_PROBLEM);
        assert_in_range(body[4], 20, 27); /* the place of what is wrong */
    }
    for (int i = 0; i < 2; i++) {
        shape.options = routed[i];
        peer_packet(&host, &shape, datagram, length);
    }
    assert_int_equal(host.stack->mib.IpInHdrErrors, 6);
    assert_int_equal(receive_bytes(&host, socket, got, sizeof got, 0), -EAGAIN);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void route_with_the_longest_prefix_wins(void **state) {
    (void)state;
    struct ip_routes routes = {0};
    uint32_t hop;
    assert_int_equal(ip_route_lookup(&routes, 1, &hop), -ENETUNREACH);
    ip_route_add(&routes, 0, 0, 0x0a4d00fe);
    ip_route_add(&routes, 0x0a4d0000, 0xffffff00, 0);
    ip_route_add(&routes, 0x0a000000, 0xff000000, 0x0a4d00fd);
    ip_route_lookup(&routes, 0x08080808, &hop);
    assert_int_equal(hop, 0x0a4d00fe);
    ip_route_lookup(&routes, HOST_B, &hop);
    assert_int_equal(hop, HOST_B);
    ip_route_lookup(&routes, 0x0a010101, &hop);
    assert_int_equal(hop, 0x0a4d00fd);
    for (uint32_t i = 0; ip_route_add(&routes, i << 24, 0xff000000, 0) == 0; i++)
        continue;
    assert_int_equal(routes.count, IP_ROUTES_MAX);
}

static void bad_packets_are_counted_and_dropped(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct mib *mib = &host.stack->mib;
    uint8_t frame[200], payload[100] = {0};
    peer_introduce(&host);
    uint32_t length = make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_B, HOST_A, payload, 100);
    frame[14 + 10] ^= 1;
    host_input(&host, frame, length, 0);
    assert_int_equal(mib->IpInHdrErrors, 1);
    length = make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_B, HOST_A, payload, 100);
    host_input(&host, frame, length - 1, 0);
    assert_int_equal(mib->IpExtInTruncatedPkts, 1);
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_B, HOST_A + 5, payload, 100), 0);
    assert_int_equal(mib->IpInAddrErrors, 1);
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_A, HOST_A, payload, 100),
               0); /* spoofed */
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_A, HOST_A, payload, 100),
               STACK_INPUT_CHECKSUM_PARTIAL);
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, 0x7f000001, HOST_A, payload, 100), 0);
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, 0xe0000001, HOST_A, payload, 100), 0);
    assert_int_equal(mib->IpInAddrErrors, 5);
    for (uint32_t short_length = 0; short_length < 60; short_length++)
        host_input(&host, frame, short_length ? short_length : 1, 0);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void loopback_network_is_the_stacks_when_so_told_and_never_the_wires(void **state) {
    struct host a = host_create(HOST_A, 1500);
    struct socket *server, *client;
    char bytes[100];
    struct iovec piece = {(void *)"inside", 6};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(0x7f000105), .port = 53};
    (void)state;
    assert_int_equal(socket_create(a.stack, SOCK_DGRAM, 0, &server), 0);
    assert_int_equal(socket_bind(a.stack, server, ip_from_v4(0x7f000105), 53), -EADDRNOTAVAIL);
    a.stack->config.loopback = true;
    assert_int_equal(socket_bind(a.stack, server, ip_from_v4(0x7f000105), 53), 0);
    assert_int_equal(socket_create(a.stack, SOCK_DGRAM, 0, &client), 0);
    assert_int_equal(socket_send(a.stack, client, &message), 6);
    stack_advance(a.stack, now);
    struct socket_message in = {.pieces = &(struct iovec){bytes, sizeof bytes}, .count = 1};
    assert_int_equal(socket_receive(a.stack, server, &in), 6);
    assert_int_equal(ip_to_v4(in.address), IP_LOOPBACK);
    host_discard(&a);
    uint64_t errors = a.stack->mib.IpInAddrErrors;
    send_udp(&a, HOST_B, 0x7f000105, 53, "from outside");
    send_udp(&a, 0x7f000001, HOST_A, 53, "from nowhere");
    assert_int_equal(a.stack->mib.IpInAddrErrors, errors + 2);
    assert_int_equal(socket_receive(a.stack, server, &in), -EAGAIN);
    assert_false(host_sent(&a, &seen));
    socket_release(a.stack, server);
    socket_release(a.stack, client);
    assert_nothing_left(&a);
    host_destroy(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked_and_skipped),
        cmocka_unit_test(route_with_the_longest_prefix_wins),
        cmocka_unit_test(bad_packets_are_counted_and_dropped),
        cmocka_unit_test(loopback_network_is_the_stacks_when_so_told_and_never_the_wires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
