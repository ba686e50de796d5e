/* SPDX-License-Identifier: MIT */
/*
 * test_filter.c - filters on sockets: filter.c.
 */
#include "tests/unit/scene.h"
#include <errno.h>

/* A filter that wants less than the header, of a segment that has nothing behind it. */
static void filter_cuts_no_header_off(void **state) {
    (void)state;
    for (uint32_t wanted = 1; wanted <= 33; wanted++) {
        struct scene scene;
        struct sock_filter keep[] = {{BPF_RET | BPF_K, 0, 0, wanted}};
        struct sock_fprog program = {.len = 1, .filter = keep};
        char got[10];
        connected(&scene, 65535, MSS);
        assert_int_equal(socket_set_option(scene.host.stack, scene.socket, SOL_SOCKET, SO_ATTACH_FILTER,
                                           &program, sizeof program),
                         0);
        assert_int_equal(send_bytes(&scene.host, scene.socket, "x", 1, 0), 1);
        expect(&scene, TCP_ACK, scene.local++, 1);
        say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
        assert_int_equal(scene.socket->tcp->snd_una, scene.local);
        say(&scene, TCP_ACK, scene.remote, scene.local, 65535, "some data", 9);
        ssize_t left = wanted > 20 ? (ssize_t)(wanted - 20 < 9 ? wanted - 20 : 9) : -EAGAIN;
        assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), left);
        scene.remote += left > 0 ? (uint32_t)left : 0;
        scene_end(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_cuts_no_header_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
