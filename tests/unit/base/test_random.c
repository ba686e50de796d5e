/* SPDX-License-Identifier: MIT */
/*
 * test_random.c - SipHash and numbers from a seed: random.c.
 */
#include "tests/unit/host.h"

static void siphash_gives_its_authors_vectors(void **state) {
    (void)state;
    static const uint64_t expected[] = {UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
                                        UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d)};
    uint8_t key_bytes[16], message[16];
    uint64_t key[2];
    for (uint8_t i = 0; i < 16; i++)
        key_bytes[i] = message[i] = i;
    memcpy(key, key_bytes, sizeof key);
    for (size_t length = 0; length < 4; length++)
        assert_true(siphash(key, message, length) == expected[length]);
    assert_true(siphash(key, message, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void random_below_stays_below_and_reaches_all(void **state) {
    (void)state;
    struct random random;
    uint8_t seed[RANDOM_SEED_BYTES] = {1};
    int seen[10] = {0};
    random_init(&random, seed);
    for (int i = 0; i < 10000; i++)
        seen[random_below(&random, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 800, 1200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_its_authors_vectors),
        cmocka_unit_test(random_below_stays_below_and_reaches_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
