/* SPDX-License-Identifier: MIT */
/*
 * test_tcp.c - whole transfers between two stacks: tcp.c.
 */
#include "tests/unit/pair.h"
#include <errno.h>

static void clean_transfer_is_whole_and_retransmits_nothing(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, MS / 10);
    transfer(&pair, pair.client, pair.server, true, 3000000, 30 * SECOND);
    transfer(&pair, pair.server, pair.client, false, 3000000, 30 * SECOND);
    assert_int_equal(pair.a.stack->mib.TcpRetransSegs, 0);
    assert_int_equal(pair.b.stack->mib.TcpRetransSegs, 0);
    socket_release(pair.a.stack, pair.client);
    cable_run(&pair.cable, 10 * MS);
    socket_release(pair.b.stack, pair.server);
    pair_close(&pair);
}

struct loss {
    uint32_t seed;
    uint32_t per_thousand;
};

static bool random_loss(const struct seen *seen, bool from_a, void *context) {
    struct loss *loss = context;
    (void)from_a;
    if (wire_get16(seen->bytes + 12) != ETHER_TYPE_IP)
        return false;
    loss->seed = loss->seed * 1664525 + 1013904223;
    return (loss->seed >> 10) % 1000 < loss->per_thousand;
}

static void lossy_transfer_is_whole(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct pair pair;
        struct loss loss = {seed, 50};
        pair_open(&pair, 5 * MS);
        pair.cable.loses = random_loss;
        pair.cable.context = &loss;
        transfer(&pair, pair.client, pair.server, true, 300000, 600 * SECOND);
        transfer(&pair, pair.server, pair.client, false, 300000, 600 * SECOND);
        assert_true(pair.a.stack->mib.TcpRetransSegs > 0);
        socket_release(pair.a.stack, pair.client);
        cable_run(&pair.cable, 10 * SECOND);
        socket_release(pair.b.stack, pair.server);
        pair_close(&pair);
    }
}

static bool lose_nth_data(const struct seen *seen, bool from_a, void *context) {
    int *left = context;
    return from_a && seen->length > 1000 && --*left == 0;
}

static void single_loss_is_repaired_by_fast_retransmit(void **state) {
    (void)state;
    struct pair pair;
    int left = 20;
    pair_open(&pair, 10 * MS);
    pair.cable.loses = lose_nth_data;
    pair.cable.context = &left;
    uint64_t took = transfer(&pair, pair.client, pair.server, true, 400000, 10 * SECOND);
    assert_int_equal(pair.a.stack->mib.TcpExtTCPFastRetrans, 1);
    assert_int_equal(pair.a.stack->mib.TcpExtTCPTimeouts, 0);
    assert_int_equal(pair.a.stack->mib.TcpRetransSegs, 1);
    assert_true(took < 400 * MS);
    socket_release(pair.a.stack, pair.client);
    socket_release(pair.b.stack, pair.server);
    pair_close(&pair);
}

static void connection_to_own_address_needs_no_wire(void **state) {
    (void)state;
    struct host a = host_create(HOST_A, 1500);
    struct socket *listener, *client, *server;
    char buffer[6] = "";
    host_discard(&a);
    socket_create(a.stack, SOCK_STREAM, 0, &listener);
    socket_bind(a.stack, listener, ip_from_v4(0), 80);
    socket_listen(a.stack, listener, 1);
    socket_create(a.stack, SOCK_STREAM, 0, &client);
    assert_int_equal(socket_connect(a.stack, client, ip_from_v4(HOST_A), 80), -EINPROGRESS);
    host_run(&a, MS);
    assert_int_equal(socket_connect(a.stack, client, ip_from_v4(HOST_A), 80), 0);
    assert_int_equal(socket_accept(a.stack, listener, &server), 0);
    assert_int_equal(send_bytes(&a, client, "hello", 5, 0), 5);
    host_run(&a, MS);
    assert_int_equal(receive_bytes(&a, server, buffer, sizeof buffer, 0), 5);
    assert_string_equal(buffer, "hello");
    assert_null(stack_frame(a.stack, 0));
    socket_release(a.stack, client);
    socket_release(a.stack, server);
    socket_release(a.stack, listener);
    assert_nothing_left(&a);
    host_destroy(&a);
}

static void many_connections_leave_nothing_behind(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, MS / 10);
    for (int i = 0; i < 300; i++) {
        struct socket *client, *server;
        socket_create(pair.a.stack, SOCK_STREAM, 0, &client);
        assert_int_equal(socket_connect(pair.a.stack, client, ip_from_v4(HOST_B), 80), -EINPROGRESS);
        cable_run(&pair.cable, 2 * MS);
        assert_int_equal(socket_accept(pair.b.stack, pair.listener, &server), 0);
        send_bytes(&pair.a, client, "x", 1, 0);
        cable_run(&pair.cable, MS);
        if (i % 2) {
            char byte;
            receive_bytes(&pair.b, server, &byte, 1, 0);
        }
        socket_release(i % 3 ? pair.b.stack : pair.a.stack, i % 3 ? server : client);
        cable_run(&pair.cable, MS);
        socket_release(i % 3 ? pair.a.stack : pair.b.stack, i % 3 ? client : server);
    }
    socket_release(pair.a.stack, pair.client);
    socket_release(pair.b.stack, pair.server);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_transfer_is_whole_and_retransmits_nothing),
        cmocka_unit_test(lossy_transfer_is_whole),
        cmocka_unit_test(single_loss_is_repaired_by_fast_retransmit),
        cmocka_unit_test(connection_to_own_address_needs_no_wire),
        cmocka_unit_test(many_connections_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
