/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_ack.c - when acknowledgments leave: tcp_ack.c.
 */
#include "tests/unit/scene.h"
#include <netinet/in.h>

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

static void first_segments_are_acknowledged_one_by_one(void **state) {
    (void)state;
    struct scene scene;
    int quick = 0;
    connected(&scene, 65535, 1000);
    for (int i = 0; i < 40; i++) {
        feed(&scene, 1000);
        if (!hear(&scene))
            break;
        quick++;
    }
    assert_int_equal(quick, 16); /* then every second one */
    feed(&scene, 1000);
    assert_true(hear(&scene));
    scene_end(&scene);
}

static void program_that_answers_has_its_acknowledgments_wait(void **state) {
    (void)state;
    struct scene scene;
    char got[100];
    connected(&scene, 65535, 1000);
    uint32_t sent = 0;
    for (int i = 0; i < 5; i++) {
        feed(&scene, 100);
        if (i > 0)
            expect_nothing(&scene);
        host_discard(&scene.host);
        receive_bytes(&scene.host, scene.socket, got, sizeof got, 0);
        expect_nothing(&scene);
        send_all(&scene, 10, 0);
        expect(&scene, TCP_ACK, scene.local + sent, 10);
        sent += 10;
        scene.local += sent;
        acknowledge(&scene, 0);
        sent = 0;
        now += MS;
    }
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledgment_is_delayed_40_ms_or_rides_along),
        cmocka_unit_test(second_segment_is_acknowledged_at_once),
        cmocka_unit_test(acknowledgment_after_a_timeout_has_the_highest_number),
        cmocka_unit_test(retransmitted_data_is_acknowledged_again),
        cmocka_unit_test(first_segments_are_acknowledged_one_by_one),
        cmocka_unit_test(program_that_answers_has_its_acknowledgments_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
