/* SPDX-License-Identifier: MIT */
/*
 * test_router.c - stack/router: what RFC 1812 demands of a router of IPv4, section by section.
 */
#include "tests/unit/router/rig.h"

#define UDP(...) (&(struct shape){__VA_ARGS__})
#define NOTHING(port) assert_null(read_packet(port))

static void forwards_and_counts_the_ttl_down(void **state) {
    (void)state;
    send_shape(0, UDP(.ttl = 9, .destination_port = 53));
    const uint8_t *ip = read_packet(1);
    assert_non_null(ip);
    assert_int_equal(ip[8], 8);
    assert_true(is_sound(ip));
    assert_int_equal(got_length, 14 + 20 + 100);
    uint8_t mac[6];
    mac_of(mac, 1, 9);
    assert_memory_equal(got, mac, 6);
    assert_memory_equal(got + 6, router->ports[1].config.mac, 6);
    NOTHING(0);
}

/* 5.3.1: a packet whose TTL would be 0 is not forwarded, and its sender hears of it. */
static void ttl_that_ends_is_time_exceeded(void **state) {
    (void)state;
    send_shape(0, UDP(.ttl = 1));
    const uint8_t *ip = expect_error(0, 11, 0, PORT_IN);
    assert_int_equal(wire_get32(ip + 16), HOST_IN);
    assert_int_equal(ip[1] & 0xe0, 0xc0); /* 4.3.2.5: precedence */
    assert_int_equal(wire_get32(ip + 28 + 12), HOST_IN);
    assert_int_equal(ip[28 + 8], 1); /* 4.3.2.3: as it came */
    NOTHING(1);
}

/* 5.3.1: ... but one for the router itself is taken. */
static void ttl_of_one_reaches_the_router(void **state) {
    (void)state;
    send_shape(0, UDP(.ttl = 1, .destination = PORT_OUT));
    expect_error(0, 3, 3, PORT_IN);
}

/* 5.2.2: what is no packet is dropped without a word. */
static void damaged_headers_are_dropped(void **state) {
    (void)state;
    uint8_t ip[200];
    for (int i = 0; i < 6; i++) {
        uint32_t length = compose(ip, UDP());
        switch (i) {
        case 0:
            ip[10] ^= 1;
            break; /* checksum */
        case 1:
            ip[0] = 0x65;
            router_ip4_checksum(ip);
            break; /* version */
        case 2:
            ip[0] = 0x44;
            break; /* header below 20 */
        case 3:
            wire_put16(ip + 2, 19);
            router_ip4_checksum(ip);
            break;
        case 4:
            wire_put16(ip + 2, 121);
            router_ip4_checksum(ip);
            break; /* more than is there */
        case 5:
            length = 19;
            break;
        }
        give(0, 9, ETHER_TYPE_IP, ip, length);
        NOTHING(0);
        NOTHING(1);
    }
    assert_int_equal(router->counters.in_header_errors, 6);
}

static void padding_of_the_link_is_cut_off(void **state) {
    (void)state;
    uint8_t ip[64] = {0};
    compose(ip, &(struct shape){.payload = 8});
    give(0, 9, ETHER_TYPE_IP, ip, 46);
    assert_non_null(read_packet(1));
    assert_int_equal(got_length, 14 + 28);
}

/* 5.3.7: martians; 5.3.4: broadcasts of the link; RFC 2644: of another network. */
static void what_is_nobodys_is_not_forwarded(void **state) {
    (void)state;
    static const uint32_t sources[] = {0x7f000001, 0xe0000005, 0xffffffff,
                                       0x00000001, 0xa9fe0001, 0x0a0100ff};
    static const uint32_t destinations[] = {0x7f000001, 0xf0000001, 0x00000005, 0xa9fe0001,
                                            0x0a0200ff, 0x0a020000, 0xe1000001};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        send_shape(0, UDP(.source = sources[i]));
    for (size_t i = 0; i < sizeof destinations / sizeof *destinations; i++)
        send_shape(0, UDP(.destination = destinations[i]));
    uint8_t frame[200];
    memset(frame, 0xff, 6);
    mac_of(frame + 6, 0, 9);
    wire_put16(frame + 12, ETHER_TYPE_IP);
    uint32_t length = compose(frame + 14, UDP());
    router_input(router, 0, now, frame, 14 + length);
    NOTHING(0);
    NOTHING(1);
}

/* 5.2.7.1: net unreachable without a route, host unreachable where ARP finds nobody. */
static void unreachable_destinations_are_told(void **state) {
    (void)state;
    send_shape(0, UDP(.destination = FAR));
    expect_error(0, 3, 0, PORT_IN);
    send_shape(0, UDP(.destination = 0x0a020055));
    NOTHING(0);
    for (int i = 0; i < 3; i++) { /* it is asked for three times, a second apart */
        assert_non_null(read_frame(1));
        assert_int_equal(wire_get16(got + 12), ETHER_TYPE_ARP);
        assert_int_equal(wire_get32(got + 14 + 24), 0x0a020055);
        assert_null(read_frame(1));
        if (i < 2)
            pass(SECOND);
    }
    pass(SECOND);
    expect_error(0, 3, 1, PORT_IN);
    assert_int_equal(router->counters.no_neighbour, 1);
}

static void packets_wait_for_arp_in_order(void **state) {
    (void)state;
    for (uint16_t i = 0; i < 20; i++)
        send_shape(0, UDP(.destination = 0x0a020055, .source_port = i));
    assert_int_equal(router->counters.discarded, 20 - ROUTER_NEIGHBOUR_WAITING);
    NOTHING(1);
    arp(1, 0x55, 2, 0x0a020055, PORT_OUT);
    for (uint16_t i = 0; i < ROUTER_NEIGHBOUR_WAITING; i++)
        assert_int_equal(wire_get16(read_packet(1) + 20), i);
    NOTHING(1);
}

/* 4.3.2.7: of these no error is told. */
static void errors_answer_no_errors_groups_or_later_fragments(void **state) {
    (void)state;
    uint8_t ip[200];
    uint32_t length =
        compose(ip, &(struct shape){.payload = 40, .protocol = IP_PROTOCOL_ICMP, .destination = FAR});
    ip[20] = 3;
    give(0, 9, ETHER_TYPE_IP, ip, length);
    NOTHING(0);
    ip[20] = 8; /* an echo request is answered with an error all the same */
    give(0, 9, ETHER_TYPE_IP, ip, length);
    expect_error(0, 3, 0, PORT_IN);
    send_shape(0, UDP(.destination = FAR, .fragment = 10));
    NOTHING(0);
    send_shape(0, UDP(.destination = FAR, .source = 0));
    expect_error(0, 3, 0, PORT_IN);
    send_shape(0, UDP(.destination = 0x0a0100ff));
    NOTHING(0);
}

/* 4.3.2.8: errors are limited, and come again. */
static void errors_have_a_rate(void **state) {
    (void)state;
    unsigned errors = 0;
    for (int i = 0; i < 200; i++)
        send_shape(0, UDP(.destination = FAR));
    while (read_packet(0))
        errors++;
    assert_int_equal(errors, ROUTER_ICMP_BURST);
    assert_int_equal(router->counters.icmp_limited, 200 - ROUTER_ICMP_BURST);
    now += SECOND;
    send_shape(0, UDP(.destination = FAR));
    expect_error(0, 3, 0, PORT_IN);
}

/* 4.3.3.6: an echo is answered from the address that was asked, with its data; 4.3.2.3. */
static void echo_is_answered(void **state) {
    (void)state;
    uint8_t ip[200];
    uint32_t length = compose(
        ip, &(struct shape){.payload = 60, .protocol = IP_PROTOCOL_ICMP, .destination = PORT_OUT, .tos = 8});
    memcpy(ip + 20, (uint8_t[]){8, 0, 0, 0}, 4);
    wire_put_sum(ip + 22, (uint16_t)~checksum_fold(checksum_add(0, ip + 20, 60)));
    give(0, 9, ETHER_TYPE_IP, ip, length);
    const uint8_t *answer = expect_error(0, 0, 0, PORT_OUT);
    assert_memory_equal(answer + 24, ip + 24, 56);
    assert_int_equal(answer[1], 8);
    ip[22] ^= 1;
    give(0, 9, ETHER_TYPE_IP, ip, length);
    NOTHING(0);
}

/* 4.3.3.6 and RFC 1191: an answer that is longer than its way is cut. */
static void echo_fits_its_way(void **state) {
    (void)state;
    uint8_t ip[ROUTER_MTU_MAX], whole[ROUTER_MTU_MAX];
    uint32_t covered = 0;
    router->ports[0].config.mtu = 576;
    uint32_t length =
        compose(ip, &(struct shape){.payload = 1400, .protocol = IP_PROTOCOL_ICMP, .destination = PORT_OUT});
    memcpy(ip + 20, (uint8_t[]){8, 0, 0, 0}, 4);
    wire_put_sum(ip + 22, (uint16_t)~checksum_fold(checksum_add(0, ip + 20, 1400)));
    give(0, 9, ETHER_TYPE_IP, ip, length);
    for (const uint8_t *part; (part = read_packet(0));) {
        uint32_t bytes = wire_get16(part + 2);
        assert_true(bytes <= 576);
        assert_int_equal((wire_get16(part + 6) & 0x1fff) * 8, covered);
        memcpy(whole + covered, part + 20, bytes - 20);
        covered += bytes - 20;
    }
    assert_int_equal(covered, 1400);
    assert_memory_equal(whole + 4, ip + 24, 1396);
    assert_int_equal(whole[0], 0);
}

/* RFC 791: a datagram has 65,535 bytes at most, so that no fragment ends behind them. */
static void fragments_end_within_a_datagram(void **state) {
    (void)state;
    send_shape(0, UDP(.payload = 100, .fragment = 0x1fff));
    send_shape(0, UDP(.payload = 1000, .fragment = 0x2000 | 8100));
    NOTHING(1);
    assert_int_equal(router->counters.in_header_errors, 2);
    send_shape(0, UDP(.payload = 65535 - 20 - 8100 * 8, .fragment = 8100));
    assert_non_null(read_packet(1));
}

/* 5.2.4.3: the longest prefix decides, the default route last. */
static void longest_prefix_decides(void **state) {
    (void)state;
    assert_true(router_add_route(router, parse("0.0.0.0"), 96, parse("10.1.0.77")));
    assert_true(router_add_route(router, parse("8.0.0.0"), 96 + 8, parse("10.2.0.8")));
    assert_true(router_add_route(router, parse("8.8.8.0"), 96 + 24, parse("10.2.0.9")));
    assert_true(router_add_route(router, parse("8.8.8.8"), 128, parse("10.1.0.9")));
    assert_false(router_add_route(router, parse("9.0.0.0"), 104, parse("10.9.0.1"))); /* on no link */
    assert_string_equal((char[2]){(char)('0' + router_routes_find(&router->routes, parse("8.8.8.8"))->port)},
                        "0");
    static const struct {
        const char *to, *hop;
    } cases[] = {
        {"8.8.8.8", "10.1.0.9"}, {"8.8.8.7", "10.2.0.9"}, {"8.9.0.1", "10.2.0.8"}, {"9.9.9.9", "10.1.0.77"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(
            ip_equal(router_routes_find(&router->routes, parse(cases[i].to))->next_hop, parse(cases[i].hop)));
    assert_null(router_routes_find(&router->routes, parse("2001:db8:9::1")));
    for (uint32_t i = router->routes.count; i < ROUTER_ROUTES_MAX; i++)
        assert_true(router_add_route(router, ip_from_v4(0x20000000 + (i << 8)), 96 + 24, parse("10.2.0.9")));
    assert_false(router_add_route(router, parse("7.0.0.0"), 104, parse("10.2.0.9")));
}

/* 5.2.7.2: the sender learns of the better way, and the packet goes on all the same. */
static void redirect_names_the_better_router(void **state) {
    (void)state;
    assert_true(router_add_route(router, parse("8.0.0.0"), 96 + 8, parse("10.1.0.77")));
    arp(0, 77, 1, 0x0a01004d, PORT_IN);
    read_frame(0);
    send_shape(0, UDP(.destination = FAR));
    const uint8_t *ip = expect_error(0, 5, 1, PORT_IN);
    assert_int_equal(wire_get32(ip + 24), 0x0a01004d);
    ip = read_packet(0);
    assert_non_null(ip);
    assert_int_equal(wire_get32(ip + 16), FAR);
    send_shape(0, UDP(.destination = FAR, .source = 0x0b000001)); /* its sender is no neighbour */
    assert_int_equal(wire_get32(read_packet(0) + 16), FAR);
    NOTHING(0);
}

static void remake(uint16_t mtu) {
    rig_end(NULL);
    rig_make(NULL, mtu);
}

/* RFC 1191: a packet that may not be cut, and the MTU that it would have to have. */
static void dont_fragment_is_answered_with_the_mtu(void **state) {
    (void)state;
    remake(1280);
    send_shape(0, UDP(.payload = 1400, .fragment = 0x4000));
    const uint8_t *ip = expect_error(0, 3, 4, PORT_IN);
    assert_int_equal(wire_get16(ip + 26), 1280);
    assert_true(wire_get16(ip + 2) <= 576);
    NOTHING(1);
    send_shape(0, UDP(.payload = 1260, .fragment = 0x4000));
    assert_non_null(read_packet(1));
    router->ports[1].config.silent = true;
    send_shape(0, UDP(.payload = 1400, .fragment = 0x4000));
    NOTHING(0);
    NOTHING(1);
}

/* 4.2.2.7, RFC 791: parts fit, begin at multiples of 8, and make the whole; what is not copied is in the first. */
static void fragments_make_the_whole(void **state) {
    (void)state;
    remake(1280);
    for (uint32_t options = 0; options <= 12; options += 12) {
        struct shape shape = {
            .payload = 1400, .options = options, .option = {7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0}};
        uint8_t whole[1500], ip[1500];
        uint32_t total = compose(ip, &shape), covered = 0;
        give(0, 9, ETHER_TYPE_IP, ip, total);
        for (int part = 0; part < 2; part++) {
            const uint8_t *at = read_packet(1);
            assert_non_null(at);
            uint32_t header = (at[0] & 15u) * 4, bytes = wire_get16(at + 2) - header;
            assert_true(header + bytes <= 1280);
            assert_int_equal(checksum_fold(checksum_header(at, header)), 0xffff);
            assert_int_equal(wire_get16(at + 4), 77);
            assert_int_equal(wire_get16(at + 6), (part == 0 ? 0x2000 : 0) | covered / 8);
            assert_int_equal(header, options == 0 ? 20 : part == 0 ? 32 : 24);
            if (options && part)
                assert_int_equal(at[20], 148); /* Router Alert is copied, Record Route is not */
            memcpy(whole + covered, at + header, bytes);
            covered += bytes;
        }
        NOTHING(1);
        assert_int_equal(covered, 1400);
        assert_memory_equal(whole, ip + 20 + options, 1400);
    }
    send_shape(0, UDP(.payload = 1400, .fragment = 0x2000 | 100)); /* a fragment that is cut again */
    assert_int_equal(wire_get16(read_packet(1) + 6), 0x2000 | 100);
    assert_int_equal(wire_get16(read_packet(1) + 6), 0x2000 | (100 + 1256 / 8));
}

/* 5.3.13: the router records its address and the time; RFC 7126: no source routes. */
static void options_are_honoured(void **state) {
    (void)state;
    send_shape(0, UDP(.options = 8, .option = {7, 7, 4}));
    const uint8_t *ip = read_packet(1);
    assert_int_equal(ip[22], 8);
    assert_int_equal(wire_get32(ip + 23), PORT_OUT);
    assert_true(checksum_fold(checksum_header(ip, 28)) == 0xffff);
    send_shape(0, UDP(.options = 8, .option = {7, 7, 8})); /* full */
    assert_int_equal(wire_get32(read_packet(1) + 23), 0);
    send_shape(0, UDP(.options = 12, .option = {68, 12, 5, 1}));
    ip = read_packet(1);
    assert_int_equal(ip[22], 13);
    assert_int_equal(wire_get32(ip + 24), PORT_OUT);
    assert_int_equal(wire_get32(ip + 28), now / MS % 86400000);
    send_shape(0, UDP(.options = 12, .option = {68, 12, 13, 1}));
    assert_int_equal(read_packet(1)[23], 0x11); /* who found no room is counted */
    send_shape(0, UDP(.options = 8, .option = {131, 7, 4, 10, 2, 0, 7}));
    expect_error(0, 3, 5, PORT_IN);
    send_shape(0, UDP(.options = 8, .option = {7, 9, 4})); /* longer than the header */
    ip = expect_error(0, 12, 0, PORT_IN);
    assert_int_equal(ip[24], 20);
    NOTHING(1);
}

static void arp_answers_for_the_ports_own_address_alone(void **state) {
    (void)state;
    arp(0, 5, 1, 0x0a010005, PORT_IN);
    assert_non_null(read_frame(0));
    assert_int_equal(wire_get16(got + 14 + 6), 2);
    assert_memory_equal(got + 14 + 8, router->ports[0].config.mac, 6);
    arp(0, 5, 1, 0x0a010005, PORT_OUT);
    arp(0, 5, 1, 0x0a010005, 0x0a010007);
    assert_null(read_frame(0));
    assert_non_null(router_neighbour_find(router, 0, parse("10.1.0.5")));
    arp(0, 6, 2, 0x0a010006, 0x0a010007); /* of others nothing is learned */
    arp(0, 6, 2, 0x0a020006, PORT_IN);
    assert_null(router_neighbour_find(router, 0, parse("10.1.0.6")));
    assert_null(router_neighbour_find(router, 0, parse("10.2.0.6")));
}

/* What has been heard long ago is asked, alone, and used meanwhile; who does not answer is forgotten. */
static void neighbours_are_asked_again(void **state) {
    (void)state;
    pass(ROUTER_NEIGHBOUR_REACHABLE_NS + SECOND);
    while (read_frame(1))
        continue;
    send_shape(0, UDP());
    unsigned arps = 0, packets = 0;
    while (read_frame(1)) {
        arps += wire_get16(got + 12) == ETHER_TYPE_ARP && !(got[0] & 1);
        packets += wire_get16(got + 12) == ETHER_TYPE_IP;
    }
    assert_int_equal(arps, 1);
    assert_int_equal(packets, 1);
    pass(4 * SECOND);
    assert_null(router_neighbour_find(router, 1, parse("10.2.0.9")));
}

static void neighbours_are_bounded(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 3 * ROUTER_NEIGHBOURS_MAX; i++) {
        now++;
        send_shape(0, UDP(.destination = 0x0a020000 + 1 + i % 250, .source = HOST_IN));
        arp(0, (uint8_t)i, 1, 0x0a010000 + 2 + i % 250, PORT_IN);
        while (read_frame(1) || read_frame(0))
            continue;
    }
    pass(10 * SECOND);
    assert_true(router->neighbours.ever <= ROUTER_NEIGHBOURS_MAX);
}

static void frames_for_others_are_left_alone(void **state) {
    (void)state;
    uint8_t frame[200] = {2, 9, 9, 9, 9, 9};
    wire_put16(frame + 12, ETHER_TYPE_IP);
    uint32_t length = compose(frame + 14, UDP());
    router_input(router, 0, now, frame, 14 + length);
    router_input(router, 0, now, frame, 13);
    NOTHING(1);
    assert_int_equal(router->ports[0].received, 1); /* the ARP of the rig */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig, rig_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(forwards_and_counts_the_ttl_down),
        TEST(ttl_that_ends_is_time_exceeded),
        TEST(ttl_of_one_reaches_the_router),
        TEST(damaged_headers_are_dropped),
        TEST(padding_of_the_link_is_cut_off),
        TEST(what_is_nobodys_is_not_forwarded),
        TEST(unreachable_destinations_are_told),
        TEST(packets_wait_for_arp_in_order),
        TEST(errors_answer_no_errors_groups_or_later_fragments),
        TEST(errors_have_a_rate),
        TEST(echo_is_answered),
        TEST(echo_fits_its_way),
        TEST(fragments_end_within_a_datagram),
        TEST(longest_prefix_decides),
        TEST(redirect_names_the_better_router),
        TEST(dont_fragment_is_answered_with_the_mtu),
        TEST(fragments_make_the_whole),
        TEST(options_are_honoured),
        TEST(arp_answers_for_the_ports_own_address_alone),
        TEST(neighbours_are_asked_again),
        TEST(neighbours_are_bounded),
        TEST(frames_for_others_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
