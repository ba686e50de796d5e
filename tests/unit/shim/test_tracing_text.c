/* SPDX-License-Identifier: MIT */
/*
 * test_tracing_text.c - shim/region/tracing_text.c: the lines of --trace.
 */
#include "shim/library/output/tracing.h"
#include "shim/region/tracing_text.h"
#include "stack/base/wire.h"
#include "stack/link/ether.h"
#include "tests/unit/host.h"
#include <stdlib.h>
#include <string.h>

#define HERE 0x0a4d000au
#define THERE 0x0a4d0002u
#define SERVICE 8080u
#define ISS 4000000000u
#define IRS 77u

static struct tracing_flows *flows;

/* The line of a segment from one end to the other; out: it is ours. */
static const char *line_of(bool out, uint16_t port, uint8_t flags, uint32_t sequence, uint32_t acknowledgment,
                           uint32_t length) {
    static char text[3 * TRACING_LINE_BYTES];
    struct trace_event event = {.kind = out ? TRACE_FRAME_OUT : TRACE_FRAME_IN};
    struct tcp_segment segment = {.source_port = out ? port : SERVICE,
                                  .destination_port = out ? SERVICE : port,
                                  .sequence = sequence,
                                  .acknowledgment = acknowledgment,
                                  .flags = flags,
                                  .window = 1,
                                  .window_scale = -1};
    uint8_t *ip = event.frame.header + ETHER_HEADER_BYTES;
    uint32_t tcp = tcp_segment_write(&segment, ip + IP_HEADER_BYTES);
    wire_put16(event.frame.header + 12, ETHER_TYPE_IP);
    ip[0] = 0x45;
    ip[9] = IP_PROTOCOL_TCP;
    wire_put32(ip + 12, out ? HERE : THERE);
    wire_put32(ip + 16, out ? THERE : HERE);
    event.frame.header_length = (uint16_t)(ETHER_HEADER_BYTES + IP_HEADER_BYTES + tcp);
    event.frame.length = event.frame.header_length + length;
    text[tracing_text(&event, TRACING_TCP, "", flows, text)] = 0;
    return text;
}

static void expect(const char *line, const char *part) {
    if (!strstr(line, part))
        fail_msg("'%s' has no '%s'", line, part);
}

static void handshake(uint16_t port) {
    expect(line_of(true, port, TCP_SYN, ISS, 0, 0), "[S] seq 0:0 len 0 win");
    expect(line_of(false, port, TCP_SYN | TCP_ACK, IRS, ISS + 1, 0), "[S.] seq 0:0 len 0 ack 1 win");
    expect(line_of(true, port, TCP_ACK, ISS + 1, IRS + 1, 0), "[.] seq 1:1 len 0 ack 1 win");
}

static void numbers_count_from_the_beginning_of_each_direction(void **state) {
    (void)state;
    flows = calloc(1, sizeof *flows);
    for (uint32_t port = 1; port < 65536; port++) {
        handshake((uint16_t)port);
        expect(line_of(true, (uint16_t)port, TCP_PSH | TCP_ACK, ISS + 1, IRS + 1, 80),
               "[P.] seq 1:81 len 80 ack 1 win");
        expect(line_of(false, (uint16_t)port, TCP_ACK, IRS + 1, ISS + 81, 1000),
               "seq 1:1001 len 1000 ack 81");
    }
    free(flows);
}

static void connections_beside_each_other_keep_their_numbers(void **state) {
    (void)state;
    flows = calloc(1, sizeof *flows);
    int right = 0;
    for (uint16_t port = 40000; port < 40500; port++)
        handshake(port);
    for (uint16_t port = 40000; port < 40500; port++)
        right += !!strstr(line_of(true, port, TCP_ACK, ISS + 500, IRS + 40, 9), "seq 500:509 len 9 ack 40 ");
    assert_int_equal(right, 500);
    free(flows);
}

static void connection_first_seen_midway_counts_from_there(void **state) {
    (void)state;
    flows = calloc(1, sizeof *flows);
    expect(line_of(false, 1000, TCP_ACK, IRS + 5000, ISS + 100, 10), "seq 0:10 len 10 ack 1 ");
    expect(line_of(true, 1000, TCP_ACK, ISS + 100, IRS + 5010, 7), "seq 1:8 len 7 ack 10 ");
    handshake(1000); /* the port is used anew */
    free(flows);
}

/* The lines of a packet of IPv6 that comes in, of a protocol behind so many bytes of extension headers. */
static const char *line_of_six(unsigned groups, uint8_t protocol, const uint8_t *payload, uint32_t length) {
    static char text[3 * TRACING_LINE_BYTES];
    struct trace_event event = {.kind = TRACE_FRAME_IN};
    uint8_t *ip = event.frame.header + ETHER_HEADER_BYTES;
    struct ip_address source, destination;
    ip_parse("fe80::2", &source);
    ip_parse("2001:db8:77::10", &destination);
    wire_put16(event.frame.header + 12, ETHER_TYPE_IP6);
    ip[0] = 0x60;
    wire_put16(ip + 4, (uint16_t)length);
    ip[6] = protocol;
    ip[7] = 255;
    memcpy(ip + 8, source.bytes, sizeof source.bytes);
    memcpy(ip + 24, destination.bytes, sizeof destination.bytes);
    memcpy(ip + IP6_HEADER_BYTES, payload, length);
    event.frame.header_length = (uint16_t)(ETHER_HEADER_BYTES + IP6_HEADER_BYTES + length);
    event.frame.length = event.frame.header_length;
    flows = calloc(1, sizeof *flows);
    text[tracing_text(&event, groups, "", flows, text)] = 0;
    free(flows);
    return text;
}

static void packets_of_ipv6_are_told_of_with_what_is_behind_their_extension_headers(void **state) {
    uint8_t payload[8 + TCP_HEADER_BYTES] = {IP_PROTOCOL_TCP, 0, 1, 4};
    struct tcp_segment segment = {
        .source_port = SERVICE, .destination_port = 9, .flags = TCP_ACK, .window_scale = -1};
    (void)state;
    tcp_segment_write(&segment, payload + 8);
    const char *line =
        line_of_six(TRACING_TCP | TRACING_IP, 0 /* hop-by-hop options */, payload, sizeof payload);
    expect(line, "< fe80::2 > 2001:db8:77::10 tcp, 68 bytes, hop limit 255\n");
    expect(line, "< [fe80::2]:8080 > [2001:db8:77::10]:9 [.] seq 0:0 len 0 ack 1 ");
    for (uint32_t length = 0; length < sizeof payload; length++) /* cut off anywhere */
        line_of_six(TRACING_TCP | TRACING_IP | TRACING_ARP, 0, payload, length);
}

static void neighbor_discovery_is_told_of_as_arp_is(void **state) {
    uint8_t message[32] = {136, [8] = 0x20, 0x01, 0x0d, 0xb8, [23] = 7, 2, 1, 2, 0, 0, 0, 0, 9};
    (void)state;
    expect(line_of_six(TRACING_ARP, IP_PROTOCOL_ICMP6, message, 32),
           "nd    < 2001:db8::7 is at 02:00:00:00:00:09\n");
    expect(line_of_six(TRACING_ARP, IP_PROTOCOL_ICMP6, message, 24), "nd    < 2001:db8::7 is here\n");
    message[0] = 135;
    expect(line_of_six(TRACING_ARP, IP_PROTOCOL_ICMP6, message, 24),
           "nd    < who has 2001:db8::7? tell fe80::2\n");
    message[0] = 134;
    wire_put16(message + 6, 1800);
    expect(line_of_six(TRACING_ARP, IP_PROTOCOL_ICMP6, message, 16),
           "nd    < fe80::2 is a router for 1800 s\n");
    assert_string_equal(line_of_six(TRACING_ARP, IP_PROTOCOL_ICMP6, message, 4), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_count_from_the_beginning_of_each_direction),
        cmocka_unit_test(connections_beside_each_other_keep_their_numbers),
        cmocka_unit_test(connection_first_seen_midway_counts_from_there),
        cmocka_unit_test(packets_of_ipv6_are_told_of_with_what_is_behind_their_extension_headers),
        cmocka_unit_test(neighbor_discovery_is_told_of_as_arp_is),
    };
    return cmocka_run_group_tests_name("tracing", tests, NULL, NULL);
}
