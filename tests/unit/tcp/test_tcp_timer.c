/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_timer.c - what is repeated, and until when: tcp_timer.c.
 */
#include "tests/unit/pair.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <netinet/in.h>

static void unanswered_syn_is_repeated_as_linux_does_for_131_seconds(void **state) {
    (void)state;
    static const uint64_t gaps[] = {1, 1, 1, 1, 1, 2, 4, 8, 16, 32};
    struct scene scene;
    scene_begin(&scene);
    connect_begin(&scene);
    uint64_t begun = now, due = now;
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        due += gaps[i] * SECOND;
        host_run(&scene.host, due - 20 * MS - now);
        peer_introduce(&scene.host); /* the neighbour stays known; what was sent so far is dropped */
        host_run(&scene.host, due + 20 * MS - now);
        expect(&scene, TCP_SYN, scene.local - 1, 0);
        expect_nothing(&scene);
        assert_int_equal(socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80), -EALREADY);
    }
    host_run(&scene.host, 65 * SECOND);
    assert_int_equal(socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80), -ETIMEDOUT);
    assert_in_range((now - begun) / SECOND, 130, 133);
    scene_end(&scene);
}

static void zero_window_is_probed_with_backoff(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 1000, MSS);
    send_bytes(&scene.host, scene.socket, bytes, 5000, 0);
    host_run(&scene.host,
             300 * MS); /* SWS: the first 1,000 bytes leave by the persist timer, or Nagle's rule */
    while (hear(&scene))
        assert_true(scene.packet.tcp.length <= 1000);
    say(&scene, TCP_ACK, scene.remote, scene.local + 1000, 0, NULL, 0);
    uint64_t previous = 0, last = now;
    for (int i = 0; i < 5; i++) {
        while (!hear(&scene))
            host_run(&scene.host, 10 * MS);
        assert_int_equal(scene.packet.tcp.length, 0);
        assert_int_equal(scene.packet.tcp.sequence, scene.local + 999);
        assert_true(now - last >= previous);
        previous = now - last;
        last = now;
        say(&scene, TCP_ACK, scene.remote, scene.local + 1000, 0, NULL, 0);
        peer_introduce(&scene.host);
    }
    assert_true(previous >= 200 * MS);
    say(&scene, TCP_ACK, scene.remote, scene.local + 1000, 65535, NULL, 0);
    expect(&scene, TCP_ACK, scene.local + 1000, MSS);
    scene_end(&scene);
}

static void timeout_backs_off_and_gives_up_after_fifteen(void **state) {
    (void)state;
    struct scene scene;
    uint64_t last = now, gap = 0;
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, "x", 1, 0);
    expect(&scene, TCP_ACK, scene.local, 1);
    for (int i = 0; i < 15; i++) {
        for (int wait = 0; !hear(&scene); wait++) {
            assert_true(wait < 2000);
            peer_introduce(&scene.host);
            host_run(&scene.host, 100 * MS);
        }
        assert_int_equal(scene.packet.tcp.sequence, scene.local);
        if (i > 0 && gap < 60 * SECOND)
            assert_in_range((now - last) / MS, gap * 2 / MS - 210, gap * 2 / MS + 210);
        gap = now - last;
        last = now;
    }
    host_run(&scene.host, 121 * SECOND);
    assert_int_equal(scene.socket->error, ETIMEDOUT);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPTimeouts, 15);
    scene_end(&scene);
}

static void keepalive_probes_an_idle_peer_and_ends_a_dead_one(void **state) {
    (void)state;
    struct scene scene;
    int one = 1, idle = 10, interval = 5, count = 3;
    char byte;
    connected(&scene, 65535, MSS);
    struct stack *stack = scene.host.stack;
    socket_set_option(stack, scene.socket, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    socket_set_option(stack, scene.socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    socket_set_option(stack, scene.socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    socket_set_option(stack, scene.socket, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    host_run(&scene.host, 9 * SECOND);
    expect_nothing(&scene);
    host_run(&scene.host, 2 * SECOND);
    expect(&scene, TCP_ACK, scene.local - 1, 0);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0); /* alive */
    host_run(&scene.host, 9 * SECOND);
    expect_nothing(&scene);
    host_run(&scene.host, 2 * SECOND + 2 * 5 * SECOND);
    for (int i = 0; i < 3; i++)
        expect(&scene, TCP_ACK, scene.local - 1, 0);
    host_run(&scene.host, 5 * SECOND);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, &byte, 1, 0), -ETIMEDOUT);
    scene_end(&scene);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unanswered_syn_is_repeated_as_linux_does_for_131_seconds),
        cmocka_unit_test(zero_window_is_probed_with_backoff),
        cmocka_unit_test(timeout_backs_off_and_gives_up_after_fifteen),
        cmocka_unit_test(keepalive_probes_an_idle_peer_and_ends_a_dead_one),
        cmocka_unit_test(zero_window_is_probed_and_reopens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
