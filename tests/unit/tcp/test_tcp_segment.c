/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_segment.c - segments read and written, cut and numbered: tcp_segment.c.
 */
#include "stack/tcp/tcp_isn.h"
#include "tests/unit/scene.h"
#include <stdlib.h>

static void segment_is_read_as_it_was_written(void **state) {
    (void)state;
    uint8_t header[60];
    struct tcp_segment out = {.source_port = 1,
                              .destination_port = 65535,
                              .sequence = 0xdeadbeef,
                              .acknowledgment = 0xfeedface,
                              .window = 4321,
                              .flags = TCP_SYN | TCP_ACK,
                              .mss = 1460,
                              .window_scale = 7};
    struct tcp_segment in;
    uint32_t length = tcp_segment_write(&out, header);
    assert_int_equal(length, 28);
    assert_int_equal(tcp_segment_parse(&in, header, length), 28);
    assert_int_equal(in.sequence, out.sequence);
    assert_int_equal(in.acknowledgment, out.acknowledgment);
    assert_int_equal(in.window, out.window);
    assert_int_equal(in.flags, out.flags);
    assert_int_equal(in.mss, 1460);
    assert_int_equal(in.window_scale, 7);
}

static void malformed_segments_are_refused_or_read_in_bounds(void **state) {
    (void)state;
    struct tcp_segment segment;
    uint8_t header[60] = {[12] = 0x40};
    assert_int_equal(tcp_segment_parse(&segment, header, 20), -1); /* data offset below 5 */
    header[12] = 0x60;
    assert_int_equal(tcp_segment_parse(&segment, header, 20), -1); /* beyond what is there */
    assert_int_equal(tcp_segment_parse(&segment, header, 19), -1);
    header[13] = TCP_SYN;
    srand(6);
    for (int i = 0; i < 100000; i++) {
        uint32_t length = 20 + (uint32_t)rand() % 11 * 4;
        uint8_t *exact = malloc(length); /* so that a sanitizer sees a step beyond */
        for (uint32_t j = 0; j < length; j++)
            exact[j] = (uint8_t)rand();
        exact[12] = (uint8_t)(length / 4 << 4);
        exact[13] = TCP_SYN;
        assert_int_equal(tcp_segment_parse(&segment, exact, length), length);
        assert_in_range((unsigned)segment.window_scale + 1, 0, 15);
        free(exact);
    }
}

static void sequence_numbers_compare_across_the_wrap(void **state) {
    (void)state;
    assert_true(seq_lt(0xfffffff0, 5));
    assert_true(seq_gt(5, 0xfffffff0));
    assert_true(seq_le(7, 7) && seq_ge(7, 7));
    assert_false(seq_lt(7, 7));
    assert_true(seq_lt(0, 0x7fffffff));
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

static void connections_work_at_every_place_around_the_wrap(void **state) {
    (void)state;
    for (uint32_t before = 0; before < 40; before++) {
        struct host a = host_create(HOST_A, 1500), b = host_create(HOST_B, 1500);
        struct cable cable;
        struct socket *client = make_socket(&a, SOCK_STREAM, 0, 5000), *server = NULL;
        struct socket *listener = make_socket(&b, SOCK_STREAM, 0, 80);
        char got[40];
        socket_listen(b.stack, listener, 1);
        cable_join(&cable, &a, &b, MS);
        /* The initial number follows the clock: RFC 6528. */
        uint32_t iss = tcp_isn(a.stack->isn_key, now, ip_from_v4(HOST_A), 5000, ip_from_v4(HOST_B), 80);
        now += (uint64_t)(0u - before - iss) * 64;
        stack_advance(a.stack, now);
        stack_advance(b.stack, now);
        socket_connect(a.stack, client, ip_from_v4(HOST_B), 80);
        assert_int_equal(client->tcp->iss, 0u - before);
        cable_run(&cable, 10 * MS);
        assert_int_equal(socket_accept(b.stack, listener, &server), 0);
        for (int i = 0; i < 3; i++) {
            send_bytes(&a, client, "0123456789", 10, 0);
            cable_run(&cable, 10 * MS);
        }
        assert_int_equal(receive_bytes(&b, server, got, sizeof got, 0), 30);
        assert_memory_equal(got, "012345678901234567890123456789", 30);
        socket_shutdown(a.stack, client, SHUT_WR);
        cable_run(&cable, 10 * MS);
        assert_int_equal(receive_bytes(&b, server, got, sizeof got, 0), 0);
        socket_release(b.stack, server);
        socket_release(b.stack, listener);
        cable_run(&cable, 10 * MS);
        assert_int_equal(client->tcp->state, TCP_TIME_WAIT);
        assert_int_equal(a.stack->mib.TcpRetransSegs + b.stack->mib.TcpRetransSegs, 0);
        socket_release(a.stack, client);
        cable_cut(&cable);
        host_destroy(&a);
        host_destroy(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_is_read_as_it_was_written),
        cmocka_unit_test(malformed_segments_are_refused_or_read_in_bounds),
        cmocka_unit_test(sequence_numbers_compare_across_the_wrap),
        cmocka_unit_test(data_is_cut_at_the_peers_mss),
        cmocka_unit_test(without_mss_option_536_is_assumed),
        cmocka_unit_test(sequence_numbers_wrap_under_load),
        cmocka_unit_test(connections_work_at_every_place_around_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
