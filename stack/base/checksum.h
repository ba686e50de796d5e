/* SPDX-License-Identifier: MIT */
/*
 * checksum.h - the Internet checksum (RFC 1071).
 *
 * Sums are kept unfolded in 64 bits, of 16-bit words as they lie in memory, so they need no byte swap.
 */
#ifndef STACK_BASE_CHECKSUM_H
#define STACK_BASE_CHECKSUM_H

#include "stack/ip/ip_address.h"
#include "stack/memory/buffer.h"

/* Adds `length` bytes to a sum. The bytes begin at an even offset of the summed data. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);

/* Adds a chain from its first buffer on, or a range of a send queue. */
uint64_t checksum_add_chain(uint64_t sum, const struct buffer *chain);
uint64_t checksum_add_range(uint64_t sum, struct byte_cursor cursor, uint32_t length);

/* The sum of an IPv4 header, of `length` bytes: 20 or more, and a multiple of 4. */
static inline uint64_t checksum_header(const uint8_t *header, uint32_t length) {
    uint64_t first, second;
    uint32_t word;
    memcpy(&first, header, sizeof first);
    memcpy(&second, header + 8, sizeof second);
    memcpy(&word, header + 16, sizeof word);
    uint64_t sum = (uint64_t)(uint32_t)first + (first >> 32) + (uint32_t)second + (second >> 32) + word;
    for (uint32_t at = 20; at < length; at += 4) {
        memcpy(&word, header + at, sizeof word);
        sum += word;
    }
    return sum;
}

/* Folds a sum to 16 bits, not complemented, in memory order. */
uint16_t checksum_fold(uint64_t sum);

/* The sum of a 16-bit word given in host order. */
static inline uint16_t checksum_word(uint16_t host) {
    return __builtin_bswap16(host);
}

/* The pseudo-header of TCP and UDP, over IPv4 (RFC 9293 section 3.1) and IPv6 (RFC 8200 section 8.1). */
static inline uint64_t checksum_pseudo_header(struct ip_address source, struct ip_address destination,
                                              uint8_t protocol, uint16_t length) {
    uint64_t sum =
        (uint64_t)source.words[3] + destination.words[3] + checksum_word(protocol) + checksum_word(length);
    if (ip_is_v4(source))
        return sum;
    for (int i = 0; i < 3; i++)
        sum += (uint64_t)source.words[i] + destination.words[i];
    return sum;
}

#endif
