/* SPDX-License-Identifier: MIT */
/*
 * test_router_ip6.c - stack/router: IPv6 (RFC 8200, RFC 4443, RFC 4861).
 */
#include "tests/unit/router/rig.h"

static struct ip_address in_host, out_host, in_port, out_port;

/* A neighbour's message; its checksum is computed. */
static void message(int port, uint8_t host, struct ip_address from, struct ip_address to, uint8_t hop_limit,
                    const void *bytes, uint32_t length) {
    uint8_t ip[ROUTER_MTU_MAX];
    memcpy(ip + 40, bytes, length);
    router_icmp6_finish(ip, length, from, to, hop_limit);
    give(port, host, ETHER_TYPE_IP6, ip, 40 + length);
}

static void solicit(int port, uint8_t host, struct ip_address from, struct ip_address target) {
    uint8_t bytes[32] = {135};
    memcpy(bytes + 8, target.bytes, 16);
    bytes[24] = 1;
    bytes[25] = 1;
    mac_of(bytes + 26, port, host);
    message(port, host, from, ip_solicited_node(target), 255, bytes, ip_is_any(from) ? 24 : 32);
}

static void advertise(int port, uint8_t host, struct ip_address target, struct ip_address to) {
    uint8_t bytes[32] = {136, [4] = 0x60};
    memcpy(bytes + 8, target.bytes, 16);
    bytes[24] = 2;
    bytes[25] = 1;
    mac_of(bytes + 26, port, host);
    message(port, host, target, to, 255, bytes, 32);
}

static int rig6(void **state) {
    rig(state);
    in_host = parse("2001:db8:1::9");
    out_host = parse("2001:db8:2::9");
    in_port = parse("2001:db8:1::1");
    out_port = parse("2001:db8:2::1");
    router->ports[0].advertise_ns = router->ports[1].advertise_ns = now + 1000 * SECOND;
    solicit(0, 9, in_host, in_port);
    solicit(1, 9, out_host, out_port);
    while (read_frame(0) || read_frame(1))
        continue;
    return 0;
}

/* A datagram of `payload` bytes. */
static void send6(struct ip_address from, struct ip_address to, uint8_t hop_limit, uint32_t payload) {
    uint8_t ip[ROUTER_MTU_MAX] = {0x60};
    wire_put16(ip + 4, (uint16_t)payload);
    ip[6] = IP_PROTOCOL_UDP;
    ip[7] = hop_limit;
    memcpy(ip + 8, from.bytes, 16);
    memcpy(ip + 24, to.bytes, 16);
    give(0, 9, ETHER_TYPE_IP6, ip, 40 + payload);
}

static const uint8_t *expect6(int port, uint8_t type, uint8_t code, struct ip_address from) {
    const uint8_t *ip = read_frame(port);
    assert_non_null(ip);
    assert_int_equal(wire_get16(got + 12), ETHER_TYPE_IP6);
    uint32_t length = wire_get16(ip + 4);
    uint64_t sum = checksum_pseudo_header(ip_from_bytes(ip + 8), ip_from_bytes(ip + 24), IP_PROTOCOL_ICMP6,
                                          (uint16_t)length);
    assert_int_equal(checksum_fold(checksum_add(sum, ip + 40, length)), 0xffff);
    assert_int_equal(ip[6], IP_PROTOCOL_ICMP6);
    assert_int_equal(ip[40], type);
    assert_int_equal(ip[41], code);
    assert_true(ip_equal(ip_from_bytes(ip + 8), from));
    return ip;
}

static void forwards_and_counts_the_hop_limit_down(void **state) {
    (void)state;
    send6(in_host, out_host, 9, 100);
    const uint8_t *ip = read_frame(1);
    assert_non_null(ip);
    assert_int_equal(ip[7], 8);
    send6(in_host, out_host, 1, 100);
    expect6(0, 3, 0, in_port);
    assert_null(read_frame(1));
}

static void what_can_not_go_on_is_told(void **state) {
    (void)state;
    send6(in_host, parse("2001:db8:9::1"), 9, 100);
    expect6(0, 1, 0, in_port);
    send6(in_host, out_port, 9, 100);
    expect6(0, 1, 4, in_port);
    router->ports[1].config.mtu = 1280;
    send6(in_host, out_host, 9, 1300);
    const uint8_t *ip = expect6(0, 2, 0, in_port);
    assert_int_equal(wire_get32(ip + 44), 1280);
    assert_true(wire_get16(ip + 4) + 40u <= 1280);
    assert_null(read_frame(1));
    send6(in_host, parse("2001:db8:2::77"), 9, 100); /* nobody is there */
    for (int i = 0; i < 3; i++) {
        assert_non_null(read_frame(1));
        assert_int_equal(got[54], 135);
        pass(SECOND);
    }
    expect6(0, 1, 3, in_port);
}

/* RFC 4291 section 2.5.6; RFC 4443 section 2.4 (e). */
static void what_is_of_the_link_stays_there(void **state) {
    (void)state;
    send6(parse("fe80::9"), out_host, 9, 100);
    while (read_frame(0))
        assert_int_not_equal(got[54], 137);
    send6(in_host, parse("fe80::77"), 9, 100);
    send6(in_host, parse("ff02::5"), 9, 100);
    send6(in_host, parse("ff0e::5"), 9, 100);
    send6(parse("::"), out_host, 9, 100);
    send6(parse("ff02::1"), out_host, 9, 100);
    send6(parse("::1"), out_host, 9, 100);
    assert_null(read_frame(0));
    assert_null(read_frame(1));
}

static void echo_and_addresses_are_answered(void **state) {
    (void)state;
    uint8_t ping[40] = {128, 0, 0, 0, 1, 2, 3, 4, 5};
    message(0, 9, in_host, out_port, 9, ping, sizeof ping);
    const uint8_t *ip = expect6(0, 129, 0, out_port);
    assert_memory_equal(ip + 44, ping + 4, 36);
    solicit(0, 9, in_host, in_port);
    ip = expect6(0, 136, 0, in_port);
    assert_int_equal(ip[44], 0xe0); /* router, solicited, override */
    assert_int_equal(ip[7], 255);
    assert_memory_equal(ip + 66, router->ports[0].config.mac, 6);
    solicit(0, 9, parse("::"), in_port); /* somebody wants our address */
    ip = expect6(0, 136, 0, in_port);
    assert_true(ip_equal(ip_from_bytes(ip + 24), parse("ff02::1")));
    solicit(0, 9, in_host, out_port); /* another link's */
    assert_null(read_frame(0));
    uint8_t far[24] = {135};
    memcpy(far + 8, in_port.bytes, 16);
    message(0, 9, in_host, ip_solicited_node(in_port), 254, far, 24); /* passed a router */
    assert_null(read_frame(0));
}

/* RFC 8200 section 4.5: an answer that is longer than its way is cut by its source, which is the router. */
static void echo_of_ipv6_fits_its_way(void **state) {
    (void)state;
    static uint8_t ping[1440];
    uint8_t whole[1440];
    uint32_t covered = 0;
    for (uint32_t i = 0; i < sizeof ping; i++)
        ping[i] = (uint8_t)(i * 7);
    memcpy(ping, (uint8_t[]){128, 0, 0, 0}, 4);
    router->ports[0].config.mtu = 1280;
    message(0, 9, parse("fe80::9"), router->ports[0].config.addresses[2].address, 9, ping, sizeof ping);
    pass(5 * SECOND); /* nobody is there */
    while (read_frame(0))
        assert_true(got_length <= 14 + 1280);
    message(0, 9, in_host, out_port, 9, ping, sizeof ping);
    for (const uint8_t *part; (part = read_frame(0));) {
        assert_true(got_length <= 14 + 1280);
        uint32_t bytes = wire_get16(part + 4) - 8, place = wire_get16(part + 42);
        assert_int_equal(part[6], 44);
        assert_int_equal(part[40], 58);
        assert_int_equal(place & 0xfff8, covered);
        assert_int_equal(place & 1, covered + bytes < sizeof ping);
        memcpy(whole + covered, part + 48, bytes);
        covered += bytes;
    }
    assert_int_equal(covered, sizeof ping);
    assert_int_equal(whole[0], 129);
    assert_memory_equal(whole + 4, ping + 4, sizeof ping - 4);
    uint64_t sum = checksum_pseudo_header(out_port, in_host, 58, sizeof whole);
    assert_int_equal(checksum_fold(checksum_add(sum, whole, sizeof whole)), 0xffff);
}

/* RFC 4861 section 6.2: to all, with what hosts make addresses of (RFC 4862). */
static void routers_advertise_themselves(void **state) {
    (void)state;
    uint8_t question[8] = {133};
    message(0, 9, parse("fe80::9"), parse("ff02::2"), 255, question, sizeof question);
    assert_null(read_frame(0));
    pass(ROUTER_RA_DELAY_NS + 100 * MS);
    const uint8_t *ip = read_frame(0);
    struct ip_address own = router->ports[0].config.addresses[2].address;
    assert_non_null(ip);
    assert_true(ip_is_link_local(own));
    assert_true(ip_equal(ip_from_bytes(ip + 8), own));
    assert_true(ip_equal(ip_from_bytes(ip + 24), parse("ff02::1")));
    assert_int_equal(ip[40], 134);
    assert_int_equal(ip[44], 64);
    assert_int_equal(wire_get16(ip + 46), 1800);
    const uint8_t *prefix = ip + 40 + 16 + 8 + 8;
    assert_int_equal(prefix[0], 3);
    assert_int_equal(prefix[2], 64);
    assert_int_equal(prefix[3], 0xc0);
    assert_true(ip_equal(ip_from_bytes(prefix + 16), parse("2001:db8:1::")));
    assert_int_equal(wire_get16(ip + 4), 16 + 8 + 8 + 32);
    assert_null(read_frame(0));
    unsigned count = 0;
    for (int i = 0; i < 2000; i++) {
        pass(SECOND);
        while (read_frame(0))
            count += got[54] == 134;
    }
    assert_in_range(count, 3, 14); /* 200 to 600 seconds apart, after the first */
}

static void redirect_of_ipv6_names_the_neighbour(void **state) {
    (void)state;
    struct ip_address better = parse("fe80::77");
    assert_false(router_add_route(router, parse("2001:db8:9::"), 48, parse("2001:db8:7::1")));
    struct router_route route = {parse("2001:db8:9::"), 48, 0, better};
    assert_true(router_routes_add(&router->routes, &route));
    send6(in_host, parse("2001:db8:9::1"), 9, 100);
    const uint8_t *ip = expect6(0, 137, 0, router->ports[0].config.addresses[2].address);
    assert_int_equal(ip[7], 255);
    assert_true(ip_equal(ip_from_bytes(ip + 48), better));
    assert_true(ip_equal(ip_from_bytes(ip + 64), parse("2001:db8:9::1")));
    assert_non_null(read_frame(0)); /* who is it? */
    advertise(0, 77, better, router->ports[0].config.addresses[2].address);
    assert_non_null(ip = read_frame(0));
    assert_int_equal(ip[7], 8);
}

static void damaged_options_are_refused(void **state) {
    (void)state;
    uint8_t bytes[32] = {135};
    memcpy(bytes + 8, in_port.bytes, 16);
    bytes[24] = 1;
    bytes[25] = 2; /* longer than the message */
    message(0, 9, in_host, ip_solicited_node(in_port), 255, bytes, 32);
    bytes[25] = 0;
    message(0, 9, in_host, ip_solicited_node(in_port), 255, bytes, 32);
    message(0, 9, in_host, ip_solicited_node(in_port), 255, bytes, 20);
    assert_null(read_frame(0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig6, rig_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(forwards_and_counts_the_hop_limit_down),
        TEST(what_can_not_go_on_is_told),
        TEST(what_is_of_the_link_stays_there),
        TEST(echo_and_addresses_are_answered),
        TEST(echo_of_ipv6_fits_its_way),
        TEST(routers_advertise_themselves),
        TEST(redirect_of_ipv6_names_the_neighbour),
        TEST(damaged_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
