/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_handshake.c - connections being opened, both ways: tcp_handshake.c.
 */
#include "tests/unit/life.h"
#include "tests/unit/pair.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

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

static void deferred_accept_waits_for_data(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    assert_int_equal(set_option(&scene.host, scene.listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3), 0);
    peer_send(&scene.host, scene.remote_port, 8080, TCP_SYN, scene.remote++, 0, 65535, MSS, NULL, 0);
    assert_true(hear(&scene));
    scene.local = scene.packet.tcp.sequence + 1;
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), -EAGAIN);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, "data", 4);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    assert_int_equal(scene.socket->tcp->receive.length, 4);
    scene.remote += 4;
    scene_end(&scene);
}

/* TCP_FASTOPEN_CONNECT, and the program changes its mind before the first write. */
static void deferred_connection_that_was_ended_is_not_opened_by_a_write(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    tune(&scene, "net.ipv4.tcp_fastopen=5");
    scene.socket = make_socket(&scene.host, SOCK_STREAM, 0, 0);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    assert_int_equal(socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80), 0);
    expect_nothing(&scene);
    assert_int_equal(socket_shutdown(scene.host.stack, scene.socket, SHUT_RDWR), 0);
    assert_int_equal(send_bytes(&scene.host, scene.socket, bytes, 10, 0), -ECONNRESET);
    assert_int_equal(send_bytes(&scene.host, scene.socket, bytes, 10, 0), -EPIPE);
    expect_nothing(&scene);
    scene_end(&scene);
}

/* A connection of the peer's to port 8080 that we closed first is in TIME_WAIT. Its last timestamp was
 * `stamp`, if not 0. */
static void wait_out(struct scene *scene, uint32_t stamp, bool close) {
    struct tcp_segment segment;
    listen_on(scene, 5);
    segment = segment_from_peer(scene, TCP_SYN);
    segment.has_timestamp = stamp;
    segment.timestamp = stamp;
    peer_send_segment(&scene->host, &segment, NULL, 0);
    assert_true(hear(scene));
    scene->local = scene->packet.tcp.sequence + 1;
    scene->remote++;
    segment = segment_from_peer(scene, TCP_ACK);
    segment.has_timestamp = stamp;
    segment.timestamp = stamp;
    peer_send_segment(&scene->host, &segment, NULL, 0);
    assert_int_equal(socket_accept(scene->host.stack, scene->listener, &scene->socket), 0);
    if (close) {
        socket_release(scene->host.stack, scene->socket);
        scene->socket = NULL;
    } else {
        socket_shutdown(scene->host.stack, scene->socket, SHUT_WR);
    }
    expect(scene, TCP_FIN | TCP_ACK, scene->local++, 0);
    segment = segment_from_peer(scene, TCP_FIN | TCP_ACK);
    segment.has_timestamp = stamp;
    segment.timestamp = stamp;
    scene->remote++;
    peer_send_segment(&scene->host, &segment, NULL, 0);
    expect(scene, TCP_ACK, scene->local, 0);
    assert_int_equal(scene->host.stack->time_wait_count, 1);
}

/* The peer's SYN from the same port, `ahead` of what it had sent last. Whether it is taken. */
static bool knock_again(struct scene *scene, int32_t ahead, uint32_t stamp) {
    struct tcp_segment syn = segment_from_peer(scene, TCP_SYN);
    syn.sequence += (uint32_t)ahead;
    syn.has_timestamp = stamp;
    syn.timestamp = stamp;
    peer_send_segment(&scene->host, &syn, NULL, 0);
    if (!hear(scene))
        return false;
    bool taken = scene->packet.tcp.flags == (TCP_SYN | TCP_ACK);
    if (taken) {
        assert_int_equal(scene->packet.tcp.acknowledgment, syn.sequence + 1);
        assert_true(seq_gt(scene->packet.tcp.sequence, scene->local + 65535));
        scene->remote = syn.sequence + 1;
    }
    return taken;
}

static void syn_reopens_by_its_number_or_by_its_timestamp(void **state) {
    (void)state;
    static const struct {
        int32_t ahead;
        uint32_t before, stamp;
        bool taken;
    } cases[] = {
        {1000, 0, 0, true},       {-1000, 0, 0, false},    {-1000, 500, 501, true},  {1000, 500, 500, true},
        {-1000, 500, 500, false}, {1000, 500, 499, false}, {-1000, 500, 499, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene scene;
        wait_out(&scene, cases[i].before, true);
        assert_int_equal(knock_again(&scene, cases[i].ahead, cases[i].stamp), cases[i].taken);
        bool older = cases[i].stamp < cases[i].before;
        assert_int_equal(scene.host.stack->mib.TcpExtPAWSTimewait, older);
        scene_end(&scene);
    }
}

static void connection_whose_program_has_not_closed_it_makes_room_too(void **state) {
    (void)state;
    struct scene scene;
    char byte;
    wait_out(&scene, 500, false);
    assert_true(knock_again(&scene, 1000, 501));
    assert_int_equal(receive_bytes(&scene.host, scene.socket, &byte, 1, 0), 0);
    assert_true(socket_poll(scene.host.stack, scene.socket) & POLLHUP);
    scene_end(&scene);
}

static void connection_in_time_wait_makes_room_for_one_of_ours(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    assert_int_equal(sysctl_set_all(&scene.host.stack->sysctl,
                                    "net.ipv4.tcp_tw_reuse=1,net.ipv4.ip_local_port_range=40000 40000", NULL),
                     0);
    connect_begin(&scene);
    struct tcp_segment segment = segment_from_peer(&scene, TCP_SYN | TCP_ACK);
    segment.has_timestamp = true;
    segment.timestamp = 1;
    segment.timestamp_echo = scene.packet.tcp.timestamp;
    uint32_t stamp = scene.packet.tcp.timestamp;
    peer_send_segment(&scene.host, &segment, NULL, 0);
    scene.remote++;
    expect(&scene, TCP_ACK, scene.local, 0);
    socket_release(scene.host.stack, scene.socket);
    scene.socket = NULL;
    expect(&scene, TCP_FIN | TCP_ACK, scene.local++, 0);
    segment = segment_from_peer(&scene, TCP_FIN | TCP_ACK);
    segment.has_timestamp = true;
    segment.timestamp = 2;
    scene.remote++;
    peer_send_segment(&scene.host, &segment, NULL, 0);
    expect(&scene, TCP_ACK, scene.local, 0);
    uint32_t last = scene.local;
    assert_int_equal(scene.host.stack->time_wait_count, 1);
    struct socket *socket = make_socket(&scene.host, SOCK_STREAM, 0, 0);
    assert_int_equal(socket_connect(scene.host.stack, socket, ip_from_v4(HOST_B), 80),
                     -EADDRNOTAVAIL); /* too soon */
    socket_release(scene.host.stack, socket);
    now += 1001 * MS;
    stack_advance(scene.host.stack, now);
    connect_begin(&scene);
    assert_int_equal(scene.local_port, 40000);
    assert_true(seq_gt(scene.packet.tcp.sequence, last));
    assert_true(seq_gt(scene.packet.tcp.timestamp, stamp));
    assert_int_equal(scene.host.stack->mib.TcpExtTWRecycled, 1);
    scene_end(&scene);
}

/* The acknowledgment of a connection that the peer has still and we have not. */
static void acknowledge_otherwise(struct scene *scene) {
    struct tcp_segment challenge = segment_from_peer(scene, TCP_ACK);
    challenge.acknowledgment = scene->local - 1000;
    peer_send_segment(&scene->host, &challenge, NULL, 0);
}

static void syn_answered_by_a_challenge_comes_again_at_once(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    connect_begin(&scene);
    acknowledge_otherwise(&scene);
    expect(&scene, TCP_RST, scene.local - 1000, 0);
    expect_nothing(&scene);
    host_run(&scene.host, 3 * MS);
    expect(&scene, TCP_SYN, scene.local - 1, 0);
    /* Once: whoever forges such acknowledgments makes us send no more than that. */
    acknowledge_otherwise(&scene);
    expect(&scene, TCP_RST, scene.local - 1000, 0);
    host_run(&scene.host, 900 * MS);
    expect_nothing(&scene);
    host_run(&scene.host, 200 * MS);
    expect(&scene, TCP_SYN, scene.local - 1, 0);
    peer_send(&scene.host, 80, scene.local_port, TCP_SYN | TCP_ACK, scene.remote++, scene.local, 65535, MSS,
              NULL, 0);
    expect(&scene, TCP_ACK, scene.local, 0);
    scene_end(&scene);
}

/* The client's host has crashed and comes back with the port that it had. */
static void connection_of_a_life_before_costs_no_second(void **state) {
    (void)state;
    struct host a = host_create_with_key(HOST_A, 1500, KEY), b = host_create(HOST_B, 1500);
    struct cable cable;
    struct socket *listener = make_socket(&b, SOCK_STREAM, 0, 80);
    assert_int_equal(socket_listen(b.stack, listener, 16), 0);
    for (int life = 0; life < 3; life++) {
        struct socket *client = make_socket(&a, SOCK_STREAM, 0, 5000), *server;
        cable_join(&cable, &a, &b, 50000);
        assert_int_equal(socket_connect(a.stack, client, ip_from_v4(HOST_B), 80), -EINPROGRESS);
        cable_run(&cable, 5 * MS);
        assert_int_equal(client->tcp->state, TCP_ESTABLISHED);
        assert_int_equal(socket_accept(b.stack, listener, &server), 0);
        cable_cut(&cable);
        host_destroy(&a);
        now += SECOND;
        a = host_create_with_key(HOST_A, 1500, KEY);
    }
    host_destroy(&a);
    host_destroy(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syn_offers_mss_and_window_scale),
        cmocka_unit_test(refused_connection_says_so_once_then_may_be_tried_again),
        cmocka_unit_test(reset_with_a_wrong_number_does_not_refuse),
        cmocka_unit_test(half_open_answer_gets_a_reset),
        cmocka_unit_test(passive_open_goes_through_syn_received),
        cmocka_unit_test(lost_syn_ack_is_repeated),
        cmocka_unit_test(queues_of_a_listener_are_bounded),
        cmocka_unit_test(closed_port_answers_with_a_reset),
        cmocka_unit_test(simultaneous_open_makes_one_connection),
        cmocka_unit_test(deferred_accept_waits_for_data),
        cmocka_unit_test(deferred_connection_that_was_ended_is_not_opened_by_a_write),
        cmocka_unit_test(syn_reopens_by_its_number_or_by_its_timestamp),
        cmocka_unit_test(connection_whose_program_has_not_closed_it_makes_room_too),
        cmocka_unit_test(connection_in_time_wait_makes_room_for_one_of_ours),
        cmocka_unit_test(syn_answered_by_a_challenge_comes_again_at_once),
        cmocka_unit_test(connection_of_a_life_before_costs_no_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
