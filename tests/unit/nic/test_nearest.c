/* SPDX-License-Identifier: MIT */
/*
 * test_nearest.c - nic/nearest.c: the word that was meant.
 */
#include "nic/nearest.h"
#include "tests/unit/host.h"
#include <string.h>

static const char *const words[] = {"nic",  "address", "gateway", "name",  "verbose", "trace",
                                    "pcap", "profile", "loss",    "delay", "report",  "net.ipv4.tcp_sack"};

static const char *nearest_of(const char *typed) {
    struct nearest near;
    nearest_begin(&near, typed, strlen(typed));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        nearest_try(&near, words[i]);
    return near.word ? near.word : "none";
}

static void letters_missing_too_many_wrong_or_exchanged_are_forgiven(void **state) {
    (void)state;
    assert_string_equal(nearest_of("nci"), "nic");
    assert_string_equal(nearest_of("adress"), "address");
    assert_string_equal(nearest_of("gatewayy"), "gateway");
    assert_string_equal(nearest_of("verbsoe"), "verbose");
    assert_string_equal(nearest_of("trase"), "trace");
    assert_string_equal(nearest_of("los"), "loss");
    assert_string_equal(nearest_of("reprot"), "report");
    assert_string_equal(nearest_of("ganeway"), "gateway");
}

static void beginning_of_a_word_and_what_follows_a_dot_name_it(void **state) {
    (void)state;
    assert_string_equal(nearest_of("addr"), "address");
    assert_string_equal(nearest_of("prof"), "profile");
    assert_string_equal(nearest_of("tcp_sack"), "net.ipv4.tcp_sack");
    assert_string_equal(nearest_of("net.ipv4.tcp_sak"), "net.ipv4.tcp_sack");
}

static void what_is_like_nothing_has_no_nearest(void **state) {
    static char endless[200];
    (void)state;
    memset(endless, 'n', sizeof endless - 1);
    assert_string_equal(nearest_of(""), "none");
    assert_string_equal(nearest_of("colour"), "none");
    assert_string_equal(nearest_of("xyz"), "none");
    assert_string_equal(nearest_of("g"), "none");
    assert_string_equal(nearest_of(endless), "none");
}

static void hint_is_a_question_or_nothing(void **state) {
    char hint[NEAREST_HINT_BYTES];
    struct nearest near;
    (void)state;
    nearest_begin(&near, "nci=bw0", 3);
    assert_string_equal(nearest_hint(&near, "--", hint), "");
    nearest_try(&near, "mtu");
    nearest_try(&near, "nic");
    nearest_try(&near, "name");
    assert_string_equal(nearest_hint(&near, "--", hint), "; did you mean '--nic'?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_missing_too_many_wrong_or_exchanged_are_forgiven),
        cmocka_unit_test(beginning_of_a_word_and_what_follows_a_dot_name_it),
        cmocka_unit_test(what_is_like_nothing_has_no_nearest),
        cmocka_unit_test(hint_is_a_question_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
