/* SPDX-License-Identifier: MIT */
/*
 * test_ip_path.c - what paths carry: ip_path.c.
 */
#include "tests/unit/network.h"
#include <errno.h>
#include <netinet/in.h>

static void udp_learns_the_paths_mtu(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    peer_introduce(&host);
    assert_int_equal(send_to(&host, socket, HOST_B, 1400), 1400);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    assert_int_equal(wire_get16(seen.bytes + 20), IP_DONT_FRAGMENT);
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1000);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(HOST_B)), 1000);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(HOST_B + 1)), 1500);
    assert_int_equal(send_to(&host, socket, HOST_B, 1400), 1400); /* IP_PMTUDISC_WANT: in fragments now */
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    assert_int_equal(wire_get16(seen.bytes + 20), IP_MORE_FRAGMENTS);
    assert_int_equal(body_length, 976);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    assert_int_equal(wire_get16(seen.bytes + 20), 976 / 8);
    set_option(&host, socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    assert_int_equal(send_to(&host, socket, HOST_B, 1400), -EMSGSIZE);
    set_option(&host, socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    assert_int_equal(send_to(&host, socket, HOST_B, 1400), 1400); /* on purpose */
    assert_int_equal(send_to(&host, socket, HOST_B, 1473), -EMSGSIZE);
    /* Not more than was known, not below what is believed, not about what was never sent. */
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    set_option(&host, socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT);
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1200);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(HOST_B)), 1000);
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 100);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(HOST_B)), 552);
    assert_false(ip_path_whole(host.stack, ip_from_v4(HOST_B))); /* let routers cut, then */
    seen.bytes[ETHER_HEADER_BYTES + 19] ^= 1;                    /* another destination */
    wire_put16(seen.bytes + 34, 1);                              /* from a port that nobody has */
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 600);
    assert_int_equal(host.stack->paths.pool.used, 1);
    host_run(&host, 601 * SECOND);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(HOST_B)), 1500); /* forgotten */
    socket_release(host.stack, socket);
    host_discard(&host);
    assert_nothing_left(&host);
    host_destroy(&host);
}

/* One that quotes what was never sent, from a port that is open. */
static void news_of_a_path_is_not_believed_of_a_stranger(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 5353);
    peer_introduce(&host);
    assert_int_equal(send_to(&host, socket, HOST_B, 1400), 1400);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    static struct seen real;
    real = seen;
    wire_put32(seen.bytes + 30, 0x0a4d0063);
    ip_seal_header(seen.bytes + ETHER_HEADER_BYTES);
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1000);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(0x0a4d0063)), 1500);
    assert_int_equal(host.stack->paths.pool.used, 0);
    now += 11 * SECOND;
    seen = real;
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1000);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(HOST_B)), 1500); /* that is long ago */
    assert_int_equal(send_to(&host, socket, HOST_B, 1400), 1400);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1000);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(HOST_B)), 1000);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_learns_the_paths_mtu),
        cmocka_unit_test(news_of_a_path_is_not_believed_of_a_stranger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
