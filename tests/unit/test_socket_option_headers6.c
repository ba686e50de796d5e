/* SPDX-License-Identifier: MIT */
/*
 * test_socket_option_headers6.c - extension headers, RFC 2292's forms and the MTU of an AF_INET6 socket:
 * socket_option_headers6.c.
 */
#include "stack/socket_option_headers6.h"
#include "tests/unit/option.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <netinet/in.h>

static struct socket *make6(struct host *host) {
    struct socket *socket = make_socket(host, SOCK_DGRAM, 0, 0);
    socket_set_family(socket, true);
    return socket;
}

static int say(struct host *host, struct socket *socket, int name, const void *value, size_t length) {
    return socket_set_option(host->stack, socket, IPPROTO_IPV6, name, value, (socklen_t)length);
}

static void a_header_is_whole_and_read_as_it_was_given(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host);
    static const int names[] = {IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_DSTOPTS};
    const uint8_t header[16] = {0, 1, 1, 12};
    uint8_t told[32];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        socklen_t length = sizeof told;
        assert_int_equal(say(&host, socket, names[i], header, 8), -EINVAL); /* it says that it is longer */
        assert_int_equal(say(&host, socket, names[i], header, 15), -EINVAL);
        assert_int_equal(say(&host, socket, names[i], header, 16), 0);
        assert_int_equal(socket_get_option(host.stack, socket, IPPROTO_IPV6, names[i], told, &length), 0);
        assert_int_equal(length, 16);
        assert_memory_equal(told, header, 16);
        assert_int_equal(say(&host, socket, names[i], header, 0), 0); /* none any more */
        length = sizeof told;
        assert_int_equal(socket_get_option(host.stack, socket, IPPROTO_IPV6, names[i], told, &length), 0);
        assert_int_equal(length, 0);
    }
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void a_header_that_is_too_long_for_a_packet_of_ours_is_refused(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host);
    uint8_t header[IP6_EXTENSIONS_MAX + 8] = {0, IP6_EXTENSIONS_MAX / 8, 1, IP6_EXTENSIONS_MAX + 4};
    (void)state;
    assert_int_equal(say(&host, socket, IPV6_DSTOPTS, header, sizeof header), -ENOBUFS);
    header[1]--;
    assert_int_equal(say(&host, socket, IPV6_DSTOPTS, header, sizeof header), 0);
    assert_int_equal(socket->filters->six.extensions.options.length, IP6_EXTENSIONS_MAX);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void a_routing_header_is_of_type_2(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host);
    uint8_t header[24] = {0, 2, 2, 1};
    (void)state;
    assert_int_equal(say(&host, socket, IPV6_RTHDR, header, sizeof header), 0);
    header[2] = 0;
    assert_int_equal(say(&host, socket, IPV6_RTHDR, header, sizeof header), -EINVAL);
    header[2] = 2;
    header[3] = 0;
    assert_int_equal(say(&host, socket, IPV6_RTHDR, header, sizeof header), -EINVAL);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void old_forms_are_flags_of_their_own(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host);
    (void)state;
    assert_int_equal(option_get(&host, socket, IPPROTO_IPV6, IPV6_2292HOPLIMIT), 0);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, IPV6_2292HOPLIMIT, 1), 0);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, IPV6_2292PKTINFO, 1), 0);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, IPV6_2292HOPLIMIT, 0), 0);
    assert_int_equal(option_get(&host, socket, IPPROTO_IPV6, IPV6_2292HOPLIMIT), 0);
    assert_int_equal(option_get(&host, socket, IPPROTO_IPV6, IPV6_2292PKTINFO), 1);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void the_mtu_is_no_less_than_ipv6s_least_and_the_paths_is_only_read(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct socket *socket = make6(&host);
    struct ip6_mtuinfo info;
    socklen_t length = sizeof info;
    (void)state;
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, IPV6_MTU, 1279), -EINVAL);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, IPV6_MTU, 1280), 0);
    assert_int_equal(socket_mtu6(socket), 1280);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, IPV6_PATHMTU, 1280), -ENOPROTOOPT);
    assert_int_equal(socket_get_option(host.stack, socket, IPPROTO_IPV6, IPV6_PATHMTU, &info, &length),
                     -ENOTCONN);
    assert_int_equal(socket_connect(host.stack, socket, PEER6, 9), 0);
    length = sizeof info - 1;
    assert_int_equal(socket_get_option(host.stack, socket, IPPROTO_IPV6, IPV6_PATHMTU, &info, &length),
                     -EINVAL);
    length = sizeof info;
    assert_int_equal(socket_get_option(host.stack, socket, IPPROTO_IPV6, IPV6_PATHMTU, &info, &length), 0);
    assert_int_equal(info.ip6m_mtu, 1500);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_whole_and_read_as_it_was_given),
        cmocka_unit_test(a_header_that_is_too_long_for_a_packet_of_ours_is_refused),
        cmocka_unit_test(a_routing_header_is_of_type_2),
        cmocka_unit_test(old_forms_are_flags_of_their_own),
        cmocka_unit_test(the_mtu_is_no_less_than_ipv6s_least_and_the_paths_is_only_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
