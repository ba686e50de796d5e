/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_urgent.c - urgent data: tcp_urgent.c.
 */
#include "tests/unit/scene.h"
#include <errno.h>
#include <poll.h>

static void urgent_byte_is_read_out_of_band_or_in_its_place(void **state) {
    (void)state;
    for (int in_line = 0; in_line < 2; in_line++) {
        struct scene scene;
        char got[20];
        int mark;
        connected(&scene, 65535, 1000);
        set_option(&scene.host, scene.socket, SOL_SOCKET, SO_OOBINLINE, in_line);
        struct tcp_segment urgent = segment_from_peer(&scene, TCP_ACK | TCP_URG);
        urgent.urgent = 4;
        peer_send_segment(&scene.host, &urgent, "abc!def", 7);
        scene.remote += 7;
        assert_true(socket_poll(scene.host.stack, scene.socket) & POLLPRI);
        assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0),
                         3); /* as far as the mark */
        socket_control(scene.socket, SIOCATMARK, &mark);
        assert_int_equal(mark, 1);
        if (in_line) {
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, 1, MSG_OOB), -EINVAL);
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 4);
            assert_memory_equal(got, "!def", 4);
        } else {
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, 1, MSG_OOB), 1);
            assert_int_equal(got[0], '!');
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, 1, MSG_OOB), -EINVAL);
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 3);
            assert_memory_equal(got, "def", 3);
        }
        assert_false(socket_poll(scene.host.stack, scene.socket) & POLLPRI);
        scene_end(&scene);
    }
}

static void urgent_byte_is_announced(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    assert_int_equal(send_bytes(&scene.host, scene.socket, "abc!", 4, MSG_OOB), 4);
    expect(&scene, TCP_ACK | TCP_URG, scene.local, 4);
    assert_int_equal(scene.packet.tcp.urgent, 4);
    acknowledge(&scene, 4);
    send_bytes(&scene.host, scene.socket, "rest", 4, 0);
    expect(&scene, TCP_ACK, scene.local + 4, 4);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urgent_byte_is_read_out_of_band_or_in_its_place),
        cmocka_unit_test(urgent_byte_is_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
