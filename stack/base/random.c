/* SPDX-License-Identifier: MIT */
/*
 * random.c - see random.h.
 */
#include "stack/base/random.h"
#include <string.h>

static uint64_t rotate_left(uint64_t value, int bits) {
    return value << bits | value >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds) {
    while (rounds-- > 0) {
        v[0] += v[1];
        v[1] = rotate_left(v[1], 13) ^ v[0];
        v[0] = rotate_left(v[0], 32);
        v[2] += v[3];
        v[3] = rotate_left(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate_left(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate_left(v[1], 17) ^ v[2];
        v[2] = rotate_left(v[2], 32);
    }
}

uint64_t siphash(const uint64_t key[2], const void *data, size_t length) {
    const uint8_t *bytes = data;
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t last = (uint64_t)length << 56;
    for (; length >= 8; bytes += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        v[3] ^= word;
        sip_rounds(v, 2);
        v[0] ^= word;
    }
    for (size_t i = 0; i < length; i++)
        last |= (uint64_t)bytes[i] << (8 * i);
    v[3] ^= last;
    sip_rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void random_init(struct random *random, const uint8_t seed[RANDOM_SEED_BYTES]) {
    memcpy(random->hash_key, seed, 16);
    memcpy(random->stream_key, seed + 16, 16);
    random->counter = 0;
}

uint64_t random_hash(const struct random *random, const void *data, size_t length) {
    return siphash(random->hash_key, data, length);
}

uint64_t random_u64(struct random *random) {
    random->counter++;
    return siphash(random->stream_key, &random->counter, sizeof random->counter);
}

uint32_t random_below(struct random *random, uint32_t bound) {
    return (uint32_t)(((random_u64(random) >> 32) * bound) >> 32);
}
