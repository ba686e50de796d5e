/* SPDX-License-Identifier: MIT */
/*
 * hash.h - hashes with a key of their own, made anew each time: who makes a capture can't choose what collides.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_HASH_H
#define SHIM_KEEPER_TOOLS_REPORT_HASH_H

#include <stdint.h>
#include <sys/random.h>
#include <time.h>

/* Two numbers as one, by the halves of their product; the key is one of them. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b) {
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A key, which is odd, so that no number times it is lost. */
static inline uint64_t hash_key(void) {
    uint64_t key;
    if (getrandom(&key, sizeof key, 0) != sizeof key)
        key = (uint64_t)time(NULL);
    return key | 1;
}

#endif
