/*
 * checksum.h - the Internet checksum (RFC 1071).
 *
 * Sums are kept unfolded in 64 bits, of 16-bit words as they lie in memory, so they need no byte swap.
 */
#ifndef STACK_CHECKSUM_H
#define STACK_CHECKSUM_H

#include "buffer.h"

/* Adds `length` bytes to a sum. The bytes begin at an even offset of the summed data. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);

/* Adds a chain from its first buffer on, or a range of a send queue. */
uint64_t checksum_add_chain(uint64_t sum, const struct buffer *chain);
uint64_t checksum_add_range(uint64_t sum, struct byte_cursor cursor, uint32_t length);

/* Folds a sum to 16 bits, not complemented, in memory order. */
uint16_t checksum_fold(uint64_t sum);

/* The pseudo-header of TCP and UDP over IPv4 (RFC 9293 section 3.1), addresses in host order. */
uint64_t checksum_pseudo_header(uint32_t source, uint32_t destination, uint8_t protocol, uint16_t length);

/* The sum of a 16-bit word given in host order. */
static inline uint16_t checksum_word(uint16_t host) {
    return __builtin_bswap16(host);
}

#endif
