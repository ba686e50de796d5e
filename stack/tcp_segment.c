/*
 * tcp_segment.c - see tcp_segment.h.
 */
#include "tcp_segment.h"
#include "wire.h"

enum tcp_option {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_MSS = 2,
    OPTION_WINDOW_SCALE = 3,
};

/* An option whose length is impossible ends the parsing, as in Linux; what was read before it counts. */
static void parse_options(struct tcp_segment *segment, const uint8_t *at, const uint8_t *end) {
    while (at < end && *at != OPTION_END) {
        if (*at == OPTION_NOP) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return;
        if (at[0] == OPTION_MSS && at[1] == 4 && segment->flags & TCP_SYN)
            segment->mss = wire_get16(at + 2);
        if (at[0] == OPTION_WINDOW_SCALE && at[1] == 3 && segment->flags & TCP_SYN)
            segment->window_scale = (int8_t)(at[2] > 14 ? 14 : at[2]);
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
    segment->sequence = wire_get32(header + 4);
    segment->acknowledgment = wire_get32(header + 8);
    segment->flags = header[13];
    segment->window = wire_get16(header + 14);
    segment->mss = 0;
    segment->window_scale = -1;
    parse_options(segment, header + TCP_HEADER_BYTES, header + header_length);
    return (int)header_length;
}

uint32_t tcp_segment_write(const struct tcp_segment *segment, uint8_t *header) {
    uint8_t *option = header + TCP_HEADER_BYTES;
    if (segment->mss) {
        *option++ = OPTION_MSS;
        *option++ = 4;
        wire_put16(option, segment->mss);
        option += 2;
    }
    if (segment->window_scale >= 0) {
        *option++ = OPTION_NOP;
        *option++ = OPTION_WINDOW_SCALE;
        *option++ = 3;
        *option++ = (uint8_t)segment->window_scale;
    }
    uint32_t length = (uint32_t)(option - header);
    wire_put16(header, segment->source_port);
    wire_put16(header + 2, segment->destination_port);
    wire_put32(header + 4, segment->sequence);
    wire_put32(header + 8, segment->acknowledgment);
    header[12] = (uint8_t)(length / 4 << 4);
    header[13] = segment->flags;
    wire_put16(header + 14, (uint16_t)segment->window);
    wire_put16(header + 16, 0);
    wire_put16(header + 18, 0);
    return length;
}
