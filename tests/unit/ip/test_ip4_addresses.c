/* SPDX-License-Identifier: MIT */
/*
 * test_ip4_addresses.c - several addresses of IPv4 on one stack: ip4_addresses.c, and who uses it.
 */
#include "stack/ip/ip4_addresses.h"
#include "tests/unit/network.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#define SECOND_OF_A (HOST_A + 1)      /* on the first one's network */
#define ELSEWHERE 0x0a580105u         /* 10.88.1.5/24 */
#define WIDER 0x0a580009u             /* 10.88.0.9/16, which has ELSEWHERE's network in it */
#define GATEWAY_ELSEWHERE 0x0a5801feu /* 10.88.1.254 */

static struct host host_with(uint32_t gateway) {
    const struct stack_config config = {
        .address = HOST_A,
        .prefix_length = 24,
        .more_count = 3,
        .more = {{SECOND_OF_A, 24}, {ELSEWHERE, 24}, {WIDER, 16}},
        .gateway = gateway,
        .mac = {2, 0, 0, 0, 0, 1},
        .mtu = 1500,
    };
    return host_create_configured(&config);
}

static void primaries_come_first_and_each_network_has_one_route(void **state) {
    static const uint32_t order[] = {HOST_A, ELSEWHERE, WIDER, SECOND_OF_A};
    struct host host = host_with(0);
    const struct ip4_addresses *addresses = &host.stack->addresses4;
    (void)state;
    assert_int_equal(addresses->count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(addresses->entries[i].address, order[i]);
        assert_int_equal(addresses->entries[i].secondary, i == 3);
    }
    assert_int_equal(host.stack->routes.count, 3);
    host_destroy(&host);
}

static void source_is_of_the_routes_network(void **state) {
    static const struct {
        uint32_t to, from;
    } cases[] = {
        {HOST_B, HOST_A},          {SECOND_OF_A, HOST_A}, /* as Linux's table "local" has it */
        {HOST_A | 0xff, HOST_A},   {ELSEWHERE + 1, ELSEWHERE}, {ELSEWHERE | 0xff, ELSEWHERE},
        {WIDER + 1, WIDER},        {0x0a58ffff, WIDER},        {UINT32_MAX, HOST_A},
        {0x7f000005, IP_LOOPBACK},
    };
    struct host host = host_with(0);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(ip4_source(host.stack, cases[i].to), cases[i].from);
    host_destroy(&host);
}

static void beyond_a_gateway_source_is_of_the_gateways_network(void **state) {
    struct host host = host_with(GATEWAY_ELSEWHERE);
    (void)state;
    assert_int_equal(ip4_source(host.stack, 0x08080808), ELSEWHERE);
    assert_int_equal(ip4_source(host.stack, HOST_B), HOST_A);
    host_destroy(&host);
}

static void each_network_has_its_broadcast(void **state) {
    struct host host = host_with(0);
    (void)state;
    assert_true(ip4_is_broadcast(host.stack, HOST_A | 0xff));
    assert_true(ip4_is_broadcast(host.stack, ELSEWHERE | 0xff));
    assert_true(ip4_is_broadcast(host.stack, 0x0a58ffff));
    assert_false(ip4_is_broadcast(host.stack, 0x0a5802ff));
    assert_false(ip4_is_local(host.stack, 0));
    assert_int_equal(ip4_address_kind(host.stack, WIDER), IP4_OWN);
    assert_int_equal(ip4_address_kind(host.stack, 0x0a58ffff), IP4_BROADCAST);
    assert_int_equal(ip4_address_kind(host.stack, WIDER + 1), IP4_NOBODYS);
    assert_int_equal(ip4_address_kind(host.stack, UINT32_MAX), IP4_BROADCAST);
    host_destroy(&host);
}

static void each_address_is_probed_announced_and_answered_for(void **state) {
    static const uint32_t order[] = {HOST_A, ELSEWHERE, WIDER, SECOND_OF_A};
    struct host host = host_with(0);
    uint32_t sender, target;
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(read_arp(&host, &sender, &target), 1);
        assert_int_equal(sender, 0);
        assert_int_equal(target, order[i]);
        assert_int_equal(read_arp(&host, &sender, &target), 1);
        assert_int_equal(sender, order[i]);
        assert_int_equal(target, order[i]);
    }
    for (int i = 0; i < 4; i++) {
        send_arp(&host, 1, PEER, HOST_B, order[i]);
        assert_int_equal(read_arp(&host, &sender, &target), 2);
        assert_int_equal(sender, order[i]);
    }
    send_arp(&host, 1, PEER, HOST_B, WIDER + 1);
    assert_int_equal(read_arp(&host, &sender, &target), 0);
    host_destroy(&host);
}

static void neighbours_are_asked_from_the_address_of_their_network(void **state) {
    struct host host = host_with(0);
    uint32_t sender, target;
    (void)state;
    host_discard(&host);
    neighbour_ask(host.stack, ip_from_v4(ELSEWHERE + 7));
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    assert_int_equal(sender, ELSEWHERE);
    assert_int_equal(target, ELSEWHERE + 7);
    host_destroy(&host);
}

static void conflict_of_each_address_is_named_and_defended_by_itself(void **state) {
    struct host host = host_with(0);
    uint32_t sender, target;
    (void)state;
    host_discard(&host);
    send_arp(&host, 2, OTHER, HOST_A, HOST_A);
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    send_arp(&host, 2, OTHER, SECOND_OF_A, SECOND_OF_A);
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    assert_int_equal(sender, SECOND_OF_A);
    assert_int_equal(host.stack->arp.conflict_address, SECOND_OF_A);
    assert_int_equal(host.stack->arp.conflicts, 2);
    send_arp(&host, 2, OTHER, SECOND_OF_A, SECOND_OF_A);
    assert_int_equal(read_arp(&host, &sender, &target), 0);
    host_destroy(&host);
}

static void socket_binds_to_each_address_and_no_other(void **state) {
    struct host host = host_with(0);
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        struct socket *socket;
        assert_int_equal(socket_create(host.stack, SOCK_STREAM, 0, &socket), 0);
        assert_int_equal(
            socket_bind(host.stack, socket, ip_from_v4(host.stack->addresses4.entries[i].address), 80), 0);
    }
    struct socket *socket;
    assert_int_equal(socket_create(host.stack, SOCK_STREAM, 0, &socket), 0);
    assert_int_equal(socket_bind(host.stack, socket, ip_from_v4(WIDER + 1), 80), -EADDRNOTAVAIL);
    host_destroy(&host);
}

static void multicast_leaves_from_the_address_that_was_chosen(void **state) {
    struct host host = host_with(0);
    struct socket *socket;
    struct in_addr by = {htonl(ELSEWHERE)}, told = {0};
    socklen_t length = sizeof told;
    (void)state;
    assert_int_equal(socket_create(host.stack, SOCK_DGRAM, 0, &socket), 0);
    assert_int_equal(socket_set_option(host.stack, socket, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by), 0);
    assert_int_equal(socket_get_option(host.stack, socket, IPPROTO_IP, IP_MULTICAST_IF, &told, &length), 0);
    assert_int_equal(told.s_addr, by.s_addr);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(0xe0000102), 9), 0);
    assert_int_equal(ip_to_v4(socket->datagram->binding.address), ELSEWHERE);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(primaries_come_first_and_each_network_has_one_route),
        cmocka_unit_test(source_is_of_the_routes_network),
        cmocka_unit_test(beyond_a_gateway_source_is_of_the_gateways_network),
        cmocka_unit_test(each_network_has_its_broadcast),
        cmocka_unit_test(each_address_is_probed_announced_and_answered_for),
        cmocka_unit_test(neighbours_are_asked_from_the_address_of_their_network),
        cmocka_unit_test(conflict_of_each_address_is_named_and_defended_by_itself),
        cmocka_unit_test(socket_binds_to_each_address_and_no_other),
        cmocka_unit_test(multicast_leaves_from_the_address_that_was_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
