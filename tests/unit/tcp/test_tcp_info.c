/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_info.c - what TCP_INFO tells: tcp_info.c.
 */
#include "tests/unit/scene.h"

static void what_limits_a_sender_is_told(void **state) {
    (void)state;
    struct scene scene;
    struct tcp_information info;
    connected(&scene, 2000, 1000);
    send_all(&scene, 5000, 0);
    host_run(&scene.host, 20 * MS);
    tcp_info_get(scene.host.stack, scene.socket->tcp, &info);
    assert_in_range(info.rwnd_limited, 19000, 21000);
    assert_int_equal(info.unacked, 2);
    assert_int_equal(info.notsent_bytes, 3000);
    acknowledge(&scene, 2000);
    host_run(&scene.host, 10 * MS);
    acknowledge(&scene, 5000);
    host_run(&scene.host, 500 * MS);
    tcp_info_get(scene.host.stack, scene.socket->tcp, &info);
    assert_in_range(info.rwnd_limited, 19000, 21000);
    assert_in_range(info.busy_time, 29000, 31500);
    assert_int_equal(info.bytes_acked, 5000);
    assert_int_equal(info.delivered, 6); /* with the SYN */
    assert_int_equal(info.snd_mss, 1000);
    assert_int_equal(info.advmss, 1460);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_limits_a_sender_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
