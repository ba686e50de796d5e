/* SPDX-License-Identifier: MIT */
/*
 * test_ip_identification.c - the numbers of packets: ip_identification.c.
 */
#include "tests/unit/network.h"
#include <netinet/in.h>

/* RFC 6864, RFC 7739. */
static void identifications_tell_no_destination_of_another(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *udp = make_socket(&host, SOCK_DGRAM, 0, 100),
                  *cut = make_socket(&host, SOCK_DGRAM, 0, 101);
    uint16_t first, other, id;
    bool whole;
    peer_introduce(&host);
    set_option(&host, cut, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    ip_route_add(&host.stack->routes, 0, 0, HOST_B);
    /* What has DF and is whole has none, though it be the answer to a stranger. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_to(&host, udp, HOST_B, 10), 10);
        assert_int_equal(identification(&host, IP_PROTOCOL_UDP, &whole), 0);
        assert_true(whole);
        peer_send(&host, 1234, 999, TCP_ACK, 1, 1, 0, 0, NULL, 0);
        assert_int_equal(identification(&host, IP_PROTOCOL_TCP, &whole), 0);
        assert_true(whole);
    }
    /* What may be cut is counted by its destination. */
    assert_int_equal(send_to(&host, cut, HOST_B, 10), 10);
    first = identification(&host, IP_PROTOCOL_UDP, &whole);
    assert_false(whole);
    for (uint16_t i = 1; i < 100; i++) {
        send_to(&host, cut, 0x08080800u + i, 10);
        other = identification(&host, IP_PROTOCOL_UDP, &whole);
        send_to(&host, cut, HOST_B, 10);
        id = identification(&host, IP_PROTOCOL_UDP, &whole);
        assert_int_equal((uint16_t)(id - first), i);
        assert_int_not_equal((uint16_t)(other - id), 1); /* nor is one for all */
    }
    /* Time moves it on, nobody knows how far. */
    first = id;
    now += 10 * SECOND;
    send_to(&host, cut, HOST_B, 10);
    id = identification(&host, IP_PROTOCOL_UDP, &whole);
    assert_in_range((uint16_t)(id - first), 1, 10000);
    /* All fragments of a datagram have the same, and the next has another. */
    for (int i = 0; i < 3; i++) {
        set_option(&host, udp, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT);
        assert_int_equal(send_to(&host, udp, HOST_B, 4000), 4000);
        first = identification(&host, IP_PROTOCOL_UDP, &whole);
        assert_int_not_equal(first, id);
        assert_int_equal(identification(&host, IP_PROTOCOL_UDP, &whole), first);
        assert_int_equal(identification(&host, IP_PROTOCOL_UDP, &whole), first);
        assert_false(whole);
        id = first;
    }
    /* A connected socket counts for itself, as Linux's. */
    assert_int_equal(socket_connect(host.stack, udp, ip_from_v4(HOST_B), 9), 0);
    assert_int_equal(send_bytes(&host, udp, payload, 10, 0), 10);
    first = identification(&host, IP_PROTOCOL_UDP, &whole);
    assert_int_equal(send_bytes(&host, udp, payload, 10, 0), 10);
    assert_int_equal((uint16_t)(identification(&host, IP_PROTOCOL_UDP, &whole) - first), 1);
    socket_release(host.stack, udp);
    socket_release(host.stack, cut);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifications_tell_no_destination_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
