/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_pmtu.c - ICMP errors, MTU and black holes as a connection sees them: tcp_pmtu.c.
 */
#include "tests/unit/network.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <poll.h>

/* An ICMP error that quotes a segment of the connection with this sequence number. */
static void say_icmp(struct scene *scene, uint8_t code, uint32_t info, uint32_t sequence) {
    uint8_t quoted[28] = {0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, IP_PROTOCOL_TCP};
    wire_put32(quoted + 12, HOST_A);
    wire_put32(quoted + 16, HOST_B);
    wire_put16(quoted + 20, scene->local_port);
    wire_put16(quoted + 22, scene->remote_port);
    wire_put32(quoted + 24, sequence);
    peer_icmp(&scene->host, ICMP_DESTINATION_UNREACHABLE, code, info, quoted, sizeof quoted);
}

static void forged_icmp_errors_end_nothing(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    send_bytes(&scene.host, scene.socket, bytes, 5000, 0);
    host_discard(&scene.host);
    for (uint32_t i = 0; i < 1000; i++)
        for (uint8_t code = 0; code < 16; code++)
            say_icmp(&scene, code, 68, scene.local + 5001 + i * 4000000);
    assert_int_equal(scene.socket->tcp->mss, MSS); /* not even a path's MTU is believed */
    for (uint8_t code = 0; code < 16; code++)
        if (code != ICMP_FRAGMENTATION_NEEDED)
            say_icmp(&scene, code, 0, scene.local); /* one that might be true */
    assert_open(&scene);
    say_icmp(&scene, ICMP_FRAGMENTATION_NEEDED, 68, scene.local);
    assert_true(scene.socket->tcp->mss >=
                500); /* 68 is not believed: RFC 1191's floor is no use to anybody */
    scene_end(&scene);
}

/* A connection to the scripted peer, established. */
static struct socket *connect_tcp(struct host *host, struct packet *packet, uint16_t *port) {
    struct socket *socket;
    assert_int_equal(socket_create(host->stack, SOCK_STREAM, 0, &socket), 0);
    assert_int_equal(socket_connect(host->stack, socket, ip_from_v4(HOST_B), 80), -EINPROGRESS);
    stack_advance(host->stack, now);
    assert_true(peer_read(host, packet));
    *port = packet->tcp.source_port;
    peer_send(host, 80, *port, TCP_SYN | TCP_ACK, 7000, packet->tcp.sequence + 1, 65535, 1460, NULL, 0);
    assert_true(peer_read(host, packet));
    return socket;
}

static void tcp_sends_shorter_segments_when_told_at_once(void **state) {
    (void)state;
    static struct packet packet;
    struct host host = host_create(HOST_A, 1500);
    uint16_t port;
    peer_introduce(&host);
    struct socket *socket = connect_tcp(&host, &packet, &port);
    uint32_t start = packet.tcp.sequence;
    assert_int_equal(send_bytes(&host, socket, payload, 5000, 0), 5000);
    assert_true(next_packet(&host, IP_PROTOCOL_TCP, &seen, &body, &body_length));
    assert_int_equal(body_length, 1480);
    static struct seen first;
    first = seen;
    host_discard(&host);
    /* Blindly: a sequence number that is not in flight. */
    wire_put32(seen.bytes + 38, start + 500000);
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1000);
    assert_int_equal(host.stack->mib.TcpExtOutOfWindowIcmps, 1);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(HOST_B)), 1500);
    seen = first;
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1000);
    assert_int_equal(ip_mtu(host.stack, ip_from_v4(HOST_B)), 1000);
    assert_true(peer_read(&host, &packet)); /* without waiting for a timeout */
    assert_int_equal(packet.tcp.sequence, start);
    assert_int_equal(packet.tcp.length, 960);
    assert_int_equal(socket->tcp->congestion.cwnd, 10 * 1460); /* it was no congestion */
    peer_send(&host, 80, port, TCP_ACK, 7001, start + 4380, 65535, 0, NULL, 0);
    assert_int_equal(socket->tcp->snd_nxt, start + 5000); /* what Nagle had held */
    peer_send(&host, 80, port, TCP_ACK, 7001, start + 5000, 65535, 0, NULL, 0);
    /* Ten minutes later the way may be wider. */
    host_run(&host, 601 * SECOND);
    host_discard(&host);
    peer_introduce(&host);
    assert_int_equal(send_bytes(&host, socket, payload, 3000, 0), 3000);
    assert_true(peer_read(&host, &packet));
    assert_int_equal(packet.tcp.length, 1460);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

/* A router that swallows packets of more than 1,000 payload without a word; or all. */
struct hole {
    bool all, none;
};
static bool swallows(const struct seen *frame, bool from_a, void *context) {
    const struct hole *hole = context;
    return hole->all || (!hole->none && from_a && frame->length > 1014);
}

static void black_hole_is_found_and_a_dead_line_is_none(void **state) {
    (void)state;
    struct host a = host_create(HOST_A, 1500), b = host_create(HOST_B, 1500);
    struct cable cable;
    struct hole hole = {0};
    struct socket *client, *server, *listener;
    cable_join(&cable, &a, &b, 5 * MS);
    cable.loses = swallows;
    cable.context = &hole;
    cable_connect(&cable, 80, &client, &server, &listener);
    uint64_t began = now;
    uint32_t received = 0;
    assert_int_equal(send_bytes(&a, client, payload, 60000, 0), 60000);
    while (received < 60000 && now - began < 100 * SECOND) {
        cable_run(&cable, 10 * MS);
        ssize_t count = receive_bytes(&b, server, got, sizeof got, 0);
        received += count > 0 ? (uint32_t)count : 0;
    }
    assert_int_equal(received, 60000);
    assert_true(now - began < 20 * SECOND);
    assert_true(client->tcp->mss <= 960 && client->tcp->mss >= TCP_MSS_DEFAULT);
    assert_true(a.stack->mib.TcpExtTCPMTUPFail >= 1);
    /* The hole is mended, or it was only the line: full segments once more, in time. */
    hole.none = true;
    now += 700 * SECOND;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(send_bytes(&a, client, payload, 20000, 0), 20000);
        cable_run(&cable, SECOND);
        while (receive_bytes(&b, server, got, sizeof got, 0) > 0)
            ;
    }
    assert_int_equal(client->tcp->mss, 1448);
    hole.all = true;
    assert_int_equal(send_bytes(&a, client, payload, 20000, 0), 20000);
    cable_run(&cable, 10 * SECOND);
    assert_true(client->tcp->mss < 1460);
    hole.all = false;
    for (int i = 0; i < 20; i++) {
        cable_run(&cable, 2 * SECOND);
        send_bytes(&a, client, payload, 20000, 0);
        while (receive_bytes(&b, server, got, sizeof got, 0) > 0)
            ;
    }
    assert_int_equal(client->tcp->mss, 1448);
    cable_cut(&cable);
    host_destroy(&a);
    host_destroy(&b);
}

static void unreachable_network_ends_a_connect_and_not_a_connection(void **state) {
    (void)state;
    static struct packet packet;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket;
    uint16_t port;
    peer_introduce(&host);
    assert_int_equal(socket_create(host.stack, SOCK_STREAM, 0, &socket), 0);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -EINPROGRESS);
    assert_true(next_packet(&host, IP_PROTOCOL_TCP, &seen, &body, &body_length));
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_NET_UNREACHABLE, 0);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -ENETUNREACH);
    socket_release(host.stack, socket);
    socket = connect_tcp(&host, &packet, &port);
    assert_int_equal(send_bytes(&host, socket, payload, 100, 0), 100);
    assert_true(next_packet(&host, IP_PROTOCOL_TCP, &seen, &body, &body_length));
    complain(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0);
    assert_int_equal(socket->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(socket_poll(host.stack, socket) & (POLLERR | POLLHUP), 0);
    host_run(&host, 2000 * SECOND); /* gives up, and says what it was told last: the neighbour is gone, too */
    assert_int_equal(receive_bytes(&host, socket, got, 10, 0), -EHOSTUNREACH);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_icmp_errors_end_nothing),
        cmocka_unit_test(tcp_sends_shorter_segments_when_told_at_once),
        cmocka_unit_test(black_hole_is_found_and_a_dead_line_is_none),
        cmocka_unit_test(unreachable_network_ends_a_connect_and_not_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
