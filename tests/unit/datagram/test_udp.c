/* SPDX-License-Identifier: MIT */
/*
 * test_udp.c - UDP: udp.c.
 */
#include "tests/unit/network.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

static void udp_reaches_the_most_specific_socket_and_drops_beyond_the_buffer(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *any = make_socket(&host, SOCK_DGRAM, 0, 700);
    uint64_t received = 0;
    char buffer[100];
    peer_introduce(&host);
    send_udp(&host, HOST_B, HOST_A, 700, "hello");
    assert_true(socket_poll(host.stack, any) & POLLIN);
    assert_int_equal(receive_bytes(&host, any, buffer, sizeof buffer, MSG_PEEK), 5);
    assert_int_equal(receive_bytes(&host, any, buffer, 2, 0), 2); /* the rest of the datagram is lost */
    assert_int_equal(receive_bytes(&host, any, buffer, sizeof buffer, 0), -EAGAIN);
    for (int i = 0; i < 2000; i++)
        send_udp(&host, HOST_B, HOST_A, 700, "hello");
    while (receive_bytes(&host, any, buffer, sizeof buffer, 0) == 5)
        received++;
    assert_in_range(received, 100, 1999);
    assert_int_equal(host.stack->mib.UdpRcvbufErrors, 2000 - received);
    socket_release(host.stack, any);
    host_discard(&host);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void bad_udp_checksum_is_dropped_unless_unfinished(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 700);
    uint8_t frame[200], datagram[12] = {0};
    char buffer[10];
    peer_introduce(&host);
    wire_put16(datagram + 2, 700);
    wire_put16(datagram + 4, 12);
    wire_put_sum(datagram + 6, checksum_fold(checksum_pseudo_header(ip_from_v4(HOST_B), ip_from_v4(HOST_A),
                                                                    IP_PROTOCOL_UDP, 12)));
    uint32_t length = make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_B, HOST_A, datagram, 12);
    host_input(&host, frame, length, 0);
    assert_int_equal(host.stack->mib.UdpInCsumErrors, 1);
    host_input(&host, frame, length, STACK_INPUT_CHECKSUM_PARTIAL);
    assert_int_equal(receive_bytes(&host, socket, buffer, sizeof buffer, 0), 4);
    host_destroy(&host);
}

static void connected_socket_has_an_address_and_hears_its_peer_only(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct ip_address address;
    uint16_t port;
    peer_introduce(&host);
    assert_int_equal(send_message(&host, socket, 0, 4, (struct socket_message){0}), -EDESTADDRREQ);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 53), 0);
    socket_local(socket, &address, &port);
    assert_int_equal(ip_to_v4(address), HOST_A);
    assert_true(port >= 32768);
    peer_udp(&host, 0, 54, port, "no", 2);
    peer_udp(&host, 0, 53, port, "yes", 3);
    assert_int_equal(receive_bytes(&host, socket, got, 10, 0), 3);
    assert_int_equal(receive_bytes(&host, socket, got, 10, 0), -EAGAIN);
    assert_int_equal(host.stack->mib.UdpNoPorts, 1);
    assert_int_equal(socket_disconnect(host.stack, socket), 0);
    socket_local(socket, &address, &port);
    assert_int_equal(ip_to_v4(address), 0);
    assert_int_equal(port, 0); /* it was never asked for */
    assert_int_equal(socket_remote(socket, &address, &port), -ENOTCONN);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void big_sends_are_cut_and_bursts_are_joined(void **state) {
    (void)state;
    struct host a = host_create(HOST_A, 1500), b = host_create(HOST_B, 1500);
    struct cable cable;
    struct socket_message message;
    cable_join(&cable, &a, &b, MS);
    struct socket *from = make_socket(&a, SOCK_DGRAM, 0, 0), *to = make_socket(&b, SOCK_DGRAM, 0, 9);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7);
    assert_int_equal(send_message(&a, from, HOST_B, 10000, (struct socket_message){.segment = 1400}), 10000);
    cable_run(&cable, SECOND);
    for (int i = 0; i < 7; i++)
        assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 1400);
    assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 200);
    assert_int_equal(send_message(&a, from, HOST_B, 10000, (struct socket_message){.segment = 1480}),
                     -EMSGSIZE);
    assert_int_equal(send_message(&a, from, HOST_B, 1000, (struct socket_message){.segment = 5}), -EINVAL);
    assert_int_equal(set_option(&b, to, IPPROTO_UDP, UDP_GRO, 1), 0);
    assert_int_equal(set_option(&a, from, IPPROTO_UDP, UDP_SEGMENT, 1000), 0);
    assert_int_equal(send_message(&a, from, HOST_B, 9500, (struct socket_message){0}), 9500);
    assert_int_equal(send_message(&a, from, HOST_B, 600, (struct socket_message){0}), 600);
    cable_run(&cable, SECOND);
    assert_int_equal(receive_message(&b, to, sizeof got, MSG_PEEK, &message), 9500);
    assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 9500); /* the shorter one ends it */
    assert_int_equal(message.segment, 1000);
    assert_memory_equal(got, payload, 9500);
    assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 600);
    assert_int_equal(message.segment, 0);
    assert_int_equal(send_message(&a, from, HOST_B, 5000, (struct socket_message){0}), 5000);
    cable_run(&cable, SECOND);
    assert_int_equal(receive_message(&b, to, 2500, 0, &message), 2000); /* whole ones only */
    assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 3000);
    socket_release(a.stack, from);
    socket_release(b.stack, to);
    cable_cut(&cable);
    assert_nothing_left(&a);
    assert_nothing_left(&b);
    host_destroy(&a);
    host_destroy(&b);
}

static void senders_are_spread_over_those_who_share_a_port(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *sockets[4];
    int counts[4] = {0};
    for (int i = 0; i < 4; i++) {
        sockets[i] = make_socket(&host, SOCK_DGRAM, 0, 0);
        set_option(&host, sockets[i], SOL_SOCKET, SO_REUSEPORT, 1);
        assert_int_equal(socket_bind(host.stack, sockets[i], ip_from_v4(0), 9), 0);
    }
    for (uint16_t port = 1000; port < 1400; port++)
        for (int twice = 0; twice < 2; twice++)
            peer_udp(&host, 0, port, 9, "x", 1);
    for (int i = 0; i < 4; i++) {
        struct socket_message message;
        uint16_t before = 0;
        while (receive_message(&host, sockets[i], 10, 0, &message) == 1) {
            if (counts[i]++ % 2)
                assert_int_equal(message.port, before); /* a sender has one receiver */
            before = message.port;
        }
        assert_in_range(counts[i], 100, 300);
        socket_release(host.stack, sockets[i]);
    }
    host_destroy(&host);
}

static void corked_datagram_is_one(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct seen seen;
    uint8_t *body;
    uint32_t length;
    peer_introduce(&host);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 53), 0);
    /* By MSG_MORE, until a write that does not say it. */
    assert_int_equal(send_bytes(&host, socket, "ab", 2, MSG_MORE), 2);
    assert_int_equal(send_bytes(&host, socket, "cd", 2, MSG_MORE), 2);
    assert_false(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_int_equal(send_bytes(&host, socket, "ef", 2, 0), 2);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_int_equal(length, 8 + 6);
    assert_memory_equal(body + 8, "abcdef", 6);
    /* By UDP_CORK, until it is taken away. */
    assert_int_equal(set_option(&host, socket, IPPROTO_UDP, UDP_CORK, 1), 0);
    assert_int_equal(send_bytes(&host, socket, "gh", 2, 0), 2);
    assert_int_equal(send_bytes(&host, socket, "ij", 2, 0), 2);
    assert_false(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_int_equal(set_option(&host, socket, IPPROTO_UDP, UDP_CORK, 0), 0);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_memory_equal(body + 8, "ghij", 4);
    /* More than a datagram holds is lost as a whole. */
    static uint8_t much[40000];
    assert_int_equal(send_bytes(&host, socket, much, sizeof much, MSG_MORE), sizeof much);
    assert_int_equal(send_bytes(&host, socket, much, sizeof much, 0), -EMSGSIZE);
    assert_false(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_int_equal(host.stack->corks.used, 0);
    send_bytes(&host, socket, "never", 5, MSG_MORE);
    socket_release(host.stack, socket);
    assert_int_equal(host.stack->corks.used, 0);
    assert_nothing_left(&host);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_reaches_the_most_specific_socket_and_drops_beyond_the_buffer),
        cmocka_unit_test(bad_udp_checksum_is_dropped_unless_unfinished),
        cmocka_unit_test(connected_socket_has_an_address_and_hears_its_peer_only),
        cmocka_unit_test(big_sends_are_cut_and_bursts_are_joined),
        cmocka_unit_test(senders_are_spread_over_those_who_share_a_port),
        cmocka_unit_test(corked_datagram_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
