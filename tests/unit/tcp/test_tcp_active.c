/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_active.c - connections at rest: tcp_active.c.
 */
#include "tests/unit/pair.h"
#include <errno.h>

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

/* What the pools give for it: connection and socket. tests/bench has a million of them. */
static void an_idle_connection_takes_less_than_a_kilobyte(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 10 * MS);
    cable_run(&pair.cable, 5 * SECOND);
    assert_int_equal(flights(&pair.cable), 0);
    assert_in_range(pair.a.stack->connections.object_bytes + pair.a.stack->sockets.object_bytes, 1, 1000);
    socket_release(pair.a.stack, pair.client);
    socket_release(pair.b.stack, pair.server);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_takes_less_than_a_kilobyte),
        cmocka_unit_test(idle_connection_rests),
        cmocka_unit_test(rest_ends_when_there_is_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
