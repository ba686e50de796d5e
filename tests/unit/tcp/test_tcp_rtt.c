/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_rtt.c - round trips and the retransmission timeout: tcp_rtt.c.
 */
#include "stack/tcp/tcp_rtt.h"
#include "tests/unit/host.h"

static void rto_follows_rfc_6298(void **state) {
    (void)state;
    struct tcp_rtt rtt = {.rto_ns = TCP_RTO_INITIAL_NS};
    tcp_rtt_sample(&rtt, 100 * MS);
    assert_int_equal(rtt.srtt_ns, 100 * MS);
    assert_int_equal(rtt.rttvar_ns, 50 * MS);
    assert_int_equal(rtt.rto_ns, 300 * MS); /* SRTT + 4 RTTVAR */
    tcp_rtt_sample(&rtt, 200 * MS);
    assert_in_range(rtt.srtt_ns, 112 * MS, 113 * MS);
    assert_in_range(rtt.rttvar_ns, 62 * MS, 63 * MS);
    tcp_rtt_backoff(&rtt);
    uint64_t once = rtt.rto_ns;
    tcp_rtt_backoff(&rtt);
    assert_int_equal(rtt.rto_ns, 2 * once);
    for (int i = 0; i < 20; i++)
        tcp_rtt_backoff(&rtt);
    assert_int_equal(rtt.rto_ns, TCP_RTO_MAX_NS);
    tcp_rtt_restore(&rtt);
    assert_in_range(rtt.rto_ns, 300 * MS, 400 * MS);
}

static void rto_has_linux_floor(void **state) {
    (void)state;
    struct tcp_rtt rtt = {0};
    for (int i = 0; i < 50; i++)
        tcp_rtt_sample(&rtt, MS);
    assert_in_range(rtt.rto_ns, 200 * MS, 202 * MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rto_follows_rfc_6298),
        cmocka_unit_test(rto_has_linux_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
