/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_syncookie.c - SYNs that are not remembered: tcp_syncookie.c.
 */
#include "tests/unit/scene.h"

static void flood_of_syns_does_not_keep_a_client_out(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 4);
    tune(&scene, "net.ipv4.tcp_max_syn_backlog=100");
    for (uint16_t port = 1000; port < 3000; port++) {
        peer_send(&scene.host, port, 8080, TCP_SYN, scene.remote, 0, 65535, MSS, NULL, 0);
        assert_true(hear(&scene));
    }
    assert_in_range(scene.host.stack->connections.used, 100, 103); /* the flood takes no more memory */
    struct tcp_segment syn = segment_from_peer(&scene, TCP_SYN);
    syn.mss = 1300;
    syn.window_scale = 5;
    syn.sack_permitted = syn.has_timestamp = true;
    syn.timestamp = 77;
    peer_send_segment(&scene.host, &syn, NULL, 0);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_SYN | TCP_ACK);
    scene.local = scene.packet.tcp.sequence + 1;
    scene.remote++;
    struct tcp_segment reply = segment_from_peer(&scene, TCP_ACK);
    reply.has_timestamp = true;
    reply.timestamp = 78;
    reply.timestamp_echo = scene.packet.tcp.timestamp;
    peer_send_segment(&scene.host, &reply, "hello", 5);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    const struct tcp *tcp = scene.socket->tcp;
    assert_int_equal(tcp->snd_scale, 5); /* all of it came back in the timestamp */
    assert_true(tcp->sack_permitted && tcp->timestamps);
    assert_int_equal(tcp->path.mss_peer, 1300);
    assert_int_equal(tcp->receive.length, 5);
    assert_int_equal(scene.host.stack->mib.TcpExtSyncookiesRecv, 1);
    scene_end(&scene);
}

static void forged_cookies_are_refused(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 1);
    tune(&scene, "net.ipv4.tcp_syncookies=2");
    peer_send(&scene.host, 1000, 8080, TCP_SYN, scene.remote, 0, 65535, MSS, NULL, 0);
    assert_true(hear(&scene));
    uint32_t right = scene.packet.tcp.sequence + 1;
    for (uint32_t i = 1; i < 2000; i++) {
        peer_send(&scene.host, 1000, 8080, TCP_ACK, scene.remote + 1, right + i * 0x10003, 65535, 0, NULL, 0);
        assert_true(hear(&scene));
        assert_int_equal(scene.packet.tcp.flags, TCP_RST);
    }
    peer_send(&scene.host, 1001, 8080, TCP_ACK, scene.remote + 1, right, 65535, 0, NULL, 0); /* another's */
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_RST);
    host_run(&scene.host, 200 * SECOND); /* too late */
    peer_introduce(&scene.host);
    peer_send(&scene.host, 1000, 8080, TCP_ACK, scene.remote + 1, right, 65535, 0, NULL, 0);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_RST);
    assert_int_equal(scene.listener->accept_count, 0);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flood_of_syns_does_not_keep_a_client_out),
        cmocka_unit_test(forged_cookies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
