/* SPDX-License-Identifier: MIT */
/*
 * test_ip6_addresses.c - the stack's own IPv6 addresses: made, checked and ended: ip6_addresses.c.
 */
#include "stack/ip/ip6_addresses.h"
#include "tests/unit/peer6.h"
#include <errno.h>
#include <stdio.h>

#define SOLICITATION 135

static const struct ip6_address *add(struct host *host, const char *address,
                                     const struct ip6_lifetimes *lifetimes) {
    assert_int_equal(ip6_address_add(host->stack, v6(address), 64, IP6_ADDRESS_USER, lifetimes), 0);
    return ip6_address_find(host->stack, v6(address));
}

static void an_address_is_asked_for_before_it_is_used(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct seen6 seen;
    (void)state;
    host.stack->sysctl.ip6_optimistic_dad = 0;
    const struct ip6_address *entry = add(&host, "2001:db8::1", NULL);
    assert_true(entry->flags & IP6_FLAG_TENTATIVE);
    assert_false(ip6_address_usable(entry));
    host_run(&host, 1500 * MS);
    assert_true(peer6_read_message(&host, SOLICITATION, &seen));
    assert_true(ip_is_any(seen.source)); /* RFC 4862 section 5.4.2 */
    assert_true(ip_equal(seen.destination, v6("ff02::1:ff00:1")));
    assert_memory_equal(seen.payload + 8, v6("2001:db8::1").bytes, 16);
    host_run(&host, 2 * SECOND);
    assert_true(ip6_address_usable(entry));
    assert_false(entry->flags & IP6_FLAG_TENTATIVE);
    assert_true(entry->flags & IP6_FLAG_PERMANENT);
    host_destroy(&host);
}

static void an_address_that_somebody_has_is_not_used(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    (void)state;
    const struct ip6_address *entry = add(&host, "2001:db8::1", NULL);
    peer6_advertise(&host, v6("2001:db8::1"), 0x20, PEER6_MAC);
    assert_true(entry->flags & IP6_FLAG_DADFAILED);
    host_run(&host, 10 * SECOND);
    assert_false(ip6_address_usable(entry));
    assert_int_equal(host.stack->ip6.addresses.conflicts, 1);
    assert_true(ip_equal(host.stack->ip6.addresses.conflict, v6("2001:db8::1")));
    host_destroy(&host);
}

static void a_link_local_address_that_somebody_has_gives_way_to_another(void **state) {
    struct host host = host6_create(false);
    struct ip_address first = host.stack->ip6.addresses.entries[0].address;
    (void)state;
    peer6_advertise(&host, first, 0x20, OTHER6_MAC);
    host_run(&host, 10 * SECOND);
    const struct ip6_address *now_used = ip6_link_local(host.stack);
    assert_non_null(now_used);
    assert_true(ip_is_link_local(now_used->address));
    assert_false(ip_equal(now_used->address, first));
    host_destroy(&host);
}

static void an_address_is_deprecated_and_goes_in_its_time(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    const struct ip6_lifetimes lifetimes = {.preferred_ns = 100 * SECOND, .valid_ns = 200 * SECOND};
    (void)state;
    const struct ip6_address *entry = add(&host, "2001:db8::1", &lifetimes);
    assert_false(entry->flags & IP6_FLAG_PERMANENT);
    host_run(&host, 99 * SECOND);
    assert_false(entry->flags & IP6_FLAG_DEPRECATED);
    host_run(&host, 2 * SECOND);
    assert_true(entry->flags & IP6_FLAG_DEPRECATED);
    assert_true(ip6_address_usable(entry));
    host_run(&host, 98 * SECOND);
    assert_non_null(ip6_address_find(host.stack, v6("2001:db8::1")));
    host_run(&host, 2 * SECOND);
    assert_null(ip6_address_find(host.stack, v6("2001:db8::1")));
    host_destroy(&host);
}

static void lifetimes_that_are_said_anew_count_from_then_on(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct ip6_lifetimes lifetimes = {.preferred_ns = 100 * SECOND, .valid_ns = 100 * SECOND};
    (void)state;
    add(&host, "2001:db8::1", &lifetimes);
    host_run(&host, 90 * SECOND);
    ip6_address_set_lifetimes(host.stack, ip6_address_find(host.stack, v6("2001:db8::1")), &lifetimes);
    host_run(&host, 90 * SECOND);
    assert_non_null(ip6_address_find(host.stack, v6("2001:db8::1")));
    host_run(&host, 20 * SECOND);
    assert_null(ip6_address_find(host.stack, v6("2001:db8::1")));
    host_destroy(&host);
}

static void what_no_host_may_have_or_is_there_already_is_refused(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    static const char *const none[] = {"::", "ff02::1", "::1"};
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(ip6_address_add(host.stack, v6(none[i]), 64, IP6_ADDRESS_USER, NULL), -EINVAL);
    add(&host, "2001:db8::1", NULL);
    assert_int_equal(ip6_address_add(host.stack, v6("2001:db8::1"), 64, IP6_ADDRESS_USER, NULL), -EEXIST);
    char text[40];
    for (uint32_t i = host.stack->ip6.addresses.count; i < IP6_ADDRESSES_MAX; i++) {
        snprintf(text, sizeof text, "2001:db8::%x", i + 0x100);
        add(&host, text, NULL);
    }
    assert_int_equal(ip6_address_add(host.stack, v6("2001:db8::2"), 64, IP6_ADDRESS_USER, NULL), -ENOBUFS);
    host_destroy(&host);
}

static void the_groups_of_an_address_go_with_it(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    (void)state;
    add(&host, "2001:db8::12:3456", NULL);
    assert_true(ip6_addresses_want(host.stack, v6("ff02::1:ff12:3456")));
    assert_true(multicast_wants(host.stack, v6("ff02::1:ff12:3456"), PEER6));
    assert_true(ip6_addresses_want(host.stack, v6("ff02::1")));
    ip6_address_remove(host.stack, ip6_address_find(host.stack, v6("2001:db8::12:3456")));
    assert_false(ip6_addresses_want(host.stack, v6("ff02::1:ff12:3456")));
    assert_false(multicast_wants(host.stack, v6("ff02::1:ff12:3456"), PEER6));
    host_destroy(&host);
}

static void a_routers_prefix_makes_an_address_that_lasts_as_it_says(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    const struct ip6_lifetimes lifetimes = {.preferred_ns = 1000 * SECOND, .valid_ns = 7200 * SECOND};
    uint32_t before = host.stack->ip6.addresses.count;
    (void)state;
    ip6_address_prefix(host.stack, v6("2001:db8:5::"), &lifetimes);
    assert_int_equal(host.stack->ip6.addresses.count, before + 1);
    const struct ip6_address *made = &host.stack->ip6.addresses.entries[before];
    assert_int_equal(ip_common_bits(made->address, v6("2001:db8:5::")) >= 64, 1);
    assert_int_equal(made->origin, IP6_ADDRESS_STABLE);
    assert_true(made->flags & IP6_FLAG_STABLE_PRIVACY);
    ip6_address_prefix(host.stack, v6("2001:db8:5::"), &lifetimes); /* the same once more */
    assert_int_equal(host.stack->ip6.addresses.count, before + 1);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_asked_for_before_it_is_used),
        cmocka_unit_test(an_address_that_somebody_has_is_not_used),
        cmocka_unit_test(a_link_local_address_that_somebody_has_gives_way_to_another),
        cmocka_unit_test(an_address_is_deprecated_and_goes_in_its_time),
        cmocka_unit_test(lifetimes_that_are_said_anew_count_from_then_on),
        cmocka_unit_test(what_no_host_may_have_or_is_there_already_is_refused),
        cmocka_unit_test(the_groups_of_an_address_go_with_it),
        cmocka_unit_test(a_routers_prefix_makes_an_address_that_lasts_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
