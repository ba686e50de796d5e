/* SPDX-License-Identifier: MIT */
/*
 * test_raw.c - ping and raw sockets: raw.c.
 */
#include "tests/unit/network.h"
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>

static void ping_sockets_get_their_own_answers(void **state) {
    (void)state;
    struct host a = host_create(HOST_A, 1500), b = host_create(HOST_B, 1500);
    struct cable cable;
    cable_join(&cable, &a, &b, MS);
    struct socket *one = make_socket(&a, SOCK_DGRAM, IPPROTO_ICMP, 0),
                  *two = make_socket(&a, SOCK_DGRAM, IPPROTO_ICMP, 0);
    memset(payload, 0, 8);
    assert_int_equal(send_message(&a, one, HOST_B, 7, (struct socket_message){0}), -EINVAL);
    assert_int_equal(send_message(&a, one, HOST_B, 64, (struct socket_message){0}), -EINVAL); /* no request */
    payload[0] = ICMP_ECHO_REQUEST;
    for (uint32_t i = 8; i < 5000; i++)
        payload[i] = (uint8_t)i;
    assert_int_equal(send_message(&a, one, HOST_B, 64, (struct socket_message){0}), 64);
    assert_int_equal(send_message(&a, two, HOST_B, 5000, (struct socket_message){0}), 5000);
    cable_run(&cable, SECOND);
    assert_int_equal(receive_bytes(&a, one, got, sizeof got, 0), 64);
    assert_int_equal(got[0], ICMP_ECHO_REPLY);
    assert_int_equal(wire_get16(got + 4), one->datagram->binding.port);
    assert_int_equal(receive_bytes(&a, one, got, sizeof got, 0), -EAGAIN);
    assert_int_equal(receive_bytes(&a, two, got, sizeof got, 0), 5000);
    assert_memory_equal(got + 8, payload + 8, 4992);
    socket_release(a.stack, one);
    socket_release(a.stack, two);
    cable_cut(&cable);
    assert_nothing_left(&a);
    host_destroy(&a);
    host_destroy(&b);
}

static void raw_sockets_see_packets_and_send_any(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *icmp = make_socket(&host, SOCK_RAW, IPPROTO_ICMP, 0),
                  *other = make_socket(&host, SOCK_RAW, 99, 0);
    uint8_t echo[16] = {0};
    peer_introduce(&host);
    uint32_t filter = 1u << ICMP_ECHO_REPLY;
    assert_int_equal(socket_set_option(host.stack, icmp, SOL_RAW, ICMP_FILTER, &filter, sizeof filter), 0);
    peer_icmp(&host, ICMP_ECHO_REQUEST, 0, 0x00010002, echo, sizeof echo);
    peer_icmp(&host, ICMP_ECHO_REPLY, 0, 0x00010002, echo, sizeof echo);
    assert_int_equal(receive_bytes(&host, icmp, got, sizeof got, 0), 20 + 8 + 16);
    assert_int_equal(got[0], 0x45);
    assert_int_equal(got[20], ICMP_ECHO_REQUEST);
    assert_int_equal(receive_bytes(&host, icmp, got, sizeof got, 0), -EAGAIN); /* filtered */
    assert_true(
        next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length)); /* and answered all the same */
    struct packet_shape shape = {.protocol = 99};
    peer_packet(&host, &shape, payload, 3000 / 2);
    assert_int_equal(receive_bytes(&host, other, got, sizeof got, 0), 1520);
    assert_memory_equal(got + 20, payload, 1500);
    assert_false(next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length)); /* somebody has it */
    assert_int_equal(send_message(&host, other, HOST_B, 3000, (struct socket_message){0}), 3000);
    assert_true(next_packet(&host, 99, &seen, &body, &body_length));
    assert_int_equal(body_length, 1480);
    assert_true(next_packet(&host, 99, &seen, &body, &body_length));
    host_discard(&host);
    /* A header of its own. */
    assert_int_equal(set_option(&host, other, IPPROTO_IP, IP_HDRINCL, 1), 0);
    uint8_t saved[28];
    memcpy(saved, payload, sizeof saved);
    memset(payload, 0, 28);
    payload[0] = 0x45;
    payload[8] = 7;
    payload[9] = 98;
    wire_put32(payload + 16, HOST_B);
    assert_int_equal(send_message(&host, other, HOST_B, 28, (struct socket_message){0}), 28);
    assert_true(next_packet(&host, 98, &seen, &body, &body_length));
    assert_int_equal(seen.bytes[22], 7);
    assert_int_equal(wire_get32(seen.bytes + 26), HOST_A);
    payload[0] = 0x4f; /* longer than the packet */
    assert_int_equal(send_message(&host, other, HOST_B, 28, (struct socket_message){0}), -EINVAL);
    memcpy(payload, saved, sizeof saved);
    socket_release(host.stack, icmp);
    socket_release(host.stack, other);
    assert_nothing_left(&host);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ping_sockets_get_their_own_answers),
        cmocka_unit_test(raw_sockets_see_packets_and_send_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
