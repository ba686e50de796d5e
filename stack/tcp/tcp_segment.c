/* SPDX-License-Identifier: MIT */
/*
 * tcp_segment.c - see tcp_segment.h.
 */
#include "stack/tcp/tcp_segment.h"
#include "stack/base/wire.h"
#include <string.h>

#define FAST_OPEN_EXPERIMENT 0xf989 /* RFC 6994's identifier of it */

enum tcp_option {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_MSS = 2,
    OPTION_WINDOW_SCALE = 3,
    OPTION_SACK_PERMITTED = 4,
    OPTION_SACK = 5,
    OPTION_TIMESTAMP = 8,
    OPTION_MD5 = 19,
    OPTION_FAST_OPEN = 34,
    OPTION_EXPERIMENT = 254,
};

static void take_sack(struct tcp_segment *segment, const uint8_t *at, uint8_t length) {
    for (uint8_t i = 2; i + 8 <= length && segment->sack_count < TCP_SACK_BLOCKS_MAX; i = (uint8_t)(i + 8))
        segment->sack[segment->sack_count++] =
            (struct tcp_sack_block){wire_get32(at + i), wire_get32(at + i + 4)};
}

/* A cookie of a length that can't be is no cookie (RFC 7413 section 4.1.1). */
static void take_cookie(struct tcp_segment *segment, const uint8_t *bytes, uint8_t length,
                        bool experimental) {
    if (length && (length < TCP_COOKIE_MIN || length > TCP_COOKIE_MAX || length & 1))
        return;
    segment->cookie.present = true;
    segment->cookie.experimental = experimental;
    segment->cookie.length = length;
    memcpy(segment->cookie.bytes, bytes, length);
}

/* An option that is all there. One of the wrong length, or in a segment that may not have it, is passed over.
 */
static void take_option(struct tcp_segment *segment, const uint8_t *at) {
    bool syn = segment->flags & TCP_SYN;
    switch (at[0]) {
    case OPTION_MSS:
        if (at[1] == 4 && syn)
            segment->mss = wire_get16(at + 2);
        break;
    case OPTION_WINDOW_SCALE:
        if (at[1] == 3 && syn)
            segment->window_scale = (int8_t)(at[2] > 14 ? 14 : at[2]);
        break;
    case OPTION_SACK_PERMITTED:
        segment->sack_permitted |= at[1] == 2 && syn;
        break;
    case OPTION_SACK:
        if (!syn && (at[1] - 2) % 8 == 0)
            take_sack(segment, at, at[1]);
        break;
    case OPTION_TIMESTAMP:
        if (at[1] != 10)
            break;
        segment->has_timestamp = true;
        segment->timestamp = wire_get32(at + 2);
        segment->timestamp_echo = wire_get32(at + 6);
        break;
    case OPTION_MD5:
        if (at[1] != 2 + TCP_SIGNATURE_BYTES)
            break;
        segment->signature.present = true;
        memcpy(segment->signature.bytes, at + 2, TCP_SIGNATURE_BYTES);
        break;
    case OPTION_FAST_OPEN:
        if (syn)
            take_cookie(segment, at + 2, (uint8_t)(at[1] - 2), false);
        break;
    case OPTION_EXPERIMENT:
        if (syn && at[1] >= 4 && wire_get16(at + 2) == FAST_OPEN_EXPERIMENT)
            take_cookie(segment, at + 4, (uint8_t)(at[1] - 4), true);
        break;
    default:
        break;
    }
}

/* An option whose length is impossible ends the parsing, as in Linux; what was read before it counts. */
static void parse_options(struct tcp_segment *segment, const uint8_t *at, const uint8_t *end) {
    while (at < end && *at != OPTION_END) {
        if (*at == OPTION_NOP) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return;
        take_option(segment, at);
        at += at[1];
    }
}

int tcp_segment_parse(struct tcp_segment *segment, const uint8_t *header, uint32_t available) {
    if (available < TCP_HEADER_BYTES)
        return -1;
    uint32_t header_length = (header[12] >> 4) * 4u;
    if (header_length < TCP_HEADER_BYTES || header_length > available)
        return -1;
    segment->source_port = wire_get16(header);
    segment->destination_port = wire_get16(header + 2);
    segment->sequence = segment->first_sequence = wire_get32(header + 4);
    segment->acknowledgment = wire_get32(header + 8);
    segment->flags = header[13];
    segment->window = wire_get16(header + 14);
    segment->mss = 0;
    segment->window_scale = -1;
    segment->sack_permitted = segment->has_timestamp = false;
    segment->timestamp = segment->timestamp_echo = 0;
    segment->accurate_ecn = header[12] & 1;
    segment->urgent = wire_get16(header + 18);
    segment->cookie.present = segment->signature.present = false;
    segment->key = NULL;
    segment->follows = 0;
    segment->sack_count = 0;
    parse_options(segment, header + TCP_HEADER_BYTES, header + header_length);
    if (segment->signature.present)
        memcpy(segment->signature.header, header, TCP_HEADER_BYTES);
    return (int)header_length;
}

static uint8_t *put_cookie(uint8_t *option, const struct tcp_cookie *cookie) {
    uint8_t *begin = option;
    if (cookie->experimental) {
        *option++ = OPTION_EXPERIMENT;
        *option++ = (uint8_t)(4 + cookie->length);
        wire_put16(option, FAST_OPEN_EXPERIMENT);
        option += 2;
    } else {
        *option++ = OPTION_FAST_OPEN;
        *option++ = (uint8_t)(2 + cookie->length);
    }
    memcpy(option, cookie->bytes, cookie->length);
    option += cookie->length;
    while ((option - begin) % 4)
        *option++ = OPTION_NOP;
    return option;
}

uint32_t tcp_segment_write(const struct tcp_segment *segment, uint8_t *header) {
    uint8_t *option = header + TCP_HEADER_BYTES;
    /* In the order of Linux, which fingerprints (and scripts of tests) know. */
    if (segment->key) {
        *option++ = OPTION_NOP;
        *option++ = OPTION_NOP;
        *option++ = OPTION_MD5;
        *option++ = 2 + TCP_SIGNATURE_BYTES;
        memset(option, 0, TCP_SIGNATURE_BYTES);
        option += TCP_SIGNATURE_BYTES;
    }
    if (segment->mss) {
        *option++ = OPTION_MSS;
        *option++ = 4;
        wire_put16(option, segment->mss);
        option += 2;
    }
    if (segment->has_timestamp) {
        *option++ = segment->sack_permitted ? OPTION_SACK_PERMITTED : OPTION_NOP;
        *option++ = segment->sack_permitted ? 2 : OPTION_NOP;
        *option++ = OPTION_TIMESTAMP;
        *option++ = 10;
        wire_put32(option, segment->timestamp);
        wire_put32(option + 4, segment->timestamp_echo);
        option += 8;
    } else if (segment->sack_permitted) {
        *option++ = OPTION_NOP;
        *option++ = OPTION_NOP;
        *option++ = OPTION_SACK_PERMITTED;
        *option++ = 2;
    }
    if (segment->window_scale >= 0) {
        *option++ = OPTION_NOP;
        *option++ = OPTION_WINDOW_SCALE;
        *option++ = 3;
        *option++ = (uint8_t)segment->window_scale;
    }
    if (segment->sack_count > 0) {
        *option++ = OPTION_NOP;
        *option++ = OPTION_NOP;
        *option++ = OPTION_SACK;
        *option++ = (uint8_t)(2 + 8 * segment->sack_count);
    }
    for (int i = 0; i < segment->sack_count; i++, option += 8) {
        wire_put32(option, segment->sack[i].start);
        wire_put32(option + 4, segment->sack[i].end);
    }
    if (segment->cookie.present)
        option = put_cookie(option, &segment->cookie);
    uint32_t length = (uint32_t)(option - header);
    wire_put16(header, segment->source_port);
    wire_put16(header + 2, segment->destination_port);
    wire_put32(header + 4, segment->sequence);
    wire_put32(header + 8, segment->acknowledgment);
    header[12] = (uint8_t)(length / 4 << 4 | segment->accurate_ecn);
    header[13] = segment->flags;
    wire_put16(header + 14, (uint16_t)segment->window);
    wire_put16(header + 16, 0);
    wire_put16(header + 18, segment->urgent);
    return length;
}
