/* SPDX-License-Identifier: MIT */
/*
 * test_ip6_reassembly.c - fragments of IPv6 packets, put together (RFC 8200 section 4.5): ip6_reassembly.c.
 */
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6_reassembly.h"
#include "tests/unit/peer6.h"
#include <errno.h>

#define LENGTH 2000u /* of a datagram with its header */

static uint8_t datagram[LENGTH];

/* A datagram of the peer's to port 9. */
static void make_datagram6(struct host *host) {
    for (uint32_t i = 0; i < LENGTH; i++)
        datagram[i] = (uint8_t)(i * 7 + i / 251);
    wire_put16(datagram, 5000);
    wire_put16(datagram + 2, 9);
    wire_put16(datagram + 4, LENGTH);
    wire_put16(datagram + 6, 0);
    uint64_t sum =
        checksum_pseudo_header(PEER6, host->stack->ip6.addresses.entries[0].address, IP_PROTOCOL_UDP, LENGTH);
    wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(sum, datagram, LENGTH)));
}

static void send_fragment(struct host *host, uint32_t identification, uint32_t offset, uint32_t length,
                          bool more) {
    uint8_t bytes[LENGTH + 8] = {IP_PROTOCOL_UDP};
    const struct packet6 packet = {.protocol = IP6_FRAGMENT, .ttl = 64};
    wire_put16(bytes + 2, (uint16_t)(offset | more));
    wire_put32(bytes + 4, identification);
    memcpy(bytes + 8, datagram + offset, length);
    peer6_send(host, &packet, bytes, length + 8);
}

struct scene6 {
    struct host host;
    struct socket *socket;
};

static struct scene6 begin(void) {
    struct ip_address own;
    struct scene6 scene = {.host = host6_settled(false, &own)};
    peer6_solicit(&scene.host, PEER6, own, own, PEER6_MAC);
    host_discard(&scene.host);
    scene.socket = make_socket(&scene.host, SOCK_DGRAM, 0, 0);
    socket_set_family(scene.socket, true);
    assert_int_equal(socket_bind(scene.host.stack, scene.socket, v6("::"), 9), 0);
    make_datagram6(&scene.host);
    return scene;
}

static bool arrives(struct scene6 *scene) {
    static uint8_t got[LENGTH];
    ssize_t result = receive_bytes(&scene->host, scene->socket, got, sizeof got, 0);
    if (result == -EAGAIN)
        return false;
    assert_int_equal(result, LENGTH - 8);
    assert_memory_equal(got, datagram + 8, LENGTH - 8);
    return true;
}

static void end(struct scene6 *scene) {
    socket_release(scene->host.stack, scene->socket);
    host_run(&scene->host, 100 * SECOND);
    host_discard(&scene->host);
    assert_int_equal(scene->host.stack->buffers.used, 0);
    host_destroy(&scene->host);
}

static void fragments_make_a_datagram_in_whatever_order_they_come(void **state) {
    static const uint32_t orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {0, 2, 1}};
    struct scene6 scene = begin();
    (void)state;
    for (uint32_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        for (int j = 0; j < 3; j++) {
            uint32_t offset = orders[i][j] * 800;
            assert_false(arrives(&scene));
            send_fragment(&scene.host, 70 + i, offset, offset == 1600 ? LENGTH - 1600 : 800, offset < 1600);
        }
        assert_true(arrives(&scene));
    }
    assert_int_equal(scene.host.stack->mib.Ip6ReasmOKs, sizeof orders / sizeof *orders);
    end(&scene);
}

static void fragments_of_two_datagrams_do_not_meet(void **state) {
    struct scene6 scene = begin();
    (void)state;
    send_fragment(&scene.host, 1, 0, 1200, true);
    send_fragment(&scene.host, 2, 1200, LENGTH - 1200, false);
    assert_false(arrives(&scene));
    send_fragment(&scene.host, 2, 0, 1200, true);
    assert_true(arrives(&scene));
    end(&scene);
}

static void a_fragment_that_is_a_whole_meets_no_other(void **state) {
    struct scene6 scene = begin();
    (void)state;
    send_fragment(&scene.host, 1, 0, 1200, true);
    send_fragment(&scene.host, 1, 0, LENGTH, false); /* RFC 6946 */
    assert_true(arrives(&scene));
    send_fragment(&scene.host, 1, 1200, LENGTH - 1200, false);
    assert_true(arrives(&scene));
    end(&scene);
}

static void a_fragment_that_cannot_be_is_refused_and_said_where(void **state) {
    struct scene6 scene = begin();
    struct seen6 seen;
    (void)state;
    send_fragment(&scene.host, 1, 0, 1201, true); /* not a multiple of 8 */
    assert_true(peer6_read_message(&scene.host, ICMP6_PARAMETER_PROBLEM, &seen));
    assert_int_equal(seen.payload[1], ICMP6_WRONG_FIELD);
    assert_int_equal(wire_get32(seen.payload + 4), 4);
    host_run(&scene.host, 2 * SECOND);
    send_fragment(&scene.host, 2, 0, 4, true); /* not even a multiple of 8 */
    host_discard(&scene.host);
    host_run(&scene.host, 2 * SECOND);
    send_fragment(&scene.host, 3, 0, 0, true); /* no port in it */
    assert_true(peer6_read_message(&scene.host, ICMP6_PARAMETER_PROBLEM, &seen));
    assert_int_equal(seen.payload[1], ICMP6_INCOMPLETE_CHAIN);
    assert_int_equal(scene.host.stack->mib.Ip6ReasmFails, 3);
    end(&scene);
}

static void a_datagram_ends_beyond_no_65535(void **state) {
    struct scene6 scene = begin();
    uint8_t bytes[32] = {IP_PROTOCOL_UDP, 0, 0xff, 0xf8};
    struct seen6 seen;
    (void)state;
    peer6_send(&scene.host, &(struct packet6){.protocol = IP6_FRAGMENT, .ttl = 64}, bytes, sizeof bytes);
    assert_true(peer6_read_message(&scene.host, ICMP6_PARAMETER_PROBLEM, &seen));
    assert_int_equal(wire_get32(seen.payload + 4), IP6_HEADER_BYTES + 2);
    end(&scene);
}

static void what_is_missing_for_a_minute_is_said(void **state) {
    struct scene6 scene = begin();
    struct ip_address own = scene.host.stack->ip6.addresses.entries[0].address;
    struct seen6 seen;
    (void)state;
    send_fragment(&scene.host, 1, 0, 1200, true);
    host_run(&scene.host, 59 * SECOND);
    peer6_solicit(&scene.host, PEER6, own, own, PEER6_MAC);
    host_discard(&scene.host);
    host_run(&scene.host, 2 * SECOND);
    assert_true(peer6_read_message(&scene.host, ICMP6_TIME_EXCEEDED, &seen));
    assert_int_equal(seen.payload[1], ICMP6_REASSEMBLY_TIME);
    end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_make_a_datagram_in_whatever_order_they_come),
        cmocka_unit_test(fragments_of_two_datagrams_do_not_meet),
        cmocka_unit_test(a_fragment_that_is_a_whole_meets_no_other),
        cmocka_unit_test(a_fragment_that_cannot_be_is_refused_and_said_where),
        cmocka_unit_test(a_datagram_ends_beyond_no_65535),
        cmocka_unit_test(what_is_missing_for_a_minute_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
