/* SPDX-License-Identifier: MIT */
/*
 * tcp_segment.h - the format of a TCP segment (RFC 9293 section 3.1), and arithmetic on sequence numbers
 * (section 3.4).
 */
#ifndef STACK_TCP_TCP_SEGMENT_H
#define STACK_TCP_TCP_SEGMENT_H

#include "stack/link/frame.h"
#include <stdbool.h>
#include <stdint.h>

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

/* Of sequence numbers: [start, end). */
struct tcp_sack_block {
    uint32_t start, end;
};

#define TCP_SACK_BLOCKS_MAX 4
#define TCP_COOKIE_MIN 4u /* RFC 7413 section 4.1.1 */
#define TCP_COOKIE_MAX 16u

/* The Fast Open option: a request when its length is 0. */
struct tcp_cookie {
    bool present;
    bool experimental; /* by RFC 6994's option, as before RFC 7413 */
    uint8_t length;
    uint8_t bytes[TCP_COOKIE_MAX];
};

#define TCP_SIGNATURE_BYTES 16u
#define TCP_SIGNATURE_AT 24u /* in a header that we write */

/* The MD5 option of a segment that has come, and the part of its header that it covers. */
struct tcp_signature {
    bool present;
    uint8_t bytes[TCP_SIGNATURE_BYTES], header[20];
};

struct tcp_md5_key;

/* A segment in host order, its payload in buffers. */
struct filter_view;

struct tcp_segment {
    uint16_t source_port, destination_port;
    uint32_t sequence, acknowledgment;
    uint32_t first_sequence; /* as it came: sequence may be moved on by what is trimmed */
    uint32_t window;         /* unscaled, as on the wire */
    uint8_t flags;           /* enum tcp_flag */
    uint16_t mss;            /* the option, or 0 */
    int8_t window_scale;     /* the option, or -1 */
    bool sack_permitted;     /* the option */
    bool has_timestamp;      /* the option is there, and next its values */
    uint32_t timestamp, timestamp_echo;
    uint8_t tos;       /* of its packet, when received */
    uint32_t follows;  /* of a SYN: what the connection would send next that it takes the place of; 0: none */
    bool accurate_ecn; /* the flag before CWR, of RFC 9768 */
    uint16_t urgent;
    struct tcp_cookie cookie;
    struct tcp_signature signature; /* of one that has come */
    const struct tcp_md5_key *key;  /* of one to be signed; NULL: it is not */
    uint8_t sack_count;
    struct tcp_sack_block sack[TCP_SACK_BLOCKS_MAX];
    struct frame_note note; /* of one to be sent */
    uint32_t length;        /* payload bytes */
    uint16_t size;        /* of one to be sent: the NIC cuts it into such of so many bytes; 0: it does not */
    struct buffer *chain; /* payload; NULL once taken */
    struct filter_view *view; /* a received one as filters see it; NULL: there is no filter */
};

static inline bool seq_lt(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) < 0;
}

static inline bool seq_le(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) <= 0;
}

static inline bool seq_gt(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) > 0;
}

static inline bool seq_ge(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) >= 0;
}

/* The sequence space that a segment occupies: payload, SYN and FIN. */
static inline uint32_t tcp_segment_span(const struct tcp_segment *segment) {
    return segment->length + !!(segment->flags & TCP_SYN) + !!(segment->flags & TCP_FIN);
}

/* Reads the header of `available` contiguous bytes. Returns the header's length with its options, or -1 when
 * it is malformed. Leaves length and chain alone. */
int tcp_segment_parse(struct tcp_segment *segment, const uint8_t *header, uint32_t available);

/* Writes the header, with the options that the segment has, to `header` (60 bytes). The checksum is left 0,
 * and so is the signature, at TCP_SIGNATURE_AT. Returns its length. */
uint32_t tcp_segment_write(const struct tcp_segment *segment, uint8_t *header);

#endif
