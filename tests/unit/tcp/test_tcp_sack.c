/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_sack.c - what the peer is told of segments that are held (RFC 2018) or came twice (RFC 2883): tcp_sack.c.
 */
#include "stack/tcp/tcp_sack.h"
#include "tests/unit/scene.h"

/* An open connection with SACK, and with timestamps or not. */
static void open_with_sack(struct scene *scene, bool timestamps) {
    scene_begin(scene);
    connect_begin(scene);
    struct tcp_segment answer = segment_from_peer(scene, TCP_SYN | TCP_ACK);
    answer.mss = MSS;
    answer.sack_permitted = true;
    answer.has_timestamp = timestamps;
    answer.timestamp_echo = scene->packet.tcp.timestamp;
    peer_send_segment(&scene->host, &answer, NULL, 0);
    scene->remote++;
    assert_true(hear(scene));
}

/* Segment number `at`, of 100 bytes, comes; the answer is in scene->packet. */
static void comes(struct scene *scene, uint32_t at) {
    struct tcp_segment segment = segment_from_peer(scene, TCP_ACK);
    segment.sequence += at * 100;
    if (scene->socket->tcp->timestamps) {
        segment.has_timestamp = true;
        segment.timestamp_echo = scene->packet.tcp.timestamp;
    }
    peer_send_segment(&scene->host, &segment, bytes, 100);
    assert_true(hear(scene));
}

static void assert_block(const struct scene *scene, uint8_t index, uint32_t from, uint32_t to) {
    assert_true(index < scene->packet.tcp.sack_count);
    assert_int_equal(scene->packet.tcp.sack[index].start - scene->remote, from * 100);
    assert_int_equal(scene->packet.tcp.sack[index].end - scene->remote, to * 100);
}

static void end(struct scene *scene) {
    struct tcp *tcp = scene->socket->tcp;
    scene->remote = tcp->rcv_nxt;
    scene_end(scene);
}

static void the_block_that_grew_last_is_told_of_first(void **state) {
    struct scene scene;
    (void)state;
    open_with_sack(&scene, false);
    comes(&scene, 2);
    assert_int_equal(scene.packet.tcp.sack_count, 1);
    assert_block(&scene, 0, 2, 3);
    comes(&scene, 6);
    assert_block(&scene, 0, 6, 7);
    assert_block(&scene, 1, 2, 3);
    comes(&scene, 3);
    assert_int_equal(scene.packet.tcp.sack_count, 2);
    assert_block(&scene, 0, 2, 4);
    assert_block(&scene, 1, 6, 7);
    end(&scene);
}

static void four_blocks_are_told_of_and_three_beside_timestamps(void **state) {
    (void)state;
    for (int timestamps = 0; timestamps < 2; timestamps++) {
        struct scene scene;
        open_with_sack(&scene, timestamps);
        for (uint32_t i = 1; i <= 6; i++)
            comes(&scene, 2 * i);
        assert_int_equal(scene.packet.tcp.sack_count, timestamps ? 3 : 4);
        assert_block(&scene, 0, 12, 13);
        assert_block(&scene, 2, 8, 9);
        end(&scene);
    }
}

static void two_blocks_that_meet_are_told_of_as_one(void **state) {
    struct scene scene;
    (void)state;
    open_with_sack(&scene, false);
    comes(&scene, 2);
    comes(&scene, 4);
    comes(&scene, 3);
    assert_int_equal(scene.packet.tcp.sack_count, 1);
    assert_block(&scene, 0, 2, 5);
    end(&scene);
}

static void what_comes_twice_is_told_of_once_and_in_front(void **state) {
    struct scene scene;
    (void)state;
    open_with_sack(&scene, false);
    comes(&scene, 2);
    comes(&scene, 0);
    comes(&scene, 0);
    assert_int_equal(scene.packet.tcp.sack_count, 2);
    assert_block(&scene, 0, 0, 1);
    assert_block(&scene, 1, 2, 3);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPDSACKOldSent, 1);
    comes(&scene, 5);
    assert_block(&scene, 0, 5, 6);
    assert_block(&scene, 1, 2, 3);
    assert_int_equal(scene.packet.tcp.sack_count, 2);
    end(&scene);
}

static void with_tcp_dsack_off_nothing_is_told_of_what_came_twice(void **state) {
    struct scene scene;
    (void)state;
    open_with_sack(&scene, false);
    tune(&scene, "net.ipv4.tcp_dsack=0");
    comes(&scene, 2);
    comes(&scene, 0);
    comes(&scene, 0);
    assert_int_equal(scene.packet.tcp.sack_count, 1);
    assert_block(&scene, 0, 2, 3);
    end(&scene);
}

static void a_peer_without_sack_is_told_of_no_block(void **state) {
    struct scene scene;
    (void)state;
    connected(&scene, 65535, MSS);
    comes(&scene, 2);
    assert_int_equal(scene.packet.tcp.sack_count, 0);
    end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_block_that_grew_last_is_told_of_first),
        cmocka_unit_test(four_blocks_are_told_of_and_three_beside_timestamps),
        cmocka_unit_test(two_blocks_that_meet_are_told_of_as_one),
        cmocka_unit_test(what_comes_twice_is_told_of_once_and_in_front),
        cmocka_unit_test(with_tcp_dsack_off_nothing_is_told_of_what_came_twice),
        cmocka_unit_test(a_peer_without_sack_is_told_of_no_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
