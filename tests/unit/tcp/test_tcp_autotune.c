/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_autotune.c - how large the buffers are: tcp_autotune.c.
 */
#include "tests/unit/scene.h"

static void window_opens_as_data_comes_and_buffer_grows_as_it_is_read(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[200000];
    int before, after;
    socklen_t length = sizeof before;
    connected(&scene, 65535, 1000);
    socket_get_option(scene.host.stack, scene.socket, SOL_SOCKET, SO_RCVBUF, &before, &length);
    assert_int_equal(before, 131072); /* tcp_rmem */
    for (int round = 0; round < 12; round++) {
        uint32_t burst = scene.socket->tcp->rcv_adv - scene.socket->tcp->rcv_nxt;
        for (uint32_t done = 0; done + 1000 <= burst; done += 1000) {
            feed(&scene, 1000);
            host_discard(&scene.host);
            receive_bytes(&scene.host, scene.socket, got, sizeof got, 0);
            host_discard(&scene.host);
        }
        now += 50 * MS;
    }
    socket_get_option(scene.host.stack, scene.socket, SOL_SOCKET, SO_RCVBUF, &after, &length);
    assert_in_range(after, 1000000, 6291456);
    assert_in_range(scene.socket->tcp->tuning.offered, 300000, 6291456);
    scene_end(&scene);
}

static void buffer_that_the_program_chose_does_not_grow(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[200000];
    int size;
    socklen_t length = sizeof size;
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, SOL_SOCKET, SO_RCVBUF, 30000);
    for (int i = 0; i < 300; i++) {
        feed(&scene, 1000);
        receive_bytes(&scene.host, scene.socket, got, sizeof got, 0);
        host_discard(&scene.host);
        now += 10 * MS;
    }
    socket_get_option(scene.host.stack, scene.socket, SOL_SOCKET, SO_RCVBUF, &size, &length);
    assert_int_equal(size, 60000);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_opens_as_data_comes_and_buffer_grows_as_it_is_read),
        cmocka_unit_test(buffer_that_the_program_chose_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
