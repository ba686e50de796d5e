/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_fastopen.c - data in the SYN: tcp_fastopen.c.
 */
#include "tests/unit/scene.h"
#include <errno.h>
#include <netinet/in.h>

static const struct tcp_cookie COOKIE = {.present = true, .length = 8, .bytes = {1, 2, 3, 4, 5, 6, 7, 8}};

static ssize_t open_with(struct scene *scene, const void *data, size_t length) {
    struct iovec piece = {(void *)data, length};
    struct socket_message message = {.pieces = &piece,
                                     .count = 1,
                                     .flags = MSG_FASTOPEN,
                                     .has_address = true,
                                     .address = ip_from_v4(HOST_B),
                                     .port = scene->remote_port};
    struct ip_address address;
    assert_int_equal(socket_create(scene->host.stack, SOCK_STREAM, 0, &scene->socket), 0);
    ssize_t result = socket_send(scene->host.stack, scene->socket, &message);
    socket_local(scene->socket, &address, &scene->local_port);
    return result;
}

/* The peer's SYN-ACK, with a cookie or none, acknowledging so much beyond the SYN. */
static void answer_syn(struct scene *scene, const struct tcp_cookie *cookie, uint32_t acknowledged) {
    struct tcp_segment answer = segment_from_peer(scene, TCP_SYN | TCP_ACK);
    answer.acknowledgment = scene->packet.tcp.sequence + 1 + acknowledged;
    answer.mss = 1000;
    if (cookie)
        answer.cookie = *cookie;
    scene->remote++;
    peer_send_segment(&scene->host, &answer, NULL, 0);
}

static void cookie_is_asked_for_then_data_goes_with_the_syn(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    assert_int_equal(open_with(&scene, "first", 5), -EINPROGRESS);
    assert_true(hear(&scene));
    assert_true(scene.packet.tcp.cookie.present);
    assert_int_equal(scene.packet.tcp.cookie.length, 0);
    assert_int_equal(scene.packet.tcp.length, 0);
    answer_syn(&scene, &COOKIE, 0);
    assert_true(hear(&scene));
    socket_release(scene.host.stack, scene.socket);
    host_discard(&scene.host);

    scene.remote = PEER_ISS;
    assert_int_equal(open_with(&scene, bytes, 5000), 960); /* what the peer takes, less 40 for options */
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_SYN);
    assert_int_equal(scene.packet.tcp.length, 960);
    assert_memory_equal(scene.packet.payload, bytes, 960);
    assert_memory_equal(scene.packet.tcp.cookie.bytes, COOKIE.bytes, 8);
    answer_syn(&scene, NULL, 960);
    scene.local = scene.packet.tcp.sequence + 961;
    expect(&scene, TCP_ACK, scene.local, 0);
    assert_true(scene.socket->tcp->fastopen & TCP_FASTOPEN_TAKEN);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPFastOpenActive, 1);
    scene_end(&scene);
}

/* A connection that needs no cookie begins with 100 bytes in its SYN, which has been heard. */
static void open_without_cookie(struct scene *scene) {
    scene_begin(scene);
    tune(scene, "net.ipv4.tcp_fastopen=5");
    assert_int_equal(open_with(scene, bytes, 100), 100);
    assert_true(hear(scene));
}

static void data_that_the_syn_ack_does_not_take_is_sent_again(void **state) {
    (void)state;
    struct scene scene;
    open_without_cookie(&scene);
    assert_int_equal(scene.packet.tcp.length, 100);
    scene.local = scene.packet.tcp.sequence + 1;
    answer_syn(&scene, NULL, 0);
    expect(&scene, TCP_ACK, scene.local, 100);
    assert_memory_equal(scene.packet.payload, bytes, 100);
    assert_false(scene.socket->tcp->fastopen & TCP_FASTOPEN_TAKEN);
    scene_end(&scene);
}

static void cookie_that_was_not_asked_for_is_not_kept(void **state) {
    (void)state;
    struct scene scene;
    open_without_cookie(&scene);
    answer_syn(&scene, &COOKIE, 100);
    socket_release(scene.host.stack, scene.socket);
    host_discard(&scene.host);
    tune(&scene, "net.ipv4.tcp_fastopen=1");
    scene.remote = PEER_ISS;
    assert_int_equal(open_with(&scene, bytes, 100), -EINPROGRESS);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.cookie.length, 0);
    assert_int_equal(scene.packet.tcp.length, 0);
    scene.local = scene.packet.tcp.sequence + 1;
    scene_end(&scene);
}

static void lost_syn_with_data_is_repeated_without(void **state) {
    (void)state;
    struct scene scene;
    open_without_cookie(&scene);
    uint32_t sequence = scene.packet.tcp.sequence;
    host_run(&scene.host, 1100 * MS);
    expect(&scene, TCP_SYN, sequence, 0);
    assert_false(scene.packet.tcp.cookie.present);
    answer_syn(&scene, NULL, 0);
    expect(&scene, TCP_ACK, sequence + 1, 100);
    scene_end(&scene);
}

/* The cookie that a listener gives to who asks. */
static struct tcp_cookie server_cookie(struct scene *scene) {
    struct tcp_segment syn = segment_from_peer(scene, TCP_SYN);
    syn.mss = MSS;
    syn.cookie = (struct tcp_cookie){.present = true};
    syn.source_port = 39999;
    peer_send_segment(&scene->host, &syn, NULL, 0);
    assert_true(hear(scene));
    assert_int_equal(scene->packet.tcp.acknowledgment, scene->remote + 1);
    assert_int_equal(scene->packet.tcp.cookie.length, 8);
    struct tcp_segment reset = segment_from_peer(scene, TCP_RST);
    reset.source_port = 39999;
    reset.sequence++;
    peer_send_segment(&scene->host, &reset, NULL, 0);
    return scene->packet.tcp.cookie;
}

static void knock_with_data(struct scene *scene, const struct tcp_cookie *cookie) {
    struct tcp_segment syn = segment_from_peer(scene, TCP_SYN);
    syn.mss = MSS;
    syn.cookie = *cookie;
    peer_send_segment(&scene->host, &syn, "question", 8);
    assert_true(hear(scene));
    assert_int_equal(scene->packet.tcp.flags, TCP_SYN | TCP_ACK);
    scene->local = scene->packet.tcp.sequence + 1;
}

static void cookie_lets_data_in_before_the_handshake_is_complete(void **state) {
    (void)state;
    struct scene scene;
    char got[10];
    listen_on(&scene, 5);
    tune(&scene, "net.ipv4.tcp_fastopen=3");
    assert_int_equal(set_option(&scene.host, scene.listener, IPPROTO_TCP, TCP_FASTOPEN, 5), 0);
    struct tcp_cookie cookie = server_cookie(&scene);
    knock_with_data(&scene, &cookie);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 9);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 8);
    assert_int_equal(send_bytes(&scene.host, scene.socket, "answer", 6, 0), 6);
    expect(&scene, TCP_ACK, scene.local, 6);
    scene.remote += 9;
    say(&scene, TCP_ACK, scene.remote, scene.local + 6, 65535, NULL, 0);
    assert_int_equal(scene.socket->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(scene.listener->tcp->fastopen_count, 0);
    assert_int_equal(scene.socket->tcp->send.length, 0);
    scene_end(&scene);
}

static void wrong_cookie_gets_the_right_one_and_its_data_is_not_taken(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    tune(&scene, "net.ipv4.tcp_fastopen=0x403"); /* every listener */
    knock_with_data(&scene, &COOKIE);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 1);
    assert_int_equal(scene.packet.tcp.cookie.length, 8);
    assert_memory_not_equal(scene.packet.tcp.cookie.bytes, COOKIE.bytes, 8);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), -EAGAIN);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPFastOpenPassiveFail, 1);
    scene.remote++;
    scene_end(&scene);
}

static void reset_before_accept_is_told_after_the_data(void **state) {
    (void)state;
    struct scene scene;
    char got[10];
    listen_on(&scene, 5);
    tune(&scene, "net.ipv4.tcp_fastopen=0x603"); /* every listener, no cookie needed */
    struct tcp_cookie none = {0};
    knock_with_data(&scene, &none);
    say(&scene, TCP_RST, scene.remote + 9, 0, 0, NULL, 0);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 8);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), -ECONNRESET);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookie_is_asked_for_then_data_goes_with_the_syn),
        cmocka_unit_test(data_that_the_syn_ack_does_not_take_is_sent_again),
        cmocka_unit_test(cookie_that_was_not_asked_for_is_not_kept),
        cmocka_unit_test(lost_syn_with_data_is_repeated_without),
        cmocka_unit_test(cookie_lets_data_in_before_the_handshake_is_complete),
        cmocka_unit_test(wrong_cookie_gets_the_right_one_and_its_data_is_not_taken),
        cmocka_unit_test(reset_before_accept_is_told_after_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
