/* SPDX-License-Identifier: MIT */
/*
 * test_nsswitch.c - shim/library/names/nsswitch.c: which sources know a host, and when the search ends.
 */
#include "shim/library/names/nsswitch.h"
#include "tests/unit/host.h"
#include <string.h>

/* Sources with the statuses that end the search: T, U, N, S for TRYAGAIN, UNAVAIL, NOTFOUND, SUCCESS. */
static const char *read_line(const char *line) {
    static char text[512];
    struct nsswitch nsswitch;
    if (!nsswitch_parse(line, &nsswitch))
        return "no";
    text[0] = 0;
    for (int i = 0; i < nsswitch.count; i++) {
        const struct nsswitch_source *source = &nsswitch.sources[i];
        strcat(strcat(strcat(text, i ? " " : ""), source->name), ":");
        for (int status = NSS_STATUS_TRYAGAIN; status <= NSS_STATUS_SUCCESS; status++)
            if (nsswitch_ends(source, (enum nss_status)status))
                strcat(text, (const char *[]){"T", "U", "N", "S"}[status - NSS_STATUS_TRYAGAIN]);
    }
    return text;
}

static void what_is_found_ends_the_search(void **state) {
    (void)state;
    assert_string_equal(read_line(" files dns\n"), "files:S dns:S");
    assert_string_equal(read_line("files"), "files:S");
    assert_string_equal(read_line("files\tdns # and a comment"), "files:S dns:S");
}

static void criteria_change_what_ends_it(void **state) {
    (void)state;
    assert_string_equal(read_line("files mdns4_minimal [NOTFOUND=return] dns"),
                        "files:S mdns4_minimal:NS dns:S");
    assert_string_equal(read_line("resolve [!UNAVAIL=return] dns"), "resolve:TNS dns:S");
    assert_string_equal(read_line("dns[ success=continue  notfound = RETURN ]files"), "dns:N files:S");
    assert_string_equal(read_line("dns [!NOTFOUND=continue SUCCESS=continue] files"), "dns: files:S");
    assert_string_equal(read_line("dns [TRYAGAIN=return UNAVAIL=return]"), "dns:TUS");
}

static void what_makes_no_sense_is_refused(void **state) {
    static const char *const lines[] = {"",
                                        "# nothing",
                                        "[NOTFOUND=return] dns",
                                        "dns [NOTFOUND]",
                                        "dns [NOTFOUND=stop]",
                                        "dns [FOUND=return]",
                                        "dns [NOTFOUND=return",
                                        "dns [",
                                        "dns [NOTFOUND=returned]",
                                        "a_name_that_is_longer_than_any_source_has dns"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_string_equal(read_line(lines[i]), "no");
}

static void more_sources_than_there_is_room_for_are_left_out(void **state) {
    char line[4 * 20 + 1] = "";
    struct nsswitch nsswitch;
    (void)state;
    for (int i = 0; i < 20; i++)
        strcat(line, "dns ");
    assert_true(nsswitch_parse(line, &nsswitch));
    assert_int_equal(nsswitch.count, NSSWITCH_SOURCES_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_ends_the_search),
        cmocka_unit_test(criteria_change_what_ends_it),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(more_sources_than_there_is_room_for_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
