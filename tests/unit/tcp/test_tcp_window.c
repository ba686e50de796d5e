/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_window.c - the window, offered and respected: tcp_window.c.
 */
#include "stack/base/minmax.h"
#include "stack/tcp/tcp_window.h"
#include "tests/unit/scene.h"

static void peers_window_is_respected(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 3000, MSS);
    send_bytes(&scene.host, scene.socket, bytes, 20000, 0);
    expect(&scene, TCP_ACK, scene.local, MSS);
    expect(&scene, TCP_ACK, scene.local + MSS, MSS);
    expect_nothing(&scene); /* 80 bytes of window are no reason to send a tinygram */
    say(&scene, TCP_ACK, scene.remote, scene.local + 2 * MSS, 1000, NULL, 0);
    host_run(&scene.host, 100 * MS);
    expect_nothing(&scene);
    say(&scene, TCP_ACK, scene.remote, scene.local + 2 * MSS, 4000, NULL, 0);
    expect(&scene, TCP_ACK, scene.local + 2 * MSS, MSS);
    scene_end(&scene);
}

/* Half of tcp_rmem's default. */
#define WINDOW 65536

static void data_beyond_the_window_is_cut(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[400000];
    uint32_t sent = 0;
    connected(&scene, 65535, MSS);
    while (sent < 4 * WINDOW) {
        say(&scene, TCP_ACK, scene.remote + sent, scene.local, 65535, bytes, MSS);
        sent += MSS;
        host_discard(&scene.host);
    }
    ssize_t received = receive_bytes(&scene.host, scene.socket, got, sizeof got, 0);
    assert_in_range(received, WINDOW - MSS, WINDOW + 8);
    scene.remote += (uint32_t)received;
    scene_end(&scene);
}

static void window_reopens_by_worthwhile_steps(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[100000];
    uint32_t sent = 0;
    connected(&scene, 65535, MSS);
    while (sent < WINDOW - MSS) {
        say(&scene, TCP_ACK, scene.remote + sent, scene.local, 65535, bytes, MSS);
        sent += MSS;
    }
    say(&scene, TCP_ACK, scene.remote + sent, scene.local, 65535, bytes, WINDOW - sent);
    host_run(&scene.host, 50 * MS);
    while (hear(&scene))
        continue;
    assert_int_equal(scene.packet.tcp.window, 0);
    receive_bytes(&scene.host, scene.socket, got, 100, 0);
    expect_nothing(&scene); /* no silly window */
    receive_bytes(&scene.host, scene.socket, got, 2000, 0);
    assert_true(hear(&scene));
    assert_true(scene.packet.tcp.window > 0);
    scene.remote += WINDOW;
    scene_end(&scene);
}

static void little_segments_do_not_push_the_window_on(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    for (int i = 0; i < 400000; i++) {
        feed(&scene, 1);
        host_discard(&scene.host);
    }
    assert_in_range(scene.socket->tcp->receive.length, 60000, 66000);
    scene.remote = scene.socket->tcp->rcv_nxt;
    scene_end(&scene);
}

/* The peer knows of a window only when it has been told. */
static void window_is_not_offered_by_what_could_not_be_sent(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[100000];
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    while (tcp->rcv_adv - scene.remote > MSS) {
        say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, MSS);
        scene.remote += MSS;
        host_run(&scene.host, 50 * MS);
    }
    host_discard(&scene.host);
    uint32_t offered = tcp->rcv_adv;
    struct socket *noise = make_socket(&scene.host, SOCK_DGRAM, 0, 0);
    assert_int_equal(socket_connect(scene.host.stack, noise, ip_from_v4(HOST_B), 9), 0);
    while (send_bytes(&scene.host, noise, "noise", 5, 0) == 5)
        continue;
    assert_true(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0) > 0);
    assert_int_equal(tcp->rcv_adv, offered);
    assert_true(tcp_window_update_due(tcp));
    host_discard(&scene.host);
    stack_advance(scene.host.stack, now);
    assert_true(hear(&scene));
    assert_true(seq_gt(tcp->rcv_adv, offered));
    socket_release(scene.host.stack, noise);
    scene_end(&scene);
}

/* Segments of 65,483 bytes, and a window that is hardly longer: what the receiver holds to be no worthwhile step is not
 * what the sender waits for. No probe of the window is needed to go on. */
static void small_window_and_long_segments_do_not_wait_for_each_other(void **state) {
    (void)state;
    static const uint32_t windows[] = {WINDOW, 2 * WINDOW, 3000000};
    static uint8_t got[8192];
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct host host = host_create(HOST_A, 1500);
        struct socket *client, *server, *listener;
        uint32_t sent = 0, received = 0, total = 3000000;
        host_connect_inside(&host, 80, &client, &server, &listener);
        server->tcp->receive_window = server->tcp->tuning.offered = windows[i];
        server->tcp->options.window_clamp = WINDOW;
        for (uint32_t idle = 0, size = 16; received < total && idle < 100; idle++) {
            for (; sent < total && socket_send_room(host.stack, client, 0, true) >= (ssize_t)size;
                 size = size % 8176 + 16)
                sent += (uint32_t)send_bytes(&host, client, bytes, min_u32(size, total - sent), 0);
            stack_advance(host.stack, now += MS);
            ssize_t here = receive_bytes(&host, server, got, sizeof got, 0);
            received += here > 0 ? (uint32_t)here : 0;
            idle = here > 0 ? 0 : idle;
        }
        assert_int_equal(received, total);
        host_destroy(&host);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_window_is_respected),
        cmocka_unit_test(data_beyond_the_window_is_cut),
        cmocka_unit_test(window_reopens_by_worthwhile_steps),
        cmocka_unit_test(little_segments_do_not_push_the_window_on),
        cmocka_unit_test(window_is_not_offered_by_what_could_not_be_sent),
        cmocka_unit_test(small_window_and_long_segments_do_not_wait_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
