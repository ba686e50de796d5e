/* SPDX-License-Identifier: MIT */
/*
 * test_ip6_label.c - ip6_label.c: flow labels are leased, shared, kept for a while and given again.
 */
#include "stack/ip/ip6_label.h"
#include "tests/unit/option.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <netinet/in.h>

static const struct ip6_label_owner one = {100, 1000, false}, another = {200, 1001, false},
                                    root = {1, 0, true};

static struct socket *make6(struct host *host) {
    struct socket *socket = make_socket(host, SOCK_DGRAM, 0, 0);
    socket_set_family(socket, true);
    return socket;
}

static int ask(struct host *host, struct socket *socket, uint8_t action, uint32_t label, uint8_t share,
               const struct ip6_label_owner *owner) {
    struct ip6_label_request request = {
        .destination = PEER6, .action = action, .share = share, .flags = IP6_LABEL_CREATE};
    wire_put32((uint8_t *)&request.label, label);
    return ip6_label_set(host->stack, socket, &request, owner);
}

static int lease(struct host *host, struct socket *socket, uint32_t label, uint8_t share) {
    return ask(host, socket, IP6_LABEL_GET, label, share, &one);
}

static void a_label_is_shared_as_it_was_said(void **state) {
    struct host host = host6_create(false);
    struct socket *a = make6(&host), *b = make6(&host);
    (void)state;
    assert_int_equal(lease(&host, a, 1, IP6_LABEL_EXCLUSIVE), 0);
    assert_int_equal(lease(&host, a, 1, IP6_LABEL_EXCLUSIVE), -EPERM);
    assert_int_equal(lease(&host, b, 1, IP6_LABEL_ANYBODY), -EPERM);
    assert_int_equal(lease(&host, a, 2, IP6_LABEL_ANYBODY), 0);
    assert_int_equal(ask(&host, b, IP6_LABEL_GET, 2, IP6_LABEL_ANYBODY, &another), 0);
    assert_int_equal(ip6_label_users(host.stack, 2), 2);
    for (uint8_t share = IP6_LABEL_PROCESS; share <= IP6_LABEL_USER; share++) {
        assert_int_equal(lease(&host, a, share + 8u, share), 0);
        assert_int_equal(lease(&host, b, share + 8u, share), 0);
        assert_int_equal(ask(&host, b, IP6_LABEL_GET, share + 8u, share, &another), -EPERM);
    }
    assert_int_equal(lease(&host, a, 3, IP6_LABEL_NONE), -EINVAL);
    assert_int_equal(lease(&host, a, 0x100000, IP6_LABEL_ANYBODY), -EINVAL);
    socket_release(host.stack, a);
    socket_release(host.stack, b);
    host_destroy(&host);
}

static void who_has_leased_none_sends_with_any_until_somebody_has_one_alone(void **state) {
    struct host host = host6_create(false);
    struct socket *a = make6(&host), *b = make6(&host);
    (void)state;
    assert_int_equal(lease(&host, a, 2, IP6_LABEL_ANYBODY), 0);
    assert_true(ip6_label_may(host.stack, b, 7));
    assert_int_equal(lease(&host, a, 1, IP6_LABEL_EXCLUSIVE), 0);
    assert_false(ip6_label_may(host.stack, b, 7));
    assert_false(ip6_label_may(host.stack, b, 1));
    assert_true(ip6_label_may(host.stack, b, 0));
    assert_true(ip6_label_may(host.stack, a, 1));
    assert_true(ip6_label_may(host.stack, a, 2));
    socket_release(host.stack, a);
    socket_release(host.stack, b);
    host_destroy(&host);
}

static void a_label_that_was_given_back_is_nobodys_for_a_while(void **state) {
    struct host host = host6_create(false);
    struct socket *a = make6(&host), *b = make6(&host);
    (void)state;
    assert_int_equal(lease(&host, a, 1, IP6_LABEL_EXCLUSIVE), 0);
    assert_int_equal(ask(&host, a, IP6_LABEL_PUT, 1, 0, &one), 0);
    assert_int_equal(ask(&host, a, IP6_LABEL_PUT, 1, 0, &one), -ESRCH);
    assert_int_equal(lease(&host, b, 1, IP6_LABEL_EXCLUSIVE), -EPERM);
    host_run(&host, 7 * SECOND);
    assert_int_equal(lease(&host, b, 2, IP6_LABEL_EXCLUSIVE), 0); /* which looks who has gone */
    assert_int_equal(lease(&host, b, 1, IP6_LABEL_EXCLUSIVE), 0);
    assert_int_equal(ask(&host, a, IP6_LABEL_RENEW, 1, 0, &one), -ESRCH);
    assert_int_equal(ask(&host, a, IP6_LABEL_RENEW, 1, 0, &root), 0);
    socket_release(host.stack, b); /* with its labels */
    host_run(&host, 7 * SECOND);
    assert_int_equal(lease(&host, a, 3, IP6_LABEL_ANYBODY), 0);
    assert_int_equal(ip6_label_users(host.stack, 1), 0);
    assert_true(ip6_label_may(host.stack, a, 99));
    socket_release(host.stack, a);
    host_destroy(&host);
}

static void what_nobody_names_is_chosen_and_told(void **state) {
    struct host host = host6_create(false);
    struct socket *socket = make6(&host);
    struct ip6_label_request request = {
        .destination = PEER6, .share = IP6_LABEL_ANYBODY, .flags = IP6_LABEL_CREATE};
    (void)state;
    assert_int_equal(ip6_label_set(host.stack, socket, &request, &one), 0);
    uint32_t label = wire_get32((const uint8_t *)&request.label);
    assert_in_range(label, 1, IP6_FLOW_LABEL);
    assert_int_equal(ip6_label_users(host.stack, label), 1);
    assert_int_equal(ip6_label_get(host.stack, socket, &request), -ENOENT); /* it is not connected with it */
    request = (struct ip6_label_request){.linger = 100, .destination = PEER6, .share = 1, .flags = 1};
    assert_int_equal(ip6_label_set(host.stack, socket, &request, &one), -EPERM);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void labels_are_bounded(void **state) {
    struct host host = host6_create(false);
    (void)state;
    struct socket *sockets[IP6_LABELS_MAX / IP6_LABELS_OF_SOCKET + 1];
    for (uint32_t i = 0; i < IP6_LABELS_MAX; i++) {
        if (i % IP6_LABELS_OF_SOCKET == 0)
            sockets[i / IP6_LABELS_OF_SOCKET] = make6(&host);
        assert_int_equal(lease(&host, sockets[i / IP6_LABELS_OF_SOCKET], i + 1, IP6_LABEL_EXCLUSIVE), 0);
    }
    assert_int_equal(lease(&host, sockets[0], 1000, IP6_LABEL_EXCLUSIVE), -ENOBUFS);
    sockets[IP6_LABELS_MAX / IP6_LABELS_OF_SOCKET] = make6(&host);
    assert_int_equal(lease(&host, sockets[IP6_LABELS_MAX / IP6_LABELS_OF_SOCKET], 1000, IP6_LABEL_EXCLUSIVE),
                     -ENOBUFS);
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++)
        socket_release(host.stack, sockets[i]);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_label_is_shared_as_it_was_said),
        cmocka_unit_test(who_has_leased_none_sends_with_any_until_somebody_has_one_alone),
        cmocka_unit_test(a_label_that_was_given_back_is_nobodys_for_a_while),
        cmocka_unit_test(what_nobody_names_is_chosen_and_told),
        cmocka_unit_test(labels_are_bounded),
    };
    return cmocka_run_group_tests_name("ip6_label", tests, NULL, NULL);
}
