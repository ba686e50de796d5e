/* SPDX-License-Identifier: MIT */
/*
 * test_socket_option_ip6.c - options of IPPROTO_IPV6: socket_option_ip6.c.
 */
#include "stack/socket_option_ip6.h"
#include "tests/unit/option.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

static struct socket *make6(struct host *host, int type, int protocol) {
    struct socket *socket = make_socket(host, type, protocol, 0);
    socket_set_family(socket, true);
    return socket;
}

static void options_take_what_linux_takes(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host, SOCK_DGRAM, 0);
    static const struct option_case cases[] = {
        {IPV6_UNICAST_HOPS, 256, -EINVAL, 64},
        {IPV6_UNICAST_HOPS, 7, 0, 7},
        {IPV6_UNICAST_HOPS, -1, 0, 64},
        {IPV6_MULTICAST_HOPS, 3, 0, 3},
        {IPV6_MULTICAST_HOPS, -1, 0, 1},
        {IPV6_TCLASS, 256, -EINVAL, 0},
        {IPV6_TCLASS, 0x28, 0, 0x28},
        {IPV6_TCLASS, -1, 0, 0},
        {IPV6_MTU_DISCOVER, 6, -EINVAL, IPV6_PMTUDISC_WANT},
        {IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, 0, IPV6_PMTUDISC_DO},
        {IPV6_MULTICAST_LOOP, 0, 0, 0},
        {IPV6_RECVPKTINFO, 2, 0, 1},
        {IPV6_RECVHOPLIMIT, 1, 0, 1},
        {IPV6_DONTFRAG, 1, 0, 1},
        {IPV6_V6ONLY, 1, 0, 1},
    };
    (void)state;
    ASSERT_OPTIONS(&host, socket, IPPROTO_IPV6, cases);
    assert_true(socket->options.six.only && socket->options.six.receive_packet_info);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, 9999, 1), -ENOPROTOOPT);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void v6only_is_said_before_the_socket_is_bound(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host, SOCK_DGRAM, 0);
    (void)state;
    assert_int_equal(socket_bind(host.stack, socket, v6("::"), 9), 0);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, IPV6_V6ONLY, 1), -EINVAL);
    assert_int_equal(option_get(&host, socket, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void of_each_pair_of_preferences_one_is_chosen(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host, SOCK_DGRAM, 0);
    enum { PREFERENCES = 72, TEMPORARY = 1, PUBLIC = 2, COA = 4, HOME = 0x400 };
    (void)state;
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, PREFERENCES, TEMPORARY | PUBLIC), -EINVAL);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, PREFERENCES, COA | HOME), -EINVAL);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, PREFERENCES, PUBLIC | COA), 0);
    assert_int_equal(socket->options.six.source_preferences, PUBLIC | COA);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, PREFERENCES, TEMPORARY), 0);
    assert_int_equal(socket->options.six.source_preferences, TEMPORARY | COA);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void the_mtu_is_that_of_the_path_of_a_connected_socket(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct socket *socket = make6(&host, SOCK_DGRAM, 0);
    int mtu = 0;
    socklen_t length = sizeof mtu;
    (void)state;
    assert_int_equal(ip6_option_give_mtu(host.stack, socket, &mtu, &length), -ENOTCONN);
    assert_int_equal(socket_connect(host.stack, socket, PEER6, 9), 0);
    assert_int_equal(ip6_option_give_mtu(host.stack, socket, &mtu, &length), 0);
    assert_int_equal(mtu, 1500);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void icmp6s_filter_is_of_raw_sockets_of_icmp6(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host, SOCK_RAW, IPPROTO_ICMPV6);
    struct icmp6_filter filter, told;
    socklen_t length = sizeof told;
    (void)state;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    assert_int_equal(
        socket_set_option(host.stack, socket, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter), 0);
    assert_int_equal(socket_get_option(host.stack, socket, IPPROTO_ICMPV6, ICMP6_FILTER, &told, &length), 0);
    assert_memory_equal(&told, &filter, sizeof filter);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_take_what_linux_takes),
        cmocka_unit_test(v6only_is_said_before_the_socket_is_bound),
        cmocka_unit_test(of_each_pair_of_preferences_one_is_chosen),
        cmocka_unit_test(the_mtu_is_that_of_the_path_of_a_connected_socket),
        cmocka_unit_test(icmp6s_filter_is_of_raw_sockets_of_icmp6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
