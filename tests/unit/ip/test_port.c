/* SPDX-License-Identifier: MIT */
/*
 * test_port.c - which ports are taken, and which is picked: port.c.
 */
#include "tests/unit/life.h"
#include <errno.h>

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

/* Ports of connections to one destination, until one comes back. */
static unsigned ports_until_one_comes_back(struct host *host, uint16_t port) {
    static uint8_t seen[65536];
    memset(seen, 0, sizeof seen);
    for (unsigned i = 0;; i++) {
        uint16_t local = open_and_leave(host, port).source_port;
        assert_in_range(local, 32768, 60999);
        assert_int_equal(local % 2, 0); /* the others are for bind(2) */
        if (seen[local])
            return i;
        seen[local] = 1;
    }
}

static void port_comes_back_after_the_whole_range(void **state) {
    (void)state;
    struct host host = host_begin();
    /* 28,232 ports; steps of 2 to 16, 9 on average. */
    assert_true(ports_until_one_comes_back(&host, 80) > 2500);
    assert_true(ports_until_one_comes_back(&host, 81) > 2500);
    host_destroy(&host);
}

static void ports_of_a_destination_do_not_tell_those_of_another(void **state) {
    (void)state;
    struct host host = host_begin();
    unsigned near = 0;
    for (uint16_t port = 1000; port < 1100; port++) {
        int distance =
            open_and_leave(&host, port).source_port - open_and_leave(&host, port + 1000).source_port;
        near += distance > -100 && distance < 100;
    }
    assert_true(near < 10);
    host_destroy(&host);
}

static void ports_of_the_next_stack_go_on(void **state) {
    (void)state;
    uint16_t before = 0;
    for (int i = 0; i < 5; i++) {
        struct host host = host_begin();
        uint16_t first = open_and_leave(&host, 80).source_port, last = first;
        if (i > 0 && first > before) /* not wrapped */
            assert_in_range(first, before + 1, before + 500);
        for (int more = 0; more < 20; more++)
            last = open_and_leave(&host, 80).source_port;
        before = last;
        host_destroy(&host);
        now += SECOND;
    }
}

static void ports_are_shared_between_destinations_and_all_of_them_are_found(void **state) {
    (void)state;
    struct host host = host_begin();
    assert_int_equal(sysctl_set_all(&host.stack->sysctl, "net.ipv4.ip_local_port_range=40000 40006", NULL),
                     0);
    for (uint16_t port = 80; port < 82; port++) {
        unsigned seen = 0;
        for (int i = 0; i < 7; i++) {
            struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
            assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), port), -EINPROGRESS);
            seen |= 1u << (socket->tcp->binding.port - 40000);
        }
        assert_int_equal(seen, 127);
        struct socket *eighth = make_socket(&host, SOCK_STREAM, 0, 0);
        assert_int_equal(socket_connect(host.stack, eighth, ip_from_v4(HOST_B), port), -EADDRNOTAVAIL);
    }
    host_destroy(&host);
}

static void port_of_a_bound_socket_is_picked_for_nobody_else(void **state) {
    (void)state;
    struct host host = host_begin();
    assert_int_equal(sysctl_set_all(&host.stack->sysctl, "net.ipv4.ip_local_port_range=40000 40002", NULL),
                     0);
    make_socket(&host, SOCK_STREAM, 0, 40000);
    struct socket *any = make_socket(&host, SOCK_STREAM, 0, 0);
    assert_int_equal(socket_bind(host.stack, any, ip_from_v4(0), 0), 0);
    assert_int_equal(any->tcp->binding.port, 40001); /* odd ones first */
    for (int i = 0; i < 2; i++) {
        struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
        assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), (uint16_t)(80 + i)),
                         -EINPROGRESS);
        assert_true(socket->tcp->binding.port == 40001 || socket->tcp->binding.port == 40002);
    }
    host_destroy(&host);
}

static bool may_pick(struct host *host, uint16_t destination) {
    struct socket *socket = make_socket(host, SOCK_STREAM, 0, 0);
    int error = socket_connect(host->stack, socket, ip_from_v4(HOST_B), destination);
    assert_true(error == -EINPROGRESS || error == -EADDRNOTAVAIL);
    socket_release(host->stack, socket);
    return error == -EINPROGRESS;
}

static void a_port_is_owned_from_bind_or_listen_on_until_it_is_left(void **state) {
    (void)state;
    struct host host = host_begin();
    assert_int_equal(sysctl_set_all(&host.stack->sysctl, "net.ipv4.ip_local_port_range=40000 40000", NULL),
                     0);
    assert_true(may_pick(&host, 80));
    struct socket *bound = make_socket(&host, SOCK_STREAM, 0, 40000);
    assert_false(may_pick(&host, 81));
    assert_int_equal(socket_listen(host.stack, bound, 1), 0);
    assert_false(may_pick(&host, 82));
    socket_release(host.stack, bound);
    assert_true(may_pick(&host, 83));
    struct socket *listener = make_socket(&host, SOCK_STREAM, 0, 0); /* its port is picked for it */
    assert_int_equal(socket_listen(host.stack, listener, 1), 0);
    assert_int_equal(listener->tcp->binding.port, 40000);
    assert_false(may_pick(&host, 84));
    assert_int_equal(socket_disconnect(host.stack, listener), 0);
    assert_true(may_pick(&host, 85));
    socket_release(host.stack, listener);
    struct socket *datagrams = make_socket(&host, SOCK_DGRAM, 0, 40000); /* UDP's ports are others */
    assert_true(may_pick(&host, 86));
    socket_release(host.stack, datagrams);
    host_run(&host, 300 * SECOND);
    assert_int_equal(host.stack->ports.owners[40000], 0);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_follow_linux_rules_of_reuse),
        cmocka_unit_test(picked_ports_are_ephemeral_and_differ),
        cmocka_unit_test(port_comes_back_after_the_whole_range),
        cmocka_unit_test(ports_of_a_destination_do_not_tell_those_of_another),
        cmocka_unit_test(ports_of_the_next_stack_go_on),
        cmocka_unit_test(ports_are_shared_between_destinations_and_all_of_them_are_found),
        cmocka_unit_test(port_of_a_bound_socket_is_picked_for_nobody_else),
        cmocka_unit_test(a_port_is_owned_from_bind_or_listen_on_until_it_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
