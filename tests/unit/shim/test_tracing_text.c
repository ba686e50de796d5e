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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_count_from_the_beginning_of_each_direction),
        cmocka_unit_test(connections_beside_each_other_keep_their_numbers),
        cmocka_unit_test(connection_first_seen_midway_counts_from_there),
    };
    return cmocka_run_group_tests_name("tracing", tests, NULL, NULL);
}
