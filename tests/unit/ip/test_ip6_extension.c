/* SPDX-License-Identifier: MIT */
/*
 * test_ip6_extension.c - extension headers (RFC 8200 section 4), in and out: ip6_extension.c.
 */
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6_extension.h"
#include "tests/unit/peer6.h"

#define HOP IP6_HOP_BY_HOP
#define DESTINATION IP6_DESTINATION_OPTIONS

static const uint8_t echo[8] = {ICMP6_ECHO_REQUEST};

/* What becomes of an echo request behind headers, the first of which has this number. */
enum outcome { DROPPED, ANSWERED, REFUSED };

static enum outcome outcome_of(struct host *host, uint8_t first, const uint8_t *headers, uint32_t length,
                               struct seen6 *seen) {
    uint8_t bytes[256];
    const struct packet6 packet = {.protocol = first, .hop_by_hop = first == HOP, .ttl = 64};
    memcpy(bytes, headers, length);
    memcpy(bytes + length, echo, sizeof echo);
    uint64_t sum = checksum_pseudo_header(PEER6, host->stack->ip6.addresses.entries[0].address,
                                          IP_PROTOCOL_ICMP6, sizeof echo);
    wire_put_sum(bytes + length + 2,
                 (uint16_t)~checksum_fold(checksum_add(sum, bytes + length, sizeof echo)));
    const struct ip_address own = host->stack->ip6.addresses.entries[0].address;
    host_run(host, 2 * SECOND);                      /* a rate limit of errors */
    peer6_solicit(host, PEER6, own, own, PEER6_MAC); /* the neighbour is known, and works */
    host_discard(host);
    peer6_send(host, &packet, bytes, length + (uint32_t)sizeof echo);
    if (peer6_read_message(host, ICMP6_ECHO_REPLY, seen))
        return ANSWERED;
    host_discard(host);
    peer6_send(host, &packet, bytes, length + (uint32_t)sizeof echo);
    return peer6_read_message(host, ICMP6_PARAMETER_PROBLEM, seen) ? REFUSED : DROPPED;
}

static void options_of_each_kind_have_the_outcome_that_their_number_says(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    static const struct {
        uint8_t option, first;
        enum outcome outcome;
    } cases[] = {
        {0x1e, DESTINATION, ANSWERED}, {0x5e, DESTINATION, DROPPED}, {0x9e, DESTINATION, REFUSED},
        {0xde, DESTINATION, REFUSED},  {0x1e, HOP, ANSWERED},        {0x5e, HOP, DROPPED},
        {0x9e, HOP, REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint8_t header[8] = {IP_PROTOCOL_ICMP6, 0, cases[i].option, 4};
        assert_int_equal(outcome_of(&host, cases[i].first, header, sizeof header, &seen), cases[i].outcome);
        if (cases[i].outcome == REFUSED) {
            assert_int_equal(seen.payload[1], ICMP6_UNKNOWN_OPTION);
            assert_int_equal(wire_get32(seen.payload + 4), IP6_HEADER_BYTES + 2);
        }
    }
    host_destroy(&host);
}

static void padding_is_zeros_and_no_more_than_alignment_needs(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    const uint8_t padded[8] = {IP_PROTOCOL_ICMP6, 0, 1, 4}, pads[8] = {IP_PROTOCOL_ICMP6};
    const uint8_t not_zero[8] = {IP_PROTOCOL_ICMP6, 0, 1, 4, 0, 1}, beyond[8] = {IP_PROTOCOL_ICMP6, 0, 1, 5};
    const uint8_t much[16] = {IP_PROTOCOL_ICMP6, 1, 1, 12};
    (void)state;
    assert_int_equal(outcome_of(&host, DESTINATION, padded, sizeof padded, &seen), ANSWERED);
    assert_int_equal(outcome_of(&host, DESTINATION, pads, sizeof pads, &seen), ANSWERED);
    assert_int_equal(outcome_of(&host, DESTINATION, not_zero, sizeof not_zero, &seen), DROPPED);
    assert_int_equal(outcome_of(&host, DESTINATION, beyond, sizeof beyond, &seen), DROPPED);
    assert_int_equal(outcome_of(&host, DESTINATION, much, sizeof much, &seen), DROPPED);
    host_destroy(&host);
}

static void more_options_than_eight_in_a_header_are_not_looked_at(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    uint8_t header[24] = {IP_PROTOCOL_ICMP6, 2};
    (void)state;
    for (uint32_t i = 0; i < 8; i++)
        header[2 + 2 * i] = 0x1e;
    header[18] = 1;
    header[19] = 4;
    assert_int_equal(outcome_of(&host, DESTINATION, header, sizeof header, &seen), ANSWERED);
    header[18] = 0x1e;
    assert_int_equal(outcome_of(&host, DESTINATION, header, sizeof header, &seen), DROPPED);
    host_destroy(&host);
}

static void hop_by_hop_options_come_right_behind_the_header_or_are_refused(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    const uint8_t headers[16] = {HOP, 0, 1, 4, [8] = IP_PROTOCOL_ICMP6, 0, 1, 4};
    (void)state;
    assert_int_equal(outcome_of(&host, DESTINATION, headers, sizeof headers, &seen), REFUSED);
    assert_int_equal(seen.payload[1], ICMP6_UNKNOWN_NEXT_HEADER);
    assert_int_equal(wire_get32(seen.payload + 4), IP6_HEADER_BYTES);
    host_destroy(&host);
}

static void a_routing_header_is_taken_at_its_end_and_refused_before(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    uint8_t header[24] = {IP_PROTOCOL_ICMP6, 2, 0, 0};
    (void)state;
    assert_int_equal(outcome_of(&host, IP6_ROUTING, header, sizeof header, &seen), ANSWERED);
    header[3] = 1;
    assert_int_equal(outcome_of(&host, IP6_ROUTING, header, sizeof header, &seen), REFUSED);
    assert_int_equal(wire_get32(seen.payload + 4), IP6_HEADER_BYTES + 2);
    host_destroy(&host);
}

static struct ip6_extension extension(uint8_t fill, uint8_t length) {
    struct ip6_extension made = {.length = length};
    memset(made.bytes, fill, length);
    return made;
}

static void headers_are_written_in_their_order_each_with_the_number_of_the_next(void **state) {
    struct ip6_extensions headers = {.hop_by_hop = extension(1, 8),
                                     .routing_options = extension(2, 8),
                                     .routing = extension(3, IP6_ROUTING_BYTES),
                                     .options = extension(4, 16)};
    uint8_t bytes[IP6_CHAIN_MAX], protocol = IP_PROTOCOL_UDP;
    (void)state;
    assert_int_equal(ip6_extensions_bytes(&headers), 56);
    assert_int_equal(ip6_extensions_write(&headers, IP6_ALL_PARTS, &protocol, bytes), 56);
    assert_int_equal(protocol, HOP);
    assert_int_equal(bytes[0], DESTINATION);
    assert_int_equal(bytes[8], IP6_ROUTING);
    assert_int_equal(bytes[16], DESTINATION);
    assert_int_equal(bytes[40], IP_PROTOCOL_UDP);
    assert_int_equal(bytes[41], 4);
    protocol = IP6_FRAGMENT;
    assert_int_equal(ip6_extensions_write(&headers, IP6_PART_EVERY_FRAGMENT, &protocol, bytes), 40);
    assert_int_equal(bytes[16], IP6_FRAGMENT);
    headers.routing.length = 0; /* options in front of nothing are left out */
    protocol = IP_PROTOCOL_UDP;
    assert_int_equal(ip6_extensions_bytes(&headers), 24);
    assert_int_equal(ip6_extensions_write(&headers, IP6_ALL_PARTS, &protocol, bytes), 24);
    protocol = IP_PROTOCOL_UDP;
    assert_int_equal(ip6_extensions_write(&(struct ip6_extensions){0}, IP6_ALL_PARTS, &protocol, bytes), 0);
    assert_int_equal(protocol, IP_PROTOCOL_UDP);
}

static void a_packet_goes_first_where_its_routing_header_says(void **state) {
    struct ip6_extensions headers = {.hop_by_hop = extension(0, 8),
                                     .routing = extension(0, IP6_ROUTING_BYTES)};
    uint8_t bytes[IP6_CHAIN_MAX], protocol = IP_PROTOCOL_UDP;
    (void)state;
    memcpy(headers.routing.bytes + 8, v6("2001:db8::1").bytes, 16);
    ip6_extensions_write(&headers, IP6_ALL_PARTS, &protocol, bytes);
    assert_true(ip_equal(ip6_extensions_route(&headers, v6("2001:db8::2"), bytes), v6("2001:db8::1")));
    assert_memory_equal(bytes + 16, v6("2001:db8::2").bytes, 16);
    headers.routing.length = 0;
    assert_true(ip_equal(ip6_extensions_route(&headers, v6("2001:db8::2"), bytes), v6("2001:db8::2")));
}

static void the_transport_header_is_found_behind_all_headers_that_are_there(void **state) {
    uint8_t packet[80] = {0x60, [6] = HOP, [40] = IP6_FRAGMENT, [48] = DESTINATION, [56] = IP_PROTOCOL_UDP};
    uint8_t protocol;
    uint32_t at;
    (void)state;
    assert_true(ip6_find_transport(packet, sizeof packet, &protocol, &at));
    assert_int_equal(protocol, IP_PROTOCOL_UDP);
    assert_int_equal(at, 64);
    assert_true(ip6_find_transport(packet, 64, &protocol, &at));
    assert_false(ip6_find_transport(packet, 63, &protocol, &at));
    assert_false(ip6_find_transport(packet, 39, &protocol, &at));
    packet[51] = 8; /* not the first fragment */
    assert_false(ip6_find_transport(packet, sizeof packet, &protocol, &at));
}

/* RFC 2675: which is longer than what any link here carries, or an error. */
static void a_length_that_hop_by_hop_options_tell_is_looked_at(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct packet6 packet = {.protocol = HOP, .hop_by_hop = true, .ttl = 64, .without_length = true};
    uint8_t bytes[16] = {IP_PROTOCOL_ICMP6, 0, 0xc2, 4, 0, 0, 0xff, 0xff, ICMP6_ECHO_REQUEST};
    struct seen6 seen;
    (void)state;
    peer6_solicit(&host, PEER6, own, own, PEER6_MAC);
    host_discard(&host);
    peer6_send(&host, &packet, bytes, sizeof bytes);
    assert_true(peer6_read_message(&host, ICMP6_PARAMETER_PROBLEM, &seen));
    assert_int_equal(seen.payload[1], ICMP6_WRONG_FIELD);
    assert_int_equal(wire_get32(seen.payload + 4), IP6_HEADER_BYTES + 4);
    host_run(&host, 2 * SECOND);
    host_discard(&host);
    wire_put32(bytes + 4, 70000); /* and is not there */
    peer6_send(&host, &packet, bytes, sizeof bytes);
    assert_false(peer6_read_message(&host, ICMP6_PARAMETER_PROBLEM, &seen));
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_each_kind_have_the_outcome_that_their_number_says),
        cmocka_unit_test(padding_is_zeros_and_no_more_than_alignment_needs),
        cmocka_unit_test(more_options_than_eight_in_a_header_are_not_looked_at),
        cmocka_unit_test(hop_by_hop_options_come_right_behind_the_header_or_are_refused),
        cmocka_unit_test(a_routing_header_is_taken_at_its_end_and_refused_before),
        cmocka_unit_test(headers_are_written_in_their_order_each_with_the_number_of_the_next),
        cmocka_unit_test(a_length_that_hop_by_hop_options_tell_is_looked_at),
        cmocka_unit_test(a_packet_goes_first_where_its_routing_header_says),
        cmocka_unit_test(the_transport_header_is_found_behind_all_headers_that_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
