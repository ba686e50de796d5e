/* SPDX-License-Identifier: MIT */
/*
 * test_settings.c - shim/command/settings.c: the lines of a configuration file.
 */
#include "shim/command/settings.h"
#include "tests/unit/host.h"
#include <stdio.h>
#include <string.h>

/* What a file says, a line each: "LINE [SECTION] NAME=VALUE", "LINE section NAME", "LINE wrong TEXT". */
static const char *read_text(const char *text, size_t length) {
    static char said[1024];
    struct settings settings;
    struct setting setting;
    size_t used = 0;
    said[0] = 0;
    settings_begin(&settings, text, length);
    while (settings_next(&settings, &setting) != SETTING_END) {
        static const char *const kinds[] = {[SETTING_SECTION] = "section", [SETTING_WRONG] = "wrong"};
        used += (size_t)snprintf(said + used, sizeof said - used, "%u ", setting.line);
        if (setting.kind == SETTING_VALUE)
            used +=
                (size_t)snprintf(said + used, sizeof said - used, "[%.*s] %.*s=%.*s\n",
                                 (int)setting.section.length, setting.section.text, (int)setting.name.length,
                                 setting.name.text, (int)setting.value.length, setting.value.text);
        else
            used += (size_t)snprintf(said + used, sizeof said - used, "%s %.*s\n", kinds[setting.kind],
                                     (int)setting.whole.length, setting.whole.text);
    }
    assert_int_equal(settings_next(&settings, &setting), SETTING_END);
    return said;
}

static const char *read_file(const char *text) {
    return read_text(text, strlen(text));
}

static void settings_belong_to_the_section_before_them(void **state) {
    (void)state;
    assert_string_equal(
        read_file("verbose = yes\n[lab]\nnic = bw0\n[bad]\nimpair = loss=1%\n[lab]\nmtu=9000"),
        "1 [] verbose=yes\n2 section [lab]\n3 [lab] nic=bw0\n4 section [bad]\n"
        "5 [bad] impair=loss=1%\n6 section [lab]\n7 [lab] mtu=9000\n");
}

static void blanks_comments_and_empty_lines_say_nothing(void **state) {
    (void)state;
    assert_string_equal(read_file(""), "");
    assert_string_equal(read_file("\n \n\t# x = y\n#\n"), "");
    assert_string_equal(read_file(" \t nic \t=\t  a b\t \r\n"), "1 [] nic=a b\n");
    assert_string_equal(read_file("nic = # is no comment here"), "1 [] nic=# is no comment here\n");
}

static void value_may_be_empty_and_may_have_what_is_said_elsewhere(void **state) {
    (void)state;
    assert_string_equal(read_file("trace ="), "1 [] trace=\n");
    assert_string_equal(read_file("sysctl = a=b"), "1 [] sysctl=a=b\n");
    assert_string_equal(read_file("= x"), "1 [] =x\n");
    assert_string_equal(read_file("name = [lab]"), "1 [] name=[lab]\n");
}

static void what_is_neither_is_told_with_its_line(void **state) {
    (void)state;
    assert_string_equal(read_file("\nverbose\n[lab\n]\n["),
                        "2 wrong verbose\n3 wrong [lab\n4 wrong ]\n5 wrong [\n");
    assert_string_equal(read_text("nic = a\0b\n", 10), "1 wrong nic = a\n");
    assert_string_equal(read_file("[]\nx=y"), "1 section []\n2 [] x=y\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_belong_to_the_section_before_them),
        cmocka_unit_test(blanks_comments_and_empty_lines_say_nothing),
        cmocka_unit_test(value_may_be_empty_and_may_have_what_is_said_elsewhere),
        cmocka_unit_test(what_is_neither_is_told_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
