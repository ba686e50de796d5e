/* SPDX-License-Identifier: MIT */
/*
 * test_ip6_anycast.c - ip6_anycast.c: a socket joins an anycast address, and what becomes of packets to it.
 */
#include "stack/base/checksum.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6_anycast.h"
#include "stack/repair.h"
#include "tests/unit/option.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <netinet/in.h>

#define ANYCAST v6("fe80::aaaa")

static struct ip_address own;

static struct socket *make6(struct host *host) {
    struct socket *socket = make_socket(host, SOCK_DGRAM, 0, 0);
    socket_set_family(socket, true);
    return socket;
}

static void an_address_within_a_prefix_of_ours_can_be_joined(void **state) {
    struct host host = host6_settled(false, &own);
    struct socket *socket = make6(&host);
    struct stack *stack = host.stack;
    (void)state;
    assert_int_equal(ip6_anycast_join(stack, socket, 0, own), -EINVAL);
    assert_int_equal(ip6_anycast_join(stack, socket, 0, v6("ff02::5")), -EINVAL);
    assert_int_equal(ip6_anycast_join(stack, socket, 0, v6("2001:db8::1")), -EADDRNOTAVAIL);
    assert_int_equal(ip6_anycast_join(stack, socket, 77, ANYCAST), -ENODEV);
    assert_int_equal(ip6_anycast_leave(stack, socket, 0, ANYCAST), -ENOENT);
    assert_int_equal(ip6_anycast_join(stack, socket, 0, ANYCAST), 0);
    assert_int_equal(ip6_anycast_join(stack, socket, 0, ANYCAST), 0);
    assert_int_equal(ip6_anycast_users(stack, ANYCAST), 2);
    assert_true(multicast_wants(stack, ip_solicited_node(ANYCAST), PEER6));
    assert_int_equal(ip6_anycast_leave(stack, socket, 0, ANYCAST), 0);
    assert_true(ip6_is_anycast(stack, ANYCAST));
    socket_release(stack, socket);
    assert_false(ip6_is_anycast(stack, ANYCAST));
    assert_false(multicast_wants(stack, ip_solicited_node(ANYCAST), PEER6));
    host_destroy(&host);
}

static void the_link_is_answered_without_override_and_nothing_comes_from_it(void **state) {
    struct host host = host6_settled(false, &own);
    struct socket *socket = make6(&host);
    struct seen6 seen;
    (void)state;
    assert_int_equal(ip6_anycast_join(host.stack, socket, 0, ANYCAST), 0);
    host_discard(&host);
    peer6_solicit(&host, PEER6, ip_solicited_node(ANYCAST), ANYCAST, PEER6_MAC);
    assert_true(peer6_read_message(&host, ICMP6_NEIGHBOUR_ADVERTISEMENT, &seen));
    assert_true(ip_equal(seen.source, own));
    assert_int_equal(seen.payload[4], 0x40); /* solicited */
    assert_memory_equal(seen.payload + 8, ANYCAST.bytes, 16);
    peer6_ping(&host, PEER6, ANYCAST, NULL);
    assert_true(peer6_read_message(&host, ICMP6_ECHO_REPLY, &seen));
    assert_true(ip_equal(seen.source, own));
    socket_release(host.stack, socket);
    host_discard(&host);
    peer6_ping(&host, PEER6, ANYCAST, NULL);
    assert_false(peer6_read_message(&host, ICMP6_ECHO_REPLY, &seen));
    host_destroy(&host);
}

static void datagrams_to_it_are_taken_and_tcp_is_not(void **state) {
    struct host host = host6_settled(false, &own);
    struct socket *socket = make6(&host);
    struct packet6 packet = {.destination = ANYCAST, .protocol = IP_PROTOCOL_TCP};
    uint8_t segment[20] = {0, 7, 0, 9, [12] = 5 << 4, [13] = 2};
    uint8_t datagram[12] = {0, 7, 0, 9, 0, 12, 0, 0, 'x'};
    char bytes[10];
    struct seen6 seen;
    (void)state;
    assert_int_equal(socket_bind(host.stack, socket, v6("::"), 9), 0);
    assert_int_equal(ip6_anycast_join(host.stack, socket, 0, ANYCAST), 0);
    wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(
                                   checksum_pseudo_header(PEER6, ANYCAST, IP_PROTOCOL_UDP, sizeof datagram),
                                   datagram, sizeof datagram)));
    wire_put_sum(segment + 16, (uint16_t)~checksum_fold(checksum_add(
                                   checksum_pseudo_header(PEER6, ANYCAST, IP_PROTOCOL_TCP, sizeof segment),
                                   segment, sizeof segment)));
    host_discard(&host);
    peer6_send(&host, &packet, segment, sizeof segment);
    stack_advance(host.stack, now);
    while (peer6_read(&host, &seen))
        assert_int_not_equal(seen.protocol, IP_PROTOCOL_TCP);
    packet.protocol = IP_PROTOCOL_UDP;
    peer6_send(&host, &packet, datagram, sizeof datagram);
    assert_int_equal(receive_bytes(&host, socket, bytes, sizeof bytes, 0), 4);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void a_repair_keeps_what_sockets_have_joined(void **state) {
    struct host host = host6_settled(false, &own);
    struct socket *socket = make6(&host);
    (void)state;
    socket->holders = 1;
    assert_int_equal(ip6_anycast_join(host.stack, socket, 0, ANYCAST), 0);
    stack_work_on(host.stack, &host.stack->ip6);
    host.stack->ip6.anycast.addresses[5] = v6("fe80::bbbb"); /* of somebody who has gone */
    stack_repair_memory(host.stack);
    assert_true(stack_repair(host.stack, now, NULL));
    assert_true(ip6_is_anycast(host.stack, ANYCAST));
    assert_false(ip6_is_anycast(host.stack, v6("fe80::bbbb")));
    assert_true(multicast_wants(host.stack, ip_solicited_node(ANYCAST), PEER6));
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_within_a_prefix_of_ours_can_be_joined),
        cmocka_unit_test(the_link_is_answered_without_override_and_nothing_comes_from_it),
        cmocka_unit_test(datagrams_to_it_are_taken_and_tcp_is_not),
        cmocka_unit_test(a_repair_keeps_what_sockets_have_joined),
    };
    return cmocka_run_group_tests_name("ip6_anycast", tests, NULL, NULL);
}
