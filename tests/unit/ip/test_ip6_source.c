/* SPDX-License-Identifier: MIT */
/*
 * test_ip6_source.c - which address packets come from, rule by rule of RFC 6724 section 5: ip6_source.c.
 */
#include "stack/ip/ip6_source.h"
#include "tests/unit/peer6.h"
#include <errno.h>

/* A stack with these addresses alone, each with flags; "" ends them. */
struct own {
    const char *address;
    uint32_t flags;
};

static struct host host_with(const struct own *own) {
    struct host host = host6_create(false);
    struct ip6_addresses *addresses = &host.stack->ip6.addresses;
    addresses->count = 0;
    for (; own->address; own++)
        addresses->entries[addresses->count++] =
            (struct ip6_address){.address = v6(own->address), .flags = own->flags, .prefix_length = 64};
    return host;
}

static void assert_source(const struct host *host, const char *destination, unsigned preferences,
                          const char *expected) {
    struct ip_address source;
    assert_int_equal(ip6_source(host->stack, v6(destination), preferences, &source), 0);
    char text[IP_ADDRESS_TEXT];
    assert_string_equal(ip_text(source, text), expected);
}

static void rule_1_the_destination_itself(void **state) {
    struct host host =
        host_with((struct own[]){{"2001:db8::1", 0}, {"2001:db8::2", IP6_FLAG_DEPRECATED}, {0}});
    (void)state;
    assert_source(&host, "2001:db8::2", 0, "2001:db8::2");
    host_destroy(&host);
}

static void rule_2_the_smallest_scope_that_is_large_enough(void **state) {
    struct host host = host_with((struct own[]){{"2001:db8::1", 0}, {"fe80::1", 0}, {0}});
    (void)state;
    assert_source(&host, "fe80::9", 0, "fe80::1");
    assert_source(&host, "ff02::1", 0, "fe80::1");
    assert_source(&host, "2001:db9::9", 0, "2001:db8::1");
    host_destroy(&host);
}

static void rule_3_no_deprecated_and_no_optimistic_address(void **state) {
    struct host host = host_with((struct own[]){{"2001:db8::1", IP6_FLAG_DEPRECATED},
                                                {"2001:db8::2", IP6_FLAG_OPTIMISTIC | IP6_FLAG_TENTATIVE},
                                                {"2001:db9::3", 0},
                                                {0}});
    (void)state;
    assert_source(&host, "2001:db8::9", 0, "2001:db9::3");
    host.stack->ip6.addresses.count = 2; /* an optimistic one rather than a deprecated one */
    assert_source(&host, "2001:db8::9", 0, "2001:db8::2");
    host_destroy(&host);
}

static void rule_5_5_of_the_prefix_that_the_next_hop_has_told_of(void **state) {
    struct host host = host_with((struct own[]){{"2001:db8:a::1", 0}, {"2001:db8:b::1", 0}, {0}});
    const struct ip6_route prefix = {.destination = v6("2001:db8:b::"),
                                     .prefix_length = 64,
                                     .origin = IP6_ROUTE_PREFIX,
                                     .advertiser = v6("fe80::b"),
                                     .until_ns = TIMER_NEVER};
    const struct ip6_route way = {
        .gateway = v6("fe80::b"), .origin = IP6_ROUTE_TOLD, .until_ns = TIMER_NEVER};
    (void)state;
    assert_source(&host, "2001:db8:a::9", 0, "2001:db8:a::1");
    assert_int_equal(ip6_route_add(host.stack, &prefix), 0);
    assert_int_equal(ip6_route_add(host.stack, &way), 0);
    assert_source(&host, "2001:db8:a::9", 0, "2001:db8:b::1");
    host_destroy(&host);
}

static void rule_6_the_label_of_the_destination(void **state) {
    struct host host = host_with((struct own[]){{"2001:db8::1", 0}, {"fd00::1", 0}, {"2002::1", 0}, {0}});
    (void)state;
    assert_source(&host, "fd77::9", 0, "fd00::1");
    assert_source(&host, "2002:a00::9", 0, "2002::1");
    assert_source(&host, "2a00::9", 0, "2001:db8::1");
    host_destroy(&host);
}

static void rule_7_a_temporary_or_public_address_as_is_wanted(void **state) {
    struct host host =
        host_with((struct own[]){{"2001:db8::1", 0}, {"2001:db8::2", IP6_FLAG_TEMPORARY}, {0}});
    (void)state;
    host.stack->sysctl.ip6_use_tempaddr = 2;
    assert_source(&host, "2a00::9", 0, "2001:db8::2");
    assert_source(&host, "2a00::9", IP6_PREFER_PUBLIC, "2001:db8::1");
    host.stack->sysctl.ip6_use_tempaddr = 1;
    assert_source(&host, "2a00::9", 0, "2001:db8::1");
    assert_source(&host, "2a00::9", IP6_PREFER_TEMPORARY, "2001:db8::2");
    host_destroy(&host);
}

static void rule_8_the_longest_common_prefix_up_to_its_own(void **state) {
    struct host host = host_with((struct own[]){{"2001:db8:a::1", 0}, {"2001:db8:b::1", 0}, {0}});
    (void)state;
    assert_source(&host, "2001:db8:b::9", 0, "2001:db8:b::1");
    assert_source(&host, "2001:db8:a::9", 0, "2001:db8:a::1");
    struct host same = host_with((struct own[]){{"2001:db8::1", 0}, {"2001:db8::8", 0}, {0}});
    assert_source(&same, "2001:db8::9", 0, "2001:db8::1"); /* bits of the interface say nothing */
    host_destroy(&same);
    host_destroy(&host);
}

static void an_address_that_may_not_be_used_is_none(void **state) {
    struct host host = host_with(
        (struct own[]){{"2001:db8::1", IP6_FLAG_TENTATIVE}, {"2001:db8::2", IP6_FLAG_DADFAILED}, {0}});
    struct ip_address source;
    (void)state;
    assert_int_equal(ip6_source(host.stack, v6("2001:db8::9"), 0, &source), -EADDRNOTAVAIL);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_1_the_destination_itself),
        cmocka_unit_test(rule_2_the_smallest_scope_that_is_large_enough),
        cmocka_unit_test(rule_3_no_deprecated_and_no_optimistic_address),
        cmocka_unit_test(rule_5_5_of_the_prefix_that_the_next_hop_has_told_of),
        cmocka_unit_test(rule_6_the_label_of_the_destination),
        cmocka_unit_test(rule_7_a_temporary_or_public_address_as_is_wanted),
        cmocka_unit_test(rule_8_the_longest_common_prefix_up_to_its_own),
        cmocka_unit_test(an_address_that_may_not_be_used_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
