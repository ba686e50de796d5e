/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_rtx.c - what is in flight: tcp_rtx.c.
 */
#include "tests/unit/scene.h"
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

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

static void tiny_segments_and_a_maze_of_sacks_cost_little(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1); /* an MSS of one byte is not believed */
    assert_int_equal(scene.socket->tcp->mss, 48);
    scene.socket->tcp->congestion.cwnd = 1 << 20;
    ssize_t sent = send_bytes(&scene.host, scene.socket, bytes, 60000, 0);
    assert_true(sent >= 48 * 500);
    host_discard(&scene.host);
    scene.socket->tcp->sack_permitted = true;
    for (uint32_t round = 0; round < 20000; round++) {
        struct tcp_segment segment = segment_from_peer(&scene, TCP_ACK);
        segment.sack_count = 3;
        for (uint32_t i = 0; i < 3; i++) {
            uint32_t start = (round * 3 + i) * 96 % 24000 + 48;
            segment.sack[i] = (struct tcp_sack_block){scene.local + start, scene.local + start + 48};
        }
        peer_send_segment(&scene.host, &segment, NULL, 0);
        host_discard(&scene.host);
    }
    assert_true(scene.host.stack->sent.used <= 60000 / 48 + 2);
    scene_end(&scene);
}

/* What acknowledgments cost of a connection with `records` segments of one byte in flight, in nanoseconds
 * each, at best: the peer has all of one half of them but every second, and says so from both ends and of the
 * middle. */
static double cost_of_a_sack(uint32_t records) {
    struct scene scene;
    struct timespec from, to;
    double best_ns = 1e12;
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    tcp->congestion.cwnd = 1 << 28;
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    tcp->sack_permitted = true;
    for (uint32_t i = 0; i < records; i++) {
        assert_int_equal(send_bytes(&scene.host, scene.socket, bytes, 1, 0), 1);
        host_discard(&scene.host);
    }
    assert_int_equal(tcp->active->scoreboard.count, records);
    for (uint32_t i = 0; i + 4 < records / 2; i += 4) {
        struct tcp_segment segment = segment_from_peer(&scene, TCP_ACK);
        segment.sack_count = 2;
        for (uint32_t block = 0; block < 2; block++) {
            uint32_t start = scene.local + records / 4 + i + 2 * block;
            segment.sack[block] = (struct tcp_sack_block){start, start + 1};
        }
        peer_send_segment(&scene.host, &segment, NULL, 0);
        host_discard(&scene.host);
    }
    for (int round = 0; round < 20; round++) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        for (uint32_t i = 0; i < 50; i++) {
            struct tcp_segment segment = segment_from_peer(&scene, TCP_ACK);
            segment.sack_count = 3;
            for (uint32_t block = 0; block < 3; block++) {
                uint32_t start = scene.local + records / 2 + block * records / 16;
                segment.sack[block] = (struct tcp_sack_block){start, start + records / 32};
            }
            peer_send_segment(&scene.host, &segment, NULL, 0);
            host_discard(&scene.host);
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        best_ns = ns / 50 < best_ns ? ns / 50 : best_ns;
    }
    scene_end(&scene);
    return best_ns;
}

static void cost_of_a_sack_does_not_grow_with_what_is_in_flight(void **state) {
    (void)state;
    double few_ns = cost_of_a_sack(600), many_ns = cost_of_a_sack(60000);
    printf("%.0f ns with 600 segments in flight, %.0f with 60,000\n", few_ns, many_ns);
    assert_true(many_ns < 10 * few_ns);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(third_duplicate_acknowledgment_retransmits),
        cmocka_unit_test(tiny_segments_and_a_maze_of_sacks_cost_little),
        cmocka_unit_test(cost_of_a_sack_does_not_grow_with_what_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
