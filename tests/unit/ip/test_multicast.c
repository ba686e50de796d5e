/* SPDX-License-Identifier: MIT */
/*
 * test_multicast.c - membership in groups: multicast.c.
 */
#include "tests/unit/network.h"
#include <errno.h>
#include <netinet/in.h>

static void groups_are_joined_told_and_left(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *one = make_socket(&host, SOCK_DGRAM, 0, 0), *two = make_socket(&host, SOCK_DGRAM, 0, 0);
    uint32_t group;
    set_option(&host, one, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(&host, two, SOL_SOCKET, SO_REUSEADDR, 1);
    socket_bind(host.stack, one, ip_from_v4(0), 9);
    socket_bind(host.stack, two, ip_from_v4(0), 9);
    host_discard(&host);
    peer_udp(&host, GROUP, 7, 9, "abc", 3);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), -EAGAIN);
    assert_int_equal(join(&host, one, IP_ADD_MEMBERSHIP, HOST_B, 0), -EINVAL);
    assert_int_equal(join(&host, one, IP_ADD_MEMBERSHIP, GROUP, HOST_B), -ENODEV);
    assert_int_equal(join(&host, one, IP_ADD_MEMBERSHIP, GROUP, HOST_A), 0);
    assert_int_equal(join(&host, one, IP_ADD_MEMBERSHIP, GROUP, 0), -EADDRINUSE);
    assert_int_equal(next_igmp(&host, &group), 0x422);
    assert_int_equal(group, GROUP);
    host_run(&host, 2 * SECOND);
    assert_int_equal(next_igmp(&host, &group), 0x422); /* in case the first was lost */
    assert_int_equal(next_igmp(&host, &group), 0);
    peer_udp(&host, GROUP, 7, 9, "abc", 3);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), 3);
    assert_int_equal(receive_bytes(&host, two, got, 10, 0), 3); /* IP_MULTICAST_ALL */
    set_option(&host, two, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    peer_udp(&host, GROUP, 7, 9, "abc", 3);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), 3);
    assert_int_equal(receive_bytes(&host, two, got, 10, 0), -EAGAIN);
    /* A query is answered within its time. */
    uint8_t query[12] = {0x11, 20, 0, 0};
    wire_put_sum(query + 2, (uint16_t)~checksum_fold(checksum_add(0, query, 12)));
    struct packet_shape shape = {.protocol = IP_PROTOCOL_IGMP, .destination = IP_ALL_HOSTS, .ttl = 2};
    peer_packet(&host, &shape, query, 12); /* from elsewhere */
    shape = (struct packet_shape){.protocol = IP_PROTOCOL_IGMP, .ttl = 1};
    peer_packet(&host, &shape, query, 12); /* to us alone */
    host_run(&host, 3 * SECOND);
    assert_int_equal(next_igmp(&host, &group), 0);
    shape = (struct packet_shape){.protocol = IP_PROTOCOL_IGMP, .destination = IP_ALL_HOSTS, .ttl = 1};
    peer_packet(&host, &shape, query, 12);
    host_run(&host, 2 * SECOND);
    assert_int_equal(next_igmp(&host, &group), 0x222);
    /* Sending: with our own copy, or without; with a TTL of 1. */
    assert_int_equal(send_message(&host, two, GROUP, 5, (struct socket_message){0}), 5);
    stack_advance(host.stack, now);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), 5);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    static const uint8_t mac[6] = {1, 0, 0x5e, 0x7f, 0, 1};
    assert_memory_equal(seen.bytes, mac, 6);
    assert_int_equal(seen.bytes[22], 1);
    set_option(&host, two, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    set_option(&host, two, IPPROTO_IP, IP_MULTICAST_TTL, 5);
    assert_int_equal(send_message(&host, two, GROUP, 5, (struct socket_message){0}), 5);
    stack_advance(host.stack, now);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), -EAGAIN);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    assert_int_equal(seen.bytes[22], 5);
    /* The last one out tells. */
    assert_int_equal(join(&host, two, IP_ADD_MEMBERSHIP, GROUP, 0), 0);
    assert_int_equal(join(&host, one, IP_DROP_MEMBERSHIP, GROUP, 0), 0);
    assert_int_equal(join(&host, one, IP_DROP_MEMBERSHIP, GROUP, 0), -EADDRNOTAVAIL);
    assert_int_equal(next_igmp(&host, &group), 0);
    socket_release(host.stack, two);
    assert_int_equal(next_igmp(&host, &group), 0x322);
    host_run(&host, 2 * SECOND);
    assert_int_equal(next_igmp(&host, &group), 0x322);
    socket_release(host.stack, one);
    assert_int_equal(host.stack->multicast.groups.used, 0);
    assert_nothing_left(&host);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_joined_told_and_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
