/* SPDX-License-Identifier: MIT */
/*
 * test_network.c - ether.c, arp.c, ip.c, icmp.c, udp.c, port.c: one stack, frames made by hand.
 */
#include "stack/base/checksum.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <poll.h>
#include <string.h>

static const uint8_t PEER[6] = {2, 0, 0x0a, 0x4d, 0, 2};
static const uint8_t OTHER[6] = {2, 9, 9, 9, 9, 9};
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

/* The next ARP packet that was sent: its operation, or 0 when there is none. */
static uint16_t read_arp(struct host *host, uint32_t *sender, uint32_t *target) {
    while (host_sent(host, &seen)) {
        if (wire_get16(seen.bytes + 12) != ETHER_TYPE_ARP)
            continue;
        *sender = wire_get32(seen.bytes + 28);
        *target = wire_get32(seen.bytes + 38);
        return wire_get16(seen.bytes + 20);
    }
    return 0;
}

static uint32_t make_ip(struct host *host, uint8_t *frame, uint8_t protocol, uint32_t source,
                        uint32_t destination, const void *payload, uint32_t length) {
    uint8_t *ip = frame + 14;
    memset(frame, 0, 34);
    memcpy(frame, host->stack->config.mac, 6);
    memcpy(frame + 6, PEER, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP);
    ip[0] = 0x45;
    wire_put16(ip + 2, (uint16_t)(20 + length));
    ip[8] = 64;
    ip[9] = protocol;
    wire_put32(ip + 12, source);
    wire_put32(ip + 16, destination);
    ip_seal_header(ip);
    memcpy(ip + 20, payload, length);
    return 34 + length;
}

static void send_udp(struct host *host, uint32_t source, uint32_t destination, uint16_t port,
                     const char *text) {
    uint8_t frame[2000], datagram[1500];
    uint16_t length = (uint16_t)(strlen(text) + 8);
    wire_put16(datagram, 5000);
    wire_put16(datagram + 2, port);
    wire_put16(datagram + 4, length);
    wire_put16(datagram + 6, 0);
    memcpy(datagram + 8, text, strlen(text));
    uint64_t sum =
        checksum_pseudo_header(ip_from_v4(source), ip_from_v4(destination), IP_PROTOCOL_UDP, length);
    wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(sum, datagram, length)));
    host_input(host, frame, make_ip(host, frame, IP_PROTOCOL_UDP, source, destination, datagram, length), 0);
}

static void new_stack_probes_and_announces_its_address(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint32_t sender, target;
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    assert_int_equal(sender, 0);
    assert_int_equal(target, HOST_A);
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    assert_int_equal(sender, HOST_A);
    assert_int_equal(target, HOST_A);
    host_destroy(&host);
}

static void request_for_us_is_answered_and_teaches_us(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint32_t sender, target;
    host_discard(&host);
    send_arp(&host, 1, PEER, HOST_B, HOST_A);
    assert_int_equal(read_arp(&host, &sender, &target), 2);
    assert_int_equal(sender, HOST_A);
    assert_int_equal(target, HOST_B);
    assert_non_null(neighbour_lookup(host.stack, ip_from_v4(HOST_B)));
    send_arp(&host, 1, PEER, HOST_B, HOST_A + 1); /* for somebody else */
    assert_int_equal(read_arp(&host, &sender, &target), 0);
    host_destroy(&host);
}

static void conflict_is_noted_and_defended_once_in_ten_seconds(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint32_t sender, target;
    host_discard(&host);
    for (int i = 0; i < 5; i++)
        send_arp(&host, 2, OTHER, HOST_A, HOST_A);
    assert_int_equal(host.stack->arp.conflicts, 5);
    assert_memory_equal(host.stack->arp.conflict_mac, OTHER, 6);
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    assert_int_equal(sender, HOST_A);
    assert_int_equal(read_arp(&host, &sender, &target), 0);
    host_run(&host, 11 * SECOND);
    send_arp(&host, 2, OTHER, HOST_A, HOST_A);
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    host_destroy(&host);
}

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

static void route_with_the_longest_prefix_wins(void **state) {
    (void)state;
    struct ip_routes routes = {0};
    uint32_t hop;
    assert_int_equal(ip_route_lookup(&routes, 1, &hop), -ENETUNREACH);
    ip_route_add(&routes, 0, 0, 0x0a4d00fe);
    ip_route_add(&routes, 0x0a4d0000, 0xffffff00, 0);
    ip_route_add(&routes, 0x0a000000, 0xff000000, 0x0a4d00fd);
    ip_route_lookup(&routes, 0x08080808, &hop);
    assert_int_equal(hop, 0x0a4d00fe);
    ip_route_lookup(&routes, HOST_B, &hop);
    assert_int_equal(hop, HOST_B);
    ip_route_lookup(&routes, 0x0a010101, &hop);
    assert_int_equal(hop, 0x0a4d00fd);
    for (uint32_t i = 0; ip_route_add(&routes, i << 24, 0xff000000, 0) == 0; i++)
        continue;
    assert_int_equal(routes.count, IP_ROUTES_MAX);
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

static void bad_packets_are_counted_and_dropped(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct mib *mib = &host.stack->mib;
    uint8_t frame[200], payload[100] = {0};
    peer_introduce(&host);
    uint32_t length = make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_B, HOST_A, payload, 100);
    frame[14 + 10] ^= 1;
    host_input(&host, frame, length, 0);
    assert_int_equal(mib->IpInHdrErrors, 1);
    length = make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_B, HOST_A, payload, 100);
    host_input(&host, frame, length - 1, 0);
    assert_int_equal(mib->IpExtInTruncatedPkts, 1);
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_B, HOST_A + 5, payload, 100), 0);
    assert_int_equal(mib->IpInAddrErrors, 1);
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_A, HOST_A, payload, 100),
               0); /* spoofed */
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_A, HOST_A, payload, 100),
               STACK_INPUT_CHECKSUM_PARTIAL);
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, 0x7f000001, HOST_A, payload, 100), 0);
    host_input(&host, frame, make_ip(&host, frame, IP_PROTOCOL_UDP, 0xe0000001, HOST_A, payload, 100), 0);
    assert_int_equal(mib->IpInAddrErrors, 5);
    for (uint32_t short_length = 0; short_length < 60; short_length++)
        host_input(&host, frame, short_length ? short_length : 1, 0);
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

static void udp_reaches_the_most_specific_socket_and_drops_beyond_the_buffer(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *any = make_socket(&host, SOCK_DGRAM, 0, 700);
    uint64_t received = 0;
    char buffer[100];
    peer_introduce(&host);
    send_udp(&host, HOST_B, HOST_A, 700, "hello");
    assert_true(socket_poll(host.stack, any) & POLLIN);
    assert_int_equal(receive_bytes(&host, any, buffer, sizeof buffer, MSG_PEEK), 5);
    assert_int_equal(receive_bytes(&host, any, buffer, 2, 0), 2); /* the rest of the datagram is lost */
    assert_int_equal(receive_bytes(&host, any, buffer, sizeof buffer, 0), -EAGAIN);
    for (int i = 0; i < 2000; i++)
        send_udp(&host, HOST_B, HOST_A, 700, "hello");
    while (receive_bytes(&host, any, buffer, sizeof buffer, 0) == 5)
        received++;
    assert_in_range(received, 100, 1999);
    assert_int_equal(host.stack->mib.UdpRcvbufErrors, 2000 - received);
    socket_release(host.stack, any);
    host_discard(&host);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void bad_udp_checksum_is_dropped_unless_unfinished(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 700);
    uint8_t frame[200], datagram[12] = {0};
    char buffer[10];
    peer_introduce(&host);
    wire_put16(datagram + 2, 700);
    wire_put16(datagram + 4, 12);
    wire_put_sum(datagram + 6, checksum_fold(checksum_pseudo_header(ip_from_v4(HOST_B), ip_from_v4(HOST_A),
                                                                    IP_PROTOCOL_UDP, 12)));
    uint32_t length = make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_B, HOST_A, datagram, 12);
    host_input(&host, frame, length, 0);
    assert_int_equal(host.stack->mib.UdpInCsumErrors, 1);
    host_input(&host, frame, length, STACK_INPUT_CHECKSUM_PARTIAL);
    assert_int_equal(receive_bytes(&host, socket, buffer, sizeof buffer, 0), 4);
    host_destroy(&host);
}

static void loopback_network_is_the_stacks_when_so_told_and_never_the_wires(void **state) {
    struct host a = host_create(HOST_A, 1500);
    struct socket *server, *client;
    char bytes[100];
    struct iovec piece = {(void *)"inside", 6};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(0x7f000105), .port = 53};
    (void)state;
    assert_int_equal(socket_create(a.stack, SOCK_DGRAM, 0, &server), 0);
    assert_int_equal(socket_bind(a.stack, server, ip_from_v4(0x7f000105), 53), -EADDRNOTAVAIL);
    a.stack->config.loopback = true;
    assert_int_equal(socket_bind(a.stack, server, ip_from_v4(0x7f000105), 53), 0);
    assert_int_equal(socket_create(a.stack, SOCK_DGRAM, 0, &client), 0);
    assert_int_equal(socket_send(a.stack, client, &message), 6);
    stack_advance(a.stack, now);
    struct socket_message in = {.pieces = &(struct iovec){bytes, sizeof bytes}, .count = 1};
    assert_int_equal(socket_receive(a.stack, server, &in), 6);
    assert_int_equal(ip_to_v4(in.address), IP_LOOPBACK);
    host_discard(&a);
    uint64_t errors = a.stack->mib.IpInAddrErrors;
    send_udp(&a, HOST_B, 0x7f000105, 53, "from outside");
    send_udp(&a, 0x7f000001, HOST_A, 53, "from nowhere");
    assert_int_equal(a.stack->mib.IpInAddrErrors, errors + 2);
    assert_int_equal(socket_receive(a.stack, server, &in), -EAGAIN);
    assert_false(host_sent(&a, &seen));
    socket_release(a.stack, server);
    socket_release(a.stack, client);
    assert_nothing_left(&a);
    host_destroy(&a);
}

static void ports_follow_linux_rules_of_reuse(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *a, *b;
    socket_create(host.stack, SOCK_STREAM, 0, &a);
    socket_create(host.stack, SOCK_STREAM, 0, &b);
    assert_int_equal(socket_bind(host.stack, a, ip_from_v4(0), 80), 0);
    assert_int_equal(socket_bind(host.stack, a, ip_from_v4(0), 81), -EINVAL);
    assert_int_equal(socket_bind(host.stack, b, ip_from_v4(0), 80), -EADDRINUSE);
    assert_int_equal(socket_bind(host.stack, b, ip_from_v4(HOST_A), 80), -EADDRINUSE);
    assert_int_equal(socket_bind(host.stack, b, ip_from_v4(HOST_B), 80), -EADDRNOTAVAIL);
    struct socket *udp = make_socket(&host, SOCK_DGRAM, 0, 80); /* another protocol */
    socket_release(host.stack, a);
    assert_int_equal(socket_bind(host.stack, b, ip_from_v4(0), 80), 0);
    /* SO_REUSEADDR on both: allowed until one listens. */
    int one = 1;
    socket_release(host.stack, b);
    socket_create(host.stack, SOCK_STREAM, 0, &a);
    socket_create(host.stack, SOCK_STREAM, 0, &b);
    socket_set_option(host.stack, a, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    socket_set_option(host.stack, b, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(socket_bind(host.stack, a, ip_from_v4(0), 80), 0);
    assert_int_equal(socket_bind(host.stack, b, ip_from_v4(0), 80), 0);
    assert_int_equal(socket_listen(host.stack, a, 5), 0);
    assert_int_equal(socket_listen(host.stack, b, 5), -EADDRINUSE);
    socket_release(host.stack, a);
    socket_release(host.stack, b);
    socket_release(host.stack, udp);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void picked_ports_are_ephemeral_and_differ(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint8_t used[65536] = {0};
    for (int i = 0; i < 2000; i++) {
        struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
        struct ip_address address;
        uint16_t port;
        assert_int_equal(socket_bind(host.stack, socket, ip_from_v4(0), 0), 0);
        socket_local(socket, &address, &port);
        assert_in_range(port, 32768, 60999);
        assert_int_equal(used[port]++, 0);
    }
    host_destroy(&host);
}

static void config_that_can_not_be_is_refused(void **state) {
    (void)state;
    static uint8_t seed[RANDOM_SEED_BYTES];
    struct host host = host_create(HOST_A, 1500);
    struct stack_config config = host.stack->config;
    config.mac[0] |= 1; /* a group address */
    assert_int_equal(
        stack_create(host.stack, host.memory, 64 << 20, sizeof(struct stack), &config, seed, now), -EINVAL);
    config = (struct stack_config){.address = 0x7f000001, .prefix_length = 8, .mtu = 1500};
    assert_int_equal(
        stack_create(host.stack, host.memory, 64 << 20, sizeof(struct stack), &config, seed, now), -EINVAL);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_stack_probes_and_announces_its_address),
        cmocka_unit_test(request_for_us_is_answered_and_teaches_us),
        cmocka_unit_test(conflict_is_noted_and_defended_once_in_ten_seconds),
        cmocka_unit_test(packets_wait_for_the_answer_and_leave_in_order),
        cmocka_unit_test(queue_of_waiting_packets_is_bounded),
        cmocka_unit_test(unanswered_request_is_repeated_each_second_then_fails),
        cmocka_unit_test(stale_neighbour_is_probed_by_unicast_and_dropped_when_silent),
        cmocka_unit_test(cache_is_bounded_against_a_flood),
        cmocka_unit_test(route_with_the_longest_prefix_wins),
        cmocka_unit_test(ping_is_answered_with_the_same_data),
        cmocka_unit_test(bad_packets_are_counted_and_dropped),
        cmocka_unit_test(unknown_port_and_protocol_are_reported_at_a_bounded_rate),
        cmocka_unit_test(udp_reaches_the_most_specific_socket_and_drops_beyond_the_buffer),
        cmocka_unit_test(bad_udp_checksum_is_dropped_unless_unfinished),
        cmocka_unit_test(loopback_network_is_the_stacks_when_so_told_and_never_the_wires),
        cmocka_unit_test(ports_follow_linux_rules_of_reuse),
        cmocka_unit_test(picked_ports_are_ephemeral_and_differ),
        cmocka_unit_test(config_that_can_not_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
