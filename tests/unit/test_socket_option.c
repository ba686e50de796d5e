/* SPDX-License-Identifier: MIT */
/*
 * test_socket_option.c - options of SOL_SOCKET and IPPROTO_TCP: socket_option.c.
 */
#include "stack/socket_option.h"
#include "tests/unit/option.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

static void options_of_sockets_take_what_linux_takes(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    static const struct option_case cases[] = {
        {SO_REUSEADDR, 7, 0, 1},
        {SO_REUSEADDR, 0, 0, 0},
        {SO_BROADCAST, 1, 0, 1},
        {SO_PRIORITY, 6, 0, 6},
        {SO_RCVLOWAT, 0, 0, 1},
        {SO_RCVLOWAT, 100, 0, 100},
        {SO_PEEK_OFF, -1, 0, -1},
        {SO_SNDBUF, 1, 0, (int)SOCKET_SEND_MIN},
        {SO_RCVBUF, 1, 0, (int)SOCKET_RECEIVE_MIN},
        {SO_SNDBUF, 20000, 0, 40000},
    };
    (void)state;
    ASSERT_OPTIONS(&host, socket, SOL_SOCKET, cases);
    assert_int_equal(option_get(&host, socket, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    assert_int_equal(option_get(&host, socket, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
    assert_int_equal(set_option(&host, socket, SOL_SOCKET, SO_TYPE, 1), -ENOPROTOOPT);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void options_of_tcp_take_what_linux_takes(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
    static const struct option_case cases[] = {
        {TCP_NODELAY, 5, 0, 1},
        {TCP_CORK, 1, 0, 1},
        {TCP_KEEPIDLE, 0, -EINVAL, 7200},
        {TCP_KEEPIDLE, 32767, 0, 32767},
        {TCP_KEEPIDLE, 32768, -EINVAL, 32767},
        {TCP_KEEPINTVL, 9, 0, 9},
        {TCP_KEEPCNT, 128, -EINVAL, 9},
        {TCP_KEEPCNT, 127, 0, 127},
        {TCP_SYNCNT, 0, -EINVAL, 6},
        {TCP_SYNCNT, 3, 0, 3},
        {TCP_MAXSEG, 7, -EINVAL, 536},
        {TCP_USER_TIMEOUT, 5000, 0, 5000},
        {TCP_USER_TIMEOUT, -1, -EINVAL, 5000},
    };
    (void)state;
    ASSERT_OPTIONS(&host, socket, IPPROTO_TCP, cases);
    assert_int_equal(set_option(&host, socket, IPPROTO_TCP, 9999, 1), -ENOPROTOOPT);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void an_algorithm_is_chosen_by_its_name(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
    char name[16];
    socklen_t length = sizeof name;
    (void)state;
    assert_int_equal(socket_set_option(host.stack, socket, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
    assert_int_equal(socket_set_option(host.stack, socket, IPPROTO_TCP, TCP_CONGESTION, "renown", 6),
                     -ENOENT);
    assert_int_equal(socket_get_option(host.stack, socket, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
    assert_string_equal(name, "reno");
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void a_value_that_is_too_short_is_refused_and_one_that_is_read_is_cut(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
    int value = 1;
    char cut[2] = {9, 9};
    socklen_t length = 1;
    (void)state;
    assert_int_equal(socket_set_option(host.stack, socket, SOL_SOCKET, SO_KEEPALIVE, &value, 3), -EINVAL);
    assert_int_equal(socket_set_option(host.stack, socket, SOL_SOCKET, SO_KEEPALIVE, &value, 4), 0);
    assert_int_equal(socket_get_option(host.stack, socket, SOL_SOCKET, SO_KEEPALIVE, cut, &length), 0);
    assert_int_equal(length, 1);
    assert_int_equal(cut[0], 1);
    assert_int_equal(cut[1], 9);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void times_and_linger_are_structures(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
    struct timeval limit = {2, 500000}, wrong = {0, 1000000}, told = {0};
    struct linger linger = {1, 30}, lingers = {0};
    socklen_t length = sizeof told;
    (void)state;
    assert_int_equal(socket_set_option(host.stack, socket, SOL_SOCKET, SO_RCVTIMEO, &wrong, sizeof wrong),
                     -EDOM);
    assert_int_equal(socket_set_option(host.stack, socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(socket->options.receive_timeout_ns, 2500 * MS);
    assert_int_equal(socket_get_option(host.stack, socket, SOL_SOCKET, SO_RCVTIMEO, &told, &length), 0);
    assert_int_equal(told.tv_sec, 2);
    assert_int_equal(told.tv_usec, 500000);
    assert_int_equal(socket_set_option(host.stack, socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    length = sizeof lingers;
    assert_int_equal(socket_get_option(host.stack, socket, SOL_SOCKET, SO_LINGER, &lingers, &length), 0);
    assert_memory_equal(&lingers, &linger, sizeof linger);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void an_error_is_told_once(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    (void)state;
    socket->error = ECONNREFUSED;
    assert_int_equal(option_get(&host, socket, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    assert_int_equal(option_get(&host, socket, SOL_SOCKET, SO_ERROR), 0);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_sockets_take_what_linux_takes),
        cmocka_unit_test(options_of_tcp_take_what_linux_takes),
        cmocka_unit_test(an_algorithm_is_chosen_by_its_name),
        cmocka_unit_test(a_value_that_is_too_short_is_refused_and_one_that_is_read_is_cut),
        cmocka_unit_test(times_and_linger_are_structures),
        cmocka_unit_test(an_error_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
