/* SPDX-License-Identifier: MIT */
/*
 * test_ip_address.c - addresses of both families in one type (stack/ip_address.h).
 */
#include "stack/ip/ip_address.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct ip_address of(const char *text) {
    struct ip_address address;
    assert_int_equal(ip_parse(text, &address), 0);
    return address;
}

static void an_address_is_read_and_written_as_programs_write_it(void **state) {
    static const char *const texts[] = {"10.77.0.2", "0.0.0.0",    "255.255.255.255", "::",
                                        "::1",       "fe80::1:2",  "2001:db8::1",     "2001:db8:0:1:2:3:4:5",
                                        "ff02::1",   "::10.0.0.1", "64:ff9b::a00:1",  NULL};
    static const char *const wrong[] = {"", "1.2.3", "1.2.3.4.5", "fe80::1%2", ":::", "g::1", NULL};
    char text[IP_ADDRESS_TEXT];
    struct ip_address address;
    (void)state;
    for (int i = 0; texts[i]; i++)
        assert_string_equal(ip_text(of(texts[i]), text), texts[i]);
    for (int i = 0; wrong[i]; i++)
        assert_int_equal(ip_parse(wrong[i], &address), -EINVAL);
    assert_string_equal(ip_text(of("::ffff:10.77.0.2"), text), "10.77.0.2");
}

static void an_ipv4_address_is_a_mapped_one_and_comes_back(void **state) {
    static const struct ip_address constant = IP_V4(0x0a4d0002);
    (void)state;
    assert_true(ip_is_v4(of("10.77.0.2")));
    assert_true(ip_is_v4(ip_from_v4(0)));
    assert_int_equal(ip_to_v4(of("10.77.0.2")), 0x0a4d0002);
    assert_true(ip_equal(constant, ip_from_v4(0x0a4d0002)));
    assert_true(ip_equal(of("::ffff:10.77.0.2"), constant));
    assert_false(ip_is_v4(of("::10.77.0.2"))); /* RFC 4291's compatible one is no mapped one */
    assert_false(ip_is_v4(of("1::ffff:10.77.0.2")));
    assert_false(ip_is_v4((struct ip_address){0}));
    assert_true(ip_equal(ip_any_like(of("1.2.3.4")), ip_from_v4(0)));
    assert_true(ip_equal(ip_any_like(of("2001:db8::1")), of("::")));
}

static void addresses_are_equal_in_all_their_bytes_or_in_order(void **state) {
    struct ip_address address = of("2001:db8::1");
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct ip_address other = address;
        other.bytes[i] ^= 0x80;
        assert_false(ip_equal(address, other));
    }
    assert_true(ip_equal(address, of("2001:db8:0::1")));
    assert_true(ip_compare(of("10.0.0.1"), of("10.0.0.2")) < 0);
    assert_true(ip_compare(of("2001:db8::1:0"), of("2001:db8::ffff")) > 0);
    assert_int_equal(ip_compare(address, address), 0);
}

static void kinds_of_addresses_are_told_apart_in_both_families(void **state) {
    enum { ANY = 1, LOOPBACK = 2, MULTICAST = 4, LINK = 8, SCOPED = 16 };
    static const struct {
        const char *text;
        unsigned kinds, scope;
    } cases[] = {
        {"0.0.0.0", ANY, 14},
        {"::", ANY, 14},
        {"127.0.0.1", LOOPBACK, 2},
        {"127.255.0.9", LOOPBACK, 2},
        {"::1", LOOPBACK, 2},
        {"::127.0.0.1", 0, 14},
        {"::1:0:1", 0, 14},
        {"224.0.0.1", MULTICAST, 14},
        {"239.255.255.255", MULTICAST, 14},
        {"240.0.0.1", 0, 14},
        {"223.0.0.1", 0, 14},
        {"::e000:1", 0, 14},
        {"ff02::1", MULTICAST | SCOPED, 2},
        {"ff01::1", MULTICAST | SCOPED, 1},
        {"ff12::1", MULTICAST | SCOPED, 2},
        {"ff05::2", MULTICAST, 5},
        {"ff0e::1", MULTICAST, 14},
        {"169.254.1.1", LINK, 2},
        {"169.255.1.1", 0, 14},
        {"fe80::1", LINK | SCOPED, 2},
        {"febf::1", LINK | SCOPED, 2},
        {"fec0::1", 0, 5},
        {"fd00::1", 0, 14},
        {"2001:db8::1", 0, 14},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ip_address address = of(cases[i].text);
        unsigned kinds = (ip_is_any(address) ? ANY : 0u) | (ip_is_loopback(address) ? LOOPBACK : 0u) |
                         (ip_is_multicast(address) ? MULTICAST : 0u) |
                         (ip_is_link_local(address) ? LINK : 0u) | (ip_needs_scope(address) ? SCOPED : 0u);
        if (kinds != cases[i].kinds || ip_scope(address) != cases[i].scope)
            fail_msg("%s: kinds %#x, scope %d", cases[i].text, kinds, ip_scope(address));
    }
}

static void prefixes_are_cut_and_compared_by_bits(void **state) {
    (void)state;
    struct ip_address address = of("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_true(ip_equal(ip_prefix(address, 128), address));
    assert_true(ip_equal(ip_prefix(address, 0), of("::")));
    assert_true(ip_equal(ip_prefix(address, 64), of("2001:db8:ffff:ffff::")));
    assert_true(ip_equal(ip_prefix(address, 35), of("2001:db8:e000::")));
    assert_int_equal(ip_common_bits(address, address), 128);
    assert_int_equal(ip_common_bits(address, of("2001:db8:efff::")), 35);
    assert_int_equal(ip_common_bits(of("::"), of("8000::")), 0);
    assert_int_equal(ip_common_bits(of("10.0.0.1"), of("10.0.0.2")), 96 + 30);
    assert_true(ip_equal(ip_solicited_node(of("2001:db8::1:abcd:ef01")), of("ff02::1:ffcd:ef01")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_read_and_written_as_programs_write_it),
        cmocka_unit_test(an_ipv4_address_is_a_mapped_one_and_comes_back),
        cmocka_unit_test(addresses_are_equal_in_all_their_bytes_or_in_order),
        cmocka_unit_test(kinds_of_addresses_are_told_apart_in_both_families),
        cmocka_unit_test(prefixes_are_cut_and_compared_by_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
