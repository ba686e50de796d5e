/* SPDX-License-Identifier: MIT */
/*
 * test_ip6.c - ip6.c, ip6_extension.c, ip6_reassembly.c, ip6_fragment.c, icmp6.c: one stack, packets made by
 * hand.
 */
#include "stack/base/checksum.h"
#include "stack/ip/icmp6.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define UNKNOWN_PROTOCOL 253

static struct ip_address own;

static struct host new_host(void) {
    struct host host = host6_settled(false, &own);
    peer6_solicit(&host, PEER6, own, own, PEER6_MAC);
    peer6_advertise(&host, PEER6, 0x60, PEER6_MAC);
    host_discard(&host);
    return host;
}

static void send_packet(struct host *host, uint8_t protocol, const void *payload, uint32_t length) {
    const struct packet6 packet = {.protocol = protocol, .ttl = 64, .hop_by_hop = protocol == IP6_HOP_BY_HOP};
    peer6_send(host, &packet, payload, length);
}

/* An echo request of `data` bytes, its checksum right. Returns its length. */
static uint32_t write_echo(uint8_t *to, uint32_t data) {
    memset(to, 0, 8);
    to[0] = ICMP6_ECHO_REQUEST;
    wire_put16(to + 4, 0x1234);
    wire_put16(to + 6, 1);
    for (uint32_t i = 0; i < data; i++)
        to[8 + i] = (uint8_t)(i * 7);
    uint64_t sum = checksum_pseudo_header(PEER6, own, IP_PROTOCOL_ICMP6, (uint16_t)(8 + data));
    wire_put_sum(to + 2, (uint16_t)~checksum_fold(checksum_add(sum, to, 8 + data)));
    return 8 + data;
}

static bool echoed(struct host *host) {
    struct seen6 seen;
    return peer6_read_message(host, ICMP6_ECHO_REPLY, &seen);
}

/* The next error that the stack sent: its type and code, and its second word. 0: none. */
static int error_sent(struct host *host, uint32_t *info) {
    struct seen6 seen;
    while (peer6_read(host, &seen)) {
        if (seen.protocol != IP_PROTOCOL_ICMP6 || seen.payload[0] >= ICMP6_ECHO_REQUEST)
            continue;
        assert_true(seen.length + IP6_HEADER_BYTES <= 1280);
        *info = wire_get32(seen.payload + 4);
        return seen.payload[0] << 8 | seen.payload[1];
    }
    return 0;
}

#define PROBLEM(code) (ICMP6_PARAMETER_PROBLEM << 8 | (code))

static void assert_problem(struct host *host, int code, uint32_t pointer) {
    uint32_t info = 0;
    assert_int_equal(error_sent(host, &info), PROBLEM(code));
    assert_int_equal(info, pointer);
}

static void assert_silent(struct host *host) {
    struct seen6 seen;
    assert_false(peer6_read(host, &seen));
}

static void echo_is_answered(void **state) {
    (void)state;
    struct host host = new_host();
    struct seen6 seen;
    uint8_t echo[1000];
    uint32_t length = write_echo(echo, 700);
    struct packet6 packet = {.tos = 0xb8, .ttl = 1};
    peer6_send(&host, &packet, echo, length);
    assert_true(peer6_read_message(&host, ICMP6_ECHO_REPLY, &seen));
    assert_true(ip_equal(seen.source, own));
    assert_true(ip_equal(seen.destination, PEER6));
    assert_int_equal(seen.ttl, 64);
    assert_int_equal(seen.tos, 0xb8);
    assert_int_not_equal(seen.flow_label, 0);
    assert_int_equal(seen.length, length);
    assert_memory_equal(seen.payload + 4, echo + 4, length - 4);
    host_destroy(&host);
}

static void echo_to_all_nodes_is_answered_from_our_address(void **state) {
    (void)state;
    struct host host = new_host();
    struct seen6 seen;
    peer6_ping(&host, PEER6, IP6_ALL_NODES, PEER6_MAC);
    assert_true(peer6_read_message(&host, ICMP6_ECHO_REPLY, &seen));
    assert_true(ip_equal(seen.source, own));
    sysctl_set(&host.stack->sysctl, "net.ipv6.icmp.echo_ignore_multicast", "1");
    peer6_ping(&host, PEER6, IP6_ALL_NODES, PEER6_MAC);
    assert_silent(&host);
    host_destroy(&host);
}

static void loopback_answers_itself_and_nobody_from_the_wire(void **state) {
    (void)state;
    struct host host = new_host();
    assert_true(ip6_is_local(host.stack, v6("::1")));
    peer6_ping(&host, PEER6, v6("::1"), PEER6_MAC);
    peer6_ping(&host, v6("::1"), own, PEER6_MAC);
    assert_silent(&host);
    host_destroy(&host);
}

static void packets_that_no_host_sends_are_dropped(void **state) {
    (void)state;
    struct host host = new_host();
    peer6_ping(&host, v6("ff02::1"), own, PEER6_MAC);
    peer6_ping(&host, v6("::ffff:10.0.0.1"), own, PEER6_MAC);
    peer6_ping(&host, PEER6, v6("::ffff:10.77.0.1"), PEER6_MAC);
    peer6_ping(&host, PEER6, v6("ff01::1"), PEER6_MAC);
    peer6_ping(&host, PEER6, v6("ff00::1"), PEER6_MAC);
    peer6_ping(&host, PEER6, v6("2001:db8::1"), PEER6_MAC);    /* not ours */
    peer6_ping(&host, PEER6, v6("ff02::1:ff00:0"), PEER6_MAC); /* a group that nobody is in */
    assert_silent(&host);
    assert_int_equal(host.stack->mib.Ip6InAddrErrors, 7);
    host_destroy(&host);
}

static void header_that_is_none_is_dropped(void **state) {
    (void)state;
    struct host host = new_host();
    uint8_t frame[100] = {0};
    memcpy(frame, host.stack->config.mac, 6);
    memcpy(frame + 6, PEER6_MAC, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP6);
    for (uint32_t length = 14; length < sizeof frame; length++) {
        frame[14] = length % 2 ? 0x60 : 0x40;
        wire_put16(frame + 18, 61); /* more than there is */
        host_input(&host, frame, length, 0);
    }
    assert_silent(&host);
    host_destroy(&host);
}

static void padding_of_the_link_is_cut_off(void **state) {
    (void)state;
    struct host host = new_host();
    struct seen6 seen;
    uint8_t frame[100] = {0}, *ip = frame + 14;
    memcpy(frame, host.stack->config.mac, 6);
    memcpy(frame + 6, PEER6_MAC, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP6);
    ip[0] = 0x60;
    ip[6] = IP_PROTOCOL_ICMP6;
    ip[7] = 64;
    memcpy(ip + 8, PEER6.bytes, 16);
    memcpy(ip + 24, own.bytes, 16);
    wire_put16(ip + 4, (uint16_t)write_echo(ip + 40, 2));
    host_input(&host, frame, sizeof frame, 0);
    assert_true(peer6_read_message(&host, ICMP6_ECHO_REPLY, &seen));
    assert_int_equal(seen.length, 10);
    host_destroy(&host);
}

static void unknown_protocol_is_told_with_its_place(void **state) {
    (void)state;
    struct host host = new_host();
    send_packet(&host, UNKNOWN_PROTOCOL, "abcdefgh", 8);
    assert_problem(&host, ICMP6_UNKNOWN_NEXT_HEADER, 6);
    uint8_t options[16] = {UNKNOWN_PROTOCOL, 0, 1, 4};
    send_packet(&host, IP6_DESTINATION_OPTIONS, options, sizeof options);
    assert_problem(&host, ICMP6_UNKNOWN_NEXT_HEADER, 40);
    send_packet(&host, IP6_NO_NEXT_HEADER, "abcdefgh", 8); /* which is no protocol */
    assert_silent(&host);
    host_destroy(&host);
}

/* An echo behind an options header of 8 bytes. */
static void send_with_options(struct host *host, uint8_t kind, const uint8_t options[6]) {
    uint8_t packet[100] = {IP_PROTOCOL_ICMP6, 0};
    memcpy(packet + 2, options, 6);
    send_packet(host, kind, packet, 8 + write_echo(packet + 8, 4));
}

static void unknown_options_are_treated_as_they_ask(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct host host = new_host();
        uint8_t header = kind ? IP6_DESTINATION_OPTIONS : IP6_HOP_BY_HOP;
        send_with_options(&host, header, (uint8_t[6]){0x3e, 2, 0, 0, 1, 0}); /* skip */
        assert_true(echoed(&host));
        send_with_options(&host, header, (uint8_t[6]){0x7e, 2, 0, 0, 1, 0}); /* drop */
        assert_silent(&host);
        send_with_options(&host, header, (uint8_t[6]){0xbe, 2, 0, 0, 1, 0}); /* tell */
        assert_problem(&host, ICMP6_UNKNOWN_OPTION, 42);
        send_with_options(&host, header, (uint8_t[6]){0xfe, 2, 0, 0, 1, 0}); /* tell, if not to a group */
        assert_problem(&host, ICMP6_UNKNOWN_OPTION, 42);
        host_destroy(&host);
    }
    struct host host = new_host();
    uint8_t packet[8] = {IP6_NO_NEXT_HEADER, 0, 0xbe, 2, 0, 0, 1, 0};
    struct packet6 to_all = {.destination = IP6_ALL_NODES, .protocol = IP6_DESTINATION_OPTIONS, .ttl = 64};
    peer6_send(&host, &to_all, packet, sizeof packet);
    assert_problem(&host, ICMP6_UNKNOWN_OPTION, 42);
    packet[2] = 0xfe;
    peer6_send(&host, &to_all, packet, sizeof packet);
    assert_silent(&host);
    host_destroy(&host);
}

static void options_that_are_none_are_dropped(void **state) {
    (void)state;
    struct host host = new_host();
    send_with_options(&host, IP6_HOP_BY_HOP,
                      (uint8_t[6]){1, 4, 0, 0, 0, 1}); /* padding that says something */
    send_with_options(&host, IP6_HOP_BY_HOP, (uint8_t[6]){1, 5, 0, 0, 0, 0}); /* goes beyond the end */
    send_with_options(&host, IP6_HOP_BY_HOP, (uint8_t[6]){5, 3, 0, 0, 0, 0}); /* a router alert of 3 bytes */
    uint8_t padded[100] = {IP_PROTOCOL_ICMP6, 1, 1, 6};                       /* 8 and 6 of padding */
    padded[10] = 1;
    padded[11] = 4;
    send_packet(&host, IP6_HOP_BY_HOP, padded, 16 + write_echo(padded + 16, 4));
    assert_silent(&host);
    uint8_t many[100] = {IP_PROTOCOL_ICMP6, 2}; /* nine options, one more than may be */
    for (int i = 0; i < 9; i++)
        many[2 + 2 * i] = 0x3e;
    many[20] = 1;
    many[21] = 2;
    send_packet(&host, IP6_HOP_BY_HOP, many, 24 + write_echo(many + 24, 4));
    assert_silent(&host);
    host_destroy(&host);
}

/* RFC 2675; as Linux tells of it. */
static void jumbograms_are_refused(void **state) {
    (void)state;
    struct host host = new_host();
    send_with_options(&host, IP6_HOP_BY_HOP, (uint8_t[6]){0xc2, 4, 0, 1, 0, 0}); /* it has a length, too */
    assert_problem(&host, ICMP6_WRONG_FIELD, 42);
    send_with_options(&host, IP6_HOP_BY_HOP, (uint8_t[6]){0xc2, 4, 0, 0, 0xff, 0xff}); /* it is none */
    assert_problem(&host, ICMP6_WRONG_FIELD, 44);
    send_with_options(&host, IP6_HOP_BY_HOP, (uint8_t[6]){0xc2, 3, 0, 1, 0, 0});
    assert_silent(&host);
    host_destroy(&host);
}

static void hop_by_hop_options_come_first_or_not_at_all(void **state) {
    (void)state;
    struct host host = new_host();
    uint8_t packet[100] = {IP6_HOP_BY_HOP, 0, 1, 4, 0, 0, 0, 0, IP_PROTOCOL_ICMP6, 0, 1, 4};
    send_packet(&host, IP6_DESTINATION_OPTIONS, packet, 16 + write_echo(packet + 16, 4));
    assert_problem(&host, ICMP6_UNKNOWN_NEXT_HEADER, 40);
    host_destroy(&host);
}

/* RFC 5095. */
static void routing_header_with_a_way_left_is_refused(void **state) {
    (void)state;
    struct host host = new_host();
    uint8_t packet[100] = {IP_PROTOCOL_ICMP6, 2, 0, 1};
    memcpy(packet + 8, v6("2001:db8::1").bytes, 16);
    uint32_t length = 24 + write_echo(packet + 24, 4);
    send_packet(&host, IP6_ROUTING, packet, length);
    assert_problem(&host, ICMP6_WRONG_FIELD, 42);
    packet[3] = 0; /* we are the last */
    send_packet(&host, IP6_ROUTING, packet, length);
    assert_true(echoed(&host));
    host_destroy(&host);
}

static void chain_of_headers_that_is_cut_off_is_dropped(void **state) {
    (void)state;
    struct host host = new_host();
    uint8_t packet[1400];
    for (uint32_t at = 0; at + 8 <= sizeof packet; at += 8)
        memcpy(packet + at, (uint8_t[8]){IP6_DESTINATION_OPTIONS, 0, 1, 4, 0, 0, 0, 0}, 8);
    send_packet(&host, IP6_DESTINATION_OPTIONS, packet, sizeof packet);
    packet[1] = 255;
    send_packet(&host, IP6_DESTINATION_OPTIONS, packet, 16);
    send_packet(&host, IP6_ROUTING, packet, 4);
    send_packet(&host, IP6_FRAGMENT, packet, 7);
    assert_silent(&host);
    host_destroy(&host);
}

static void errors_are_not_about_errors_or_groups(void **state) {
    (void)state;
    struct host host = new_host();
    uint8_t error[60] = {ICMP6_UNREACHABLE};
    struct packet6 packet = {.protocol = UNKNOWN_PROTOCOL, .destination = IP6_ALL_NODES};
    send_packet(&host, IP_PROTOCOL_ICMP6, error, sizeof error);
    peer6_send(&host, &packet, "abcdefgh", 8);
    uint8_t options[100] = {IP_PROTOCOL_ICMP6, 0, 0xbe, 2, 0, 0, 1, 0, ICMP6_UNREACHABLE};
    send_packet(&host, IP6_DESTINATION_OPTIONS, options, sizeof options);
    assert_silent(&host);
    host_destroy(&host);
}

static void errors_are_limited_in_rate(void **state) {
    (void)state;
    struct host host = new_host();
    int sent = 0;
    uint32_t info;
    host_run(&host, 10 * SECOND);
    for (int i = 0; i < 200; i++)
        send_packet(&host, UNKNOWN_PROTOCOL, "abcdefgh", 8);
    while (error_sent(&host, &info))
        sent++;
    assert_in_range(sent, 6, 7); /* a burst of six; the link's prefix has 64 bits: four a second */
    host_run(&host, SECOND);
    for (int i = 0; i < 20; i++)
        send_packet(&host, UNKNOWN_PROTOCOL, "abcdefgh", 8);
    sent = 0;
    while (error_sent(&host, &info))
        sent++;
    assert_in_range(sent, 4, 5);
    host_destroy(&host);
}

struct piece {
    uint32_t offset, length;
    bool more;
};

/* A part of `whole` as a fragment. */
static void send_piece(struct host *host, const uint8_t *whole, const struct piece *piece, uint32_t id) {
    uint8_t packet[2000] = {IP_PROTOCOL_ICMP6};
    wire_put16(packet + 2, (uint16_t)(piece->offset | piece->more));
    wire_put32(packet + 4, id);
    memcpy(packet + 8, whole + piece->offset, piece->length);
    const struct packet6 shape = {.protocol = IP6_FRAGMENT, .ttl = 64};
    peer6_send(host, &shape, packet, 8 + piece->length);
}

static void fragments_are_put_together_in_any_order(void **state) {
    (void)state;
    static const struct piece orders[][3] = {
        {{0, 1000, true}, {1000, 1000, true}, {2000, 508, false}},
        {{2000, 508, false}, {1000, 1000, true}, {0, 1000, true}},
        {{1000, 1000, true}, {0, 1000, true}, {2000, 508, false}},
    };
    struct host host = new_host();
    uint8_t echo[2508];
    assert_int_equal(write_echo(echo, 2500), sizeof echo);
    for (uint32_t i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            assert_silent(&host);
            send_piece(&host, echo, &orders[i][j], i);
            send_piece(&host, echo, &orders[i][j], j < 2 ? i : 99); /* once more is no harm */
        }
        assert_int_equal(host.stack->mib.Ip6ReasmOKs, i + 1);
        host_discard(&host);
    }
    host_destroy(&host);
}

/* RFC 5722. */
static void fragments_that_overlap_end_their_packet(void **state) {
    (void)state;
    static const struct piece overlaps[][2] = {
        {{0, 1000, true}, {992, 1516, false}}, {{0, 1000, true}, {0, 992, true}},
        {{8, 1000, true}, {0, 16, true}},      {{1000, 1508, false}, {1008, 1500, false}},
        {{1000, 8, false}, {1008, 16, true}},  {{1000, 8, false}, {1008, 16, false}},
    };
    struct host host = new_host();
    uint8_t echo[2508];
    write_echo(echo, 2500);
    for (uint32_t i = 0; i < sizeof overlaps / sizeof *overlaps; i++) {
        send_piece(&host, echo, &overlaps[i][0], i);
        assert_int_equal(host.stack->reassemblies.pool.used, 1);
        send_piece(&host, echo, &overlaps[i][1], i);
        assert_int_equal(host.stack->reassemblies.pool.used, 0);
    }
    assert_silent(&host);
    assert_int_equal(host.stack->mib.Ip6ReasmFails, sizeof overlaps / sizeof *overlaps);
    host_destroy(&host);
}

/* RFC 6946. */
static void atomic_fragment_is_a_packet_by_itself(void **state) {
    (void)state;
    struct host host = new_host();
    uint8_t echo[2508];
    write_echo(echo, 2500);
    send_piece(&host, echo, &(struct piece){0, 1000, true}, 5);
    uint8_t small[100];
    uint32_t length = write_echo(small, 20);
    send_piece(&host, small, &(struct piece){0, length, false}, 5);
    assert_true(echoed(&host));
    assert_int_equal(host.stack->reassemblies.pool.used, 1); /* it has not disturbed the other */
    host_destroy(&host);
}

static void fragments_that_can_not_be_are_told(void **state) {
    (void)state;
    struct host host = new_host();
    static uint8_t bytes[70000];
    write_echo(bytes, 2500);
    send_piece(&host, bytes, &(struct piece){0, 1001, true}, 1); /* not a multiple of 8 */
    assert_problem(&host, ICMP6_WRONG_FIELD, 4);
    send_piece(&host, bytes, &(struct piece){65528, 100, false}, 2); /* beyond 64 KiB */
    assert_problem(&host, ICMP6_WRONG_FIELD, 42);
    assert_int_equal(host.stack->reassemblies.pool.used, 0);
    host_destroy(&host);
}

/* RFC 7112. */
static void first_fragment_has_all_headers(void **state) {
    (void)state;
    struct host host = new_host();
    uint8_t packet[100] = {IP6_DESTINATION_OPTIONS, 0, 0, 1, 0, 0, 0, 1, /* the fragment header */
                           IP_PROTOCOL_ICMP6,       1, 1, 4}; /* 16 bytes of options, 8 of them here */
    send_packet(&host, IP6_FRAGMENT, packet, 16);
    assert_problem(&host, ICMP6_INCOMPLETE_CHAIN, 0);
    packet[0] = IP_PROTOCOL_ICMP6; /* nothing of it */
    send_packet(&host, IP6_FRAGMENT, packet, 8);
    assert_problem(&host, ICMP6_INCOMPLETE_CHAIN, 0);
    packet[0] = IP_PROTOCOL_TCP; /* a header of 20 bytes */
    send_packet(&host, IP6_FRAGMENT, packet, 24);
    assert_problem(&host, ICMP6_INCOMPLETE_CHAIN, 0);
    assert_int_equal(host.stack->reassemblies.pool.used, 0);
    host_destroy(&host);
}

static void fragments_wait_a_minute(void **state) {
    (void)state;
    struct host host = new_host();
    uint32_t info;
    uint8_t echo[2508];
    write_echo(echo, 2500);
    send_piece(&host, echo, &(struct piece){0, 1000, true}, 1);
    send_piece(&host, echo, &(struct piece){1000, 1000, true}, 2); /* without the first */
    host_run(&host, 59 * SECOND);
    assert_int_equal(host.stack->reassemblies.pool.used, 2);
    host_run(&host, 2 * SECOND);
    assert_int_equal(host.stack->reassemblies.pool.used, 0);
    peer6_advertise(&host, PEER6, 0x60, PEER6_MAC); /* forgotten meanwhile */
    assert_int_equal(error_sent(&host, &info), ICMP6_TIME_EXCEEDED << 8 | ICMP6_REASSEMBLY_TIME);
    assert_int_equal(error_sent(&host, &info), 0);
    host_destroy(&host);
}

static void flood_of_fragments_is_bounded(void **state) {
    (void)state;
    struct host host = new_host();
    uint8_t echo[2508];
    write_echo(echo, 2500);
    for (uint32_t id = 0; id < 5000; id++)
        send_piece(&host, echo, &(struct piece){1000, 1000, true}, id);
    assert_true(host.stack->reassemblies.pool.used <= IP_REASSEMBLIES_MAX);
    assert_true(host.stack->reassemblies.storage <= IP_REASSEMBLY_BYTES_MAX);
    host_run(&host, 100 * SECOND);
    assert_int_equal(host.stack->reassemblies.storage, 0);
    host_discard(&host);
    assert_int_equal(host.stack->buffers.used, 0);
    host_destroy(&host);
}

static void nested_fragments_are_refused(void **state) {
    (void)state;
    struct host host = new_host();
    uint8_t packet[100] = {IP6_FRAGMENT,      0, 0, 0, 0, 0, 0, 1, /* a whole one, with a fragment in it */
                           IP_PROTOCOL_ICMP6, 0, 0, 1, 0, 0, 0, 2};
    write_echo(packet + 16, 8);
    send_packet(&host, IP6_FRAGMENT, packet, 32);
    assert_problem(&host, ICMP6_WRONG_FIELD, 48);
    assert_int_equal(host.stack->reassemblies.pool.used, 0);
    host_destroy(&host);
}

static void long_answer_leaves_in_fragments(void **state) {
    (void)state;
    struct host host = new_host();
    struct seen6 seen;
    uint8_t echo[2508], together[2600];
    uint32_t got = 0, ids[2];
    write_echo(echo, 2500);
    send_piece(&host, echo, &(struct piece){0, 1448, true}, 1);
    send_piece(&host, echo, &(struct piece){1448, 1060, false}, 1);
    for (int i = 0; i < 2; i++) {
        assert_true(peer6_read(&host, &seen));
        assert_int_equal(seen.protocol, IP6_FRAGMENT);
        assert_int_equal(seen.payload[0], IP_PROTOCOL_ICMP6);
        assert_int_equal(wire_get16(seen.payload + 2), got | (i == 0));
        assert_true(seen.length + IP6_HEADER_BYTES <= 1500);
        ids[i] = wire_get32(seen.payload + 4);
        memcpy(together + got, seen.payload + 8, seen.length - 8);
        got += seen.length - 8;
    }
    assert_silent(&host);
    assert_int_equal(got, sizeof echo);
    assert_int_equal(ids[0], ids[1]);
    assert_int_equal(together[0], ICMP6_ECHO_REPLY);
    assert_memory_equal(together + 4, echo + 4, got - 4);
    host_destroy(&host);
}

/* A router's word that an answer of `length` bytes was too long for a link of that MTU. */
static void too_big(struct host *host, struct ip_address destination, uint32_t mtu, uint16_t length) {
    uint8_t message[8 + 40 + 8] = {ICMP6_TOO_BIG};
    const struct packet6 packet = {.ttl = 64};
    wire_put32(message + 4, mtu);
    message[8] = 0x60;
    wire_put16(message + 12, length);
    message[14] = IP_PROTOCOL_ICMP6;
    memcpy(message + 16, own.bytes, 16);
    memcpy(message + 32, destination.bytes, 16);
    message[48] = ICMP6_ECHO_REPLY;
    peer6_send(host, &packet, message, sizeof message);
}

/* RFC 8201. */
static void answers_fit_the_path_as_a_router_says(void **state) {
    (void)state;
    struct host host = new_host();
    struct seen6 seen;
    uint8_t echo[1400];
    assert_int_equal(write_echo(echo, 1392), sizeof echo);
    too_big(&host, PEER6, 1300, 1400); /* nothing was sent */
    assert_int_equal(ip_mtu(host.stack, PEER6), 1500);
    send_packet(&host, IP_PROTOCOL_ICMP6, echo, sizeof echo);
    assert_true(peer6_read(&host, &seen));
    assert_int_equal(seen.length, 1400);
    too_big(&host, PEER6, 1279, 1400); /* no link is so narrow */
    too_big(&host, v6("fe80::77"), 1300, 1400);
    assert_int_equal(ip_mtu(host.stack, PEER6), 1500);
    too_big(&host, PEER6, 1300, 1400);
    assert_int_equal(ip_mtu(host.stack, PEER6), 1300);
    assert_int_equal(ip_mtu(host.stack, v6("fe80::77")), 1500);
    send_packet(&host, IP_PROTOCOL_ICMP6, echo, sizeof echo);
    assert_true(peer6_read(&host, &seen));
    assert_int_equal(seen.protocol, IP6_FRAGMENT);
    assert_true(seen.length + IP6_HEADER_BYTES <= 1300);
    host_run(&host, 601 * SECOND);
    assert_int_equal(ip_mtu(host.stack, PEER6), 1500);
    host_destroy(&host);
}

static void error_about_a_packet_to_ourselves_reaches_its_socket(void **state) {
    (void)state;
    struct host host = new_host();
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    char byte = 0;
    socket->options.inet6 = true;
    assert_int_equal(socket_connect(host.stack, socket, v6("::1"), 9), 0);
    assert_int_equal(send_bytes(&host, socket, "x", 1, 0), 1);
    host_run(&host, 10 * MS);
    assert_int_equal(receive_bytes(&host, socket, &byte, 1, 0), -ECONNREFUSED);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_is_answered),
        cmocka_unit_test(echo_to_all_nodes_is_answered_from_our_address),
        cmocka_unit_test(loopback_answers_itself_and_nobody_from_the_wire),
        cmocka_unit_test(packets_that_no_host_sends_are_dropped),
        cmocka_unit_test(header_that_is_none_is_dropped),
        cmocka_unit_test(padding_of_the_link_is_cut_off),
        cmocka_unit_test(unknown_protocol_is_told_with_its_place),
        cmocka_unit_test(unknown_options_are_treated_as_they_ask),
        cmocka_unit_test(options_that_are_none_are_dropped),
        cmocka_unit_test(jumbograms_are_refused),
        cmocka_unit_test(hop_by_hop_options_come_first_or_not_at_all),
        cmocka_unit_test(routing_header_with_a_way_left_is_refused),
        cmocka_unit_test(chain_of_headers_that_is_cut_off_is_dropped),
        cmocka_unit_test(errors_are_not_about_errors_or_groups),
        cmocka_unit_test(errors_are_limited_in_rate),
        cmocka_unit_test(fragments_are_put_together_in_any_order),
        cmocka_unit_test(fragments_that_overlap_end_their_packet),
        cmocka_unit_test(atomic_fragment_is_a_packet_by_itself),
        cmocka_unit_test(fragments_that_can_not_be_are_told),
        cmocka_unit_test(first_fragment_has_all_headers),
        cmocka_unit_test(fragments_wait_a_minute),
        cmocka_unit_test(flood_of_fragments_is_bounded),
        cmocka_unit_test(nested_fragments_are_refused),
        cmocka_unit_test(long_answer_leaves_in_fragments),
        cmocka_unit_test(answers_fit_the_path_as_a_router_says),
        cmocka_unit_test(error_about_a_packet_to_ourselves_reaches_its_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
