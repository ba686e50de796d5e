/*
 * merge.c - see merge.h.
 */
#include "merge.h"
#include <string.h>

#define ETHER 14u
#define IP 20u
#define IP_LONGEST 65535u
#define PSH 0x08u
#define ACK 0x10u

static uint32_t get16(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at) {
    return get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t sum16(uint32_t sum, const uint8_t *bytes, uint32_t length) {
    for (uint32_t i = 0; i + 1 < length; i += 2)
        sum += get16(bytes + i);
    return sum;
}

static uint32_t fold(uint32_t sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

/* A data segment of nothing out of the ordinary. */
struct plain {
    const struct nic_frame *frame;
    const uint8_t *bytes;
    uint32_t header, payload, sequence; /* header: of all layers */
    bool push;
};

static bool read_plain(const struct nic_frame *frame, struct plain *plain) {
    const uint8_t *bytes = frame->pieces[0].iov_base;
    size_t first = frame->pieces[0].iov_len, length = nic_length(frame);
    if (first < ETHER + IP + 20 || get16(bytes + 12) != 0x0800 || bytes[ETHER] != 0x45 ||
        bytes[ETHER + 9] != 6 || get16(bytes + ETHER + 6) & 0x3fff ||
        get16(bytes + ETHER + 2) + ETHER != length)
        return false;
    const uint8_t *tcp = bytes + ETHER + IP;
    uint32_t header = ETHER + IP + (tcp[12] >> 4) * 4u;
    if (header > first || header < ETHER + IP + 20 || header > NIC_MERGED_HEADER_MAX ||
        (tcp[13] & ~PSH) != ACK)
        return false;
    *plain = (struct plain){frame, bytes, header, (uint32_t)length - header, get32(tcp + 4), tcp[13] & PSH};
    return plain->payload > 0;
}

/* Whether one segment is what follows another, of the same connection and with the same to say. */
static bool follows(const struct plain *first, const struct plain *before, const struct plain *next) {
    const uint8_t *a = first->bytes, *b = next->bytes;
    return next->sequence == before->sequence + before->payload && next->header == first->header &&
           next->payload <= first->payload && memcmp(a, b, ETHER + 2) == 0 && /* Ethernet, and the TOS */
           memcmp(a + ETHER + 6, b + ETHER + 6, 4) == 0 &&                    /* flags, TTL, protocol */
           memcmp(a + ETHER + 12, b + ETHER + 12, 12) == 0 &&                 /* addresses and ports */
           memcmp(a + ETHER + IP + 8, b + ETHER + IP + 8, 5) == 0 &&          /* acknowledgment, length */
           memcmp(a + ETHER + IP + 14, b + ETHER + IP + 14, 2) == 0 &&        /* window */
           memcmp(a + ETHER + IP + 20, b + ETHER + IP + 20, first->header - ETHER - IP - 20) == 0;
}

static void add_payload(struct nic_merged *merged, const struct plain *plain) {
    const struct iovec *pieces = plain->frame->pieces;
    if (pieces[0].iov_len > plain->header)
        merged->pieces[merged->piece_count++] =
            (struct iovec){(void *)(plain->bytes + plain->header), pieces[0].iov_len - plain->header};
    for (int i = 1; i < plain->frame->piece_count; i++)
        merged->pieces[merged->piece_count++] = pieces[i];
    merged->count++;
}

static bool has_room(const struct nic_merged *merged, const struct plain *plain) {
    return merged->count < NIC_MERGED_SEGMENTS_MAX &&
           merged->piece_count + plain->frame->piece_count <= NIC_MERGED_PIECES_MAX;
}

void nic_merge(const struct nic_frame *frames, int count, struct nic_merged *merged) {
    struct plain first, before, next;
    int alone =
        frames[0].piece_count < NIC_MERGED_PIECES_MAX ? frames[0].piece_count : NIC_MERGED_PIECES_MAX - 1;
    merged->count = 1;
    merged->piece_count = 1 + alone;
    memcpy(&merged->pieces[1], frames[0].pieces, (size_t)alone * sizeof *frames[0].pieces);
    if (count < 2 || !read_plain(&frames[0], &first) || first.push || !read_plain(&frames[1], &next) ||
        !follows(&first, &first, &next))
        return;
    merged->count = 0;
    merged->piece_count = 2;
    merged->header_length = first.header;
    merged->segment = (uint16_t)first.payload;
    merged->pieces[1] = (struct iovec){merged->header, first.header};
    memcpy(merged->header, first.bytes, first.header);
    add_payload(merged, &first);
    uint32_t total = first.header - ETHER + first.payload;
    bool push = false;
    before = first;
    while (merged->count < count && !push && before.payload == first.payload &&
           read_plain(&frames[merged->count], &next) && has_room(merged, &next) &&
           follows(&first, &before, &next) && total + next.payload <= IP_LONGEST) {
        add_payload(merged, &next);
        total += next.payload;
        push = next.push;
        before = next;
    }
    uint8_t *ip = merged->header + ETHER, *tcp = ip + IP;
    put16(ip + 2, total);
    put16(ip + 10, 0);
    put16(ip + 10, ~fold(sum16(0, ip, IP)));
    tcp[13] = (uint8_t)(tcp[13] | (push ? PSH : 0));
    put16(tcp + 16, fold(sum16(6 + total - IP, ip + 12, 8)));
}
