/* SPDX-License-Identifier: MIT */
/*
 * test_socket_option_ip.c - options of IPPROTO_IP, IPPROTO_UDP and SOL_RAW: socket_option_ip.c.
 */
#include "stack/socket_option_ip.h"
#include "tests/unit/option.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>

static const struct option_case cases[] = {
    {IP_TTL, 0, -EINVAL, 64},
    {IP_TTL, 255, 0, 255},
    {IP_TTL, 256, -EINVAL, 255},
    {IP_TTL, -1, 0, 64},
    {IP_TOS, 0xb9, 0, 0xb9},
    {IP_MULTICAST_TTL, 7, 0, 7},
    {IP_MULTICAST_TTL, -1, 0, 1},
    {IP_MULTICAST_TTL, 256, -EINVAL, 1},
    {IP_MULTICAST_LOOP, 0, 0, 0},
    {IP_MULTICAST_ALL, 2, -EINVAL, 1},
    {IP_MULTICAST_ALL, 0, 0, 0},
    {IP_MINTTL, 256, -EINVAL, 0},
    {IP_MINTTL, 200, 0, 200},
    {IP_MTU_DISCOVER, 6, -EINVAL, IP_PMTUDISC_WANT},
    {IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, 0, IP_PMTUDISC_PROBE},
    {IP_RECVTTL, 3, 0, 1},
    {IP_PKTINFO, 1, 0, 1},
    {IP_FREEBIND, 1, 0, 1},
};

static void options_take_what_linux_takes(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    (void)state;
    ASSERT_OPTIONS(&host, socket, IPPROTO_IP, cases);
    assert_int_equal(set_option(&host, socket, IPPROTO_IP, 9999, 1), -ENOPROTOOPT);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void the_ecn_bits_of_a_connection_are_tcps(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
    (void)state;
    assert_int_equal(set_option(&host, socket, IPPROTO_IP, IP_TOS, 0xbb), 0);
    assert_int_equal(option_get(&host, socket, IPPROTO_IP, IP_TOS), 0xb8);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void membership_is_of_a_group_and_of_datagram_sockets(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0),
                  *stream = make_socket(&host, SOCK_STREAM, 0, 0);
    struct ip_mreqn request = {.imr_multiaddr.s_addr = htonl(0xefff0001)};
    struct ip_address group = ip_from_v4(0xefff0001);
    (void)state;
    assert_int_equal(
        socket_set_option(host.stack, stream, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request),
        -EPROTO);
    assert_int_equal(socket_set_option(host.stack, socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 4),
                     -EINVAL);
    assert_int_equal(
        socket_set_option(host.stack, socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request), 0);
    assert_non_null(multicast_get_filter(socket, group));
    assert_int_equal(
        socket_set_option(host.stack, socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request),
        -EADDRINUSE);
    request.imr_address.s_addr = htonl(HOST_B); /* of no interface of ours */
    assert_int_equal(
        socket_set_option(host.stack, socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request),
        -ENODEV);
    request.imr_address.s_addr = 0;
    assert_int_equal(
        socket_set_option(host.stack, socket, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request), 0);
    assert_null(multicast_get_filter(socket, group));
    request.imr_multiaddr.s_addr = htonl(HOST_B);
    assert_int_equal(
        socket_set_option(host.stack, socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request),
        -EINVAL);
    socket_release(host.stack, socket);
    socket_release(host.stack, stream);
    host_destroy(&host);
}

static void sources_are_added_to_a_filter_and_read_again(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct ip_mreq_source source = {.imr_multiaddr.s_addr = htonl(0xefff0001),
                                    .imr_sourceaddr.s_addr = htonl(HOST_B)};
    struct {
        struct ip_msfilter head;
        struct in_addr more[3];
    } filter = {.head = {.imsf_multiaddr.s_addr = htonl(0xefff0001), .imsf_numsrc = 4}};
    socklen_t length = sizeof filter;
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        source.imr_sourceaddr.s_addr = htonl(HOST_B + i);
        assert_int_equal(socket_set_option(host.stack, socket, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &source,
                                           sizeof source),
                         0);
    }
    assert_int_equal(
        socket_set_option(host.stack, socket, IPPROTO_IP, IP_BLOCK_SOURCE, &source, sizeof source),
        -EINVAL); /* it includes */
    assert_int_equal(socket_get_option(host.stack, socket, IPPROTO_IP, IP_MSFILTER, &filter, &length), 0);
    assert_int_equal(filter.head.imsf_fmode, MCAST_INCLUDE);
    assert_int_equal(filter.head.imsf_numsrc, 2);
    assert_int_equal(length, IP_MSFILTER_SIZE(2));
    assert_int_equal(filter.head.imsf_slist[0].s_addr, htonl(HOST_B));
    assert_int_equal(filter.more[0].s_addr, htonl(HOST_B + 1));
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void udp_segment_is_a_length_and_gro_a_flag(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    static const struct option_case udp[] = {
        {UDP_SEGMENT, 65536, -EINVAL, 0}, {UDP_SEGMENT, 1200, 0, 1200}, {UDP_GRO, 2, 0, 1}};
    (void)state;
    ASSERT_OPTIONS(&host, socket, IPPROTO_UDP, udp);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_take_what_linux_takes),
        cmocka_unit_test(the_ecn_bits_of_a_connection_are_tcps),
        cmocka_unit_test(membership_is_of_a_group_and_of_datagram_sockets),
        cmocka_unit_test(sources_are_added_to_a_filter_and_read_again),
        cmocka_unit_test(udp_segment_is_a_length_and_gro_a_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
