/* SPDX-License-Identifier: MIT */
/*
 * checksum.c - see checksum.h. Written for little-endian machines, which is all that Linux packages of this
 * program are built for; a static_assert says so.
 */
#include "stack/base/checksum.h"
#include "stack/base/minmax.h"
#include <assert.h>
#include <string.h>
#ifdef __x86_64__
#include <sys/platform/x86.h>
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte order");

static uint64_t add_carry(uint64_t a, uint64_t b) {
    a += b;
    return a + (a < b);
}

typedef uint64_t lanes __attribute__((vector_size(32)));
typedef lanes unaligned_lanes __attribute__((aligned(1), may_alias));

#define BLOCK_BYTES 64u

/* 32-bit words in 64-bit sums, eight at a time: no carries to handle below 2^32 words. */
static inline __attribute__((always_inline)) uint64_t sum_blocks(const uint8_t *bytes, size_t count) {
    const lanes low = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    lanes even = {0}, odd = {0};
    for (; count > 0; count--, bytes += BLOCK_BYTES) {
        const unaligned_lanes *words = (const void *)bytes;
        even += (words[0] & low) + (words[1] & low);
        odd += (words[0] >> 32) + (words[1] >> 32);
    }
    even += odd;
    return add_carry(add_carry(even[0], even[1]), add_carry(even[2], even[3]));
}

static uint64_t sum_blocks_anywhere(const uint8_t *bytes, size_t count) {
    return sum_blocks(bytes, count);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static uint64_t sum_blocks_wide(const uint8_t *bytes, size_t count) {
    return sum_blocks(bytes, count);
}

/* Whether this processor and kernel have AVX2. The loader knows: __builtin_cpu_supports() would ask the processor ten
 * questions at the start of every program, each of which leaves a virtual machine. */
static bool has_wide(void) {
    static uint8_t known; /* 1: no; 2: yes */
    uint8_t answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (!answer)
        __atomic_store_n(&known, answer = CPU_FEATURE_ACTIVE(AVX2) ? 2 : 1, __ATOMIC_RELAXED);
    return answer == 2;
}
#define HAS_WIDE has_wide()
#else
#define sum_blocks_wide sum_blocks_anywhere
#define HAS_WIDE 0
#endif

uint64_t checksum_add(uint64_t sum, const void *data, size_t length) {
    const uint8_t *bytes = data;
    size_t count = length / BLOCK_BYTES;
    if (count > 0)
        sum = add_carry(sum, HAS_WIDE ? sum_blocks_wide(bytes, count) : sum_blocks_anywhere(bytes, count));
    bytes += count * BLOCK_BYTES;
    length %= BLOCK_BYTES;
    for (; length >= 8; bytes += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        sum = add_carry(sum, word);
    }
    if (length >= 4) {
        uint32_t word;
        memcpy(&word, bytes, 4);
        sum = add_carry(sum, word);
        bytes += 4;
        length -= 4;
    }
    if (length >= 2) {
        uint16_t word;
        memcpy(&word, bytes, 2);
        sum = add_carry(sum, word);
        bytes += 2;
        length -= 2;
    }
    return length ? add_carry(sum, bytes[0]) : sum;
}

/* Adds a piece that begins at an odd or even offset: at an odd one its sum is that of the swapped words. */
static uint64_t add_piece(uint64_t sum, const void *data, size_t length, bool odd) {
    uint64_t piece = checksum_add(0, data, length);
    return add_carry(sum, odd ? __builtin_bswap16(checksum_fold(piece)) : piece);
}

uint64_t checksum_add_chain(uint64_t sum, const struct buffer *chain) {
    bool odd = false;
    for (; chain; chain = chain->next) {
        sum = add_piece(sum, chain->storage + chain->start, buffer_length(chain), odd);
        odd ^= buffer_length(chain) & 1;
    }
    return sum;
}

uint64_t checksum_add_range(uint64_t sum, struct byte_cursor cursor, uint32_t length) {
    bool odd = false;
    for (; length > 0; cursor = (struct byte_cursor){cursor.buffer->next, 0}) {
        uint32_t here = min_u32(length, cursor.buffer->end - cursor.position);
        sum = add_piece(sum, cursor.buffer->storage + cursor.position, here, odd);
        odd ^= here & 1;
        length -= here;
    }
    return sum;
}

uint16_t checksum_fold(uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}
