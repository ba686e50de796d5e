/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_close.c - all ways of closing: tcp_close.c.
 */
#include "tests/unit/pair.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <poll.h>

static void closing_a_listener_resets_who_waits(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    assert_true(knock(&scene, 40000));
    scene.remote++;
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    socket_release(scene.host.stack, scene.listener);
    scene.listener = NULL;
    expect(&scene, TCP_RST | TCP_ACK, scene.local, 0);
    assert_int_equal(scene.host.stack->connections.used, 0);
    scene_end(&scene);
}

static void linger_zero_resets(void **state) {
    (void)state;
    struct scene scene;
    struct linger linger = {1, 0};
    connected(&scene, 65535, MSS);
    socket_set_option(scene.host.stack, scene.socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    socket_release(scene.host.stack, scene.socket);
    scene.socket = NULL;
    expect(&scene, TCP_RST | TCP_ACK, scene.local, 0);
    scene_end(&scene);
}

static void time_wait_answers_a_late_fin_and_gives_way_to_a_new_syn(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    assert_true(knock(&scene, 40000));
    scene.remote++;
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    socket_release(scene.host.stack, scene.socket);
    scene.socket = NULL;
    expect(&scene, TCP_ACK | TCP_FIN, scene.local, 0);
    say(&scene, TCP_ACK | TCP_FIN, scene.remote, scene.local + 1, 65535, NULL, 0);
    expect(&scene, TCP_ACK, scene.local + 1, 0);
    say(&scene, TCP_ACK | TCP_FIN, scene.remote, scene.local + 1, 65535, NULL, 0);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 1);
    while (hear(&scene))
        continue;
    scene.remote += 1000; /* a new incarnation */
    uint32_t last = scene.local + 1;
    assert_true(knock(&scene, 40000));
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 1);
    assert_true(seq_gt(scene.packet.tcp.sequence, last + 65535)); /* however fast the old one was */
    scene_end(&scene);
}

static void orphan_that_gets_data_is_reset(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    socket_release(scene.host.stack, scene.socket);
    scene.socket = NULL;
    expect(&scene, TCP_ACK | TCP_FIN, scene.local, 0);
    say(&scene, TCP_ACK, scene.remote, scene.local + 1, 65535, bytes, 10);
    assert_true(hear(&scene));
    assert_true(scene.packet.tcp.flags & TCP_RST);
    assert_int_equal(scene.host.stack->connections.used, 0);
    scene_end(&scene);
}

static void orphan_in_fin_wait_2_ends_after_a_minute(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    socket_release(scene.host.stack, scene.socket);
    scene.socket = NULL;
    say(&scene, TCP_ACK, scene.remote, scene.local + 1, 65535, NULL, 0);
    host_run(&scene.host, 58 * SECOND);
    assert_int_equal(scene.host.stack->connections.used, 1);
    host_run(&scene.host, 3 * SECOND);
    assert_int_equal(scene.host.stack->connections.used, 0);
    scene_end(&scene);
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
    assert_int_equal(pair.a.stack->time_wait_count, 1);
    cable_run(&pair.cable, 59 * SECOND);
    assert_int_equal(pair.a.stack->connections.used, 0); /* it is compact */
    assert_int_equal(pair.a.stack->time_wait_count, 1);
    cable_run(&pair.cable, 2 * SECOND);
    assert_int_equal(pair.a.stack->time_wait_count, 0);
    assert_false(stack_busy(pair.a.stack));
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

/* Opens a connection to the listener and closes it from our side; the peer has acknowledged our FIN. */
static void open_and_close(struct scene *scene, uint16_t port, bool peer_closes) {
    scene->remote_port = port;
    scene->remote = PEER_ISS;
    say(scene, TCP_SYN, scene->remote++, 0, 65535, NULL, 0);
    assert_true(hear(scene));
    scene->local = scene->packet.tcp.sequence + 1;
    say(scene, TCP_ACK, scene->remote, scene->local, 65535, NULL, 0);
    assert_int_equal(socket_accept(scene->host.stack, scene->listener, &scene->socket), 0);
    socket_release(scene->host.stack, scene->socket);
    scene->socket = NULL;
    assert_true(hear(scene));
    if (scene->packet.tcp.flags & TCP_RST)
        return;
    say(scene, TCP_ACK, scene->remote, scene->local + 1, 65535, NULL, 0);
    if (peer_closes)
        say(scene, TCP_FIN | TCP_ACK, scene->remote++, scene->local + 1, 65535, NULL, 0);
    host_run(&scene->host, MS);
    peer_introduce(&scene->host);
}

static void orphans_and_time_waits_are_bounded(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    tune(&scene, "net.ipv4.tcp_max_orphans=7,net.ipv4.tcp_max_tw_buckets=5");
    for (uint16_t port = 1000; port < 1050; port++)
        open_and_close(&scene, port, false);
    assert_int_equal(scene.host.stack->orphan_count, 7);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPAbortOnMemory, 43);
    host_run(&scene.host, 100 * SECOND); /* tcp_fin_timeout */
    assert_int_equal(scene.host.stack->orphan_count, 0);
    peer_introduce(&scene.host);
    for (uint16_t port = 2000; port < 2050; port++)
        open_and_close(&scene, port, true);
    assert_int_equal(scene.host.stack->time_wait_count, 5);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPTimeWaitOverflow, 45);
    scene_end(&scene);
}

static void time_wait_is_ended_by_a_reset_unless_rfc_1337_holds(void **state) {
    (void)state;
    for (uint32_t kept = 0; kept < 2; kept++) {
        struct scene scene;
        listen_on(&scene, 5);
        tune(&scene, kept ? "net.ipv4.tcp_rfc1337=1" : "net.ipv4.tcp_rfc1337=0");
        open_and_close(&scene, 1000, true);
        assert_int_equal(scene.host.stack->time_wait_count, 1);
        say(&scene, TCP_RST, scene.remote, 0, 0, NULL, 0);
        assert_int_equal(scene.host.stack->time_wait_count, kept);
        scene_end(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_a_listener_resets_who_waits),
        cmocka_unit_test(linger_zero_resets),
        cmocka_unit_test(time_wait_answers_a_late_fin_and_gives_way_to_a_new_syn),
        cmocka_unit_test(orphan_that_gets_data_is_reset),
        cmocka_unit_test(orphan_in_fin_wait_2_ends_after_a_minute),
        cmocka_unit_test(four_way_close_goes_through_its_states),
        cmocka_unit_test(simultaneous_close_ends_in_time_wait_on_both_sides),
        cmocka_unit_test(close_with_unread_data_resets),
        cmocka_unit_test(data_accepted_before_close_is_delivered),
        cmocka_unit_test(orphans_and_time_waits_are_bounded),
        cmocka_unit_test(time_wait_is_ended_by_a_reset_unless_rfc_1337_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
