/* SPDX-License-Identifier: MIT */
/*
 * test_igmp.c - how routers are told of groups: igmp.c.
 */
#include "tests/unit/network.h"
#include <errno.h>
#include <netinet/in.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routers_are_told_which_sources_all_want),
        cmocka_unit_test(older_routers_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
