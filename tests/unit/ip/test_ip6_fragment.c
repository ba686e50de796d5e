/* SPDX-License-Identifier: MIT */
/*
 * test_ip6_fragment.c - packets of IPv6 that are cut (RFC 8200 section 4.5): ip6_fragment.c.
 */
#include "stack/base/wire.h"
#include "stack/ip/ip6_fragment.h"
#include "tests/unit/peer6.h"
#include <errno.h>

#define MTU 1280u
#define LENGTH 3000u

static uint8_t pattern_at(uint32_t at) {
    return (uint8_t)(at * 7 + at / 251);
}

/* A datagram of LENGTH bytes behind an 8-byte transport header, as UDP has it made, sent in fragments. Its payload lies
 * in several buffers. */
static int send_cut(struct host *host, uint32_t mtu, const struct ip6_extensions *extensions,
                    bool dont_fragment, uint32_t length) {
    static uint8_t bytes[60000];
    struct byte_queue queue = {0};
    struct frame frame = {.header_length = FRAME_TRANSPORT_AT + 8};
    struct iovec piece = {bytes, length};
    struct ip_parameters parameters = {.source = host->stack->ip6.addresses.entries[0].address,
                                       .destination = PEER6,
                                       .protocol = IP_PROTOCOL_UDP,
                                       .ttl = 64,
                                       .mtu = mtu,
                                       .extensions = extensions,
                                       .dont_fragment = dont_fragment};
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = pattern_at(i);
    memcpy(frame.header + FRAME_TRANSPORT_AT, "HEADER_8", 8);
    assert_int_equal(byte_queue_append(&queue, &host->stack->buffers, &piece, 1, 0, length), length);
    frame_set_payload(&frame, byte_queue_at(&queue, 0), length);
    int result = ip6_output_fragments(host->stack, &frame, &parameters);
    frame_release(&host->stack->buffers, &frame);
    byte_queue_drop(&queue, &host->stack->buffers, length);
    return result;
}

static struct host host_that_knows_its_peer(void) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    peer6_solicit(&host, PEER6, own, own, PEER6_MAC);
    host_discard(&host);
    return host;
}

static void fragments_have_one_identification_and_all_bytes_in_their_order(void **state) {
    struct host host = host_that_knows_its_peer();
    struct seen6 seen;
    uint32_t at = 0, identification = 0;
    bool more = true;
    (void)state;
    assert_int_equal(send_cut(&host, MTU, NULL, false, LENGTH), 0);
    while (more) {
        assert_true(peer6_read(&host, &seen));
        assert_int_equal(seen.protocol, IP6_FRAGMENT);
        assert_int_equal(seen.payload[0], IP_PROTOCOL_UDP);
        assert_true(seen.length + IP6_HEADER_BYTES <= MTU);
        uint32_t fields = wire_get16(seen.payload + 2), length = seen.length - 8;
        assert_int_equal(fields & ~7u, at);
        more = fields & 1;
        assert_true(!more || length % 8 == 0);
        identification = at ? identification : wire_get32(seen.payload + 4);
        assert_int_not_equal(identification, 0);
        assert_int_equal(wire_get32(seen.payload + 4), identification);
        for (uint32_t i = 0; i < length; i++, at++)
            assert_int_equal(seen.payload[8 + i], at < 8 ? "HEADER_8"[at] : pattern_at(at - 8));
    }
    assert_int_equal(at, LENGTH + 8);
    assert_false(peer6_read(&host, &seen));
    assert_int_equal(host.stack->mib.Ip6FragCreates, 3);
    assert_int_equal(host.stack->mib.Ip6FragOKs, 1);
    assert_int_equal(send_cut(&host, MTU, NULL, false, LENGTH), 0);
    assert_true(peer6_read(&host, &seen));
    assert_int_not_equal(wire_get32(seen.payload + 4), identification);
    host_destroy(&host);
}

static void headers_for_the_destination_alone_are_cut_with_the_payload(void **state) {
    struct host host = host_that_knows_its_peer();
    struct ip6_extensions extensions = {.hop_by_hop = {8, {0, 0, 1, 4}}, .options = {8, {0, 0, 1, 4}}};
    struct seen6 seen;
    (void)state;
    assert_int_equal(send_cut(&host, MTU, &extensions, false, LENGTH), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(peer6_read(&host, &seen));
        assert_int_equal(seen.protocol, IP6_HOP_BY_HOP); /* in each */
        assert_int_equal(seen.payload[0], IP6_FRAGMENT);
        assert_int_equal(seen.payload[8], IP6_DESTINATION_OPTIONS);
        if (i == 0) {
            assert_int_equal(seen.payload[16], IP_PROTOCOL_UDP);
            assert_memory_equal(seen.payload + 24, "HEADER_8", 8);
        }
    }
    assert_int_equal(seen.payload[17], pattern_at(wire_get16(seen.payload + 10) - 16 + 1));
    assert_false(peer6_read(&host, &seen));
    host_destroy(&host);
}

static void what_must_not_or_cannot_be_cut_is_an_error_and_leaves_nothing(void **state) {
    struct host host = host_that_knows_its_peer();
    struct seen6 seen;
    uint32_t before = host.stack->buffers.used;
    (void)state;
    assert_int_equal(send_cut(&host, MTU, NULL, true, LENGTH), -EMSGSIZE);
    assert_int_equal(send_cut(&host, IP6_HEADER_BYTES + 8, NULL, false, LENGTH), -EMSGSIZE);
    while (FRAME_QUEUE_MAX - host.stack->transmit.count > 2) {
        frame_begin(&host.stack->transmit);
        frame_commit(&host.stack->transmit);
    }
    assert_int_equal(send_cut(&host, MTU, NULL, false, LENGTH), -ENOBUFS); /* three, or none */
    assert_int_equal(host.stack->mib.Ip6FragFails, 3);
    assert_int_equal(host.stack->mib.Ip6FragCreates, 0);
    frame_queue_drop(&host.stack->transmit, &host.stack->buffers, FRAME_QUEUE_MAX);
    assert_false(peer6_read(&host, &seen));
    assert_int_equal(host.stack->buffers.used, before);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_have_one_identification_and_all_bytes_in_their_order),
        cmocka_unit_test(headers_for_the_destination_alone_are_cut_with_the_payload),
        cmocka_unit_test(what_must_not_or_cannot_be_cut_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
