/* SPDX-License-Identifier: MIT */
/*
 * test_socket.c - what calls say: socket.c.
 */
#include "tests/unit/scene.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

static void calls_give_linux_errors(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket, *other;
    char byte = 0;
    struct ip_address address;
    uint16_t port;
    assert_int_equal(socket_create(host.stack, SOCK_STREAM, IPPROTO_UDP, &socket), -EPROTONOSUPPORT);
    assert_int_equal(socket_create(host.stack, SOCK_SEQPACKET, 0, &socket), -ESOCKTNOSUPPORT);
    assert_int_equal(socket_create(host.stack, SOCK_RAW, 0, &socket), -EPROTONOSUPPORT);
    assert_int_equal(socket_create(host.stack, SOCK_STREAM, 0, &socket), 0);
    assert_int_equal(send_bytes(&host, socket, &byte, 1, 0), -EPIPE);
    assert_int_equal(receive_bytes(&host, socket, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(socket_shutdown(host.stack, socket, SHUT_WR), -ENOTCONN);
    assert_int_equal(socket_shutdown(host.stack, socket, 9), -EINVAL);
    assert_int_equal(socket_remote(socket, &address, &port), -ENOTCONN);
    assert_int_equal(socket_accept(host.stack, socket, &other), -EINVAL);
    assert_int_equal(socket_poll(host.stack, socket), POLLOUT | POLLWRNORM | POLLHUP);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(0x08080808), 80), -ENETUNREACH);
    assert_int_equal(socket_listen(host.stack, socket, 1), 0);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 80), -EISCONN);
    assert_int_equal(receive_bytes(&host, socket, &byte, 1, 0), -ENOTCONN);
    int value = 5;
    socklen_t length = sizeof value;
    assert_int_equal(socket_set_option(host.stack, socket, IPPROTO_TCP, 9999, &value, sizeof value),
                     -ENOPROTOOPT);
    assert_int_equal(socket_set_option(host.stack, socket, IPPROTO_TCP, TCP_NODELAY, &value, 1), -EINVAL);
    assert_int_equal(socket_get_option(host.stack, socket, SOL_SOCKET, SO_ACCEPTCONN, &value, &length), 0);
    assert_int_equal(value, 1);
    socket_release(host.stack, socket);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void arrival_of_what_is_read_is_told(void **state) {
    (void)state;
    struct scene scene;
    uint64_t came[100];
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, SOL_SOCKET, SO_TIMESTAMP, 1);
    for (int i = 0; i < 100; i++) {
        came[i] = now;
        feed(&scene, 10);
        host_run(&scene.host, MS);
    }
    for (int i = 0; i < 100; i++) {
        struct iovec piece = {bytes, 10};
        struct socket_message message = {.pieces = &piece, .count = 1};
        assert_int_equal(socket_receive(scene.host.stack, scene.socket, &message), 10);
        /* Of the first ones it is forgotten when they came: with those that came next. */
        int at_least = i < 100 - (int)STREAM_ARRIVALS_MAX ? 100 - (int)STREAM_ARRIVALS_MAX : i;
        assert_int_equal(message.received_ns, came[at_least]);
    }
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrival_of_what_is_read_is_told),
        cmocka_unit_test(calls_give_linux_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
