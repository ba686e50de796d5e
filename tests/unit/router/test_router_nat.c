/* SPDX-License-Identifier: MIT */
/*
 * test_router_nat.c - stack/router/router_nat.c and router_translate*.c: what RFC 4787, 5382 and 5508 demand.
 */
#include "tests/unit/router/rig.h"

#define UDP(...) (&(struct shape){__VA_ARGS__})
#define TCP(...) (&(struct shape){.protocol = IP_PROTOCOL_TCP, __VA_ARGS__})
#define SYN 2
#define ACK 16
#define FIN 1

static int nat_rig(void **state) {
    rig(state);
    assert_true(router_set_nat(router, 1));
    router->ports[0].advertise_ns = router->ports[1].advertise_ns = 0;
    arp(0, 8, 1, 0x0a010008, PORT_IN);
    read_frame(0);
    return 0;
}

/* A datagram goes out; the port that it comes from there. */
static uint16_t out(uint32_t source, uint16_t port, uint32_t destination) {
    send_shape(
        0, UDP(.source = source, .source_port = port, .destination = destination, .destination_port = 53));
    const uint8_t *ip = read_packet(1);
    assert_non_null(ip);
    assert_true(is_sound(ip));
    assert_int_equal(wire_get32(ip + 12), PORT_OUT);
    return wire_get16(ip + 20);
}

/* RFC 4787 REQ-1, REQ-3: the same port outside, whoever is spoken to, and the inner one's number if free. */
static void mapping_is_endpoint_independent_and_keeps_the_port(void **state) {
    (void)state;
    assert_int_equal(out(HOST_IN, 5000, HOST_OUT), 5000);
    assert_int_equal(out(HOST_IN, 5000, 0x0a020009), 5000);
    uint16_t other = out(0x0a010008, 5000, HOST_OUT);
    assert_int_not_equal(other, 5000);
    assert_int_equal(other & 1, 0); /* REQ-4: parity */
    assert_int_equal(out(0x0a010008, 5000, HOST_OUT), other);
    assert_int_equal(out(0x0a010008, 5001, HOST_OUT), 5001);
}

/* Endpoint-independent filtering: whoever knows the port reaches it; nobody else. */
static void answers_find_their_way_in(void **state) {
    (void)state;
    out(HOST_IN, 5000, HOST_OUT);
    send_shape(
        1, UDP(.source = 0x0a020033, .source_port = 9, .destination = PORT_OUT, .destination_port = 5000));
    const uint8_t *ip = read_packet(0);
    assert_non_null(ip);
    assert_true(is_sound(ip));
    assert_int_equal(wire_get32(ip + 16), HOST_IN);
    assert_int_equal(wire_get16(ip + 22), 5000);
    assert_int_equal(wire_get32(ip + 12), 0x0a020033);
    send_shape(1, UDP(.source = HOST_OUT, .destination = PORT_OUT, .destination_port = 5001));
    assert_null(read_packet(0));
    expect_error(1, 3, 3, PORT_OUT);
    send_shape(1,
               TCP(.source = HOST_OUT, .destination = PORT_OUT, .destination_port = 5000, .tcp_flags = SYN));
    assert_null(read_packet(0));
    assert_null(read_packet(1)); /* RFC 5382 REQ-4 */
}

static void udp_without_checksum_stays_so(void **state) {
    (void)state;
    uint8_t ip[200];
    uint32_t length = compose(ip, UDP(.source_port = 5000));
    wire_put16(ip + 26, 0);
    give(0, 9, ETHER_TYPE_IP, ip, length);
    assert_int_equal(wire_get16(read_packet(1) + 26), 0);
}

/* RFC 4787 REQ-5, REQ-6: five minutes, from the last packet that went out. */
static void mappings_of_udp_age(void **state) {
    (void)state;
    out(HOST_IN, 5000, HOST_OUT);
    pass(299 * SECOND);
    send_shape(1, UDP(.source = HOST_OUT, .destination = PORT_OUT, .destination_port = 5000));
    assert_non_null(read_packet(0));
    pass(2 * SECOND);
    send_shape(1, UDP(.source = HOST_OUT, .destination = PORT_OUT, .destination_port = 5000));
    assert_null(read_packet(0));
    assert_int_equal(router->nat.count, 0);
}

static bool tcp_comes_in(void) {
    send_shape(1,
               TCP(.source = HOST_OUT, .destination = PORT_OUT, .destination_port = 5000, .tcp_flags = ACK));
    const uint8_t *ip;
    bool came = false;
    while ((ip = read_packet(0)))
        came |= ip[9] == IP_PROTOCOL_TCP && is_sound(ip);
    return came;
}

static void tcp_goes_out(uint8_t flags) {
    send_shape(0, TCP(.source_port = 5000, .destination_port = 80, .tcp_flags = flags));
    assert_true(is_sound(read_packet(1)));
}

/* RFC 5382 REQ-5: an established connection for two hours and four minutes, others for four minutes. */
static void mappings_of_tcp_age_by_state(void **state) {
    (void)state;
    tcp_goes_out(SYN);
    now += 239 * SECOND;
    assert_true(tcp_comes_in());
    now += 2 * 3600 * SECOND;
    arp(0, 9, 2, HOST_IN, PORT_IN);
    assert_true(tcp_comes_in());
    tcp_goes_out(FIN | ACK);
    assert_true(tcp_comes_in());
    tcp_goes_out(ACK); /* of the other's FIN: the last of a connection has none */
    now += 241 * SECOND;
    assert_false(tcp_comes_in());
    tcp_goes_out(SYN);
    now += 241 * SECOND;
    assert_false(tcp_comes_in());
}

/* RFC 4787 REQ-9: the other sees the outside address and port. */
static void hairpin_joins_two_inside(void **state) {
    (void)state;
    assert_int_equal(out(0x0a010008, 7000, HOST_OUT), 7000);
    send_shape(
        0, UDP(.source = HOST_IN, .source_port = 5000, .destination = PORT_OUT, .destination_port = 7000));
    const uint8_t *ip = read_packet(0);
    assert_non_null(ip);
    assert_true(is_sound(ip));
    assert_int_equal(wire_get32(ip + 12), PORT_OUT);
    assert_int_equal(wire_get16(ip + 20), 5000);
    assert_int_equal(wire_get32(ip + 16), 0x0a010008);
    assert_int_equal(wire_get16(ip + 22), 7000);
    assert_int_equal(router->nat.counters.hairpins, 1);
    assert_null(read_packet(0)); /* no redirect */
}

static void mapped_ports_lead_in_for_good(void **state) {
    (void)state;
    assert_true(nat_map(&router->nat, IP_PROTOCOL_TCP, 8080, HOST_IN, 80));
    assert_false(nat_map(&router->nat, IP_PROTOCOL_TCP, 8080, HOST_IN, 81));
    now += 86400 * SECOND;
    router_advance(router, now);
    arp(0, 9, 1, HOST_IN, PORT_IN);
    read_frame(0);
    send_shape(1, TCP(.source = HOST_OUT, .source_port = 9, .destination = PORT_OUT, .destination_port = 8080,
                      .tcp_flags = SYN));
    const uint8_t *ip = read_packet(0);
    assert_non_null(ip);
    assert_int_equal(wire_get16(ip + 22), 80);
    send_shape(0, TCP(.source_port = 80, .destination_port = 9, .tcp_flags = SYN | ACK));
    ip = read_packet(1);
    while (ip && ip[9] != IP_PROTOCOL_TCP)
        ip = read_packet(1);
    if (!ip) {
        arp(1, 9, 1, HOST_OUT, PORT_OUT);
        ip = read_packet(1);
    }
    assert_non_null(ip);
    assert_int_equal(wire_get16(ip + 20), 8080);
    assert_true(is_sound(ip));
}

static uint32_t echo(uint8_t *ip, uint8_t type, uint32_t source, uint32_t destination, uint16_t identifier) {
    uint32_t length = compose(
        ip, &(struct shape){
                .protocol = IP_PROTOCOL_ICMP, .source = source, .destination = destination, .payload = 40});
    ip[20] = type;
    ip[21] = 0;
    wire_put16(ip + 24, identifier);
    wire_put16(ip + 22, 0);
    wire_put_sum(ip + 22, (uint16_t)~checksum_fold(checksum_add(0, ip + 20, 40)));
    return length;
}

/* RFC 5508 REQ-1, REQ-2. */
static void pings_are_told_apart_by_their_identifier(void **state) {
    (void)state;
    uint8_t ip[200];
    give(0, 9, ETHER_TYPE_IP, ip, echo(ip, 8, HOST_IN, HOST_OUT, 77));
    const uint8_t *seen = read_packet(1);
    assert_int_equal(wire_get16(seen + 24), 77);
    assert_true(is_sound(seen));
    give(0, 8, ETHER_TYPE_IP, ip, echo(ip, 8, 0x0a010008, HOST_OUT, 77));
    seen = read_packet(1);
    uint16_t other = wire_get16(seen + 24);
    assert_int_not_equal(other, 77);
    give(1, 9, ETHER_TYPE_IP, ip, echo(ip, 0, HOST_OUT, PORT_OUT, other));
    seen = read_packet(0);
    assert_int_equal(wire_get32(seen + 16), 0x0a010008);
    assert_int_equal(wire_get16(seen + 24), 77);
    assert_true(is_sound(seen));
    /* The router itself is asked, from either side. */
    give(1, 9, ETHER_TYPE_IP, ip, echo(ip, 8, HOST_OUT, PORT_OUT, 77));
    expect_error(1, 0, 0, PORT_OUT);
    give(0, 9, ETHER_TYPE_IP, ip, echo(ip, 8, HOST_IN, PORT_OUT, 78));
    expect_error(0, 0, 0, PORT_OUT);
    pass(61 * SECOND);
    assert_int_equal(router->nat.count, 0);
}

/* RFC 5508 REQ-4: what an error quotes is what its reader had sent. */
static void errors_quote_what_was_sent_inside(void **state) {
    (void)state;
    uint8_t error[200] = {0};
    out(0x0a010008, 5000, HOST_OUT);
    send_shape(0, UDP(.source_port = 5000, .destination_port = 53, .payload = 30));
    const uint8_t *sent = read_packet(1);
    uint16_t outer = wire_get16(sent + 20);
    assert_int_not_equal(outer, 5000);
    uint32_t length = compose(error, &(struct shape){.protocol = IP_PROTOCOL_ICMP,
                                                     .source = 0x0a020044,
                                                     .destination = PORT_OUT,
                                                     .payload = 58});
    memset(error + 20, 0, 8);
    error[20] = 11;
    memcpy(error + 28, sent, 50);
    wire_put_sum(error + 22, (uint16_t)~checksum_fold(checksum_add(0, error + 20, 58)));
    give(1, 0x44, ETHER_TYPE_IP, error, length);
    const uint8_t *ip = expect_error(0, 11, 0, 0x0a020044);
    assert_int_equal(wire_get32(ip + 16), HOST_IN);
    assert_int_equal(wire_get32(ip + 28 + 12), HOST_IN);
    assert_int_equal(wire_get16(ip + 48), 5000);
    assert_int_equal(checksum_fold(checksum_header(ip + 28, 20)), 0xffff);
    error[30] ^= 1; /* damaged: it is not the host's business */
    give(1, 0x44, ETHER_TYPE_IP, error, length);
    assert_null(read_packet(0));
}

/* ... and outside: here by the router itself, of a packet that had come in. */
static void errors_quote_what_was_sent_outside(void **state) {
    (void)state;
    assert_true(nat_map(&router->nat, IP_PROTOCOL_UDP, 8080, HOST_IN, 80));
    router->ports[0].config.mtu = 576;
    send_shape(1, UDP(.source = HOST_OUT, .source_port = 9, .destination = PORT_OUT, .destination_port = 8080,
                      .payload = 900, .fragment = 0x4000));
    const uint8_t *ip = expect_error(1, 3, 4, PORT_OUT);
    assert_int_equal(wire_get32(ip + 28 + 16), PORT_OUT);
    assert_int_equal(wire_get16(ip + 48 + 2), 8080);
}

/* RFC 5508 section 4, RFC 1812 section 4.3.2.4: what can't go on though it was translated already is told to the
 * host inside, about what that sent, from the address of its link. */
static void what_was_translated_in_vain_is_told_inside(void **state) {
    (void)state;
    static const struct {
        uint8_t protocol;
        uint32_t to;
    } cases[] = {
        {IP_PROTOCOL_UDP, 0x0a020055}, {IP_PROTOCOL_TCP, 0x0a020055}, {IP_PROTOCOL_ICMP, 0x0a020056}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        out(0x0a010008, 5000, HOST_OUT); /* so that the port outside is another than inside */
        uint8_t ip[200];
        uint32_t length = compose(ip, &(struct shape){.protocol = cases[i].protocol,
                                                      .destination = cases[i].to,
                                                      .source_port = 5000,
                                                      .destination_port = 53,
                                                      .tcp_flags = SYN});
        if (cases[i].protocol == IP_PROTOCOL_ICMP)
            memcpy(ip + 20, (uint8_t[]){8, 0, 0, 0, 19, 136, 0, 1}, 8);
        give(0, 9, ETHER_TYPE_IP, ip, length);
        pass(5 * SECOND);
        const uint8_t *error = expect_error(0, 3, 1, PORT_IN);
        assert_int_equal(wire_get32(error + 16), HOST_IN);
        assert_memory_equal(error + 28 + 12, ip + 12, 8);
        assert_memory_equal(error + 28 + 20, ip + 20, cases[i].protocol == IP_PROTOCOL_ICMP ? 8 : 4);
        assert_int_equal(checksum_fold(checksum_header(error + 28, 20)), 0xffff);
        assert_null(read_packet(0));
        while (read_frame(1))
            assert_int_equal(wire_get16(got + 12), ETHER_TYPE_ARP);
    }
}

/* ... also by way of the address outside (hairpin): both ends of what is quoted are as it was sent. */
static void what_was_bent_in_vain_is_told_inside(void **state) {
    (void)state;
    assert_true(nat_map(&router->nat, IP_PROTOCOL_UDP, 8080, 0x0a010066, 80));
    uint8_t ip[200];
    uint32_t length =
        compose(ip, UDP(.destination = PORT_OUT, .source_port = 5000, .destination_port = 8080));
    give(0, 9, ETHER_TYPE_IP, ip, length);
    pass(5 * SECOND);
    const uint8_t *error = expect_error(0, 3, 1, PORT_IN);
    assert_int_equal(wire_get32(error + 16), HOST_IN);
    assert_memory_equal(error + 28 + 12, ip + 12, 8);
    assert_memory_equal(error + 28 + 20, ip + 20, 4);
}

/* RFC 4787 REQ-14: those that follow the first; the others have no port. */
static void fragments_follow_the_first(void **state) {
    (void)state;
    out(HOST_IN, 5000, HOST_OUT);
    send_shape(0, UDP(.fragment = 10));
    assert_null(read_packet(1));
    send_shape(0, UDP(.source_port = 5000, .fragment = 0x2000));
    assert_int_equal(wire_get32(read_packet(1) + 12), PORT_OUT);
    send_shape(0, UDP(.fragment = 10));
    assert_int_equal(wire_get32(read_packet(1) + 12), PORT_OUT);
    send_shape(
        1, UDP(.source = HOST_OUT, .destination = PORT_OUT, .destination_port = 5000, .fragment = 0x2000));
    assert_int_equal(wire_get32(read_packet(0) + 16), HOST_IN);
    send_shape(1, UDP(.source = HOST_OUT, .destination = PORT_OUT, .fragment = 10));
    assert_int_equal(wire_get32(read_packet(0) + 16), HOST_IN);
    now += 31 * SECOND;
    send_shape(0, UDP(.fragment = 20));
    assert_null(read_packet(1));
    assert_int_equal(router->nat.counters.fragments_lost, 2);
}

/* Many hosts and ports: every mapping has a port of its own, the table is bounded, and is given back. */
static void table_is_bounded_and_unique(void **state) {
    (void)state;
    static uint8_t seen[65536];
    uint32_t made = 0;
    for (uint32_t i = 0; i < NAT_MAPPINGS_MAX + 100; i++) {
        uint16_t port = (uint16_t)(2000 + i % 9000);
        send_shape(0, UDP(.source = 0x0a010014 + i / 9000, .source_port = port, .destination_port = 53));
        const uint8_t *ip = read_packet(1);
        if (!ip)
            continue;
        assert_int_equal(seen[wire_get16(ip + 20)], 0);
        seen[wire_get16(ip + 20)] = 1;
        made++;
    }
    assert_int_equal(made, NAT_MAPPINGS_MAX);
    assert_int_equal(router->nat.counters.full, 100);
    now += 301 * SECOND;
    router_advance(router, now);
    assert_int_equal(router->nat.count, 0);
    arp(1, 9, 1, HOST_OUT, PORT_OUT);
    while (read_frame(1))
        continue;
    out(HOST_IN, 5000, HOST_OUT);
}

static void what_has_no_ports_is_refused(void **state) {
    (void)state;
    send_shape(0, &(struct shape){.protocol = 47});
    send_shape(0, TCP(.payload = 12));
    send_shape(0, &(struct shape){.protocol = IP_PROTOCOL_ICMP, .payload = 4});
    assert_null(read_packet(1));
    assert_int_equal(router->nat.counters.malformed, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nat_rig, rig_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(mapping_is_endpoint_independent_and_keeps_the_port),
        TEST(answers_find_their_way_in),
        TEST(udp_without_checksum_stays_so),
        TEST(mappings_of_udp_age),
        TEST(mappings_of_tcp_age_by_state),
        TEST(hairpin_joins_two_inside),
        TEST(mapped_ports_lead_in_for_good),
        TEST(pings_are_told_apart_by_their_identifier),
        TEST(errors_quote_what_was_sent_inside),
        TEST(errors_quote_what_was_sent_outside),
        TEST(what_was_translated_in_vain_is_told_inside),
        TEST(what_was_bent_in_vain_is_told_inside),
        TEST(fragments_follow_the_first),
        TEST(table_is_bounded_and_unique),
        TEST(what_has_no_ports_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
