/*
 * test_merge.c - consecutive segments as one long one, and back: nic/merge.c.
 */
#include "checksum.h"
#include "host.h"
#include "merge.h"
#include "wire.h"
#include <stdio.h>
#include <string.h>

#define FRAMES 64
#define HEADER 54u

static uint8_t storage[FRAMES][2000];
static struct iovec pieces[FRAMES];
static struct nic_frame frames[FRAMES];
static struct nic_merged merged;

/* The frame of a segment that begins at this byte of a stream. */
static void make(int index, uint32_t sequence, uint32_t length, uint8_t flags) {
    uint8_t *frame = storage[index], *ip = frame + 14, *tcp = ip + 20;
    struct tcp_segment segment = {.source_port = 1000,
                                  .destination_port = 80,
                                  .sequence = sequence,
                                  .acknowledgment = 77,
                                  .window = 500,
                                  .flags = flags,
                                  .window_scale = -1};
    memset(frame, 0, 54);
    memcpy(frame, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
    wire_put16(frame + 12, 0x0800);
    uint32_t header = tcp_segment_write(&segment, tcp);
    for (uint32_t i = 0; i < length; i++)
        tcp[header + i] = (uint8_t)((sequence + i) * 7);
    ip[0] = 0x45;
    wire_put16(ip + 2, (uint16_t)(20 + header + length));
    wire_put16(ip + 4, (uint16_t)(100 + index));
    wire_put16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = 6;
    wire_put32(ip + 12, HOST_A);
    wire_put32(ip + 16, HOST_B);
    wire_put_sum(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, 20)));
    uint64_t sum = checksum_pseudo_header(HOST_A, HOST_B, 6, (uint16_t)(header + length));
    wire_put_sum(tcp + 16, (uint16_t)~checksum_fold(checksum_add(sum, tcp, header + length)));
    pieces[index] = (struct iovec){frame, 34 + header + length};
    frames[index] = (struct nic_frame){.pieces = &pieces[index], .piece_count = 1};
}

static void make_train(int count, uint32_t length) {
    for (int i = 0; i < count; i++)
        make(i, 1000 + (uint32_t)i * length, length, TCP_ACK);
}

static uint32_t merged_length(void) {
    uint32_t length = 0;
    for (int i = 1; i < merged.piece_count; i++)
        length += (uint32_t)merged.pieces[i].iov_len;
    return length;
}

static void a_train_becomes_one_segment(void **state) {
    (void)state;
    make_train(10, 1000);
    make(9, 1000 + 9000, 300, TCP_ACK | TCP_PSH); /* the last may be shorter, and be pushed */
    nic_merge(frames, 10, &merged);
    assert_int_equal(merged.count, 10);
    assert_int_equal(merged.segment, 1000);
    assert_int_equal(merged.header_length, HEADER);
    assert_int_equal(merged_length(), HEADER + 9300);
    const uint8_t *ip = merged.header + 14, *tcp = ip + 20;
    assert_int_equal(wire_get16(ip + 2), 40 + 9300);
    assert_int_equal(checksum_fold(checksum_add(0, ip, 20)), 0xffff);
    assert_int_equal(tcp[13], TCP_ACK | TCP_PSH);
    uint16_t sum;
    memcpy(&sum, tcp + 16, 2);
    assert_int_equal(sum, checksum_fold(checksum_pseudo_header(HOST_A, HOST_B, 6, 20 + 9300)));
    for (int i = 2; i < merged.piece_count; i++)
        assert_memory_equal(merged.pieces[i].iov_base, storage[i - 2] + HEADER, merged.pieces[i].iov_len);
}

static void what_is_different_stays_apart(void **state) {
    (void)state;
    static const struct {
        const char *what;
        uint32_t at; /* of the third frame; what is changed there */
    } changes[] = {{"TOS", 15},   {"TTL", 22}, {"source", 29}, {"port", 35}, {"acknowledgment", 45},
                   {"window", 49}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        make_train(5, 500);
        storage[2][changes[i].at] ^= 1;
        nic_merge(frames, 5, &merged);
        assert_int_equal(merged.count, 2);
    }
    static const uint8_t flags[] = {TCP_ACK | TCP_FIN, TCP_ACK | TCP_SYN, TCP_ACK | TCP_RST,
                                    TCP_ACK | TCP_URG, TCP_ACK | TCP_CWR, TCP_ACK | TCP_ECE};
    for (size_t i = 0; i < sizeof flags; i++) {
        make_train(5, 500);
        make(2, 2000, 500, flags[i]);
        nic_merge(frames, 5, &merged);
        assert_int_equal(merged.count, 2);
        nic_merge(frames + 2, 3, &merged);
        assert_int_equal(merged.count, 1);
    }
    make_train(5, 500);
    make(2, 2001, 500, TCP_ACK); /* a gap */
    nic_merge(frames, 5, &merged);
    assert_int_equal(merged.count, 2);
    make_train(5, 500);
    make(2, 2000, 501, TCP_ACK); /* longer than the first */
    nic_merge(frames, 5, &merged);
    assert_int_equal(merged.count, 2);
    make_train(5, 500);
    make(2, 2000, 499, TCP_ACK); /* shorter: the last */
    make(3, 2499, 500, TCP_ACK);
    nic_merge(frames, 5, &merged);
    assert_int_equal(merged.count, 3);
    make_train(5, 500);
    make(1, 1500, 500, TCP_ACK | TCP_PSH); /* pushed: the last */
    nic_merge(frames, 5, &merged);
    assert_int_equal(merged.count, 2);
}

static void frames_of_other_kinds_are_left_alone(void **state) {
    (void)state;
    make_train(3, 500);
    storage[0][12] ^= 1; /* not IP */
    nic_merge(frames, 3, &merged);
    assert_int_equal(merged.count, 1);
    assert_ptr_equal(merged.pieces[1].iov_base, storage[0]);
    make_train(3, 500);
    storage[0][20] |= 0x20; /* a fragment */
    nic_merge(frames, 3, &merged);
    assert_int_equal(merged.count, 1);
    make_train(3, 0); /* acknowledgments */
    nic_merge(frames, 3, &merged);
    assert_int_equal(merged.count, 1);
    make_train(3, 500);
    for (uint32_t length = 0; length < HEADER; length++) { /* cut short */
        pieces[0].iov_len = length;
        nic_merge(frames, 3, &merged);
        assert_int_equal(merged.count, 1);
    }
}

static void no_packet_is_too_long(void **state) {
    (void)state;
    make_train(FRAMES, 1448);
    nic_merge(frames, FRAMES, &merged);
    assert_int_equal(merged.count, (65535 - 40) / 1448);
    assert_true(merged_length() - 14 <= 65535);
    make_train(FRAMES, 100);
    nic_merge(frames, FRAMES, &merged);
    assert_int_equal(merged.count, NIC_MERGED_SEGMENTS_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_train_becomes_one_segment),
        cmocka_unit_test(what_is_different_stays_apart),
        cmocka_unit_test(frames_of_other_kinds_are_left_alone),
        cmocka_unit_test(no_packet_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
