/* SPDX-License-Identifier: MIT */
/*
 * test_connection.c - whole connections between two stacks, in virtual time.
 */
#include "tests/unit/host.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    struct host a, b;
    struct cable cable;
    struct socket *client, *server, *listener;
};

static void pair_open(struct pair *pair, uint64_t delay_ns) {
    pair->a = host_create(HOST_A, 1500);
    pair->b = host_create(HOST_B, 1500);
    cable_join(&pair->cable, &pair->a, &pair->b, delay_ns);
    cable_connect(&pair->cable, 80, &pair->client, &pair->server, &pair->listener);
}

static void pair_close(struct pair *pair) {
    socket_release(pair->b.stack, pair->listener);
    cable_run(&pair->cable, 200 * SECOND);
    cable_cut(&pair->cable);
    assert_nothing_left(&pair->a);
    assert_nothing_left(&pair->b);
    host_destroy(&pair->a);
    host_destroy(&pair->b);
}

static uint8_t pattern(size_t at) {
    return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

/* Moves `total` bytes from one socket to the other, checks them, and says how long it took. */
static uint64_t transfer(struct pair *pair, struct socket *from, struct socket *to, bool from_a, size_t total,
                         uint64_t limit_ns) {
    struct host *sender = from_a ? &pair->a : &pair->b, *receiver = from_a ? &pair->b : &pair->a;
    static uint8_t chunk[60000];
    size_t sent = 0, received = 0;
    uint64_t begun = now;
    while (received < total) {
        assert_true(now - begun < limit_ns);
        while (sent < total) {
            size_t length = total - sent < sizeof chunk ? total - sent : sizeof chunk;
            for (size_t i = 0; i < length; i++)
                chunk[i] = pattern(sent + i);
            ssize_t result = send_bytes(sender, from, chunk, length, 0);
            if (result == -EAGAIN)
                break;
            assert_true(result > 0);
            sent += (size_t)result;
        }
        cable_run(&pair->cable, pair->cable.delay_ns + MS);
        for (;;) {
            ssize_t result = receive_bytes(receiver, to, chunk, sizeof chunk, 0);
            if (result == -EAGAIN)
                break;
            assert_true(result > 0);
            for (ssize_t i = 0; i < result; i++)
                assert_int_equal(chunk[i], pattern(received + (size_t)i));
            received += (size_t)result;
        }
    }
    return now - begun;
}

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

static void four_way_close_goes_through_its_states(void **state) {
    (void)state;
    struct pair pair;
    char byte;
    pair_open(&pair, MS);
    assert_int_equal(socket_shutdown(pair.a.stack, pair.client, SHUT_WR), 0);
    assert_int_equal(pair.client->tcp->state, TCP_FIN_WAIT1);
    cable_run(&pair.cable, 100 * MS);
    assert_int_equal(pair.client->tcp->state, TCP_FIN_WAIT2);
    assert_int_equal(pair.server->tcp->state, TCP_CLOSE_WAIT);
    assert_int_equal(receive_bytes(&pair.b, pair.server, &byte, 1, 0), 0);
    /* Half closed: the other direction still carries data. */
    transfer(&pair, pair.server, pair.client, false, 100000, SECOND);
    socket_release(pair.b.stack, pair.server);
    cable_run(&pair.cable, 100 * MS);
    assert_int_equal(pair.client->tcp->state, TCP_TIME_WAIT);
    assert_int_equal(receive_bytes(&pair.a, pair.client, &byte, 1, 0), 0);
    assert_int_equal(pair.b.stack->connections.used, 1); /* the listener */
    socket_release(pair.a.stack, pair.client);
    assert_int_equal(pair.a.stack->connections.used, 1);
    cable_run(&pair.cable, 59 * SECOND);
    assert_int_equal(pair.a.stack->connections.used, 1);
    cable_run(&pair.cable, 2 * SECOND);
    assert_int_equal(pair.a.stack->connections.used, 0);
    pair_close(&pair);
}

static void simultaneous_close_ends_in_time_wait_on_both_sides(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 5 * MS);
    socket_shutdown(pair.a.stack, pair.client, SHUT_WR);
    socket_shutdown(pair.b.stack, pair.server, SHUT_WR);
    cable_run(&pair.cable, 6 * MS);
    assert_int_equal(pair.client->tcp->state, TCP_CLOSING);
    assert_int_equal(pair.server->tcp->state, TCP_CLOSING);
    cable_run(&pair.cable, 20 * MS);
    assert_int_equal(pair.client->tcp->state, TCP_TIME_WAIT);
    assert_int_equal(pair.server->tcp->state, TCP_TIME_WAIT);
    socket_release(pair.a.stack, pair.client);
    socket_release(pair.b.stack, pair.server);
    pair_close(&pair);
}

static void simultaneous_open_makes_one_connection(void **state) {
    (void)state;
    struct pair pair = {.a = host_create(HOST_A, 1500), .b = host_create(HOST_B, 1500)};
    struct socket *a, *b;
    cable_join(&pair.cable, &pair.a, &pair.b, 5 * MS);
    cable_run(&pair.cable, 20 * MS);
    socket_create(pair.a.stack, SOCK_STREAM, 0, &a);
    socket_create(pair.b.stack, SOCK_STREAM, 0, &b);
    assert_int_equal(socket_bind(pair.a.stack, a, ip_from_v4(0), 1000), 0);
    assert_int_equal(socket_bind(pair.b.stack, b, ip_from_v4(0), 2000), 0);
    assert_int_equal(socket_connect(pair.a.stack, a, ip_from_v4(HOST_B), 2000), -EINPROGRESS);
    assert_int_equal(socket_connect(pair.b.stack, b, ip_from_v4(HOST_A), 1000), -EINPROGRESS);
    cable_run(&pair.cable, 100 * MS);
    assert_int_equal(a->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(b->tcp->state, TCP_ESTABLISHED);
    transfer(&pair, a, b, true, 50000, SECOND);
    transfer(&pair, b, a, false, 50000, SECOND);
    socket_release(pair.a.stack, a);
    cable_run(&pair.cable, 100 * MS);
    socket_release(pair.b.stack, b);
    cable_run(&pair.cable, 100 * SECOND);
    cable_cut(&pair.cable);
    assert_nothing_left(&pair.a);
    assert_nothing_left(&pair.b);
    host_destroy(&pair.a);
    host_destroy(&pair.b);
}

static void zero_window_is_probed_and_reopens(void **state) {
    (void)state;
    struct pair pair;
    static uint8_t chunk[65536];
    size_t sent = 0, received = 0;
    ssize_t result;
    pair_open(&pair, MS);
    /* The reader sleeps: the window fills, then the send buffer. */
    for (int i = 0; i < 100; i++) {
        while ((result = send_bytes(&pair.a, pair.client, chunk, sizeof chunk, 0)) > 0)
            sent += (size_t)result;
        cable_run(&pair.cable, 10 * MS);
    }
    assert_int_equal(pair.client->tcp->snd_wnd, 0);
    assert_in_range(pair.server->tcp->receive.length, 65536 - 1023, 65536 + 1023); /* scale 10 */
    cable_run(&pair.cable, 30 * SECOND);
    assert_true(pair.a.stack->mib.TcpExtTCPWinProbe >= 3);
    assert_int_equal(pair.a.stack->mib.TcpRetransSegs, 0);
    while (received < sent) {
        while ((result = receive_bytes(&pair.b, pair.server, chunk, sizeof chunk, 0)) > 0)
            received += (size_t)result;
        cable_run(&pair.cable, 10 * MS);
    }
    assert_int_equal(received, sent);
    socket_release(pair.a.stack, pair.client);
    cable_run(&pair.cable, 10 * MS);
    socket_release(pair.b.stack, pair.server);
    pair_close(&pair);
}

static void close_with_unread_data_resets(void **state) {
    (void)state;
    struct pair pair;
    char byte;
    pair_open(&pair, MS);
    send_bytes(&pair.a, pair.client, "unread", 6, 0);
    cable_run(&pair.cable, 10 * MS);
    socket_release(pair.b.stack, pair.server);
    cable_run(&pair.cable, 10 * MS);
    assert_int_equal(receive_bytes(&pair.a, pair.client, &byte, 1, 0), -ECONNRESET);
    assert_int_equal(receive_bytes(&pair.a, pair.client, &byte, 1, 0), 0);
    assert_int_equal(send_bytes(&pair.a, pair.client, "x", 1, 0), -EPIPE);
    assert_true(socket_poll(pair.a.stack, pair.client) & POLLHUP);
    socket_release(pair.a.stack, pair.client);
    pair_close(&pair);
}

static void data_accepted_before_close_is_delivered(void **state) {
    (void)state;
    struct pair pair;
    static uint8_t chunk[200000];
    size_t received = 0;
    ssize_t result;
    pair_open(&pair, 5 * MS);
    ssize_t sent = send_bytes(&pair.a, pair.client, chunk, sizeof chunk, 0);
    assert_in_range(sent, 80000, sizeof chunk); /* as much as the send buffer takes */
    socket_release(pair.a.stack, pair.client);
    do {
        cable_run(&pair.cable, 5 * MS);
        result = receive_bytes(&pair.b, pair.server, chunk, sizeof chunk, 0);
        received += result > 0 ? (size_t)result : 0;
    } while (result != 0);
    assert_int_equal(received, sent);
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

static uint32_t flights(const struct cable *cable) {
    return cable->a->stack->actives.used + cable->b->stack->actives.used;
}

static void exchange(struct cable *cable, struct socket *client, struct socket *server, uint64_t wait_ns) {
    static char there[30000], back[30000];
    memset(there, (int)(now % 251), sizeof there);
    assert_int_equal(send_bytes(cable->a, client, there, sizeof there, 0), sizeof there);
    cable_run(cable, SECOND / 2);
    assert_int_equal(receive_bytes(cable->b, server, back, sizeof back, 0), sizeof back);
    assert_memory_equal(there, back, sizeof back);
    assert_int_equal(send_bytes(cable->b, server, back, 100, 0), 100);
    cable_run(cable, SECOND / 2);
    assert_int_equal(receive_bytes(cable->a, client, there, 100, 0), 100);
    cable_run(cable, wait_ns);
}

/* What an idle connection does without is given back, and what it has learnt is kept. */
static void idle_connection_rests(void **state) {
    (void)state;
    struct pair pair;
    struct tcp_information before, after;
    pair_open(&pair, 10 * MS);
    assert_int_equal(flights(&pair.cable), 2);
    cable_run(&pair.cable, 4 * SECOND);
    assert_int_equal(flights(&pair.cable), 0);
    exchange(&pair.cable, pair.client, pair.server, 0);
    assert_int_equal(flights(&pair.cable), 2);
    tcp_info_get(pair.a.stack, pair.client->tcp, &before);
    cable_run(&pair.cable, 4 * SECOND);
    assert_int_equal(flights(&pair.cable), 0);
    tcp_info_get(pair.a.stack, pair.client->tcp, &after);
    assert_int_equal(before.rtt, after.rtt);
    assert_int_equal(before.snd_cwnd, after.snd_cwnd);
    assert_int_equal(before.bytes_acked, after.bytes_acked);
    for (int i = 0; i < 20; i++)
        exchange(&pair.cable, pair.client, pair.server, (uint64_t)i * SECOND / 4);
    /* With its end half closed, too, and while data waits to be read. */
    socket_shutdown(pair.a.stack, pair.client, SHUT_WR);
    send_bytes(&pair.b, pair.server, "abc", 3, 0);
    cable_run(&pair.cable, 4 * SECOND);
    assert_int_equal(flights(&pair.cable), 0);
    char text[4];
    assert_int_equal(receive_bytes(&pair.a, pair.client, text, sizeof text, 0), 3);
    assert_int_equal(send_bytes(&pair.b, pair.server, "def", 3, 0), 3);
    cable_run(&pair.cable, SECOND / 2);
    assert_int_equal(receive_bytes(&pair.a, pair.client, text, sizeof text, 0), 3);
    socket_release(pair.a.stack, pair.client);
    socket_release(pair.b.stack, pair.server);
    pair_close(&pair);
}

/* No memory to go on with after a rest: to send fails, what comes is as if it had been lost, and all is well
 * when there is memory again. */
static void rest_ends_when_there_is_memory(void **state) {
    (void)state;
    struct pair pair;
    char text[4];
    pair_open(&pair, 10 * MS);
    cable_run(&pair.cable, 4 * SECOND);
    pair.a.stack->actives.limit = 0;
    assert_int_equal(send_bytes(&pair.a, pair.client, "abc", 3, 0), -ENOBUFS);
    assert_int_equal(send_bytes(&pair.b, pair.server, "abc", 3, 0), 3);
    cable_run(&pair.cable, 5 * SECOND);
    assert_int_equal(receive_bytes(&pair.a, pair.client, text, sizeof text, 0), -EAGAIN);
    socket_shutdown(pair.a.stack, pair.client, SHUT_WR);
    cable_run(&pair.cable, 5 * SECOND);
    pair.a.stack->actives.limit = UINT32_MAX;
    cable_run(&pair.cable, 60 * SECOND);
    assert_int_equal(receive_bytes(&pair.a, pair.client, text, sizeof text, 0), 3);
    assert_int_equal(receive_bytes(&pair.b, pair.server, text, sizeof text, 0), 0);
    socket_release(pair.a.stack, pair.client);
    socket_release(pair.b.stack, pair.server);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_transfer_is_whole_and_retransmits_nothing),
        cmocka_unit_test(lossy_transfer_is_whole),
        cmocka_unit_test(single_loss_is_repaired_by_fast_retransmit),
        cmocka_unit_test(four_way_close_goes_through_its_states),
        cmocka_unit_test(simultaneous_close_ends_in_time_wait_on_both_sides),
        cmocka_unit_test(simultaneous_open_makes_one_connection),
        cmocka_unit_test(zero_window_is_probed_and_reopens),
        cmocka_unit_test(close_with_unread_data_resets),
        cmocka_unit_test(data_accepted_before_close_is_delivered),
        cmocka_unit_test(connection_to_own_address_needs_no_wire),
        cmocka_unit_test(many_connections_leave_nothing_behind),
        cmocka_unit_test(idle_connection_rests),
        cmocka_unit_test(rest_ends_when_there_is_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
