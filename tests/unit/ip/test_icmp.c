/* SPDX-License-Identifier: MIT */
/*
 * test_icmp.c - errors and echo: icmp.c.
 */
#include "tests/unit/network.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>

static void errors_reach_the_sockets_that_want_them(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *plain = make_socket(&host, SOCK_DGRAM, 0, 0),
                  *connected = make_socket(&host, SOCK_DGRAM, 0, 0),
                  *asking = make_socket(&host, SOCK_DGRAM, 0, 0);
    peer_introduce(&host);
    assert_int_equal(socket_connect(host.stack, connected, ip_from_v4(HOST_B), 9), 0);
    set_option(&host, asking, IPPROTO_IP, IP_RECVERR, 1);
    struct socket *sockets[] = {plain, connected, asking};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_to(&host, sockets[i], HOST_B, 50), 50);
        assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
        complain(&host, ICMP_TIME_EXCEEDED, 0, 0); /* no hard error */
        assert_int_equal(!!(socket_poll(host.stack, sockets[i]) & POLLERR), i == 2);
        complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0);
        assert_int_equal(!!(socket_poll(host.stack, sockets[i]) & POLLERR), i > 0);
    }
    assert_int_equal(receive_bytes(&host, plain, got, 10, 0), -EAGAIN);
    assert_int_equal(receive_bytes(&host, connected, got, 10, 0), -ECONNREFUSED);
    assert_int_equal(receive_bytes(&host, connected, got, 10, 0), -EAGAIN);
    static const int errors[] = {EHOSTUNREACH, ECONNREFUSED};
    for (int i = 0; i < 2; i++) {
        struct iovec piece = {got, sizeof got};
        struct socket_message message = {.pieces = &piece, .count = 1, .flags = MSG_ERRQUEUE};
        assert_int_equal(socket_receive(host.stack, asking, &message), 50);
        assert_memory_equal(got, payload, 50); /* what was sent */
        assert_int_equal(ip_to_v4(message.address), HOST_B);
        assert_int_equal(message.port, 9); /* where to */
        assert_int_equal(message.error.error, errors[i]);
        assert_int_equal(ip_to_v4(message.error.offender), HOST_B);
    }
    assert_int_equal(receive_bytes(&host, asking, got, 10, MSG_ERRQUEUE), -EAGAIN);
    assert_int_equal(socket_poll(host.stack, asking) & POLLERR, 0);
    /* A neighbour that is not there. */
    set_option(&host, asking, IPPROTO_IP, IP_RECVERR, 1);
    assert_int_equal(send_to(&host, asking, HOST_B + 7, 50), 50);
    host_run(&host, 4 * SECOND);
    struct iovec piece = {got, sizeof got};
    struct socket_message message = {.pieces = &piece, .count = 1, .flags = MSG_ERRQUEUE};
    assert_int_equal(socket_receive(host.stack, asking, &message), 50);
    assert_int_equal(message.error.error, EHOSTUNREACH);
    assert_int_equal(ip_to_v4(message.error.offender), HOST_A);
    for (int i = 0; i < 3; i++)
        socket_release(host.stack, sockets[i]);
    host_discard(&host);
    host_run(&host, 200 * SECOND);
    assert_nothing_left(&host);
    host_destroy(&host);
}

/* What an error says of what it quotes, when its socket asks for extensions (RFC 4884). */
static uint32_t extensions_told(struct host *host, struct socket *socket, const uint8_t *extensions,
                                uint32_t length, uint32_t words) {
    uint8_t quoted[200];
    struct iovec piece = {got, sizeof got};
    struct socket_message message = {.pieces = &piece, .count = 1, .flags = MSG_ERRQUEUE};
    assert_int_equal(send_to(host, socket, HOST_B, 200), 200);
    assert_true(next_packet(host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    memcpy(quoted, seen.bytes + ETHER_HEADER_BYTES, 128);
    memcpy(quoted + 128, extensions, length);
    peer_icmp(host, ICMP_TIME_EXCEEDED, 0, words << 16, quoted, 128 + length);
    assert_int_equal(socket_receive(host->stack, socket, &message), 100 + length);
    return message.error.data;
}

static void extensions_of_an_error_are_found(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    uint8_t extensions[12] = {0x20, 0, 0, 0, 0, 8, 1, 1, 0, 0x10, 1, 0xff}; /* a label of MPLS */
    peer_introduce(&host);
    set_option(&host, socket, IPPROTO_IP, IP_RECVERR, 1);
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 32), 0);
    set_option(&host, socket, IPPROTO_IP, IP_RECVERR_RFC4884, 1);
    const uint32_t behind = 128 - IP_HEADER_BYTES - UDP_HEADER_BYTES,
                   invalid = SO_EE_RFC4884_FLAG_INVALID << 16;
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 32), behind); /* without a checksum */
    wire_put_sum(extensions + 2, (uint16_t)~checksum_fold(checksum_add(0, extensions, 12)));
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 32), behind);
    extensions[11]--;
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 32), behind | invalid);
    extensions[2] = extensions[3] = 0;
    extensions[5] = 9; /* an object beyond the end */
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 32), behind | invalid);
    extensions[5] = 3; /* ... shorter than its header */
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 32), behind | invalid);
    extensions[0] = 0x10; /* another version */
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 32), behind);
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 31), 0); /* too short an original */
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 35), 0); /* nothing behind it */
    assert_int_equal(extensions_told(&host, socket, extensions, 12, 0), 0);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void errors_are_not_sent_where_they_must_not(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct packet_shape broadcast = {.protocol = 99, .to_all = true};
    struct packet_shape later = {.protocol = 99, .fragment = 5};
    struct packet_shape nobody = {.protocol = 99, .source = 0x0a4d00ff};
    uint8_t quoted[28] = {0x45};
    peer_introduce(&host);
    peer_packet(&host, &broadcast, payload, 40);
    peer_packet(&host, &later, payload, 40);
    peer_packet(&host, &nobody, payload, 40);
    peer_icmp(&host, ICMP_DESTINATION_UNREACHABLE, 3, 0, quoted, sizeof quoted); /* about nothing of ours */
    peer_icmp(&host, ICMP_REDIRECT, 1, HOST_B + 1, quoted, sizeof quoted);
    assert_int_equal(host.stack->mib.IcmpInRedirects, 1);
    assert_false(next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length));
    /* One destination: six, then one a second. */
    struct packet_shape unknown = {.protocol = 99};
    int answered = 0;
    for (int i = 0; i < 40; i++)
        peer_packet(&host, &unknown, payload, 40);
    while (next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length))
        answered++;
    assert_int_equal(answered, 6);
    assert_int_equal(host.stack->mib.IcmpOutRateLimitHost, 34);
    now += SECOND;
    peer_packet(&host, &unknown, payload, 40);
    peer_packet(&host, &unknown, payload, 40);
    answered = 0;
    while (next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length))
        answered++;
    assert_int_equal(answered, 1);
    host_destroy(&host);
}

static void ping_is_answered_with_the_same_data(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint8_t frame[2000], message[1400];
    peer_introduce(&host);
    for (uint32_t length = 8; length < sizeof message; length += 97) {
        memset(message, 0, sizeof message);
        message[0] = 8;
        for (uint32_t i = 4; i < length; i++)
            message[i] = (uint8_t)(i * 3);
        wire_put_sum(message + 2, (uint16_t)~checksum_fold(checksum_add(0, message, length)));
        host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_ICMP, HOST_B, HOST_A, message, length), 0);
        assert_true(host_sent(&host, &seen));
        assert_int_equal(seen.length, 34 + length);
        assert_int_equal(seen.bytes[34], 0);
        assert_memory_equal(seen.bytes + 38, message + 4, length - 4);
        assert_int_equal(checksum_fold(checksum_add(0, seen.bytes + 34, length)), 0xffff);
        assert_int_equal(checksum_fold(checksum_add(0, seen.bytes + 14, 20)), 0xffff);
    }
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void unknown_port_and_protocol_are_reported_at_a_bounded_rate(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint8_t frame[200], payload[20] = {0};
    peer_introduce(&host);
    send_udp(&host, HOST_B, HOST_A, 999, "who?");
    assert_true(host_sent(&host, &seen));
    assert_int_equal(seen.bytes[34], 3);
    assert_int_equal(seen.bytes[35], 3);
    assert_memory_equal(seen.bytes + 42 + 28, "who?", 4); /* quoted */
    assert_int_equal(checksum_fold(checksum_add(0, seen.bytes + 34, seen.length - 34)), 0xffff);
    host_input(&host, frame, make_ip(&host, frame, 99, HOST_B, HOST_A, payload, 20), 0);
    assert_true(host_sent(&host, &seen));
    assert_int_equal(seen.bytes[35], 2);
    for (int i = 0; i < 1000; i++)
        send_udp(&host, HOST_B, HOST_A, 999, "who?");
    int sent = 0;
    while (host_sent(&host, &seen))
        sent++;
    assert_in_range(sent, 1, ICMP_ERRORS_BURST);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_reach_the_sockets_that_want_them),
        cmocka_unit_test(extensions_of_an_error_are_found),
        cmocka_unit_test(errors_are_not_sent_where_they_must_not),
        cmocka_unit_test(ping_is_answered_with_the_same_data),
        cmocka_unit_test(unknown_port_and_protocol_are_reported_at_a_bounded_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
