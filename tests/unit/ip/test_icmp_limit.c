/* SPDX-License-Identifier: MIT */
/*
 * test_icmp_limit.c - how many errors leave: icmp_limit.c.
 */
#include "tests/unit/network.h"

/* Datagrams to a closed port, each from another host: how many are answered. */
static int closed_ports(struct host *host, uint32_t from, int count) {
    int answered = 0;
    for (int i = 0; i < count; i++) {
        struct packet_shape shape = {.protocol = 99, .source = from + (uint32_t)i};
        peer_packet(host, &shape, payload, 40);
        while (next_packet(host, IP_PROTOCOL_ICMP, &seen, &body, &body_length))
            answered++;
    }
    return answered;
}

/* CVE-2020-25705: what others were told is not to be found out by counting what oneself is told. */
static void bound_on_errors_for_all_is_a_matter_of_chance(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    int least = 1000, most = 0;
    peer_introduce(&host);
    ip_route_add(&host.stack->routes, 0, 0, HOST_B);
    for (int second = 0; second < 20; second++) {
        now += 2 * SECOND;
        int answered = closed_ports(&host, 0x08000000u + 0x1000u * (uint32_t)second, 300);
        least = answered < least ? answered : least;
        most = answered > most ? answered : most;
    }
    assert_in_range(least, 30, 52);
    assert_in_range(most, least + 5, 90);
    host_destroy(&host);
}

/* One host that has had its share leaves the others theirs. */
static void host_that_asks_too_much_uses_up_its_own_share_only(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct packet_shape flood = {.protocol = 99};
    peer_introduce(&host);
    ip_route_add(&host.stack->routes, 0, 0, HOST_B);
    now += 10 * SECOND;
    for (int i = 0; i < 500; i++)
        peer_packet(&host, &flood, payload, 40);
    host_discard(&host);
    assert_int_equal(host.stack->mib.IcmpOutRateLimitHost, 494);
    assert_true(closed_ports(&host, 0x08000000u, 15) == 15);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_on_errors_for_all_is_a_matter_of_chance),
        cmocka_unit_test(host_that_asks_too_much_uses_up_its_own_share_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
