/* SPDX-License-Identifier: MIT */
/*
 * test_socket_option_multicast6.c - membership in groups of IPv6: socket_option_multicast6.c.
 */
#include "stack/socket_option_multicast6.h"
#include "tests/unit/option.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <netinet/in.h>

static struct socket *make6(struct host *host, int type) {
    struct socket *socket = make_socket(host, type, 0, 0);
    socket_set_family(socket, true);
    return socket;
}

static int say(struct host *host, struct socket *socket, int name, const void *value, size_t length) {
    return socket_set_option(host->stack, socket, IPPROTO_IPV6, name, value, (socklen_t)length);
}

static struct sockaddr_storage place(const char *address) {
    struct sockaddr_storage storage = {0};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    memcpy(&six.sin6_addr, v6(address).bytes, 16);
    memcpy(&storage, &six, sizeof six);
    return storage;
}

static void who_joins_a_group_is_a_member_until_it_leaves(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host, SOCK_DGRAM), *stream = make6(&host, SOCK_STREAM);
    struct ipv6_mreq request = {0}, none = {0};
    (void)state;
    memcpy(&request.ipv6mr_multiaddr, v6("ff02::7777").bytes, 16);
    memcpy(&none.ipv6mr_multiaddr, v6("fe80::1").bytes, 16);
    assert_int_equal(say(&host, stream, IPV6_JOIN_GROUP, &request, sizeof request), -EPROTO);
    assert_int_equal(say(&host, socket, IPV6_JOIN_GROUP, &request, sizeof request - 1), -EINVAL);
    assert_int_equal(say(&host, socket, IPV6_JOIN_GROUP, &none, sizeof none), -EINVAL);
    assert_int_equal(say(&host, socket, IPV6_JOIN_GROUP, &request, sizeof request), 0);
    assert_int_equal(say(&host, socket, IPV6_JOIN_GROUP, &request, sizeof request), -EADDRINUSE);
    assert_true(multicast_wants(host.stack, v6("ff02::7777"), PEER6));
    assert_int_equal(say(&host, socket, IPV6_LEAVE_GROUP, &request, sizeof request), 0);
    assert_int_equal(say(&host, socket, IPV6_LEAVE_GROUP, &request, sizeof request), -EADDRNOTAVAIL);
    assert_false(multicast_wants(host.stack, v6("ff02::7777"), PEER6));
    request.ipv6mr_interface = 99;
    assert_int_equal(say(&host, socket, IPV6_JOIN_GROUP, &request, sizeof request), -ENODEV);
    socket_release(host.stack, socket);
    socket_release(host.stack, stream);
    host_destroy(&host);
}

static void sources_are_included_or_blocked_not_both(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host, SOCK_DGRAM);
    struct group_source_req request = {.gsr_group = place("ff02::7777"), .gsr_source = place("fe80::2")};
    struct group_req group = {.gr_group = place("ff02::7777")};
    (void)state;
    assert_int_equal(say(&host, socket, MCAST_JOIN_SOURCE_GROUP, &request, sizeof request), 0);
    assert_true(multicast_wants(host.stack, v6("ff02::7777"), v6("fe80::2")));
    assert_false(multicast_wants(host.stack, v6("ff02::7777"), v6("fe80::3")));
    assert_int_equal(say(&host, socket, MCAST_BLOCK_SOURCE, &request, sizeof request), -EINVAL);
    assert_int_equal(say(&host, socket, MCAST_LEAVE_SOURCE_GROUP, &request, sizeof request), 0);
    assert_int_equal(say(&host, socket, MCAST_JOIN_GROUP, &group, sizeof group), 0);
    assert_int_equal(say(&host, socket, MCAST_BLOCK_SOURCE, &request, sizeof request), 0);
    assert_false(multicast_wants(host.stack, v6("ff02::7777"), v6("fe80::2")));
    assert_true(multicast_wants(host.stack, v6("ff02::7777"), v6("fe80::3")));
    assert_int_equal(say(&host, socket, MCAST_UNBLOCK_SOURCE, &request, sizeof request), 0);
    assert_true(multicast_wants(host.stack, v6("ff02::7777"), v6("fe80::2")));
    request.gsr_source.ss_family = AF_INET;
    assert_int_equal(say(&host, socket, MCAST_BLOCK_SOURCE, &request, sizeof request), -EADDRNOTAVAIL);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void a_filter_is_set_and_read_whole_as_far_as_there_is_room(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host, SOCK_DGRAM);
    struct group_req group = {.gr_group = place("ff02::7777")};
    uint8_t bytes[GROUP_FILTER_SIZE(4)] = {0};
    struct group_filter *filter = (struct group_filter *)bytes;
    socklen_t length = GROUP_FILTER_SIZE(1);
    (void)state;
    *filter = (struct group_filter){.gf_group = place("ff02::7777"),
                                    .gf_fmode = MCAST_INCLUDE,
                                    .gf_numsrc = 2,
                                    .gf_slist = {place("fe80::2")}};
    filter->gf_slist[1] = place("fe80::3");
    assert_int_equal(say(&host, socket, MCAST_MSFILTER, bytes, sizeof bytes), -EINVAL); /* no member */
    assert_int_equal(say(&host, socket, MCAST_JOIN_GROUP, &group, sizeof group), 0);
    assert_int_equal(say(&host, socket, MCAST_MSFILTER, bytes, GROUP_FILTER_SIZE(1)), -EINVAL);
    assert_int_equal(say(&host, socket, MCAST_MSFILTER, bytes, GROUP_FILTER_SIZE(2)), 0);
    filter->gf_fmode = 7;
    filter->gf_numsrc = 4;
    assert_int_equal(multicast6_option_get_filter(host.stack, socket, bytes, &length), 0);
    assert_int_equal(filter->gf_fmode, MCAST_INCLUDE);
    assert_int_equal(filter->gf_numsrc, 2);
    assert_int_equal(length, GROUP_FILTER_SIZE(1));
    assert_memory_equal(&((struct sockaddr_in6 *)&filter->gf_slist[0])->sin6_addr, v6("fe80::2").bytes, 16);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void the_interface_is_the_one_that_there_is(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host, SOCK_DGRAM), *stream = make6(&host, SOCK_STREAM);
    int index = (int)stack_interface_index(host.stack);
    (void)state;
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, index + 5), -ENODEV);
    assert_int_equal(set_option(&host, socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, index), 0);
    assert_int_equal(set_option(&host, stream, IPPROTO_IPV6, IPV6_MULTICAST_IF, index), -ENOPROTOOPT);
    assert_int_equal(option_get(&host, socket, IPPROTO_IPV6, IPV6_MULTICAST_IF), index);
    socket_release(host.stack, socket);
    socket_release(host.stack, stream);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_joins_a_group_is_a_member_until_it_leaves),
        cmocka_unit_test(sources_are_included_or_blocked_not_both),
        cmocka_unit_test(a_filter_is_set_and_read_whole_as_far_as_there_is_room),
        cmocka_unit_test(the_interface_is_the_one_that_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
