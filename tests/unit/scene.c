/* SPDX-License-Identifier: MIT */
/*
 * scene.c - see scene.h.
 */
#include "tests/unit/scene.h"
#include <errno.h>

uint8_t bytes[200000];

void scene_begin(struct scene *scene) {
    memset(scene, 0, sizeof *scene);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    scene->host = host_create(HOST_A, 1500);
    scene->remote_port = 80;
    scene->remote = PEER_ISS;
    peer_introduce(&scene->host);
}

void say(struct scene *scene, uint8_t flags, uint32_t sequence, uint32_t acknowledgment, uint16_t window,
         const void *payload, uint32_t length) {
    peer_send(&scene->host, scene->remote_port, scene->local_port, flags, sequence, acknowledgment, window, 0,
              payload, length);
}

bool hear(struct scene *scene) {
    return peer_read(&scene->host, &scene->packet);
}

/* Expects one segment with these flags, sequence number and length. */
void expect(struct scene *scene, uint8_t flags, uint32_t sequence, uint32_t length) {
    assert_true(hear(scene));
    assert_int_equal(scene->packet.tcp.flags & ~TCP_PSH, flags);
    assert_int_equal(scene->packet.tcp.sequence, sequence);
    assert_int_equal(scene->packet.tcp.length, length);
}

void expect_nothing(struct scene *scene) {
    assert_false(hear(scene));
}

void connect_begin(struct scene *scene) {
    struct ip_address address;
    assert_int_equal(socket_create(scene->host.stack, SOCK_STREAM, 0, &scene->socket), 0);
    assert_int_equal(socket_connect(scene->host.stack, scene->socket, ip_from_v4(HOST_B), scene->remote_port),
                     -EINPROGRESS);
    socket_local(scene->socket, &address, &scene->local_port);
    assert_true(hear(scene));
    assert_int_equal(scene->packet.tcp.flags, TCP_SYN);
    scene->local = scene->packet.tcp.sequence + 1;
}

/* An active open, the peer offering a window and an MSS. */
void connected(struct scene *scene, uint16_t window, uint16_t mss) {
    scene_begin(scene);
    connect_begin(scene);
    peer_send(&scene->host, scene->remote_port, scene->local_port, TCP_SYN | TCP_ACK, scene->remote++,
              scene->local, window, mss, NULL, 0);
    expect(scene, TCP_ACK, scene->local, 0);
    assert_int_equal(scene->packet.tcp.acknowledgment, scene->remote);
    assert_int_equal(socket_connect(scene->host.stack, scene->socket, ip_from_v4(HOST_B), 80), 0);
}

void scene_end(struct scene *scene) {
    if (scene->socket)
        socket_release(scene->host.stack, scene->socket);
    if (scene->listener)
        socket_release(scene->host.stack, scene->listener);
    say(scene, TCP_RST, scene->remote, 0, 0, NULL, 0);
    host_discard(&scene->host);
    host_run(&scene->host, 4000 * SECOND);
    host_discard(&scene->host);
    assert_nothing_left(&scene->host);
    host_destroy(&scene->host);
}

void listen_on(struct scene *scene, int backlog) {
    scene_begin(scene);
    scene->local_port = 8080;
    scene->remote_port = 40000;
    assert_int_equal(socket_create(scene->host.stack, SOCK_STREAM, 0, &scene->listener), 0);
    assert_int_equal(socket_bind(scene->host.stack, scene->listener, ip_from_v4(0), 8080), 0);
    assert_int_equal(socket_listen(scene->host.stack, scene->listener, backlog), 0);
}

struct tcp_segment segment_from_peer(const struct scene *scene, uint8_t flags) {
    return (struct tcp_segment){.source_port = scene->remote_port,
                                .destination_port = scene->local_port,
                                .sequence = scene->remote,
                                .acknowledgment = scene->local,
                                .window = 65535,
                                .flags = flags,
                                .window_scale = -1};
}

bool knock(struct scene *scene, uint16_t port) {
    peer_send(&scene->host, port, 8080, TCP_SYN, scene->remote, 0, 65535, MSS, NULL, 0);
    if (!hear(scene))
        return false;
    scene->local = scene->packet.tcp.sequence + 1;
    return scene->packet.tcp.flags == (TCP_SYN | TCP_ACK);
}

ssize_t send_all(struct scene *scene, size_t length, int flags) {
    return send_bytes(&scene->host, scene->socket, bytes, length, flags);
}

void acknowledge(struct scene *scene, uint32_t end) {
    say(scene, TCP_ACK, scene->remote, scene->local + end, 65535, NULL, 0);
}

void feed(struct scene *scene, uint32_t length) {
    say(scene, TCP_ACK, scene->remote, scene->local, 65535, bytes, length);
    scene->remote += length;
}

void tune(struct scene *scene, const char *list) {
    assert_int_equal(sysctl_set_all(&scene->host.stack->sysctl, list, NULL), 0);
}

void assert_open(struct scene *scene) {
    char got[8];
    assert_int_equal(scene->socket->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(receive_bytes(&scene->host, scene->socket, got, sizeof got, 0), -EAGAIN);
}
