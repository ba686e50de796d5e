/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_isn.c - where numbers begin: tcp_isn.c.
 */
#include "tests/unit/life.h"
#include <errno.h>

static void isn_differs_by_connection_and_grows_with_time(void **state) {
    (void)state;
    uint8_t key[16] = {9, 8, 7};
    uint32_t a = tcp_isn(key, 0, ip_from_v4(HOST_A), 1000, ip_from_v4(HOST_B), 80);
    assert_int_not_equal(a, tcp_isn(key, 0, ip_from_v4(HOST_A), 1001, ip_from_v4(HOST_B), 80));
    assert_int_equal(tcp_isn(key, 64000, ip_from_v4(HOST_A), 1000, ip_from_v4(HOST_B), 80) - a,
                     1000); /* 64 ns each */
    key[0]++;
    assert_int_not_equal(a, tcp_isn(key, 0, ip_from_v4(HOST_A), 1000, ip_from_v4(HOST_B), 80));
}

static void timestamps_grow_over_connections_and_over_stacks(void **state) {
    (void)state;
    struct host host = host_begin();
    uint32_t before = 0;
    for (int i = 0; i < 40; i++) {
        struct tcp_segment syn = open_and_leave(&host, (uint16_t)(80 + i % 3));
        assert_true(syn.has_timestamp);
        if (i > 0)
            assert_int_equal(syn.timestamp - before, 5);
        before = syn.timestamp;
        now += 5 * MS;
        if (i % 10 == 9) {
            host_destroy(&host);
            host = host_begin();
        }
    }
    host_destroy(&host);
}

static void timestamps_of_two_pairs_of_addresses_tell_nothing_of_each_other(void **state) {
    (void)state;
    const uint8_t other[16] = {1};
    uint32_t origin = tcp_timestamp_origin(KEY, ip_from_v4(HOST_A), ip_from_v4(HOST_B));
    assert_int_equal(tcp_timestamp_origin(KEY, ip_from_v4(HOST_A), ip_from_v4(HOST_B)), origin);
    assert_int_not_equal(tcp_timestamp_origin(KEY, ip_from_v4(HOST_A), ip_from_v4(HOST_B + 1)), origin);
    assert_int_not_equal(tcp_timestamp_origin(KEY, ip_from_v4(HOST_B), ip_from_v4(HOST_A)), origin);
    assert_int_not_equal(tcp_timestamp_origin(other, ip_from_v4(HOST_A), ip_from_v4(HOST_B)), origin);
}

static void timestamps_without_a_secret_are_the_clock(void **state) {
    (void)state;
    struct host host = host_begin();
    assert_int_equal(sysctl_set_all(&host.stack->sysctl, "net.ipv4.tcp_timestamps=2", NULL), 0);
    assert_int_equal(open_and_leave(&host, 80).timestamp, (uint32_t)(now / MS));
    host_destroy(&host);
}

static void initial_sequence_numbers_of_a_port_grow_over_stacks(void **state) {
    (void)state;
    uint32_t before = 0;
    for (int i = 0; i < 4; i++) {
        struct host host = host_begin();
        struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 5000);
        assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -EINPROGRESS);
        if (i > 0)
            assert_int_equal(socket->tcp->iss - before, SECOND / 64);
        before = socket->tcp->iss;
        host_destroy(&host);
        now += SECOND;
    }
}

/* Leaves other bytes where the next calls have their variables. */
static __attribute__((noinline)) void leave_bytes(void) {
    volatile uint8_t left[32768];
    for (size_t i = 0; i < sizeof left; i++)
        left[i] = 0x5a;
}

static void a_listener_begins_with_a_number_of_the_clock_too(void **state) {
    static struct packet packet;
    (void)state;
    struct host host = host_begin();
    struct socket *listener = make_socket(&host, SOCK_STREAM, 0, 80);
    assert_int_equal(socket_listen(host.stack, listener, 8), 0);
    for (uint16_t port = 2000; port < 2008; port++) {
        leave_bytes();
        peer_send(&host, port, 80, TCP_SYN, 77, 0, 5000, 1000, NULL, 0);
        assert_true(peer_read(&host, &packet));
        assert_int_equal(packet.tcp.flags, TCP_SYN | TCP_ACK);
        assert_int_equal(packet.tcp.sequence,
                         tcp_isn(KEY, now, ip_from_v4(HOST_A), 80, ip_from_v4(HOST_B), port));
    }
    host_destroy(&host);
}

/* One connection through the cable that the server closes first, as a server that closes after each answer.
 */
static void connect_once(struct cable *cable, struct socket *listener) {
    struct stack *a = cable->a->stack, *b = cable->b->stack;
    struct socket *client, *server;
    char byte;
    assert_int_equal(socket_create(a, SOCK_STREAM, 0, &client), 0);
    assert_int_equal(socket_connect(a, client, ip_from_v4(HOST_B), 80), -EINPROGRESS);
    cable_run(cable, 300000);
    assert_int_equal(client->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(socket_accept(b, listener, &server), 0);
    socket_release(b, server);
    cable_run(cable, 300000);
    assert_int_equal(receive_bytes(cable->a, client, &byte, 1, 0), 0);
    socket_release(a, client);
    cable_run(cable, 300000);
    while (stack_next_event(a) || stack_next_event(b))
        continue;
}

/* So many connections, without a retransmission: each SYN that meets a connection in TIME_WAIT takes its
 * place. A new stack of the client's after every `life` of them. */
static void connect_often(unsigned count, unsigned life) {
    struct host a = host_create_with_key(HOST_A, 1500, KEY), b = host_create(HOST_B, 1500);
    struct cable cable;
    struct socket *listener = make_socket(&b, SOCK_STREAM, 0, 80);
    uint64_t again = 0, begun = now;
    assert_int_equal(socket_listen(b.stack, listener, 16), 0);
    cable_join(&cable, &a, &b, 50000);
    for (unsigned i = 0; i < count; i++) {
        connect_once(&cable, listener);
        if (i % life != life - 1)
            continue;
        again += a.stack->mib.TcpRetransSegs;
        assert_int_equal(a.stack->connections.used, 0); /* TIME_WAIT is the server's */
        cable_cut(&cable);
        host_destroy(&a);
        a = host_create_with_key(HOST_A, 1500, KEY);
    }
    assert_int_equal(again + a.stack->mib.TcpRetransSegs + b.stack->mib.TcpRetransSegs, 0);
    assert_int_equal(b.stack->mib.TcpExtTW, count);
    assert_true(now - begun < count * MS);
    assert_true(b.stack->time_wait_count < count || count < 1000); /* tuples did come back */
    cable_cut(&cable);
    host_destroy(&a);
    host_destroy(&b);
}

static void sixty_thousand_connections_in_a_row_wait_for_no_retransmission(void **state) {
    (void)state;
    connect_often(60000, UINT32_MAX);
}

static void nor_do_those_of_stacks_that_end_and_start_between(void **state) {
    (void)state;
    connect_often(60000, 1000);
    connect_often(200, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(isn_differs_by_connection_and_grows_with_time),
        cmocka_unit_test(timestamps_grow_over_connections_and_over_stacks),
        cmocka_unit_test(timestamps_of_two_pairs_of_addresses_tell_nothing_of_each_other),
        cmocka_unit_test(timestamps_without_a_secret_are_the_clock),
        cmocka_unit_test(initial_sequence_numbers_of_a_port_grow_over_stacks),
        cmocka_unit_test(a_listener_begins_with_a_number_of_the_clock_too),
        cmocka_unit_test(sixty_thousand_connections_in_a_row_wait_for_no_retransmission),
        cmocka_unit_test(nor_do_those_of_stacks_that_end_and_start_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
