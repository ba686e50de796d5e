/*
 * checksum.c - see checksum.h. Written for little-endian machines, which is all that Linux packages of this
 * program are built for; a static_assert says so.
 */
#include "checksum.h"
#include <assert.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte order");

static uint64_t add_carry(uint64_t a, uint64_t b) {
    a += b;
    return a + (a < b);
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t length) {
    const uint8_t *bytes = data;
    uint64_t lanes[4] = {0, 0, 0, 0};
    /* Four lanes of 32-bit words in 64-bit sums: no carries to handle below 2^32 words, and the compiler uses
     * vectors. */
    while (length >= 32) {
        uint32_t words[8];
        memcpy(words, bytes, 32);
        lanes[0] += (uint64_t)words[0] + words[4];
        lanes[1] += (uint64_t)words[1] + words[5];
        lanes[2] += (uint64_t)words[2] + words[6];
        lanes[3] += (uint64_t)words[3] + words[7];
        bytes += 32;
        length -= 32;
    }
    sum = add_carry(sum, lanes[0] + lanes[1] + lanes[2] + lanes[3]);
    while (length >= 4) {
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
    struct iovec pieces[48];
    int count = buffer_range_pieces(cursor, length, pieces, 48);
    bool odd = false;
    assert(count >= 0);
    for (int i = 0; i < count; i++) {
        sum = add_piece(sum, pieces[i].iov_base, pieces[i].iov_len, odd);
        odd ^= pieces[i].iov_len & 1;
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

uint64_t checksum_pseudo_header(uint32_t source, uint32_t destination, uint8_t protocol, uint16_t length) {
    return (uint64_t)__builtin_bswap32(source) + __builtin_bswap32(destination) + checksum_word(protocol) +
           checksum_word(length);
}
