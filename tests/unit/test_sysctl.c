/* SPDX-License-Identifier: MIT */
/*
 * test_sysctl.c - tunables: sysctl.c.
 */
#include "tests/unit/scene.h"
#include <errno.h>

static void sysctls_have_linux_names_and_refuse_what_can_not_be(void **state) {
    (void)state;
    struct sysctl sysctl;
    char text[SYSCTL_TEXT_BYTES];
    const char *bad;
    sysctl_init(&sysctl);
    for (size_t i = 0; sysctl_name(i); i++) {
        assert_int_equal(sysctl_get(&sysctl, sysctl_name(i), text), 0);
        assert_int_equal(sysctl_set(&sysctl, sysctl_name(i), text), 0); /* each takes what it shows */
    }
    assert_int_equal(sysctl_set(&sysctl, "net/ipv4/tcp_rmem", "4096 10000\t20000"), 0);
    sysctl_get(&sysctl, "net.ipv4.tcp_rmem", text);
    assert_string_equal(text, "4096\t10000\t20000");
    assert_int_equal(sysctl_set(&sysctl, "net.ipv4.tcp_congestion_control", "reno"), 0);
    assert_int_equal(sysctl.tcp_congestion_control, TCP_RENO);
    static const char *const wrong[][2] = {{"net.ipv4.tcp_rmem", "4096 10000"},
                                           {"net.ipv4.tcp_sack", "2"},
                                           {"net.ipv4.tcp_sack", ""},
                                           {"net.ipv4.tcp_sack", "1x"},
                                           {"net.ipv4.tcp_keepalive_time", "99999999999"},
                                           {"net.ipv4.ip_local_port_range", "5000 4000"},
                                           {"net.ipv4.tcp_congestion_control", "magic"},
                                           {"net.ipv4.tcp_fastopen_key", "1-2-3"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sysctl_set(&sysctl, wrong[i][0], wrong[i][1]), -EINVAL);
    assert_int_equal(sysctl_set(&sysctl, "net.ipv4.tcp_no_such", "1"), -ENOENT);
    assert_int_equal(sysctl_set_all(&sysctl, "net.ipv4.tcp_sack=0,net.ipv4.nothing=1", &bad), -ENOENT);
    assert_string_equal(bad, "net.ipv4.nothing=1");
    assert_int_equal(sysctl.tcp_sack, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sysctls_have_linux_names_and_refuse_what_can_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
