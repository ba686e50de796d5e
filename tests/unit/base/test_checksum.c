/* SPDX-License-Identifier: MIT */
/*
 * test_checksum.c - the Internet checksum: checksum.c.
 */
#include "stack/base/checksum.h"
#include "tests/unit/host.h"
#include <stdlib.h>

static void checksum_matches_the_definition_for_all_lengths(void **state) {
    (void)state;
    uint8_t bytes[300];
    srand(3);
    for (size_t length = 0; length < sizeof bytes; length++) {
        uint32_t sum = 0;
        for (size_t i = 0; i < length; i++) {
            bytes[i] = (uint8_t)rand();
            sum += (uint32_t)(i % 2 ? bytes[i] : bytes[i] << 8); /* RFC 1071 section 1, big-endian words */
        }
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        uint16_t ours = checksum_fold(checksum_add(0, bytes, length));
        assert_int_equal(__builtin_bswap16(ours), sum);
    }
}

static void checksum_of_pieces_is_that_of_the_whole(void **state) {
    (void)state;
    static struct buffer a, b, c;
    uint8_t whole[900];
    srand(4);
    for (size_t i = 0; i < sizeof whole; i++)
        whole[i] = (uint8_t)rand();
    for (uint32_t first = 0; first < 60; first++) {
        for (uint32_t second = 0; second < 9; second++) {
            uint32_t rest = (uint32_t)sizeof whole - first - second;
            a.end = first;
            b.end = second;
            c.end = rest;
            memcpy(a.storage, whole, first);
            memcpy(b.storage, whole + first, second);
            memcpy(c.storage, whole + first + second, rest);
            a.next = &b;
            b.next = &c;
            uint16_t expected = checksum_fold(checksum_add(0, whole, sizeof whole));
            assert_int_equal(checksum_fold(checksum_add_chain(0, &a)), expected);
            assert_int_equal(checksum_fold(checksum_add_range(0, (struct byte_cursor){&a, 0}, sizeof whole)),
                             expected);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_matches_the_definition_for_all_lengths),
        cmocka_unit_test(checksum_of_pieces_is_that_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
