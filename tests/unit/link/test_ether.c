/* SPDX-License-Identifier: MIT */
/*
 * test_ether.c - Ethernet II frames: whose they are, and what is in them: ether.c.
 */
#include "stack/link/ether.h"
#include "tests/unit/network.h"

/* An echo request of the peer's in a frame to somebody, from somebody. Returns whether it is answered. */
static bool is_answered(struct host *host, const uint8_t to[6], const uint8_t from[6], uint16_t type) {
    static const uint8_t echo[16] = {8, 0, 0xf7, 0xff};
    uint8_t frame[100];
    uint32_t length = make_ip(host, frame, IP_PROTOCOL_ICMP, HOST_B, HOST_A, echo, sizeof echo), bytes_seen;
    uint8_t *found;
    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    wire_put16(frame + 12, type);
    host_input(host, frame, length, 0);
    return next_packet(host, IP_PROTOCOL_ICMP, &seen, &found, &bytes_seen);
}

static void a_frame_to_another_address_or_of_another_type_is_not_for_us(void **state) {
    struct host host = host_create(HOST_A, 1500);
    const uint8_t *own = host.stack->config.mac;
    (void)state;
    peer_introduce(&host);
    assert_true(is_answered(&host, own, PEER, ETHER_TYPE_IP));
    assert_false(is_answered(&host, OTHER, PEER, ETHER_TYPE_IP));
    assert_false(is_answered(&host, own, PEER, 0x88cc));
    assert_int_equal(host.stack->buffers.used, 0);
    host_destroy(&host);
}

static void a_frame_of_our_own_that_comes_back_is_dropped(void **state) {
    struct host host = host_create(HOST_A, 1500);
    (void)state;
    peer_introduce(&host);
    assert_false(is_answered(&host, host.stack->config.mac, host.stack->config.mac, ETHER_TYPE_IP));
    assert_int_equal(host.stack->buffers.used, 0);
    host_destroy(&host);
}

static void a_packet_in_a_broadcast_frame_is_no_reason_for_an_error(void **state) {
    struct host host = host_create(HOST_A, 1500);
    static const uint8_t datagram_to_nobody[8] = {0x30, 0x39, 0x30, 0x39, 0, 8, 0, 0};
    uint8_t frame[100], *found;
    uint32_t length, left;
    (void)state;
    peer_introduce(&host);
    for (int broadcast = 0; broadcast < 2; broadcast++) {
        length = make_ip(&host, frame, IP_PROTOCOL_UDP, HOST_B, HOST_A, datagram_to_nobody,
                         sizeof datagram_to_nobody);
        if (broadcast)
            memcpy(frame, ETHER_BROADCAST, 6);
        host_input(&host, frame, length, 0);
        assert_int_equal(next_packet(&host, IP_PROTOCOL_ICMP, &seen, &found, &left), !broadcast);
    }
    host_destroy(&host);
}

static void a_frame_that_is_shorter_than_its_header_is_dropped(void **state) {
    struct host host = host_create(HOST_A, 1500);
    uint8_t frame[ETHER_HEADER_BYTES] = {0};
    (void)state;
    memcpy(frame, host.stack->config.mac, 6);
    for (uint32_t length = 1; length < ETHER_HEADER_BYTES; length++)
        host_input(&host, frame, length, 0);
    assert_int_equal(host.stack->buffers.used, 0);
    host_destroy(&host);
}

static void a_frame_that_is_sent_has_both_addresses_and_its_type(void **state) {
    struct host host = host_create(HOST_A, 1500);
    (void)state;
    host_discard(&host);
    struct frame *frame = frame_begin(&host.stack->transmit);
    frame->header_length = ETHER_HEADER_BYTES + 2;
    memcpy(frame->header + ETHER_HEADER_BYTES, "hi", 2);
    ether_output(host.stack, frame, OTHER, 0x1234);
    assert_true(host_sent(&host, &seen));
    assert_memory_equal(seen.bytes, OTHER, 6);
    assert_memory_equal(seen.bytes + 6, host.stack->config.mac, 6);
    assert_memory_equal(seen.bytes + 12, "\x12\x34hi", 4);
    host_destroy(&host);
}

static void what_goes_in_and_out_is_counted(void **state) {
    struct host host = host_create(HOST_A, 1500);
    const struct ether_counters *counters = &host.stack->ether, *looped = &host.stack->looped;
    const uint8_t *own = host.stack->config.mac;
    (void)state;
    peer_introduce(&host);
    struct ether_counters before = *counters;
    assert_true(is_answered(&host, own, PEER, ETHER_TYPE_IP));
    assert_int_equal(counters->in_frames - before.in_frames, 1);
    assert_int_equal(counters->in_bytes - before.in_bytes, 14 + 20 + 16);
    assert_int_equal(counters->out_frames - before.out_frames, 1);
    assert_int_equal(counters->out_bytes - before.out_bytes, 14 + 20 + 16);
    assert_false(is_answered(&host, OTHER, PEER, ETHER_TYPE_IP)); /* not ours */
    assert_false(is_answered(&host, own, own, ETHER_TYPE_IP));
    assert_int_equal(counters->in_frames - before.in_frames, 1);
    assert_int_equal(looped->out_frames, 0);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 9);
    assert_int_equal(send_message(&host, socket, HOST_A, 5, (struct socket_message){.port = 9}), 5);
    assert_int_equal(looped->out_frames, 1);
    assert_int_equal(looped->in_bytes, 14 + 20 + 8 + 5);
    assert_int_equal(looped->out_bytes, 14 + 20 + 8 + 5);
    stack_advance(host.stack, now);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_and_out_is_counted),
        cmocka_unit_test(a_frame_to_another_address_or_of_another_type_is_not_for_us),
        cmocka_unit_test(a_frame_of_our_own_that_comes_back_is_dropped),
        cmocka_unit_test(a_packet_in_a_broadcast_frame_is_no_reason_for_an_error),
        cmocka_unit_test(a_frame_that_is_shorter_than_its_header_is_dropped),
        cmocka_unit_test(a_frame_that_is_sent_has_both_addresses_and_its_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
