/* SPDX-License-Identifier: MIT */
/*
 * life.c - see life.h.
 */
#include "tests/unit/life.h"
#include <errno.h>

const uint8_t KEY[16] = {7, 1, 4};

struct host host_begin(void) {
    struct host host = host_create_with_key(HOST_A, 1500, KEY);
    peer_introduce(&host);
    return host;
}

struct tcp_segment open_and_leave(struct host *host, uint16_t port) {
    static struct packet packet;
    struct socket *socket = make_socket(host, SOCK_STREAM, 0, 0);
    stack_advance(host->stack, now);
    assert_int_equal(socket_connect(host->stack, socket, ip_from_v4(HOST_B), port), -EINPROGRESS);
    assert_true(peer_read(host, &packet));
    assert_int_equal(packet.tcp.flags, TCP_SYN);
    socket_release(host->stack, socket);
    return packet.tcp;
}
