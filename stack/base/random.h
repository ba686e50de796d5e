/* SPDX-License-Identifier: MIT */
/*
 * random.h - keyed hashing and random numbers, from a seed that the caller gives.
 *
 * SipHash-2-4 (Aumasson and Bernstein, 2012) hashes what an outsider may choose (connection tables, RFC 6528
 * initial sequence numbers), and in counter mode gives unpredictable numbers (ports, RFC 6056).
 */
#ifndef STACK_BASE_RANDOM_H
#define STACK_BASE_RANDOM_H

#include "stack/ip/ip_address.h"
#include <stddef.h>
#include <stdint.h>

#define RANDOM_SEED_BYTES 32

struct random {
    uint64_t hash_key[2];
    uint64_t stream_key[2];
    uint64_t counter;
};

void random_init(struct random *random, const uint8_t seed[RANDOM_SEED_BYTES]);
uint64_t random_hash(const struct random *random, const void *data, size_t length);
uint64_t random_u64(struct random *random);

/* The hash of an address: IPv4's four bytes take no longer than they do. */
static inline uint64_t ip_hash(const struct random *random, struct ip_address address) {
    return ip_is_v4(address) ? random_hash(random, &address.words[3], sizeof address.words[3])
                             : random_hash(random, &address, sizeof address);
}

/* A number in [0, bound), bound > 0. */
uint32_t random_below(struct random *random, uint32_t bound);

/* SipHash-2-4 itself. */
uint64_t siphash(const uint64_t key[2], const void *data, size_t length);

#endif
