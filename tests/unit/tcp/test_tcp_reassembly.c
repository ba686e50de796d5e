/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_reassembly.c - segments out of order: tcp_reassembly.c.
 */
#include "tests/unit/scene.h"

static void out_of_order_segments_are_put_in_order(void **state) {
    (void)state;
    static const struct {
        uint32_t at, length;
    } pieces[] = {{300, 100}, {100, 100}, {500, 50}, {150, 200}, {90, 40}, {400, 100}, {0, 100}};
    struct scene scene;
    uint8_t got[550];
    connected(&scene, 65535, MSS);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        say(&scene, TCP_ACK, scene.remote + pieces[i].at, scene.local, 65535, bytes + pieces[i].at,
            pieces[i].length);
        assert_true(hear(&scene)); /* each answered at once */
        assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + (pieces[i].at ? 0 : 550));
        while (hear(&scene))
            continue;
    }
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 550);
    assert_memory_equal(got, bytes, 550);
    assert_int_equal(scene.host.stack->out_of_order_segments.used, 0);
    scene.remote += 550;
    scene_end(&scene);
}

static void fin_ahead_of_its_turn_waits(void **state) {
    (void)state;
    struct scene scene;
    uint8_t got[300];
    connected(&scene, 65535, MSS);
    say(&scene, TCP_ACK | TCP_FIN, scene.remote + 100, scene.local, 65535, bytes + 100, 100);
    assert_int_equal(scene.socket->tcp->state, TCP_ESTABLISHED);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, 100);
    assert_int_equal(scene.socket->tcp->state, TCP_CLOSE_WAIT);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 200);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 0);
    scene.remote += 201;
    scene_end(&scene);
}

static void held_segments_are_bounded(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    for (uint32_t i = 0; i < 5000; i++) {
        say(&scene, TCP_ACK, scene.remote + 2 + 3 * i, scene.local, 65535, bytes, 1);
        host_discard(&scene.host);
    }
    assert_in_range(scene.host.stack->out_of_order_segments.used, 1, TCP_OUT_OF_ORDER_MAX);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_order_segments_are_put_in_order),
        cmocka_unit_test(fin_ahead_of_its_turn_waits),
        cmocka_unit_test(held_segments_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
