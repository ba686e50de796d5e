/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_output.c - how segments leave: tcp_output.c.
 */
#include "tests/unit/scene.h"

static bool hear_pushed(struct scene *scene) {
    assert_true(hear(scene));
    return scene->packet.tcp.flags & TCP_PSH;
}

static void bursts_end_with_a_push(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    scene.socket->tcp->rtt.min_ns = 100 * MS; /* a slow path: two segments a burst */
    scene.socket->tcp->rtt.srtt_ns = 100 * MS;
    send_all(&scene, 30000, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(hear_pushed(&scene), i % 2);
    expect_nothing(&scene);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bursts_end_with_a_push),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
