/* SPDX-License-Identifier: MIT */
/*
 * test_ip6_route.c - where packets of IPv6 go next: ip6_route.c.
 */
#include "stack/ip/ip6_route.h"
#include "tests/unit/peer6.h"
#include <errno.h>

#define NOWHERE           \
    (struct ip_address) { \
        0                 \
    }

static struct ip6_route route(const char *destination, uint8_t prefix_length, const char *gateway,
                              enum ip6_route_origin origin) {
    return (struct ip6_route){.destination = v6(destination),
                              .prefix_length = prefix_length,
                              .gateway = v6(gateway),
                              .origin = (uint8_t)origin,
                              .until_ns = TIMER_NEVER};
}

static void add(struct host *host, struct ip6_route added) {
    assert_int_equal(ip6_route_add(host->stack, &added), 0);
}

static void assert_next(const struct host *host, const char *destination, const char *next) {
    struct ip_address next_hop;
    assert_int_equal(ip6_route_lookup(host->stack, v6(destination), NOWHERE, &next_hop), 0);
    assert_true(ip_equal(next_hop, v6(next)));
}

static void the_longest_prefix_wins_and_what_is_on_the_link_needs_no_gateway(void **state) {
    struct host host = host6_create(false);
    struct ip_address next_hop;
    (void)state;
    assert_int_equal(ip6_route_lookup(host.stack, v6("2001:db8::1"), NOWHERE, &next_hop), -ENETUNREACH);
    assert_next(&host, "fe80::7", "fe80::7");
    assert_int_equal(ip6_route_prefix(host.stack, v6("2001:db8::1")), 128);
    add(&host, route("::", 0, "fe80::1", IP6_ROUTE_TOLD));
    add(&host, route("2001:db8::", 32, "fe80::32", IP6_ROUTE_USER));
    add(&host, route("2001:db8:0:1::", 64, "::", IP6_ROUTE_PREFIX));
    add(&host, route("2001:db8:0:1:8000::", 65, "fe80::65", IP6_ROUTE_USER));
    assert_next(&host, "2001:db9::1", "fe80::1");
    assert_next(&host, "2001:db8:ffff::1", "fe80::32");
    assert_next(&host, "2001:db8:0:1:7fff::1", "2001:db8:0:1:7fff::1");
    assert_next(&host, "2001:db8:0:1:8000::1", "fe80::65");
    assert_true(ip6_route_is_on_link(host.stack, v6("2001:db8:0:1::9")));
    assert_false(ip6_route_is_on_link(host.stack, v6("2001:db8:0:2::9")));
    assert_int_equal(ip6_route_prefix(host.stack, v6("2001:db8:0:1::9")), 64);
    assert_int_equal(ip6_route_prefix(host.stack, v6("2a00::1")), 0);
    assert_true(ip6_route_names(host.stack, v6("fe80::65")));
    assert_false(ip6_route_names(host.stack, v6("fe80::66")));
    host_destroy(&host);
}

static void of_several_gateways_the_preferred_one_that_answers_is_taken(void **state) {
    struct host host = host6_create(false);
    struct ip6_route preferred = route("::", 0, "fe80::b", IP6_ROUTE_TOLD);
    (void)state;
    preferred.preference = 1;
    add(&host, route("::", 0, "fe80::a", IP6_ROUTE_TOLD));
    assert_next(&host, "2001:db8::1", "fe80::a");
    add(&host, preferred);
    assert_next(&host, "2001:db8::1", "fe80::b");
    ip6_route_failed(host.stack, v6("fe80::b"));
    assert_next(&host, "2001:db8::1", "fe80::a");
    ip6_route_works(host.stack, v6("fe80::b"));
    assert_next(&host, "2001:db8::1", "fe80::b");
    host_destroy(&host);
}

static void the_router_that_gave_the_source_its_prefix_is_asked_first(void **state) {
    struct host host = host6_create(false);
    struct ip6_route prefix = route("2001:db8:b::", 64, "::", IP6_ROUTE_PREFIX);
    struct ip_address next_hop;
    (void)state;
    prefix.advertiser = v6("fe80::b");
    add(&host, prefix);
    add(&host, route("::", 0, "fe80::a", IP6_ROUTE_TOLD));
    add(&host, route("::", 0, "fe80::b", IP6_ROUTE_TOLD));
    assert_next(&host, "2a00::1", "fe80::a");
    ip6_route_lookup(host.stack, v6("2a00::1"), v6("2001:db8:b::5"), &next_hop);
    assert_true(ip_equal(next_hop, v6("fe80::b")));
    host_destroy(&host);
}

static void a_gateway_that_fails_is_asked_again_after_a_minute(void **state) {
    struct ip_address own;
    struct host host = host6_settled(false, &own);
    struct ip6_route preferred = route("::", 0, "fe80::b", IP6_ROUTE_TOLD);
    struct seen6 asked;
    (void)state;
    preferred.preference = 1;
    add(&host, preferred);
    add(&host, route("::", 0, "fe80::a", IP6_ROUTE_TOLD));
    ip6_route_failed(host.stack, v6("fe80::b"));
    ip6_route_probe(host.stack, v6("2001:db8::1"));
    assert_false(peer6_read_message(&host, 135, &asked));
    host_run(&host, 61 * SECOND);
    host_discard(&host);
    ip6_route_probe(host.stack, v6("2001:db8::1"));
    assert_true(peer6_read_message(&host, 135, &asked));
    assert_memory_equal(asked.payload + 8, v6("fe80::b").bytes, 16);
    host_destroy(&host);
}

static void redirects_have_places_of_their_own_and_end_when_their_gateway_fails(void **state) {
    struct host host = host6_create(false);
    (void)state;
    for (unsigned i = 0; i < IP6_REDIRECTS_MAX + 5; i++) {
        struct ip6_route redirect = route("2001:db8::", 128, "fe80::c", IP6_ROUTE_REDIRECT);
        redirect.destination.bytes[15] = (uint8_t)(i + 1);
        add(&host, redirect);
    }
    assert_int_equal(host.stack->ip6.routes.count, IP6_REDIRECTS_MAX);
    assert_int_equal(ip6_route_prefix(host.stack, v6("2001:db8::1")), 128);
    assert_next(&host, "2001:db8::15", "fe80::c");
    ip6_route_failed(host.stack, v6("fe80::c"));
    assert_int_equal(host.stack->ip6.routes.count, 0);
    host_destroy(&host);
}

static void what_routers_tell_takes_no_more_than_its_places(void **state) {
    struct host host = host6_create(false);
    struct ip6_route told = route("2001:db8::", 64, "fe80::a", IP6_ROUTE_TOLD);
    (void)state;
    for (unsigned i = 0; i < IP6_TOLD_MAX; i++) {
        told.destination.bytes[7] = (uint8_t)i;
        add(&host, told);
    }
    told.destination.bytes[7] = IP6_TOLD_MAX;
    assert_int_equal(ip6_route_add(host.stack, &told), -ENOBUFS);
    add(&host, route("2001:db9::", 64, "fe80::a", IP6_ROUTE_USER));
    ip6_route_failed(host.stack, v6("fe80::a"));
    told.gateway = v6("fe80::b"); /* what goes by a gateway that does not answer gives way */
    add(&host, told);
    assert_int_equal(host.stack->ip6.routes.count, IP6_TOLD_MAX + 1);
    assert_next(&host, "2001:db8:0:20::1", "fe80::b");
    host_destroy(&host);
}

static void a_route_ends_at_its_time_and_is_changed_by_one_of_the_same_name(void **state) {
    struct host host = host6_create(false);
    struct ip6_route told = route("2001:db8::", 64, "fe80::a", IP6_ROUTE_TOLD);
    (void)state;
    assert_int_equal(ip6_routes_due(host.stack), TIMER_NEVER);
    told.until_ns = host.stack->now_ns + 10 * SECOND;
    add(&host, told);
    told.until_ns = host.stack->now_ns + 20 * SECOND;
    told.destination.bytes[15] = 9; /* beyond the prefix */
    add(&host, told);
    assert_int_equal(host.stack->ip6.routes.count, 1);
    assert_int_equal(ip6_routes_due(host.stack), told.until_ns);
    host.stack->now_ns += 19 * SECOND;
    ip6_routes_run(host.stack);
    assert_int_equal(host.stack->ip6.routes.count, 1);
    host.stack->now_ns += SECOND;
    ip6_routes_run(host.stack);
    assert_int_equal(host.stack->ip6.routes.count, 0);
    host_destroy(&host);
}

/* Whoever died in the middle of a move within the table has left any of it, and a count that is right or not. */
static void a_repair_begins_with_what_the_user_said(void **state) {
    struct host host = host6_create(false);
    struct ip6 *ip6 = &host.stack->ip6;
    (void)state;
    host.stack->config.ip6.gateway = v6("fe80::b");
    host.stack->config.ip6.more_count = 1;
    host.stack->config.ip6.more[0] = (struct ip6_own){v6("2001:db8:7::7"), 64};
    add(&host, route("::", 0, "fe80::a", IP6_ROUTE_TOLD));
    add(&host, route("2001:db8::", 32, "fe80::c", IP6_ROUTE_USER));
    ip6->routes.count = 1000;
    ip6->addresses.count = 1000;
    host.stack->at_work = ip6;
    ip6_repair(host.stack);
    assert_next(&host, "2001:db8::1", "fe80::b");
    assert_true(ip6->routes.count >= 1 && ip6->routes.count < IP6_ROUTES_MAX);
    assert_non_null(ip6_address_find(host.stack, v6("2001:db8:7::7")));
    assert_int_equal(ip6->addresses.count, 2); /* and that of the link */
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_wins_and_what_is_on_the_link_needs_no_gateway),
        cmocka_unit_test(of_several_gateways_the_preferred_one_that_answers_is_taken),
        cmocka_unit_test(the_router_that_gave_the_source_its_prefix_is_asked_first),
        cmocka_unit_test(a_gateway_that_fails_is_asked_again_after_a_minute),
        cmocka_unit_test(redirects_have_places_of_their_own_and_end_when_their_gateway_fails),
        cmocka_unit_test(what_routers_tell_takes_no_more_than_its_places),
        cmocka_unit_test(a_route_ends_at_its_time_and_is_changed_by_one_of_the_same_name),
        cmocka_unit_test(a_repair_begins_with_what_the_user_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
