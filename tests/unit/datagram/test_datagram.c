/* SPDX-License-Identifier: MIT */
/*
 * test_datagram.c - queues of datagrams: datagram.c.
 */
#include "tests/unit/network.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

static void what_a_packet_says_is_told(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 9);
    struct socket_message message;
    peer_introduce(&host);
    struct packet_shape shape = {.protocol = IP_PROTOCOL_UDP, .ttl = 33};
    uint8_t datagram[12] = {0, 7, 0, 9, 0, 12, 0, 0, 'a', 'b', 'c', 'd'};
    peer_packet(&host, &shape, datagram, sizeof datagram);
    uint64_t then = now;
    now += SECOND;
    assert_int_equal(receive_message(&host, socket, 2, MSG_PEEK, &message), 2);
    assert_int_equal(receive_message(&host, socket, 2, 0, &message), 2);
    assert_int_equal(message.full_length, 4);
    assert_int_equal(message.ttl, 33);
    assert_int_equal(ip_to_v4(message.address), HOST_B);
    assert_int_equal(message.port, 7);
    assert_int_equal(ip_to_v4(message.local_address), HOST_A);
    assert_int_equal(message.received_ns, then);
    /* And the other way. */
    assert_int_equal(
        send_message(&host, socket, HOST_B, 4,
                     (struct socket_message){.ttl = 3, .has_ttl = true, .tos = 0x10, .has_tos = true}),
        4);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    assert_int_equal(seen.bytes[14 + 8], 3);
    assert_int_equal(seen.bytes[14 + 1], 0x10);
    assert_int_equal(
        send_message(&host, socket, HOST_B, 4, (struct socket_message){.local_address = ip_from_v4(HOST_B)}),
        -EINVAL);
    assert_int_equal(set_option(&host, socket, IPPROTO_IP, IP_TTL, 9), 0);
    assert_int_equal(send_message(&host, socket, HOST_B, 4, (struct socket_message){0}), 4);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    assert_int_equal(seen.bytes[14 + 8], 9);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void broadcast_needs_leave_and_reaches_all(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *one = make_socket(&host, SOCK_DGRAM, 0, 0), *two = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct socket *sockets[] = {one, two};
    for (int i = 0; i < 2; i++) {
        set_option(&host, sockets[i], SOL_SOCKET, SO_REUSEADDR, 1);
        assert_int_equal(socket_bind(host.stack, sockets[i], ip_from_v4(0), 9), 0);
    }
    host_discard(&host);
    assert_int_equal(send_message(&host, one, 0xffffffff, 5, (struct socket_message){0}), -EACCES);
    assert_int_equal(send_message(&host, one, 0x0a4d00ff, 5, (struct socket_message){0}), -EACCES);
    set_option(&host, one, SOL_SOCKET, SO_BROADCAST, 1);
    assert_int_equal(send_message(&host, one, 0x0a4d00ff, 5, (struct socket_message){0}), 5);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    assert_memory_equal(seen.bytes, all, 6);
    stack_advance(host.stack, now); /* we are among those that it is for */
    for (int i = 0; i < 2; i++)
        assert_int_equal(receive_bytes(&host, sockets[i], got, 10, 0), 5);
    peer_udp(&host, 0x0a4d00ff, 7, 9, "abc", 3);
    for (int i = 0; i < 2; i++)
        assert_int_equal(receive_bytes(&host, sockets[i], got, 10, 0), 3);
    peer_udp(&host, 0x0a4d00ff, 7, 10, "abc", 3);
    assert_int_equal(host.stack->mib.UdpIgnoredMulti, 1);
    for (int i = 0; i < 2; i++)
        socket_release(host.stack, sockets[i]);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void full_ring_makes_a_sender_wait_and_tells_him(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    peer_introduce(&host);
    ssize_t result;
    while ((result = send_message(&host, socket, HOST_B, 100, (struct socket_message){0})) == 100)
        ;
    assert_int_equal(result, -EAGAIN);
    assert_int_equal(socket_poll(host.stack, socket) & POLLOUT, 0);
    while (stack_next_event(host.stack))
        ;
    host_discard(&host);
    assert_ptr_equal(stack_next_event(host.stack), socket);
    assert_true(socket_poll(host.stack, socket) & POLLOUT);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

static void who_only_asks_whether_there_is_room_is_told_too(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *sender = make_socket(&host, SOCK_DGRAM, 0, 0), *others[3];
    peer_introduce(&host);
    while (send_message(&host, sender, HOST_B, 100, (struct socket_message){0}) == 100)
        ;
    others[0] = make_socket(&host, SOCK_DGRAM, 0, 0);
    others[1] = make_socket(&host, SOCK_DGRAM, IPPROTO_ICMP, 0);
    others[2] = make_socket(&host, SOCK_RAW, 99, 0);
    while (stack_next_event(host.stack))
        ;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(socket_poll(host.stack, others[i]) & POLLOUT, 0);
        assert_int_equal(socket_poll(host.stack, others[i]) & POLLOUT, 0);
    }
    host_discard(&host);
    unsigned told = 0;
    for (const struct socket *socket; (socket = stack_next_event(host.stack));)
        for (int i = 0; i < 3; i++)
            told |= socket == others[i] ? 1u << i : 0;
    assert_int_equal(told, 7);
    for (int i = 0; i < 3; i++) {
        assert_true(socket_poll(host.stack, others[i]) & POLLOUT);
        socket_release(host.stack, others[i]);
    }
    socket_release(host.stack, sender);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_packet_says_is_told),
        cmocka_unit_test(broadcast_needs_leave_and_reaches_all),
        cmocka_unit_test(full_ring_makes_a_sender_wait_and_tells_him),
        cmocka_unit_test(who_only_asks_whether_there_is_room_is_told_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
