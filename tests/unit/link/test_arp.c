/* SPDX-License-Identifier: MIT */
/*
 * test_arp.c - who has an address: arp.c.
 */
#include "tests/unit/network.h"

static void new_stack_probes_and_announces_its_address(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint32_t sender, target;
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    assert_int_equal(sender, 0);
    assert_int_equal(target, HOST_A);
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    assert_int_equal(sender, HOST_A);
    assert_int_equal(target, HOST_A);
    host_destroy(&host);
}

static void request_for_us_is_answered_and_teaches_us(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint32_t sender, target;
    host_discard(&host);
    send_arp(&host, 1, PEER, HOST_B, HOST_A);
    assert_int_equal(read_arp(&host, &sender, &target), 2);
    assert_int_equal(sender, HOST_A);
    assert_int_equal(target, HOST_B);
    assert_non_null(neighbour_lookup(host.stack, ip_from_v4(HOST_B)));
    send_arp(&host, 1, PEER, HOST_B, HOST_A + 1); /* for somebody else */
    assert_int_equal(read_arp(&host, &sender, &target), 0);
    host_destroy(&host);
}

static void conflict_is_noted_and_defended_once_in_ten_seconds(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    uint32_t sender, target;
    host_discard(&host);
    for (int i = 0; i < 5; i++)
        send_arp(&host, 2, OTHER, HOST_A, HOST_A);
    assert_int_equal(host.stack->arp.conflicts, 5);
    assert_memory_equal(host.stack->arp.conflict_mac, OTHER, 6);
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    assert_int_equal(sender, HOST_A);
    assert_int_equal(read_arp(&host, &sender, &target), 0);
    host_run(&host, 11 * SECOND);
    send_arp(&host, 2, OTHER, HOST_A, HOST_A);
    assert_int_equal(read_arp(&host, &sender, &target), 1);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_stack_probes_and_announces_its_address),
        cmocka_unit_test(request_for_us_is_answered_and_teaches_us),
        cmocka_unit_test(conflict_is_noted_and_defended_once_in_ten_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
