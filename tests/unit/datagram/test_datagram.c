/* SPDX-License-Identifier: MIT */
/*
 * test_datagram.c - datagram.c, udp.c, raw.c, igmp.c, socket_option_ip.c: sockets that are no streams.
 */
#include "stack/base/checksum.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>

#define GROUP 0xefff0001u /* 239.255.0.1 */

static struct seen seen;
static uint8_t *body;
static uint32_t body_length;
static uint8_t bytes[66000], got[66000];

static ssize_t send_message(struct host *host, struct socket *socket, uint32_t address, uint32_t length,
                            struct socket_message message) {
    struct iovec piece = {bytes, length};
    message.pieces = &piece;
    message.count = 1;
    message.has_address = address != 0;
    message.address = ip_from_v4(address);
    message.port = 9;
    return socket_send(host->stack, socket, &message);
}

static ssize_t receive_message(struct host *host, struct socket *socket, uint32_t room, int flags,
                               struct socket_message *message) {
    struct iovec piece = {got, room};
    *message = (struct socket_message){.pieces = &piece, .count = 1, .flags = flags};
    return socket_receive(host->stack, socket, message);
}

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
    assert_int_equal(send_message(&host, socket, HOST_B, 4,
                                  (struct socket_message){.ttl = 3, .tos = 0x10, .has_tos = true}),
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

static void connected_socket_has_an_address_and_hears_its_peer_only(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct ip_address address;
    uint16_t port;
    peer_introduce(&host);
    assert_int_equal(send_message(&host, socket, 0, 4, (struct socket_message){0}), -EDESTADDRREQ);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 53), 0);
    socket_local(socket, &address, &port);
    assert_int_equal(ip_to_v4(address), HOST_A);
    assert_true(port >= 32768);
    peer_udp(&host, 0, 54, port, "no", 2);
    peer_udp(&host, 0, 53, port, "yes", 3);
    assert_int_equal(receive_bytes(&host, socket, got, 10, 0), 3);
    assert_int_equal(receive_bytes(&host, socket, got, 10, 0), -EAGAIN);
    assert_int_equal(host.stack->mib.UdpNoPorts, 1);
    assert_int_equal(socket_disconnect(host.stack, socket), 0);
    socket_local(socket, &address, &port);
    assert_int_equal(ip_to_v4(address), 0);
    assert_int_equal(port, 0); /* it was never asked for */
    assert_int_equal(socket_remote(socket, &address, &port), -ENOTCONN);
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

static int join(struct host *host, struct socket *socket, int name, uint32_t group, uint32_t interface) {
    struct ip_mreq request = {{htonl(group)}, {htonl(interface)}};
    return socket_set_option(host->stack, socket, IPPROTO_IP, name, &request, sizeof request);
}

/* The next IGMP message: its type, and for version 3 the record's, in the upper byte. */
static unsigned next_igmp(struct host *host, uint32_t *group) {
    if (!next_packet(host, IP_PROTOCOL_IGMP, &seen, &body, &body_length))
        return 0;
    assert_int_equal(seen.bytes[14 + 8], 1);                        /* TTL */
    assert_int_equal(wire_get32(seen.bytes + 14 + 20), 0x94040000); /* router alert */
    assert_int_equal(checksum_fold(checksum_add(0, body, body_length)), 0xffff);
    *group = wire_get32(body + (body[0] == 0x22 ? 12 : 4));
    return body[0] == 0x22 ? 0x22 | (unsigned)body[8] << 8 : body[0];
}

static void groups_are_joined_told_and_left(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *one = make_socket(&host, SOCK_DGRAM, 0, 0), *two = make_socket(&host, SOCK_DGRAM, 0, 0);
    uint32_t group;
    set_option(&host, one, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(&host, two, SOL_SOCKET, SO_REUSEADDR, 1);
    socket_bind(host.stack, one, ip_from_v4(0), 9);
    socket_bind(host.stack, two, ip_from_v4(0), 9);
    host_discard(&host);
    peer_udp(&host, GROUP, 7, 9, "abc", 3);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), -EAGAIN);
    assert_int_equal(join(&host, one, IP_ADD_MEMBERSHIP, HOST_B, 0), -EINVAL);
    assert_int_equal(join(&host, one, IP_ADD_MEMBERSHIP, GROUP, HOST_B), -ENODEV);
    assert_int_equal(join(&host, one, IP_ADD_MEMBERSHIP, GROUP, HOST_A), 0);
    assert_int_equal(join(&host, one, IP_ADD_MEMBERSHIP, GROUP, 0), -EADDRINUSE);
    assert_int_equal(next_igmp(&host, &group), 0x422);
    assert_int_equal(group, GROUP);
    host_run(&host, 2 * SECOND);
    assert_int_equal(next_igmp(&host, &group), 0x422); /* in case the first was lost */
    assert_int_equal(next_igmp(&host, &group), 0);
    peer_udp(&host, GROUP, 7, 9, "abc", 3);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), 3);
    assert_int_equal(receive_bytes(&host, two, got, 10, 0), 3); /* IP_MULTICAST_ALL */
    set_option(&host, two, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    peer_udp(&host, GROUP, 7, 9, "abc", 3);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), 3);
    assert_int_equal(receive_bytes(&host, two, got, 10, 0), -EAGAIN);
    /* A query is answered within its time. */
    uint8_t query[12] = {0x11, 20, 0, 0};
    wire_put_sum(query + 2, (uint16_t)~checksum_fold(checksum_add(0, query, 12)));
    struct packet_shape shape = {.protocol = IP_PROTOCOL_IGMP, .destination = IP_ALL_HOSTS, .ttl = 2};
    peer_packet(&host, &shape, query, 12); /* from elsewhere */
    shape = (struct packet_shape){.protocol = IP_PROTOCOL_IGMP, .ttl = 1};
    peer_packet(&host, &shape, query, 12); /* to us alone */
    host_run(&host, 3 * SECOND);
    assert_int_equal(next_igmp(&host, &group), 0);
    shape = (struct packet_shape){.protocol = IP_PROTOCOL_IGMP, .destination = IP_ALL_HOSTS, .ttl = 1};
    peer_packet(&host, &shape, query, 12);
    host_run(&host, 2 * SECOND);
    assert_int_equal(next_igmp(&host, &group), 0x222);
    /* Sending: with our own copy, or without; with a TTL of 1. */
    assert_int_equal(send_message(&host, two, GROUP, 5, (struct socket_message){0}), 5);
    stack_advance(host.stack, now);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), 5);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    static const uint8_t mac[6] = {1, 0, 0x5e, 0x7f, 0, 1};
    assert_memory_equal(seen.bytes, mac, 6);
    assert_int_equal(seen.bytes[22], 1);
    set_option(&host, two, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    set_option(&host, two, IPPROTO_IP, IP_MULTICAST_TTL, 5);
    assert_int_equal(send_message(&host, two, GROUP, 5, (struct socket_message){0}), 5);
    stack_advance(host.stack, now);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), -EAGAIN);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &body_length));
    assert_int_equal(seen.bytes[22], 5);
    /* The last one out tells. */
    assert_int_equal(join(&host, two, IP_ADD_MEMBERSHIP, GROUP, 0), 0);
    assert_int_equal(join(&host, one, IP_DROP_MEMBERSHIP, GROUP, 0), 0);
    assert_int_equal(join(&host, one, IP_DROP_MEMBERSHIP, GROUP, 0), -EADDRNOTAVAIL);
    assert_int_equal(next_igmp(&host, &group), 0);
    socket_release(host.stack, two);
    assert_int_equal(next_igmp(&host, &group), 0x322);
    host_run(&host, 2 * SECOND);
    assert_int_equal(next_igmp(&host, &group), 0x322);
    socket_release(host.stack, one);
    assert_int_equal(host.stack->multicast.groups.used, 0);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static int of_source(struct host *host, struct socket *socket, int name, uint32_t source) {
    struct ip_mreq_source request = {.imr_multiaddr = {htonl(GROUP)}, .imr_sourceaddr = {htonl(source)}};
    return socket_set_option(host->stack, socket, IPPROTO_IP, name, &request, sizeof request);
}

/* Expects a record of that type, told twice, with these sources. */
static void expect_record(struct host *host, unsigned type, int count, uint32_t first, uint32_t second) {
    uint32_t group;
    for (int time = 0; time < 2; time++) {
        assert_int_equal(next_igmp(host, &group), 0x22 | type << 8);
        assert_int_equal(wire_get16(body + 10), count);
        assert_int_equal(body_length, 16 + 4 * count);
        if (count > 0)
            assert_int_equal(wire_get32(body + 16), first);
        if (count > 1)
            assert_int_equal(wire_get32(body + 20), second);
        host_run(host, 2 * SECOND);
    }
    assert_int_equal(next_igmp(host, &group), 0);
}

/* What several sockets want together: RFC 3376 section 3.2. */
static void routers_are_told_which_sources_all_want(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *one = make_socket(&host, SOCK_DGRAM, 0, 9), *two = make_socket(&host, SOCK_DGRAM, 0, 10);
    host_discard(&host);
    assert_int_equal(of_source(&host, one, IP_ADD_SOURCE_MEMBERSHIP, HOST_B + 1), 0);
    expect_record(&host, 3, 1, HOST_B + 1, 0);
    assert_int_equal(of_source(&host, two, IP_ADD_SOURCE_MEMBERSHIP, HOST_B), 0);
    expect_record(&host, 3, 2, HOST_B, HOST_B + 1);
    peer_udp(&host, GROUP, 7, 9, "abc", 3);
    assert_int_equal(receive_bytes(&host, one, got, 10, 0), -EAGAIN);
    peer_udp(&host, GROUP, 7, 10, "abc", 3);
    assert_int_equal(receive_bytes(&host, two, got, 10, 0), 3);
    /* One wants all but two of them, and the other one of those: all but one. */
    assert_int_equal(join(&host, two, IP_DROP_MEMBERSHIP, GROUP, 0), 0);
    expect_record(&host, 3, 1, HOST_B + 1, 0);
    assert_int_equal(join(&host, two, IP_ADD_MEMBERSHIP, GROUP, 0), 0);
    expect_record(&host, 4, 0, 0, 0);
    assert_int_equal(of_source(&host, two, IP_BLOCK_SOURCE, HOST_B + 1), 0);
    assert_int_equal(of_source(&host, two, IP_BLOCK_SOURCE, HOST_B + 2), 0);
    expect_record(&host, 4, 1, HOST_B + 2, 0);
    assert_int_equal(of_source(&host, one, IP_DROP_SOURCE_MEMBERSHIP, HOST_B + 1), 0);
    expect_record(&host, 4, 2, HOST_B + 1, HOST_B + 2);
    uint8_t query[12] = {0x11, 20, 0, 0};
    wire_put_sum(query + 2, (uint16_t)~checksum_fold(checksum_add(0, query, 12)));
    struct packet_shape shape = {.protocol = IP_PROTOCOL_IGMP, .destination = IP_ALL_HOSTS, .ttl = 1};
    uint32_t group;
    peer_packet(&host, &shape, query, 12);
    host_run(&host, 3 * SECOND);
    assert_int_equal(next_igmp(&host, &group), 0x222);
    assert_int_equal(wire_get16(body + 10), 2);
    socket_release(host.stack, two);
    expect_record(&host, 3, 0, 0, 0);
    socket_release(host.stack, one);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void older_routers_are_understood(void **state) {
    (void)state;
    static const struct {
        uint8_t time;
        unsigned report, leave;
    } versions[] = {{100, 0x16, 0x17}, {0, 0x12, 0}};
    for (int i = 0; i < 2; i++) {
        struct host host = host_create(HOST_A, 1500);
        struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 9);
        uint32_t group;
        uint8_t query[8] = {0x11, versions[i].time, 0, 0};
        wire_put_sum(query + 2, (uint16_t)~checksum_fold(checksum_add(0, query, 8)));
        struct packet_shape shape = {.protocol = IP_PROTOCOL_IGMP, .destination = IP_ALL_HOSTS, .ttl = 1};
        host_discard(&host);
        peer_packet(&host, &shape, query, 8);
        assert_int_equal(join(&host, socket, IP_ADD_MEMBERSHIP, GROUP, 0), 0);
        assert_int_equal(next_igmp(&host, &group), versions[i].report);
        assert_int_equal(wire_get32(seen.bytes + 14 + 16), GROUP);
        host_run(&host, 10 * SECOND);
        assert_int_equal(next_igmp(&host, &group), versions[i].report);
        /* Somebody else's answer is enough. */
        peer_packet(&host, &shape, query, 8);
        uint8_t report[8] = {0x16};
        wire_put32(report + 4, GROUP);
        wire_put_sum(report + 2, (uint16_t)~checksum_fold(checksum_add(0, report, 8)));
        struct packet_shape to_group = {.protocol = IP_PROTOCOL_IGMP, .destination = GROUP, .ttl = 1};
        peer_packet(&host, &to_group, report, 8);
        host_run(&host, 11 * SECOND);
        assert_int_equal(next_igmp(&host, &group), 0);
        socket_release(host.stack, socket);
        assert_int_equal(next_igmp(&host, &group), versions[i].leave);
        assert_nothing_left(&host);
        host_destroy(&host);
    }
}

static void big_sends_are_cut_and_bursts_are_joined(void **state) {
    (void)state;
    struct host a = host_create(HOST_A, 1500), b = host_create(HOST_B, 1500);
    struct cable cable;
    struct socket_message message;
    cable_join(&cable, &a, &b, MS);
    struct socket *from = make_socket(&a, SOCK_DGRAM, 0, 0), *to = make_socket(&b, SOCK_DGRAM, 0, 9);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    assert_int_equal(send_message(&a, from, HOST_B, 10000, (struct socket_message){.segment = 1400}), 10000);
    cable_run(&cable, SECOND);
    for (int i = 0; i < 7; i++)
        assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 1400);
    assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 200);
    assert_int_equal(send_message(&a, from, HOST_B, 10000, (struct socket_message){.segment = 1480}),
                     -EMSGSIZE);
    assert_int_equal(send_message(&a, from, HOST_B, 1000, (struct socket_message){.segment = 5}), -EINVAL);
    assert_int_equal(set_option(&b, to, IPPROTO_UDP, UDP_GRO, 1), 0);
    assert_int_equal(set_option(&a, from, IPPROTO_UDP, UDP_SEGMENT, 1000), 0);
    assert_int_equal(send_message(&a, from, HOST_B, 9500, (struct socket_message){0}), 9500);
    assert_int_equal(send_message(&a, from, HOST_B, 600, (struct socket_message){0}), 600);
    cable_run(&cable, SECOND);
    assert_int_equal(receive_message(&b, to, sizeof got, MSG_PEEK, &message), 9500);
    assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 9500); /* the shorter one ends it */
    assert_int_equal(message.segment, 1000);
    assert_memory_equal(got, bytes, 9500);
    assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 600);
    assert_int_equal(message.segment, 0);
    assert_int_equal(send_message(&a, from, HOST_B, 5000, (struct socket_message){0}), 5000);
    cable_run(&cable, SECOND);
    assert_int_equal(receive_message(&b, to, 2500, 0, &message), 2000); /* whole ones only */
    assert_int_equal(receive_message(&b, to, sizeof got, 0, &message), 3000);
    socket_release(a.stack, from);
    socket_release(b.stack, to);
    cable_cut(&cable);
    assert_nothing_left(&a);
    assert_nothing_left(&b);
    host_destroy(&a);
    host_destroy(&b);
}

static void senders_are_spread_over_those_who_share_a_port(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *sockets[4];
    int counts[4] = {0};
    for (int i = 0; i < 4; i++) {
        sockets[i] = make_socket(&host, SOCK_DGRAM, 0, 0);
        set_option(&host, sockets[i], SOL_SOCKET, SO_REUSEPORT, 1);
        assert_int_equal(socket_bind(host.stack, sockets[i], ip_from_v4(0), 9), 0);
    }
    for (uint16_t port = 1000; port < 1400; port++)
        for (int twice = 0; twice < 2; twice++)
            peer_udp(&host, 0, port, 9, "x", 1);
    for (int i = 0; i < 4; i++) {
        struct socket_message message;
        uint16_t before = 0;
        while (receive_message(&host, sockets[i], 10, 0, &message) == 1) {
            if (counts[i]++ % 2)
                assert_int_equal(message.port, before); /* a sender has one receiver */
            before = message.port;
        }
        assert_in_range(counts[i], 100, 300);
        socket_release(host.stack, sockets[i]);
    }
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

static void ping_sockets_get_their_own_answers(void **state) {
    (void)state;
    struct host a = host_create(HOST_A, 1500), b = host_create(HOST_B, 1500);
    struct cable cable;
    cable_join(&cable, &a, &b, MS);
    struct socket *one = make_socket(&a, SOCK_DGRAM, IPPROTO_ICMP, 0),
                  *two = make_socket(&a, SOCK_DGRAM, IPPROTO_ICMP, 0);
    memset(bytes, 0, 8);
    assert_int_equal(send_message(&a, one, HOST_B, 7, (struct socket_message){0}), -EINVAL);
    assert_int_equal(send_message(&a, one, HOST_B, 64, (struct socket_message){0}), -EINVAL); /* no request */
    bytes[0] = ICMP_ECHO_REQUEST;
    for (uint32_t i = 8; i < 5000; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(send_message(&a, one, HOST_B, 64, (struct socket_message){0}), 64);
    assert_int_equal(send_message(&a, two, HOST_B, 5000, (struct socket_message){0}), 5000);
    cable_run(&cable, SECOND);
    assert_int_equal(receive_bytes(&a, one, got, sizeof got, 0), 64);
    assert_int_equal(got[0], ICMP_ECHO_REPLY);
    assert_int_equal(wire_get16(got + 4), one->datagram->binding.port);
    assert_int_equal(receive_bytes(&a, one, got, sizeof got, 0), -EAGAIN);
    assert_int_equal(receive_bytes(&a, two, got, sizeof got, 0), 5000);
    assert_memory_equal(got + 8, bytes + 8, 4992);
    socket_release(a.stack, one);
    socket_release(a.stack, two);
    cable_cut(&cable);
    assert_nothing_left(&a);
    host_destroy(&a);
    host_destroy(&b);
}

static void raw_sockets_see_packets_and_send_any(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *icmp = make_socket(&host, SOCK_RAW, IPPROTO_ICMP, 0),
                  *other = make_socket(&host, SOCK_RAW, 99, 0);
    uint8_t echo[16] = {0};
    peer_introduce(&host);
    uint32_t filter = 1u << ICMP_ECHO_REPLY;
    assert_int_equal(socket_set_option(host.stack, icmp, SOL_RAW, ICMP_FILTER, &filter, sizeof filter), 0);
    peer_icmp(&host, ICMP_ECHO_REQUEST, 0, 0x00010002, echo, sizeof echo);
    peer_icmp(&host, ICMP_ECHO_REPLY, 0, 0x00010002, echo, sizeof echo);
    assert_int_equal(receive_bytes(&host, icmp, got, sizeof got, 0), 20 + 8 + 16);
    assert_int_equal(got[0], 0x45);
    assert_int_equal(got[20], ICMP_ECHO_REQUEST);
    assert_int_equal(receive_bytes(&host, icmp, got, sizeof got, 0), -EAGAIN); /* filtered */
    assert_true(
        next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length)); /* and answered all the same */
    struct packet_shape shape = {.protocol = 99};
    peer_packet(&host, &shape, bytes, 3000 / 2);
    assert_int_equal(receive_bytes(&host, other, got, sizeof got, 0), 1520);
    assert_memory_equal(got + 20, bytes, 1500);
    assert_false(next_packet(&host, IP_PROTOCOL_ICMP, &seen, &body, &body_length)); /* somebody has it */
    assert_int_equal(send_message(&host, other, HOST_B, 3000, (struct socket_message){0}), 3000);
    assert_true(next_packet(&host, 99, &seen, &body, &body_length));
    assert_int_equal(body_length, 1480);
    assert_true(next_packet(&host, 99, &seen, &body, &body_length));
    host_discard(&host);
    /* A header of its own. */
    assert_int_equal(set_option(&host, other, IPPROTO_IP, IP_HDRINCL, 1), 0);
    uint8_t saved[28];
    memcpy(saved, bytes, sizeof saved);
    memset(bytes, 0, 28);
    bytes[0] = 0x45;
    bytes[8] = 7;
    bytes[9] = 98;
    wire_put32(bytes + 16, HOST_B);
    assert_int_equal(send_message(&host, other, HOST_B, 28, (struct socket_message){0}), 28);
    assert_true(next_packet(&host, 98, &seen, &body, &body_length));
    assert_int_equal(seen.bytes[22], 7);
    assert_int_equal(wire_get32(seen.bytes + 26), HOST_A);
    bytes[0] = 0x4f; /* longer than the packet */
    assert_int_equal(send_message(&host, other, HOST_B, 28, (struct socket_message){0}), -EINVAL);
    memcpy(bytes, saved, sizeof saved);
    socket_release(host.stack, icmp);
    socket_release(host.stack, other);
    assert_nothing_left(&host);
    host_destroy(&host);
}

static void corked_datagram_is_one(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct seen seen;
    uint8_t *body;
    uint32_t length;
    peer_introduce(&host);
    assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 53), 0);
    /* By MSG_MORE, until a write that does not say it. */
    assert_int_equal(send_bytes(&host, socket, "ab", 2, MSG_MORE), 2);
    assert_int_equal(send_bytes(&host, socket, "cd", 2, MSG_MORE), 2);
    assert_false(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_int_equal(send_bytes(&host, socket, "ef", 2, 0), 2);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_int_equal(length, 8 + 6);
    assert_memory_equal(body + 8, "abcdef", 6);
    /* By UDP_CORK, until it is taken away. */
    assert_int_equal(set_option(&host, socket, IPPROTO_UDP, UDP_CORK, 1), 0);
    assert_int_equal(send_bytes(&host, socket, "gh", 2, 0), 2);
    assert_int_equal(send_bytes(&host, socket, "ij", 2, 0), 2);
    assert_false(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_int_equal(set_option(&host, socket, IPPROTO_UDP, UDP_CORK, 0), 0);
    assert_true(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_memory_equal(body + 8, "ghij", 4);
    /* More than a datagram holds is lost as a whole. */
    static uint8_t much[40000];
    assert_int_equal(send_bytes(&host, socket, much, sizeof much, MSG_MORE), sizeof much);
    assert_int_equal(send_bytes(&host, socket, much, sizeof much, 0), -EMSGSIZE);
    assert_false(next_packet(&host, IP_PROTOCOL_UDP, &seen, &body, &length));
    assert_int_equal(host.stack->corks.used, 0);
    send_bytes(&host, socket, "never", 5, MSG_MORE);
    socket_release(host.stack, socket);
    assert_int_equal(host.stack->corks.used, 0);
    assert_nothing_left(&host);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corked_datagram_is_one),
        cmocka_unit_test(what_a_packet_says_is_told),
        cmocka_unit_test(connected_socket_has_an_address_and_hears_its_peer_only),
        cmocka_unit_test(broadcast_needs_leave_and_reaches_all),
        cmocka_unit_test(groups_are_joined_told_and_left),
        cmocka_unit_test(routers_are_told_which_sources_all_want),
        cmocka_unit_test(older_routers_are_understood),
        cmocka_unit_test(big_sends_are_cut_and_bursts_are_joined),
        cmocka_unit_test(senders_are_spread_over_those_who_share_a_port),
        cmocka_unit_test(full_ring_makes_a_sender_wait_and_tells_him),
        cmocka_unit_test(who_only_asks_whether_there_is_room_is_told_too),
        cmocka_unit_test(ping_sockets_get_their_own_answers),
        cmocka_unit_test(raw_sockets_see_packets_and_send_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
