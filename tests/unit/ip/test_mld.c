/* SPDX-License-Identifier: MIT */
/*
 * test_mld.c - mld.c, multicast.c over IPv6: what routers are told of groups, byte for byte.
 */
#include "stack/ip/icmp6.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <string.h>

#define MLD2_ROUTERS v6("ff02::16")
#define GROUP v6("ff15::1234")
#define SOURCE v6("2001:db8::5")

static struct ip_address own;

static bool next_report(struct host *host, struct seen6 *seen) {
    return peer6_read_message(host, ICMP6_MLD2_REPORT, seen);
}

/* The record of a group in a report: its type, or 0. */
static uint8_t record_of(const struct seen6 *seen, struct ip_address group) {
    const uint8_t *at = seen->payload + 8;
    for (uint16_t left = wire_get16(seen->payload + 6); left > 0; left--) {
        assert_true(at + 20 <= seen->payload + seen->length);
        if (ip_equal(ip_from_bytes(at + 4), group))
            return at[0];
        at += 20 + 16 * wire_get16(at + 2);
    }
    return 0;
}

static void query(struct host *host, uint32_t length, uint16_t code, struct ip_address group) {
    uint8_t message[28] = {ICMP6_MLD_QUERY};
    struct packet6 packet = {.destination = ip_is_any(group) ? IP6_ALL_NODES : group, .ttl = 1};
    wire_put16(message + 4, code);
    memcpy(message + 8, group.bytes, 16);
    message[24] = 2; /* QRV */
    message[25] = 125;
    peer6_send(host, &packet, message, length);
}

static void own_group_is_told_before_the_address_is_checked(void **state) {
    (void)state;
    struct host host = host6_create(false);
    struct seen6 seen;
    struct ip_address address = host.stack->ip6.addresses.entries[0].address;
    assert_true(peer6_read(&host, &seen)); /* the first packet of all */
    const uint8_t start[] = {IP_PROTOCOL_ICMP6, 0, 5, 2, 0, 0, 1, 0, ICMP6_MLD2_REPORT, 0};
    const uint8_t rest[] = {0, 0, 0, 1, 4, 0, 0, 0}; /* one record: changes to exclude nothing */
    assert_int_equal(seen.protocol, IP6_HOP_BY_HOP);
    assert_true(ip_is_any(seen.source));
    assert_true(ip_equal(seen.destination, MLD2_ROUTERS));
    assert_memory_equal(seen.mac, ((uint8_t[6]){0x33, 0x33, 0, 0, 0, 0x16}), 6);
    assert_int_equal(seen.ttl, 1);
    assert_int_equal(seen.length, 8 + 8 + 20);
    assert_memory_equal(seen.payload, start, sizeof start);
    assert_memory_equal(seen.payload + 12, rest, sizeof rest);
    assert_memory_equal(seen.payload + 20, ip_solicited_node(address).bytes, 16);
    host_destroy(&host);
}

static void own_group_is_told_again_from_the_checked_address(void **state) {
    (void)state;
    struct host host = host6_create(false);
    struct seen6 seen;
    int told = 0;
    own = host.stack->ip6.addresses.entries[0].address;
    host_run(&host, 5 * SECOND);
    while (next_report(&host, &seen))
        told += ip_equal(seen.source, own);
    assert_int_equal(told, 2); /* robustness */
    host_run(&host, 1000 * SECOND);
    assert_false(next_report(&host, &seen));
    host_destroy(&host);
}

static void group_of_a_socket_is_told_of_and_heard(void **state) {
    (void)state;
    struct host host = host6_settled(false, &own);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct seen6 seen;
    assert_false(multicast_wants(host.stack, GROUP, SOURCE));
    assert_int_equal(multicast_join(host.stack, socket, own, false), -EINVAL);
    assert_int_equal(multicast_join(host.stack, socket, GROUP, false), 0);
    assert_int_equal(multicast_join(host.stack, socket, GROUP, false), -EADDRINUSE);
    assert_true(multicast_wants(host.stack, GROUP, SOURCE));
    host_run(&host, 10 * MS);
    assert_true(next_report(&host, &seen));
    assert_int_equal(record_of(&seen, GROUP), 4);
    host_run(&host, 2 * SECOND);
    assert_true(next_report(&host, &seen));
    assert_int_equal(record_of(&seen, GROUP), 4);
    assert_int_equal(multicast_leave(host.stack, socket, GROUP), 0);
    assert_false(multicast_wants(host.stack, GROUP, SOURCE));
    host_run(&host, 10 * MS);
    assert_true(next_report(&host, &seen));
    assert_int_equal(record_of(&seen, GROUP), 3);
    host_run(&host, 2 * SECOND);
    host_discard(&host);
    assert_null(multicast_find(host.stack, GROUP));
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void sources_are_told_of(void **state) {
    (void)state;
    struct host host = host6_settled(false, &own);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct seen6 seen;
    assert_int_equal(multicast_source(host.stack, socket, GROUP, SOURCE, true, true), 0);
    assert_true(multicast_wants(host.stack, GROUP, SOURCE));
    assert_false(multicast_wants(host.stack, GROUP, PEER6));
    host_run(&host, 10 * MS);
    assert_true(next_report(&host, &seen));
    assert_int_equal(record_of(&seen, GROUP), 3);
    assert_int_equal(seen.length, 8 + 20 + 16);
    assert_memory_equal(seen.payload + 28, SOURCE.bytes, 16);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void many_groups_leave_in_reports_that_fit(void **state) {
    (void)state;
    struct host host = host6_settled(false, &own);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct seen6 seen;
    uint32_t told = 0;
    for (uint32_t i = 0; i < 200; i++) {
        struct ip_address group = GROUP;
        memcpy(group.bytes + 8, &i, 4);
        assert_int_equal(multicast_join(host.stack, socket, group, false), 0);
    }
    host_run(&host, 10 * MS);
    while (next_report(&host, &seen)) {
        assert_true(seen.length + 48 <= 1500);
        told += wire_get16(seen.payload + 6);
    }
    assert_int_equal(told, 200);
    socket_release(host.stack, socket);
    host_run(&host, 5 * SECOND);
    host_discard(&host);
    assert_int_equal(host.stack->multicast.memberships.used, 0);
    assert_int_equal(host.stack->multicast.groups.used, 2); /* all nodes, and our own */
    assert_int_equal(host.stack->buffers.used, 0);
    host_destroy(&host);
}

static void router_that_asks_is_answered(void **state) {
    (void)state;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    query(&host, 28, 1000, (struct ip_address){0});
    assert_false(next_report(&host, &seen));
    host_run(&host, 1010 * MS);
    assert_true(next_report(&host, &seen));
    assert_int_equal(record_of(&seen, ip_solicited_node(own)), 2);
    assert_int_equal(record_of(&seen, IP6_ALL_NODES), 0);
    assert_false(next_report(&host, &seen));
    query(&host, 28, 1000, v6("ff15::9")); /* of a group that we are not in */
    query(&host, 25, 1000, (struct ip_address){0});
    host_run(&host, 2 * SECOND);
    assert_false(next_report(&host, &seen));
    host_destroy(&host);
}

static void older_router_is_answered_in_its_own_way(void **state) {
    (void)state;
    struct host host = host6_settled(false, &own);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct seen6 seen;
    query(&host, 24, 1000, (struct ip_address){0});
    host_run(&host, 1010 * MS);
    assert_true(peer6_read_message(&host, ICMP6_MLD_REPORT, &seen));
    assert_true(ip_equal(seen.destination, ip_solicited_node(own)));
    assert_int_equal(seen.length, 24);
    assert_int_equal(multicast_join(host.stack, socket, GROUP, false), 0);
    host_run(&host, 10 * MS);
    assert_true(peer6_read_message(&host, ICMP6_MLD_REPORT, &seen));
    assert_int_equal(multicast_leave(host.stack, socket, GROUP), 0);
    host_run(&host, 10 * MS);
    assert_true(peer6_read_message(&host, ICMP6_MLD_DONE, &seen));
    assert_true(ip_equal(seen.destination, IP6_ALL_ROUTERS));
    host_run(&host, 300 * SECOND); /* it is gone */
    host_discard(&host);
    assert_int_equal(multicast_join(host.stack, socket, GROUP, false), 0);
    host_run(&host, 10 * MS);
    assert_true(next_report(&host, &seen));
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void query_from_beyond_the_link_is_not_answered(void **state) {
    (void)state;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    uint8_t message[28] = {ICMP6_MLD_QUERY};
    struct packet6 packet = {.destination = IP6_ALL_NODES, .ttl = 2};
    peer6_send(&host, &packet, message, sizeof message);
    packet = (struct packet6){.destination = IP6_ALL_NODES, .ttl = 1, .source = v6("2001:db8::1")};
    peer6_send(&host, &packet, message, sizeof message);
    host_run(&host, 20 * SECOND);
    assert_false(peer6_read(&host, &seen));
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_group_is_told_before_the_address_is_checked),
        cmocka_unit_test(own_group_is_told_again_from_the_checked_address),
        cmocka_unit_test(group_of_a_socket_is_told_of_and_heard),
        cmocka_unit_test(sources_are_told_of),
        cmocka_unit_test(many_groups_leave_in_reports_that_fit),
        cmocka_unit_test(router_that_asks_is_answered),
        cmocka_unit_test(older_router_is_answered_in_its_own_way),
        cmocka_unit_test(query_from_beyond_the_link_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
