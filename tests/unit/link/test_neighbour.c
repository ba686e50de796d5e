/* SPDX-License-Identifier: MIT */
/*
 * test_neighbour.c - who is on the link: neighbour.c.
 */
#include "tests/unit/network.h"
#include <errno.h>
#include <netinet/in.h>

static ssize_t udp_send_to(struct host *host, struct socket *socket, uint32_t address, uint16_t port,
                           const char *text) {
    struct iovec piece = {(void *)text, strlen(text)};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(address), .port = port};
    return socket_send(host->stack, socket, &message);
}

static void packets_wait_for_the_answer_and_leave_in_order(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint32_t sender, target;
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    host_discard(&host);
    assert_int_equal(udp_send_to(&host, socket, HOST_B, 9, "one"), 3);
    assert_int_equal(udp_send_to(&host, socket, HOST_B, 9, "two"), 3);
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    assert_int_equal(target, HOST_B);
    assert_false(host_sent(&host, &seen));
    send_arp(&host, 2, PEER, HOST_B, HOST_A);
    assert_true(host_sent(&host, &seen));
    assert_memory_equal(seen.bytes, PEER, 6);
    assert_memory_equal(seen.bytes + 42, "one", 3);
    assert_true(host_sent(&host, &seen));
    assert_memory_equal(seen.bytes + 42, "two", 3);
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void queue_of_waiting_packets_is_bounded(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    host_discard(&host);
    for (int i = 0; i < 500; i++)
        udp_send_to(&host, socket, HOST_B, 9, "x");
    assert_int_equal(host.stack->neighbours.pendings.used, NEIGHBOUR_PENDING_MAX);
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void unanswered_request_is_repeated_each_second_then_fails(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint32_t sender, target;
    struct socket *socket;
    host_discard(&host);
    socket_create(host.stack, SOCK_STREAM, 0, &socket);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -EINPROGRESS);
    for (int second = 0; second < 3; second++) {
        assert_int_equal(read_arp(&host, &sender, &target), 1);
        assert_int_equal(read_arp(&host, &sender, &target), 0);
        assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -EALREADY);
        host_run(&host, SECOND + 2 * MS);
    }
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -EHOSTUNREACH);
    assert_null(neighbour_lookup(host.stack, ip_from_v4(HOST_B)));
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void stale_neighbour_is_probed_by_unicast_and_dropped_when_silent(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    host_discard(&host);
    udp_send_to(&host, socket, HOST_B, 9, "x");
    send_arp(&host, 2, PEER, HOST_B, HOST_A);
    host_run(&host, 31 * SECOND);
    host_discard(&host);
    assert_int_equal(neighbour_lookup(host.stack, ip_from_v4(HOST_B))->state, NEIGHBOUR_STALE);
    udp_send_to(&host, socket, HOST_B, 9, "x"); /* goes out at once, and starts the check */
    assert_true(host_sent(&host, &seen));
    assert_int_equal(wire_get16(seen.bytes + 12), ETHER_TYPE_IP);
    host_run(&host, 5 * SECOND + 10 * MS);
    assert_true(host_sent(&host, &seen));
    assert_int_equal(wire_get16(seen.bytes + 12), ETHER_TYPE_ARP);
    assert_memory_equal(seen.bytes, PEER, 6);
    host_run(&host, 4 * SECOND);
    assert_null(neighbour_lookup(host.stack, ip_from_v4(HOST_B)));
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void cache_is_bounded_against_a_flood(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    for (uint32_t i = 0; i < 5000; i++) {
        send_arp(&host, 1, PEER, 0x0a4e0000 + i, HOST_A);
        host_discard(&host);
    }
    assert_true(host.stack->neighbours.entries.used <= NEIGHBOURS_MAX);
    host_destroy(&host);
}

#define GATEWAY 0x0a4d00fe /* 10.77.0.254 */

#define ON_LINK 0x0a4d0100 /* 10.77.1.0 on, in 10.77.0.0/16 */

/* A host in 10.77.0.0/16 with a gateway that it has talked to. */
static struct host begin(void) {
    struct host host = host_create(HOST_A, 1500);
    ip_route_add(&host.stack->routes, 0x0a4d0000, 0xffff0000, 0);
    ip_route_add(&host.stack->routes, 0, 0, GATEWAY);
    send_arp(&host, 1, PEER, GATEWAY, HOST_A);
    host_discard(&host);
    return host;
}

/* An echo request from an address on the link, which makes us want to answer it. */
static void ping_from(struct host *host, uint32_t address) {
    static const uint8_t request[8] = {8, 0, 0xf7, 0xff};
    struct packet_shape shape = {.protocol = IP_PROTOCOL_ICMP, .source = address};
    peer_packet(host, &shape, request, sizeof request);
    host_discard(host);
}

static uint32_t waiting_for(struct host *host, uint32_t address) {
    const struct neighbour *entry = neighbour_lookup(host->stack, ip_from_v4(address));
    return entry ? entry->pending_count : 0;
}

static void echo_requests_from_addresses_that_nobody_has_do_no_harm(void **state) {
    (void)state;
    struct host host = begin();
    for (int i = 0; i < 110; i++)
        for (uint32_t a = 0; a < 13; a++)
            ping_from(&host, ON_LINK + a);
    assert_true(host.stack->neighbours.pendings.used <= NEIGHBOUR_PENDINGS_MAX);
    for (uint32_t a = 0; a < 13; a++)
        assert_true(waiting_for(&host, ON_LINK + a) > 0);
    assert_nothing_left(&host);
    assert_int_equal(host.stack->neighbours.pendings.used, 0);
    assert_int_equal(host.stack->neighbours.pending_bytes, 0);
    host_destroy(&host);
}

static ssize_t want(struct host *host, struct socket *socket, uint32_t address, uint32_t length) {
    static const uint8_t payload[60000];
    struct iovec piece = {(void *)payload, length};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(address), .port = 9};
    ssize_t sent = socket_send(host->stack, socket, &message);
    host_discard(host);
    return sent;
}

/* Whom little waits for does not pay for those whom much waits for. */
static void packets_of_the_neighbour_with_the_most_make_room(void **state) {
    (void)state;
    struct host host = begin();
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    for (int i = 0; i < 3; i++)
        want(&host, socket, HOST_B, 10);
    for (int i = 0; i < 200; i++)
        for (uint32_t a = 0; a < 60; a++)
            want(&host, socket, ON_LINK + a, 10);
    assert_int_equal(host.stack->neighbours.pendings.used, NEIGHBOUR_PENDINGS_MAX);
    assert_int_equal(waiting_for(&host, HOST_B), 3);
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void packets_that_wait_are_bounded_in_bytes(void **state) {
    (void)state;
    struct host host = begin();
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    int large = 60000;
    set_option(&host, socket, SOL_SOCKET, SO_SNDBUF, large);
    for (int i = 0; i < 10; i++)
        want(&host, socket, HOST_B, 59000);
    assert_true(neighbour_lookup(host.stack, ip_from_v4(HOST_B))->pending_bytes <=
                NEIGHBOUR_PENDING_BYTES_MAX);
    for (uint32_t a = 0; a < 100; a++)
        for (int i = 0; i < 5; i++)
            want(&host, socket, ON_LINK + a, 59000);
    assert_true(host.stack->neighbours.pending_bytes <= NEIGHBOUR_PENDINGS_BYTES_MAX);
    assert_true(waiting_for(&host, ON_LINK + 99) > 0);
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void neighbours_that_do_not_answer_take_half_of_the_table(void **state) {
    (void)state;
    struct host host = begin();
    for (uint32_t a = 0; a < 200; a++)
        send_arp(&host, 1, OTHER, ON_LINK + a, HOST_A);
    for (uint32_t a = 0; a < 5000; a++)
        ping_from(&host, ON_LINK + 1000 + a);
    assert_int_equal(host.stack->neighbours.asked_count, NEIGHBOURS_ASKED_MAX);
    assert_int_equal(host.stack->neighbours.entries.used, NEIGHBOURS_ASKED_MAX + 201);
    assert_non_null(neighbour_lookup(host.stack, ip_from_v4(ON_LINK)));
    assert_non_null(neighbour_lookup(host.stack, ip_from_v4(GATEWAY)));
    /* Who is asked for in the middle of it is found when it answers. */
    ping_from(&host, HOST_B);
    send_arp(&host, 2, PEER, HOST_B, HOST_A);
    assert_int_equal(neighbour_lookup(host.stack, ip_from_v4(HOST_B))->state, NEIGHBOUR_REACHABLE);
    assert_int_equal(host.stack->neighbours.asked_count, NEIGHBOURS_ASKED_MAX - 1);
    assert_nothing_left(&host);
    host_destroy(&host);
}

/* A gateway that has not answered yet is still asked for when the table is flooded. */
static void gateway_is_never_the_one_to_go(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    ip_route_add(&host.stack->routes, 0x0a4d0000, 0xffff0000, 0);
    ip_route_add(&host.stack->routes, 0, 0, GATEWAY);
    want(&host, socket, 0x08080808, 10);
    for (uint32_t a = 0; a < 2000; a++)
        ping_from(&host, ON_LINK + a);
    assert_int_equal(waiting_for(&host, GATEWAY), 1);
    send_arp(&host, 2, PEER, GATEWAY, HOST_A);
    for (uint32_t a = 0; a < 5000; a++) {
        send_arp(&host, 1, OTHER, ON_LINK + a, HOST_A);
        host_discard(&host);
    }
    assert_true(host.stack->neighbours.entries.used <= NEIGHBOURS_MAX);
    assert_memory_equal(neighbour_lookup(host.stack, ip_from_v4(GATEWAY))->mac, PEER, 6);
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void neighbour_that_is_in_use_outlives_those_that_are_not(void **state) {
    (void)state;
    struct host host = begin();
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    send_arp(&host, 1, PEER, HOST_B, HOST_A);
    for (uint32_t a = 0; a < 10000; a++) {
        send_arp(&host, 1, OTHER, ON_LINK + a, HOST_A);
        host_discard(&host);
        if (a % 100 == 0)
            want(&host, socket, HOST_B, 1);
    }
    assert_non_null(neighbour_lookup(host.stack, ip_from_v4(HOST_B)));
    assert_null(neighbour_lookup(host.stack, ip_from_v4(ON_LINK)));
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void neighbours_are_on_the_link_or_gateways(void **state) {
    (void)state;
    struct host host = begin();
    static const uint32_t strangers[] = {0x08080808, 0xc0a80001, 0xe0000001, 0x0a4d00ff};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        send_arp(&host, 1, OTHER, strangers[i], HOST_A);
        assert_true(host_sent(&host, &seen)); /* it is answered, as by Linux */
        assert_null(neighbour_lookup(host.stack, ip_from_v4(strangers[i])));
    }
    ip_route_add(&host.stack->routes, 0x0b000000, 0xff000000, 0xc0a80001); /* a gateway that is not */
    send_arp(&host, 1, OTHER, 0xc0a80001, HOST_A);
    assert_non_null(neighbour_lookup(host.stack, ip_from_v4(0xc0a80001)));
    host_destroy(&host);
}

static const uint8_t FAR[6] = {2, 7, 7, 7, 7, 7};

static void other_mac_address_is_not_believed_for_a_second(void **state) {
    (void)state;
    struct host host = begin();
    send_arp(&host, 1, PEER, HOST_B, HOST_A);
    send_arp(&host, 2, PEER, HOST_B, HOST_A);
    send_arp(&host, 2, OTHER, HOST_B, HOST_A);
    assert_memory_equal(neighbour_lookup(host.stack, ip_from_v4(HOST_B))->mac, PEER, 6);
    send_arp(&host, 1, OTHER, HOST_B, HOST_A);
    assert_memory_equal(neighbour_lookup(host.stack, ip_from_v4(HOST_B))->mac, PEER, 6);
    assert_int_equal(neighbour_lookup(host.stack, ip_from_v4(HOST_B))->state, NEIGHBOUR_REACHABLE);
    host_run(&host, 1001 * MS);
    send_arp(&host, 2, OTHER, HOST_B, HOST_A);
    assert_memory_equal(neighbour_lookup(host.stack, ip_from_v4(HOST_B))->mac, OTHER, 6);
    send_arp(&host, 1, FAR, HOST_B, HOST_B); /* an announcement: the address has moved */
    assert_memory_equal(neighbour_lookup(host.stack, ip_from_v4(HOST_B))->mac, FAR, 6);
    host_destroy(&host);
}

static void neighbour_for_which_there_is_no_memory_is_not_left_behind(void **state) {
    (void)state;
    struct host host = begin();
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    uint32_t before = host.stack->neighbours.entries.used;
    set_option(&host, socket, IPPROTO_IP, IP_RECVERR, 1);
    host.stack->neighbours.pendings.limit = 0;
    assert_int_equal(want(&host, socket, HOST_B, 10), -ENOBUFS);
    assert_null(neighbour_lookup(host.stack, ip_from_v4(HOST_B)));
    assert_int_equal(host.stack->neighbours.entries.used, before);
    host.stack->neighbours.pendings.limit = NEIGHBOUR_PENDINGS_MAX;
    assert_int_equal(want(&host, socket, HOST_B, 10), 10);
    assert_int_equal(waiting_for(&host, HOST_B), 1);
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_wait_for_the_answer_and_leave_in_order),
        cmocka_unit_test(queue_of_waiting_packets_is_bounded),
        cmocka_unit_test(unanswered_request_is_repeated_each_second_then_fails),
        cmocka_unit_test(stale_neighbour_is_probed_by_unicast_and_dropped_when_silent),
        cmocka_unit_test(cache_is_bounded_against_a_flood),
        cmocka_unit_test(echo_requests_from_addresses_that_nobody_has_do_no_harm),
        cmocka_unit_test(packets_of_the_neighbour_with_the_most_make_room),
        cmocka_unit_test(packets_that_wait_are_bounded_in_bytes),
        cmocka_unit_test(neighbours_that_do_not_answer_take_half_of_the_table),
        cmocka_unit_test(gateway_is_never_the_one_to_go),
        cmocka_unit_test(neighbour_that_is_in_use_outlives_those_that_are_not),
        cmocka_unit_test(neighbours_are_on_the_link_or_gateways),
        cmocka_unit_test(other_mac_address_is_not_believed_for_a_second),
        cmocka_unit_test(neighbour_for_which_there_is_no_memory_is_not_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
