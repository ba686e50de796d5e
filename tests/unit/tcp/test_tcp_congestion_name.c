/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_congestion_name.c - the algorithms of congestion control by their names: tcp_congestion_name.c.
 */
#include "stack/tcp/tcp_congestion.h"
#include "tests/unit/host.h"

static void a_name_leads_to_its_algorithm_and_back(void **state) {
    (void)state;
    for (enum tcp_algorithm i = 0; i < TCP_ALGORITHMS; i++) {
        const char *name = tcp_congestion_name(i);
        assert_int_equal(tcp_congestion_find(name, (uint32_t)strlen(name)), i);
        assert_int_equal(tcp_congestion_find(name, 16),
                         i); /* the end of the name is before that of its room */
        assert_int_not_equal(tcp_congestion_find(name, (uint32_t)strlen(name) - 1), i);
    }
    assert_string_equal(tcp_congestion_name(TCP_BBR), "bbr");
    assert_int_equal(tcp_congestion_find("bbr3", 3), TCP_BBR);
}

static void what_is_no_name_leads_to_none(void **state) {
    (void)state;
    assert_int_equal(tcp_congestion_find("renown", 6), -1);
    assert_int_equal(tcp_congestion_find("Reno", 4), -1);
    assert_int_equal(tcp_congestion_find("", 0), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_leads_to_its_algorithm_and_back),
        cmocka_unit_test(what_is_no_name_leads_to_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
