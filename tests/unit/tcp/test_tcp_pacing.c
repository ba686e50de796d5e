/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_pacing.c - the rate that is sent at: tcp_pacing.c.
 */
#include "tests/unit/scene.h"

static void rate_that_the_program_asks_for_is_kept(void **state) {
    (void)state;
    struct scene scene;
    uint32_t sent = 0;
    connected(&scene, 65535, 1000);
    scene.socket->tcp->congestion.cwnd = 1000000;
    assert_int_equal(set_option(&scene.host, scene.socket, SOL_SOCKET, SO_MAX_PACING_RATE, 1058000),
                     0); /* 1 ms a segment */
    uint64_t begun = now;
    send_all(&scene, 60000, 0);
    while (sent < 60) {
        uint32_t burst = 0;
        while (hear(&scene)) {
            burst++;
            sent++;
        }
        assert_in_range(burst, 0, 4);
        acknowledge(&scene, sent * 1000);
        host_run(&scene.host, MS / 2);
        assert_true(now - begun < SECOND);
    }
    assert_in_range((now - begun) / MS, 55, 65);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_that_the_program_asks_for_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
