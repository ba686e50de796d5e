/* SPDX-License-Identifier: MIT */
/*
 * test_arp.c - arp.c: what a table of neighbours holds when somebody on the link wants it to overflow.
 */
#include "stack/ip/ip.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define GATEWAY 0x0a4d00fe /* 10.77.0.254 */
#define ON_LINK 0x0a4d0100 /* 10.77.1.0 on, in 10.77.0.0/16 */

static const uint8_t PEER[6] = {2, 0, 0x0a, 0x4d, 0, 2};
static const uint8_t OTHER[6] = {2, 9, 9, 9, 9, 9};
static const uint8_t FAR[6] = {2, 7, 7, 7, 7, 7};
static struct seen seen;

static void send_arp(struct host *host, uint16_t operation, const uint8_t mac[6], uint32_t sender,
                     uint32_t target) {
    uint8_t frame[60] = {0};
    memcpy(frame, host->stack->config.mac, 6);
    memcpy(frame + 6, mac, 6);
    wire_put16(frame + 12, ETHER_TYPE_ARP);
    wire_put16(frame + 14, 1);
    wire_put16(frame + 16, ETHER_TYPE_IP);
    frame[18] = 6;
    frame[19] = 4;
    wire_put16(frame + 20, operation);
    memcpy(frame + 22, mac, 6);
    wire_put32(frame + 28, sender);
    wire_put32(frame + 38, target);
    host_input(host, frame, sizeof frame, 0);
}

/* A host in 10.77.0.0/16 with a gateway that it has talked to. */
static struct host begin(void) {
    struct host host = host_create(HOST_A, 1500);
    ip_route_add(&host.stack->routes, 0x0a4d0000, 0xffff0000, 0);
    ip_route_add(&host.stack->routes, 0, 0, GATEWAY);
    send_arp(&host, 1, PEER, GATEWAY, HOST_A);
    host_discard(&host);
    return host;
}

static ssize_t send_to(struct host *host, struct socket *socket, uint32_t address, uint32_t length) {
    static const uint8_t payload[60000];
    struct iovec piece = {(void *)payload, length};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(address), .port = 9};
    ssize_t sent = socket_send(host->stack, socket, &message);
    host_discard(host);
    return sent;
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

/* Whom little waits for does not pay for those whom much waits for. */
static void packets_of_the_neighbour_with_the_most_make_room(void **state) {
    (void)state;
    struct host host = begin();
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    for (int i = 0; i < 3; i++)
        send_to(&host, socket, HOST_B, 10);
    for (int i = 0; i < 200; i++)
        for (uint32_t a = 0; a < 60; a++)
            send_to(&host, socket, ON_LINK + a, 10);
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
        send_to(&host, socket, HOST_B, 59000);
    assert_true(neighbour_lookup(host.stack, ip_from_v4(HOST_B))->pending_bytes <=
                NEIGHBOUR_PENDING_BYTES_MAX);
    for (uint32_t a = 0; a < 100; a++)
        for (int i = 0; i < 5; i++)
            send_to(&host, socket, ON_LINK + a, 59000);
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
    send_to(&host, socket, 0x08080808, 10);
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
            send_to(&host, socket, HOST_B, 1);
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
    assert_int_equal(send_to(&host, socket, HOST_B, 10), -ENOBUFS);
    assert_null(neighbour_lookup(host.stack, ip_from_v4(HOST_B)));
    assert_int_equal(host.stack->neighbours.entries.used, before);
    host.stack->neighbours.pendings.limit = NEIGHBOUR_PENDINGS_MAX;
    assert_int_equal(send_to(&host, socket, HOST_B, 10), 10);
    assert_int_equal(waiting_for(&host, HOST_B), 1);
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
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
