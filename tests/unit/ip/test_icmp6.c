/* SPDX-License-Identifier: MIT */
/*
 * test_icmp6.c - ICMPv6 (RFC 4443): echo, errors out and in: icmp6.c.
 */
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "tests/unit/peer6.h"
#include <errno.h>

static struct host begin(struct ip_address *own) {
    struct host host = host6_settled(false, own);
    peer6_solicit(&host, PEER6, *own, *own, PEER6_MAC);
    host_discard(&host);
    return host;
}

/* A datagram of the peer's to a port that nobody has. */
static void knock6(struct host *host, struct ip_address source, struct ip_address destination,
                   uint16_t port) {
    uint8_t datagram[100] = {0x13, 0x88};
    const struct packet6 packet = {
        .source = source, .destination = destination, .protocol = IP_PROTOCOL_UDP, .ttl = 9};
    wire_put16(datagram + 2, port);
    wire_put16(datagram + 4, sizeof datagram);
    uint64_t sum = checksum_pseudo_header(source, destination, IP_PROTOCOL_UDP, sizeof datagram);
    wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(sum, datagram, sizeof datagram)));
    peer6_send(host, &packet, datagram, sizeof datagram);
}

static void an_echo_comes_back_with_its_data_unless_it_is_not_wanted(void **state) {
    struct ip_address own;
    struct host host = begin(&own);
    struct seen6 seen;
    (void)state;
    peer6_ping(&host, PEER6, own, PEER6_MAC);
    assert_true(peer6_read_message(&host, ICMP6_ECHO_REPLY, &seen));
    assert_memory_equal(seen.payload + 4, "\x12\x34\0\1abcd", 8);
    assert_true(ip_equal(seen.source, own) && ip_equal(seen.destination, PEER6));
    assert_int_equal(host.stack->mib.Icmp6InEchos, 1);
    assert_int_equal(host.stack->mib.Icmp6OutEchoReplies, 1);
    host.stack->sysctl.icmp6_echo_ignore_all = true;
    peer6_ping(&host, PEER6, own, PEER6_MAC);
    assert_false(peer6_read_message(&host, ICMP6_ECHO_REPLY, &seen));
    host_destroy(&host);
}

static void a_message_with_a_wrong_checksum_or_no_header_is_counted_and_dropped(void **state) {
    struct ip_address own;
    struct host host = begin(&own);
    const uint8_t echo[8] = {ICMP6_ECHO_REQUEST};
    struct seen6 seen;
    (void)state;
    peer6_send(&host, &(struct packet6){.wrong_checksum = true}, echo, sizeof echo);
    peer6_send(&host, &(struct packet6){0}, echo, 4);
    assert_false(peer6_read_message(&host, ICMP6_ECHO_REPLY, &seen));
    assert_int_equal(host.stack->mib.Icmp6InCsumErrors, 1);
    host_destroy(&host);
}

static void a_port_that_nobody_has_is_told_with_as_much_as_fits_the_least_mtu(void **state) {
    struct ip_address own;
    struct host host = begin(&own);
    struct seen6 seen;
    (void)state;
    knock6(&host, PEER6, own, 9);
    assert_true(peer6_read_message(&host, ICMP6_UNREACHABLE, &seen));
    assert_int_equal(seen.payload[1], ICMP6_PORT_UNREACHABLE);
    assert_int_equal(seen.length, ICMP6_HEADER_BYTES + IP6_HEADER_BYTES + 100);
    assert_int_equal(seen.payload[8] >> 4, 6); /* the packet from its header on */
    assert_int_equal(seen.payload[8 + 7], 9);
    assert_int_equal(wire_get16(seen.payload + 8 + 40 + 2), 9);
    assert_true(seen.length + IP6_HEADER_BYTES <= IP6_MTU_MIN);
    host_destroy(&host);
}

static void no_error_is_about_a_group_or_to_nobody(void **state) {
    struct ip_address own;
    struct host host = begin(&own);
    struct seen6 seen;
    (void)state;
    knock6(&host, PEER6, IP6_ALL_NODES, 9);
    assert_false(peer6_read_message(&host, ICMP6_UNREACHABLE, &seen));
    assert_int_equal(host.stack->mib.Icmp6OutDestUnreachs, 0);
    host_destroy(&host);
}

static void errors_come_at_a_limited_rate(void **state) {
    struct ip_address own;
    struct host host = begin(&own);
    struct seen6 seen;
    int told = 0;
    (void)state;
    for (int i = 0; i < 500; i++) {
        knock6(&host, PEER6, own, 9);
        while (peer6_read_message(&host, ICMP6_UNREACHABLE, &seen))
            told++;
    }
    assert_in_range(told, 1, 100);
    host_run(&host, 5 * SECOND);
    peer6_solicit(&host, PEER6, own, own, PEER6_MAC);
    host_discard(&host);
    knock6(&host, PEER6, own, 9);
    assert_true(peer6_read_message(&host, ICMP6_UNREACHABLE, &seen));
    host_destroy(&host);
}

/* The datagram that a connected socket has sent comes back in an error. */
static int error_after(uint8_t type, uint8_t code, uint32_t info) {
    struct ip_address own;
    struct host host = begin(&own);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    uint8_t message[200] = {type, code};
    struct seen6 seen;
    socket_set_family(socket, true);
    wire_put32(message + 4, info);
    assert_int_equal(socket_connect(host.stack, socket, PEER6, 9), 0);
    assert_int_equal(send_bytes(&host, socket, "hello", 5, 0), 5);
    assert_true(peer6_read(&host, &seen));
    memcpy(message + 8, seen.payload - IP6_HEADER_BYTES, seen.length + IP6_HEADER_BYTES);
    peer6_send(&host, &(struct packet6){.ttl = 64}, message, 8 + seen.length + IP6_HEADER_BYTES);
    int error = socket_take_error(socket);
    socket_release(host.stack, socket);
    host_destroy(&host);
    return error;
}

static void an_error_reaches_the_socket_whose_packet_it_quotes(void **state) {
    (void)state;
    assert_int_equal(error_after(ICMP6_UNREACHABLE, ICMP6_PORT_UNREACHABLE, 0), -ECONNREFUSED);
    assert_int_equal(error_after(ICMP6_UNREACHABLE, 1, 0), -EACCES);
    assert_int_equal(error_after(ICMP6_PARAMETER_PROBLEM, ICMP6_UNKNOWN_NEXT_HEADER, 40), -EPROTO);
    assert_int_equal(error_after(ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, 0), 0); /* it may pass */
    assert_int_equal(error_after(ICMP6_TIME_EXCEEDED, 0, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_echo_comes_back_with_its_data_unless_it_is_not_wanted),
        cmocka_unit_test(a_message_with_a_wrong_checksum_or_no_header_is_counted_and_dropped),
        cmocka_unit_test(a_port_that_nobody_has_is_told_with_as_much_as_fits_the_least_mtu),
        cmocka_unit_test(no_error_is_about_a_group_or_to_nobody),
        cmocka_unit_test(errors_come_at_a_limited_rate),
        cmocka_unit_test(an_error_reaches_the_socket_whose_packet_it_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
