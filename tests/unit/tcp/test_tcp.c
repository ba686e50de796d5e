/* SPDX-License-Identifier: MIT */
/*
 * test_tcp.c - one stack against a scripted peer, segment by segment: tcp_handshake.c, tcp_input.c,
 * tcp_output.c, tcp_timer.c, tcp_reassembly.c, tcp_window.c, tcp_close.c.
 */
#include "stack/base/checksum.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

static void syn_offers_mss_and_window_scale(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    connect_begin(&scene);
    assert_int_equal(scene.packet.tcp.mss, MSS);
    assert_true(scene.packet.tcp.window_scale >= 0);
    assert_int_equal(socket_poll(scene.host.stack, scene.socket), 0);
    scene_end(&scene);
}

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

static void refused_connection_says_so_once_then_may_be_tried_again(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    connect_begin(&scene);
    say(&scene, TCP_RST | TCP_ACK, 0, scene.local, 0, NULL, 0);
    assert_true(socket_poll(scene.host.stack, scene.socket) & POLLERR);
    assert_int_equal(socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80), -ECONNREFUSED);
    assert_int_equal(socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80), -EINPROGRESS);
    scene_end(&scene);
}

static void reset_with_a_wrong_number_does_not_refuse(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    connect_begin(&scene);
    say(&scene, TCP_RST | TCP_ACK, 0, scene.local + 1, 0, NULL, 0);
    say(&scene, TCP_RST, 0, 0, 0, NULL, 0);
    assert_int_equal(socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80), -EALREADY);
    scene_end(&scene);
}

static void half_open_answer_gets_a_reset(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    connect_begin(&scene);
    say(&scene, TCP_ACK, 777, scene.local + 99, 100, NULL, 0);
    expect(&scene, TCP_RST, scene.local + 99, 0);
    assert_int_equal(socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80), -EALREADY);
    scene_end(&scene);
}

static void data_is_cut_at_the_peers_mss(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 500);
    assert_int_equal(send_bytes(&scene.host, scene.socket, bytes, 1700, 0), 1700);
    for (uint32_t at = 0; at < 1500; at += 500) {
        expect(&scene, TCP_ACK, scene.local + at, 500);
        assert_memory_equal(scene.packet.payload, bytes + at, 500);
    }
    expect(&scene, TCP_ACK, scene.local + 1500,
           200); /* no other small one is in flight: Minshall's variant of Nagle */
    assert_int_equal(send_bytes(&scene.host, scene.socket, bytes, 700, 0), 700);
    expect(&scene, TCP_ACK, scene.local + 1700, 500);
    expect_nothing(&scene); /* now there is one: the rest waits */
    say(&scene, TCP_ACK, scene.remote, scene.local + 1700, 65535, NULL, 0);
    expect(&scene, TCP_ACK, scene.local + 2200, 200);
    scene_end(&scene);
}

static void without_mss_option_536_is_assumed(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 0);
    send_bytes(&scene.host, scene.socket, bytes, 5000, 0);
    expect(&scene, TCP_ACK, scene.local, 536);
    scene_end(&scene);
}

static void initial_window_is_ten_segments(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, bytes, 60000, 0);
    int segments = 0;
    while (hear(&scene))
        segments++;
    assert_int_equal(segments, 10);
    say(&scene, TCP_ACK, scene.remote, scene.local + 2 * MSS, 65535, NULL, 0);
    while (hear(&scene))
        segments++;
    assert_int_equal(segments, 14); /* two left the network, and slow start adds two */
    scene_end(&scene);
}

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

static void nagle_and_nodelay_on_the_wire(void **state) {
    (void)state;
    struct scene scene;
    int one = 1;
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, "a", 1, 0);
    expect(&scene, TCP_ACK, scene.local, 1);
    send_bytes(&scene.host, scene.socket, "b", 1, 0);
    send_bytes(&scene.host, scene.socket, "c", 1, 0);
    expect_nothing(&scene);
    say(&scene, TCP_ACK, scene.remote, scene.local + 1, 65535, NULL, 0);
    expect(&scene, TCP_ACK, scene.local + 1, 2); /* held, and sent as one */
    send_bytes(&scene.host, scene.socket, "d", 1, 0);
    expect_nothing(&scene);
    socket_set_option(scene.host.stack, scene.socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    expect(&scene, TCP_ACK, scene.local + 3, 1);
    send_bytes(&scene.host, scene.socket, "e", 1, 0);
    expect(&scene, TCP_ACK, scene.local + 4, 1);
    send_bytes(&scene.host, scene.socket, "f", 1, MSG_MORE);
    expect_nothing(&scene);
    send_bytes(&scene.host, scene.socket, "g", 1, 0);
    expect(&scene, TCP_ACK, scene.local + 5, 2);
    scene_end(&scene);
}

static void acknowledgment_is_delayed_40_ms_or_rides_along(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_QUICKACK, 0);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, 100);
    expect_nothing(&scene);
    host_run(&scene.host, 35 * MS);
    expect_nothing(&scene);
    host_run(&scene.host, 10 * MS);
    expect(&scene, TCP_ACK, scene.local, 0);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 100);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_QUICKACK, 0);
    say(&scene, TCP_ACK, scene.remote + 100, scene.local, 65535, bytes, 100);
    send_bytes(&scene.host, scene.socket, "answer", 6, 0);
    expect(&scene, TCP_ACK, scene.local, 6);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 200);
    host_run(&scene.host, 100 * MS);
    expect_nothing(&scene);
    scene_end(&scene);
}

static void second_segment_is_acknowledged_at_once(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_QUICKACK, 0);
    scene.socket->tcp->ack.segment = MSS; /* as seen before */
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, MSS);
    expect_nothing(&scene);
    say(&scene, TCP_ACK, scene.remote + MSS, scene.local, 65535, bytes, MSS);
    expect(&scene, TCP_ACK, scene.local, 0);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 2 * MSS);
    scene_end(&scene);
}

static void out_of_order_segments_are_put_in_order(void **state) {
    (void)state;
    static const struct {
        uint32_t at, length;
    } pieces[] = {{300, 100}, {100, 100}, {500, 50}, {150, 200}, {90, 40}, {400, 100}, {0, 100}};
    struct scene scene;
    uint8_t got[550];
    connected(&scene, 65535, MSS);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        say(&scene, TCP_ACK, scene.remote + pieces[i].at, scene.local, 65535, bytes + pieces[i].at,
            pieces[i].length);
        assert_true(hear(&scene)); /* each answered at once */
        assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + (pieces[i].at ? 0 : 550));
        while (hear(&scene))
            continue;
    }
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 550);
    assert_memory_equal(got, bytes, 550);
    assert_int_equal(scene.host.stack->out_of_order_segments.used, 0);
    scene.remote += 550;
    scene_end(&scene);
}

static void fin_ahead_of_its_turn_waits(void **state) {
    (void)state;
    struct scene scene;
    uint8_t got[300];
    connected(&scene, 65535, MSS);
    say(&scene, TCP_ACK | TCP_FIN, scene.remote + 100, scene.local, 65535, bytes + 100, 100);
    assert_int_equal(scene.socket->tcp->state, TCP_ESTABLISHED);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, 100);
    assert_int_equal(scene.socket->tcp->state, TCP_CLOSE_WAIT);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 200);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 0);
    scene.remote += 201;
    scene_end(&scene);
}

static void held_segments_are_bounded(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    for (uint32_t i = 0; i < 5000; i++) {
        say(&scene, TCP_ACK, scene.remote + 2 + 3 * i, scene.local, 65535, bytes, 1);
        host_discard(&scene.host);
    }
    assert_in_range(scene.host.stack->out_of_order_segments.used, 1, TCP_OUT_OF_ORDER_MAX);
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

static void third_duplicate_acknowledgment_retransmits(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, bytes, 10 * MSS, 0);
    while (hear(&scene))
        continue;
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    expect_nothing(&scene);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    expect(&scene, TCP_ACK, scene.local, MSS);
    assert_memory_equal(scene.packet.payload, bytes, MSS);
    expect_nothing(&scene);
    say(&scene, TCP_ACK, scene.remote, scene.local + 4 * MSS, 65535, NULL, 0); /* partial: the next hole */
    expect(&scene, TCP_ACK, scene.local + 4 * MSS, MSS);
    scene_end(&scene);
}

/* Not that of what is sent again: two sides that have both timed out would take each other's for old, and
 * drop them for ever. */
static void acknowledgment_after_a_timeout_has_the_highest_number(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t much[5 * MSS];
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, much, sizeof much, 0);
    host_discard(&scene.host);
    host_run(&scene.host, 1500 * MS); /* a timeout: the first segment again, no more */
    host_discard(&scene.host);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_LOSS);
    say(&scene, TCP_ACK, scene.remote + 100, scene.local, 65535, "early", 5);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.length, 0);
    assert_int_equal(scene.packet.tcp.sequence, scene.local + sizeof much);
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

static void reset_must_have_the_very_next_number(void **state) {
    (void)state;
    struct scene scene;
    char byte;
    connected(&scene, 65535, MSS);
    say(&scene, TCP_RST, scene.remote + 100, 0, 0, NULL, 0); /* in the window: RFC 5961 */
    expect(&scene, TCP_ACK, scene.local, 0);
    say(&scene, TCP_RST, scene.remote + 10000000, 0, 0, NULL, 0);
    expect_nothing(&scene);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, &byte, 1, 0), -EAGAIN);
    say(&scene, TCP_RST, scene.remote, 0, 0, NULL, 0);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, &byte, 1, 0), -ECONNRESET);
    scene_end(&scene);
}

static void syn_in_the_window_is_challenged_at_a_bounded_rate(void **state) {
    (void)state;
    struct scene scene;
    int answers = 0;
    connected(&scene, 65535, MSS);
    for (int i = 0; i < 1000; i++) {
        say(&scene, TCP_SYN, scene.remote + 5, 0, 0, NULL, 0);
        while (hear(&scene))
            answers++;
    }
    assert_int_equal(answers, 1); /* in half a second, of each connection */
    assert_int_equal(scene.socket->tcp->state, TCP_ESTABLISHED);
    scene_end(&scene);
}

static void acknowledgment_of_what_was_never_sent_is_ignored(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    say(&scene, TCP_ACK, scene.remote, scene.local + 5000, 65535, bytes, 10);
    assert_int_equal(scene.socket->tcp->snd_una, scene.local);
    assert_int_equal(scene.socket->tcp->receive.length, 0);
    scene_end(&scene);
}

static void retransmitted_data_is_acknowledged_again(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, 100);
    host_run(&scene.host, 50 * MS);
    expect(&scene, TCP_ACK, scene.local, 0);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, 100); /* our acknowledgment was lost */
    expect(&scene, TCP_ACK, scene.local, 0);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 100);
    scene.remote += 100;
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

/* The peer opens a connection to us, up to our SYN-ACK. */
static bool knock(struct scene *scene, uint16_t port) {
    peer_send(&scene->host, port, 8080, TCP_SYN, scene->remote, 0, 65535, MSS, NULL, 0);
    if (!hear(scene))
        return false;
    scene->local = scene->packet.tcp.sequence + 1;
    return scene->packet.tcp.flags == (TCP_SYN | TCP_ACK);
}

static void passive_open_goes_through_syn_received(void **state) {
    (void)state;
    struct scene scene;
    char got[6] = "";
    listen_on(&scene, 5);
    assert_true(knock(&scene, 40000));
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 1);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), -EAGAIN);
    scene.remote++;
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, "hello", 5); /* data with the last of three */
    assert_true(socket_poll(scene.host.stack, scene.listener) & POLLIN);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, 5, 0), 5);
    assert_string_equal(got, "hello");
    scene.remote += 5;
    scene_end(&scene);
}

static void lost_syn_ack_is_repeated(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    assert_true(knock(&scene, 40000));
    uint32_t iss = scene.local - 1;
    assert_true(knock(&scene, 40000)); /* the peer's SYN again */
    assert_int_equal(scene.local - 1, iss);
    host_run(&scene.host, SECOND + 10 * MS);
    expect(&scene, TCP_SYN | TCP_ACK, iss, 0);
    host_run(&scene.host, 100 * SECOND); /* and given up in the end */
    assert_int_equal(scene.listener->syn_count, 0);
    scene_end(&scene);
}

static void queues_of_a_listener_are_bounded(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 4);
    int taken = 0;
    sysctl_set(&scene.host.stack->sysctl, "net.ipv4.tcp_syncookies", "0");
    for (uint16_t port = 1000; port < 1100; port++)
        taken += knock(&scene, port);
    assert_int_equal(taken, 5);
    assert_int_equal(scene.host.stack->connections.used, 6);
    assert_true(scene.host.stack->mib.TcpExtListenDrops >= 95);
    scene_end(&scene);
}

static void closed_port_answers_with_a_reset(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    scene.local_port = 9999;
    say(&scene, TCP_SYN, 100, 0, 65535, NULL, 0);
    expect(&scene, TCP_RST | TCP_ACK, 0, 0);
    assert_int_equal(scene.packet.tcp.acknowledgment, 101);
    say(&scene, TCP_ACK, 100, 555, 65535, bytes, 10);
    expect(&scene, TCP_RST, 555, 0);
    say(&scene, TCP_RST, 100, 0, 0, NULL, 0); /* a reset is never answered */
    expect_nothing(&scene);
    scene_end(&scene);
}

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

static void sequence_numbers_wrap_under_load(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[5 * MSS];
    connected(&scene, 65535, MSS);
    /* Move both directions to just below the wrap. */
    struct tcp *tcp = scene.socket->tcp;
    tcp->iss = tcp->snd_una = tcp->snd_nxt = tcp->snd_wl2 = scene.local = 0xfffff000;
    tcp->rcv_nxt = tcp->snd_wl1 = scene.remote = 0xffffff00;
    tcp->rcv_adv = tcp->rcv_nxt + 65535;
    for (uint32_t i = 0; i < 10; i++) {
        send_bytes(&scene.host, scene.socket, bytes + i * MSS, MSS, 0);
        expect(&scene, TCP_ACK, scene.local + i * MSS, MSS);
        say(&scene, TCP_ACK, scene.remote + i * 300, scene.local + (i + 1) * MSS, 65535, bytes + i * 300,
            300);
        host_discard(&scene.host);
    }
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 3000);
    assert_memory_equal(got, bytes, 3000);
    scene.remote += 3000;
    scene_end(&scene);
}

static void unfinished_checksum_is_accepted_only_from_the_machine(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    uint64_t errors = scene.host.stack->mib.TcpInCsumErrors;
    static uint8_t frame[14 + 20 + 20 + 5] = {[12] = 0x08, [14] = 0x45, [22] = 64, [23] = 6};
    memcpy(frame, scene.host.stack->config.mac, 6);
    frame[6] = 2;
    wire_put16(frame + 16, sizeof frame - 14);
    wire_put16(frame + 24, 0);
    wire_put32(frame + 26, HOST_B);
    wire_put32(frame + 30, HOST_A);
    wire_put_sum(frame + 24, (uint16_t)~checksum_fold(checksum_add(0, frame + 14, 20)));
    struct tcp_segment segment = {.source_port = 80,
                                  .destination_port = scene.local_port,
                                  .sequence = scene.remote,
                                  .acknowledgment = scene.local,
                                  .window = 65535,
                                  .flags = TCP_ACK,
                                  .window_scale = -1};
    tcp_segment_write(&segment, frame + 34);
    memcpy(frame + 54, "later", 5);
    wire_put_sum(frame + 50,
                 checksum_fold(checksum_pseudo_header(ip_from_v4(HOST_B), ip_from_v4(HOST_A), 6, 25)));
    host_input(&scene.host, frame, sizeof frame, 0);
    assert_int_equal(scene.host.stack->mib.TcpInCsumErrors, errors + 1);
    assert_int_equal(scene.socket->tcp->receive.length, 0);
    host_input(&scene.host, frame, sizeof frame, STACK_INPUT_CHECKSUM_PARTIAL);
    assert_int_equal(scene.socket->tcp->receive.length, 5);
    scene.remote += 5;
    scene_end(&scene);
}

static void merged_segment_beyond_the_mtu_is_taken_whole(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[64000];
    connected(&scene, 65535, MSS);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, 64000);
    expect(&scene, TCP_ACK, scene.local, 0); /* counts as many, so it is acknowledged at once */
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 64000);
    assert_memory_equal(got, bytes, 64000);
    scene.remote += 64000;
    scene_end(&scene);
}

static void calls_give_linux_errors(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket, *other;
    char byte = 0;
    struct ip_address address;
    uint16_t port;
    assert_int_equal(socket_create(host.stack, SOCK_STREAM, IPPROTO_UDP, &socket), -EPROTONOSUPPORT);
    assert_int_equal(socket_create(host.stack, SOCK_SEQPACKET, 0, &socket), -ESOCKTNOSUPPORT);
    assert_int_equal(socket_create(host.stack, SOCK_RAW, 0, &socket), -EPROTONOSUPPORT);
    assert_int_equal(socket_create(host.stack, SOCK_STREAM, 0, &socket), 0);
    assert_int_equal(send_bytes(&host, socket, &byte, 1, 0), -EPIPE);
    assert_int_equal(receive_bytes(&host, socket, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(socket_shutdown(host.stack, socket, SHUT_WR), -ENOTCONN);
    assert_int_equal(socket_shutdown(host.stack, socket, 9), -EINVAL);
    assert_int_equal(socket_remote(socket, &address, &port), -ENOTCONN);
    assert_int_equal(socket_accept(host.stack, socket, &other), -EINVAL);
    assert_int_equal(socket_poll(host.stack, socket), POLLOUT | POLLWRNORM | POLLHUP);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(0x08080808), 80), -ENETUNREACH);
    assert_int_equal(socket_listen(host.stack, socket, 1), 0);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -EISCONN);
    assert_int_equal(receive_bytes(&host, socket, &byte, 1, 0), -ENOTCONN);
    int value = 5;
    socklen_t length = sizeof value;
    assert_int_equal(socket_set_option(host.stack, socket, IPPROTO_TCP, 9999, &value, sizeof value),
                     -ENOPROTOOPT);
    assert_int_equal(socket_set_option(host.stack, socket, IPPROTO_TCP, TCP_NODELAY, &value, 1), -EINVAL);
    assert_int_equal(socket_get_option(host.stack, socket, SOL_SOCKET, SO_ACCEPTCONN, &value, &length), 0);
    assert_int_equal(value, 1);
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syn_offers_mss_and_window_scale),
        cmocka_unit_test(unanswered_syn_is_repeated_as_linux_does_for_131_seconds),
        cmocka_unit_test(refused_connection_says_so_once_then_may_be_tried_again),
        cmocka_unit_test(reset_with_a_wrong_number_does_not_refuse),
        cmocka_unit_test(half_open_answer_gets_a_reset),
        cmocka_unit_test(data_is_cut_at_the_peers_mss),
        cmocka_unit_test(without_mss_option_536_is_assumed),
        cmocka_unit_test(initial_window_is_ten_segments),
        cmocka_unit_test(peers_window_is_respected),
        cmocka_unit_test(zero_window_is_probed_with_backoff),
        cmocka_unit_test(nagle_and_nodelay_on_the_wire),
        cmocka_unit_test(acknowledgment_is_delayed_40_ms_or_rides_along),
        cmocka_unit_test(second_segment_is_acknowledged_at_once),
        cmocka_unit_test(out_of_order_segments_are_put_in_order),
        cmocka_unit_test(fin_ahead_of_its_turn_waits),
        cmocka_unit_test(held_segments_are_bounded),
        cmocka_unit_test(data_beyond_the_window_is_cut),
        cmocka_unit_test(window_reopens_by_worthwhile_steps),
        cmocka_unit_test(third_duplicate_acknowledgment_retransmits),
        cmocka_unit_test(acknowledgment_after_a_timeout_has_the_highest_number),
        cmocka_unit_test(timeout_backs_off_and_gives_up_after_fifteen),
        cmocka_unit_test(reset_must_have_the_very_next_number),
        cmocka_unit_test(syn_in_the_window_is_challenged_at_a_bounded_rate),
        cmocka_unit_test(acknowledgment_of_what_was_never_sent_is_ignored),
        cmocka_unit_test(retransmitted_data_is_acknowledged_again),
        cmocka_unit_test(keepalive_probes_an_idle_peer_and_ends_a_dead_one),
        cmocka_unit_test(passive_open_goes_through_syn_received),
        cmocka_unit_test(lost_syn_ack_is_repeated),
        cmocka_unit_test(queues_of_a_listener_are_bounded),
        cmocka_unit_test(closed_port_answers_with_a_reset),
        cmocka_unit_test(closing_a_listener_resets_who_waits),
        cmocka_unit_test(linger_zero_resets),
        cmocka_unit_test(time_wait_answers_a_late_fin_and_gives_way_to_a_new_syn),
        cmocka_unit_test(orphan_that_gets_data_is_reset),
        cmocka_unit_test(orphan_in_fin_wait_2_ends_after_a_minute),
        cmocka_unit_test(sequence_numbers_wrap_under_load),
        cmocka_unit_test(unfinished_checksum_is_accepted_only_from_the_machine),
        cmocka_unit_test(merged_segment_beyond_the_mtu_is_taken_whole),
        cmocka_unit_test(calls_give_linux_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
