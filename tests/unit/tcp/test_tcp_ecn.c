/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_ecn.c - marks of routers: tcp_ecn.c.
 */
#include "stack/tcp/tcp_ecn.h"
#include "tests/unit/scene.h"

static void ecn_is_agreed_on_marks_are_echoed_and_echoes_heeded(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    tune(&scene, "net.ipv4.tcp_ecn=1");
    struct ip_address address;
    assert_int_equal(socket_create(scene.host.stack, SOCK_STREAM, 0, &scene.socket), 0);
    socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80);
    socket_local(scene.socket, &address, &scene.local_port);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_SYN | TCP_ECE | TCP_CWR);
    scene.local = scene.packet.tcp.sequence + 1;
    struct tcp_segment answer = segment_from_peer(&scene, TCP_SYN | TCP_ACK | TCP_ECE);
    answer.mss = 1000;
    peer_send_segment(&scene.host, &answer, NULL, 0);
    scene.remote++;
    host_discard(&scene.host);
    assert_true(scene.socket->tcp->ecn & TCP_ECN_ON);

    struct tcp_segment marked = segment_from_peer(&scene, TCP_ACK);
    marked.tos = TCP_ECN_CE;
    peer_send_segment(&scene.host, &marked, bytes, 100);
    scene.remote += 100;
    expect(&scene, TCP_ACK | TCP_ECE, scene.local, 0);
    struct tcp_segment reduced = segment_from_peer(&scene, TCP_ACK | TCP_CWR);
    peer_send_segment(&scene.host, &reduced, bytes, 100);
    scene.remote += 100;
    expect(&scene, TCP_ACK, scene.local, 0);

    send_bytes(&scene.host, scene.socket, bytes, 10000, 0);
    host_discard(&scene.host);
    now += 10 * MS;
    say(&scene, TCP_ACK | TCP_ECE, scene.remote, scene.local + 1000, 65535, NULL, 0);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_REDUCING);
    assert_in_range(scene.socket->tcp->congestion.ssthresh, 7000, 7999);
    say(&scene, TCP_ACK, scene.remote, scene.local + 10000, 65535, NULL, 0);
    send_bytes(&scene.host, scene.socket, bytes, 1000, 0);
    assert_true(hear(&scene));
    assert_true(scene.packet.tcp.flags & TCP_CWR);
    assert_int_equal(scene.host.stack->mib.TcpRetransSegs, 0);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecn_is_agreed_on_marks_are_echoed_and_echoes_heeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
