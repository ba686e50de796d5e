/* SPDX-License-Identifier: MIT */
/*
 * test_md5.c - MD5: md5.c.
 */
#include "stack/base/md5.h"
#include "tests/unit/host.h"
#include <stdio.h>

/* RFC 1321 section A.5, in whatever pieces it is given. */
static void md5_gives_the_digests_of_its_rfc(void **state) {
    (void)state;
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 0; cut <= strlen(cases[i].text); cut++) {
            struct md5 md5;
            uint8_t digest[MD5_BYTES];
            char text[2 * MD5_BYTES + 1];
            md5_begin(&md5);
            md5_add(&md5, cases[i].text, cut);
            md5_add(&md5, cases[i].text + cut, strlen(cases[i].text) - cut);
            md5_end(&md5, digest);
            for (size_t b = 0; b < MD5_BYTES; b++)
                snprintf(text + 2 * b, 3, "%02x", digest[b]);
            assert_string_equal(text, cases[i].digest);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md5_gives_the_digests_of_its_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
