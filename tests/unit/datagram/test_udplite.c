/* SPDX-License-Identifier: MIT */
/*
 * test_udplite.c - UDP-Lite (RFC 3828, udplite(7)): what the checksum covers, and what is taken.
 */
#include "stack/base/checksum.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

static struct seen seen;
static uint8_t *sent;
static uint32_t sent_length;

static struct socket *make(struct host *host, uint16_t port) {
    return make_socket(host, SOCK_DGRAM, IPPROTO_UDPLITE, port);
}

/* The peer's datagram to port 7: `field` is the header's coverage, `covered` what the checksum really covers,
 * and `damage` the place of a byte that was turned on the way, or 0. */
static void receive(struct host *host, uint16_t field, uint32_t covered, uint32_t damage) {
    uint8_t datagram[UDP_HEADER_BYTES + 100] = {0};
    struct packet_shape shape = {.protocol = IP_PROTOCOL_UDPLITE};
    for (uint32_t i = UDP_HEADER_BYTES; i < sizeof datagram; i++)
        datagram[i] = (uint8_t)i;
    wire_put16(datagram, 9);
    wire_put16(datagram + 2, 7);
    wire_put16(datagram + 4, field);
    uint64_t sum =
        checksum_pseudo_header(ip_from_v4(HOST_B), ip_from_v4(HOST_A), IP_PROTOCOL_UDPLITE, sizeof datagram);
    if (covered)
        wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(sum, datagram, covered)));
    datagram[damage ? damage : sizeof datagram - 1] ^= damage ? 0x10 : 0;
    peer_packet(host, &shape, datagram, sizeof datagram);
}

static bool got(struct host *host, struct socket *socket) {
    uint8_t data[200];
    ssize_t length = receive_bytes(host, socket, data, sizeof data, 0);
    assert_true(length == 100 || length == -EAGAIN);
    return length == 100;
}

static void only_what_is_covered_must_be_right(void **state) {
    (void)state;
    static const struct {
        uint16_t field;
        uint32_t covered, damage;
        bool taken, wrong_sum;
    } cases[] = {
        {108, 108, 0, true, false},   {0, 108, 0, true, false},  {8, 8, 0, true, false},
        {20, 20, 0, true, false},     {21, 21, 0, true, false},  {20, 20, 20, true, false},
        {20, 20, 107, true, false},   {20, 20, 19, false, true}, {20, 20, 1, false, true},
        {108, 108, 107, false, true}, {0, 108, 50, false, true}, {8, 8, 8, true, false},
        {7, 7, 0, false, true},       {1, 8, 0, false, true},    {109, 108, 0, false, false},
        {108, 0, 0, false, true}, /* there must be one */
        {20, 108, 0, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct host host = host_create(HOST_A, 1500);
        struct socket *socket = make(&host, 7);
        peer_introduce(&host);
        receive(&host, cases[i].field, cases[i].covered, cases[i].damage);
        assert_int_equal(got(&host, socket), cases[i].taken);
        assert_int_equal(host.stack->mib.UdpLiteInDatagrams, cases[i].taken);
        assert_int_equal(host.stack->mib.UdpLiteInErrors, !cases[i].taken);
        assert_int_equal(host.stack->mib.UdpLiteInCsumErrors, cases[i].wrong_sum);
        assert_int_equal(host.stack->mib.UdpInErrors + host.stack->mib.UdpInDatagrams, 0);
        host_destroy(&host);
    }
}

static void receiver_says_how_much_must_be_covered(void **state) {
    (void)state;
    static const struct {
        int least;
        uint16_t field;
        bool taken;
    } cases[] = {{0, 108, true}, {0, 0, true}, {0, 50, false},   {50, 50, true},   {50, 49, false},
                 {50, 0, true},  {3, 8, true}, {200, 108, true}, {200, 107, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct host host = host_create(HOST_A, 1500);
        struct socket *socket = make(&host, 7);
        peer_introduce(&host);
        assert_int_equal(set_option(&host, socket, IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV, cases[i].least), 0);
        receive(&host, cases[i].field, cases[i].field ? cases[i].field : 108, 0);
        assert_int_equal(got(&host, socket), cases[i].taken);
        assert_int_equal(host.stack->mib.UdpLiteInErrors, !cases[i].taken);
        assert_int_equal(host.stack->mib.UdpLiteInCsumErrors, 0);
        host_destroy(&host);
    }
}

static void sender_says_how_much_is_covered(void **state) {
    (void)state;
    static const struct {
        int asked;
        uint16_t field;
        uint32_t covered;
    } cases[] = {{-2, 108, 108},  {0, 0, 108},      {-1, 8, 8},       {1, 8, 8},
                 {8, 8, 8},       {9, 9, 9},        {50, 50, 50},     {107, 107, 107},
                 {108, 108, 108}, {4000, 108, 108}, {70000, 108, 108}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct host host = host_create(HOST_A, 1500);
        struct socket *socket = make(&host, 7);
        uint8_t data[100];
        peer_introduce(&host);
        memset(data, 'x', sizeof data);
        if (cases[i].asked != -2)
            assert_int_equal(set_option(&host, socket, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, cases[i].asked),
                             0);
        assert_int_equal(socket_connect(host.stack, socket, ip_from_v4(HOST_B), 9), 0);
        assert_int_equal(send_bytes(&host, socket, data, sizeof data, 0), 100);
        assert_true(next_packet(&host, IP_PROTOCOL_UDPLITE, &seen, &sent, &sent_length));
        assert_int_equal(sent_length, 108);
        assert_int_equal(wire_get16(sent + 4), cases[i].field);
        uint64_t sum =
            checksum_pseudo_header(ip_from_v4(HOST_A), ip_from_v4(HOST_B), IP_PROTOCOL_UDPLITE, 108);
        assert_int_equal(checksum_fold(checksum_add(sum, sent, cases[i].covered)), 0xffff);
        assert_int_equal(host.stack->mib.UdpLiteOutDatagrams, 1);
        assert_int_equal(host.stack->mib.UdpOutDatagrams, 0);
        host_destroy(&host);
    }
}

static void ports_are_its_own(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *udp = make_socket(&host, SOCK_DGRAM, 0, 7), *lite = make(&host, 7), *second;
    peer_introduce(&host);
    assert_int_equal(socket_create(host.stack, SOCK_DGRAM, IPPROTO_UDPLITE, &second), 0);
    assert_int_equal(socket_bind(host.stack, second, ip_from_v4(0), 7), -EADDRINUSE);
    receive(&host, 108, 108, 0);
    assert_false(socket_poll(host.stack, udp) & POLLIN);
    assert_true(got(&host, lite));
    peer_udp(&host, 0, 9, 7, "for UDP", 7);
    assert_true(socket_poll(host.stack, udp) & POLLIN);
    assert_false(socket_poll(host.stack, lite) & POLLIN);
    socket_release(host.stack, lite);
    host_discard(&host);
    receive(&host, 20, 20, 0);
    assert_int_equal(host.stack->mib.UdpLiteNoPorts, 1);
    assert_true(next_packet(&host, IP_PROTOCOL_ICMP, &seen, &sent, &sent_length));
    assert_int_equal(sent[0], ICMP_DESTINATION_UNREACHABLE);
    assert_int_equal(sent[1], ICMP_PORT_UNREACHABLE);
    host_destroy(&host);
}

static void errors_of_the_network_reach_its_sockets(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *udp = make_socket(&host, SOCK_DGRAM, 0, 7), *lite = make(&host, 7);
    char byte;
    peer_introduce(&host);
    assert_int_equal(socket_connect(host.stack, udp, ip_from_v4(HOST_B), 9), 0);
    assert_int_equal(socket_connect(host.stack, lite, ip_from_v4(HOST_B), 9), 0);
    assert_int_equal(send_bytes(&host, lite, "x", 1, 0), 1);
    assert_true(next_packet(&host, IP_PROTOCOL_UDPLITE, &seen, &sent, &sent_length));
    peer_icmp(&host, ICMP_DESTINATION_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0, sent - IP_HEADER_BYTES,
              sent_length + IP_HEADER_BYTES);
    assert_int_equal(receive_bytes(&host, lite, &byte, 1, 0), -ECONNREFUSED);
    assert_int_equal(receive_bytes(&host, udp, &byte, 1, 0), -EAGAIN);
    host_destroy(&host);
}

static void options_are_linuxs(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *udp = make_socket(&host, SOCK_DGRAM, 0, 0), *lite = make(&host, 0);
    uint8_t data[100] = {0};
    peer_introduce(&host);
    for (int name = UDPLITE_SEND_CSCOV; name <= UDPLITE_RECV_CSCOV; name++) {
        static const int values[][2] = {{0, 0},   {1, 8},         {7, 8},         {8, 8},
                                        {30, 30}, {65535, 65535}, {70000, 65535}, {-5, 8}};
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            int value = -1;
            socklen_t length = sizeof value;
            int level = i % 2 ? IPPROTO_UDP : IPPROTO_UDPLITE;
            assert_int_equal(set_option(&host, lite, level, name, values[i][0]), 0);
            assert_int_equal(socket_get_option(host.stack, lite, IPPROTO_UDPLITE, name, &value, &length), 0);
            assert_int_equal(value, values[i][1]);
            assert_int_equal(socket_get_option(host.stack, udp, IPPROTO_UDPLITE, name, &value, &length), 0);
            assert_int_equal(value, 0);
        }
        assert_int_equal(set_option(&host, udp, IPPROTO_UDP, name, 8), -ENOPROTOOPT);
    }
    assert_int_equal(socket_connect(host.stack, lite, ip_from_v4(HOST_B), 9), 0);
    assert_int_equal(set_option(&host, lite, IPPROTO_UDP, 103, 10), 0); /* UDP_SEGMENT */
    assert_int_equal(send_bytes(&host, lite, data, 100, 0), -EIO);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_covered_must_be_right),
        cmocka_unit_test(receiver_says_how_much_must_be_covered),
        cmocka_unit_test(sender_says_how_much_is_covered),
        cmocka_unit_test(ports_are_its_own),
        cmocka_unit_test(errors_of_the_network_reach_its_sockets),
        cmocka_unit_test(options_are_linuxs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
