/* SPDX-License-Identifier: MIT */
/*
 * test_guard.c - nic/guard.c: frames in another host's name do not leave.
 */
#include "nic/guard.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OWN 0x0a4d000au
#define OTHER 0x0a4d0063u

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, other_mac[6] = {2, 0, 0, 0, 0, 9};

/* A NIC that keeps what it is to send, up to a limit. */
static struct {
    struct nic nic;
    int room, sent;
    uint8_t bytes[64][600];
    uint32_t length[64];
    uint16_t segment[64];
} wire;

static uint32_t gather(const struct nic_frame *frame, uint8_t *bytes) {
    uint32_t length = 0;
    for (int i = 0; i < frame->piece_count; i++) {
        memcpy(bytes + length, frame->pieces[i].iov_base, frame->pieces[i].iov_len);
        length += (uint32_t)frame->pieces[i].iov_len;
    }
    return length;
}

static int keep(struct nic *nic, const struct nic_frame *frames, int count) {
    (void)nic;
    int i = 0;
    for (; i < count && wire.room > 0; i++, wire.room--) {
        wire.length[wire.sent] = gather(&frames[i], wire.bytes[wire.sent]);
        wire.segment[wire.sent++] = frames[i].segment;
    }
    return i > 0 ? i : -EAGAIN;
}

static const struct nic_operations OPERATIONS = {.send = keep};

static struct nic *guarded(void) {
    memset(&wire, 0, sizeof wire);
    wire.nic.operations = &OPERATIONS;
    wire.nic.facts.features = NIC_SHARED | NIC_OFFLOAD;
    wire.room = 64;
    struct nic *guard = nic_guard(&wire.nic);
    assert_non_null(guard);
    assert_int_equal(nic_set_address(guard, own_mac), 0);
    guard_allow(guard, OWN);
    return guard;
}

static void put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void packet(uint8_t *bytes, const uint8_t mac[6], uint16_t type, uint32_t source) {
    memset(bytes, 0, 64);
    memset(bytes, 0xff, 6);
    memcpy(bytes + 6, mac, 6);
    bytes[12] = (uint8_t)(type >> 8);
    bytes[13] = (uint8_t)type;
    memcpy(bytes + 14 + 8, mac, 6); /* ARP's sender; in IPv4 it is overwritten next */
    put32(bytes + 14 + (type == 0x0806 ? 14 : 12), source);
}

static bool leaves(struct nic *guard, uint8_t *bytes, size_t length) {
    struct iovec piece = {bytes, length};
    struct nic_frame frame = {.pieces = &piece, .piece_count = 1};
    int before = wire.sent;
    assert_int_equal(nic_send(guard, &frame, 1), 1); /* lost counts as sent */
    return wire.sent > before;
}

static void only_own_addresses_leave(void **state) {
    (void)state;
    struct nic *guard = guarded();
    uint8_t bytes[64];
    packet(bytes, own_mac, 0x0800, OWN);
    assert_true(leaves(guard, bytes, 64));
    packet(bytes, own_mac, 0x0800, OTHER);
    assert_false(leaves(guard, bytes, 64));
    packet(bytes, other_mac, 0x0800, OWN);
    assert_false(leaves(guard, bytes, 64));
    packet(bytes, own_mac, 0x0800, 0); /* DHCP */
    assert_true(leaves(guard, bytes, 64));
    packet(bytes, own_mac, 0x86dd, 0);
    assert_false(leaves(guard, bytes, 64));
    packet(bytes, own_mac, 0x0800, OWN);
    assert_false(leaves(guard, bytes, 20));
    free(guard);
}

static void each_of_several_own_addresses_leaves(void **state) {
    (void)state;
    struct nic *guard = guarded();
    uint8_t bytes[64];
    for (uint32_t i = 1; i < GUARD_ADDRESSES_MAX; i++)
        guard_allow(guard, OWN + 256 * i);
    for (uint32_t i = 0; i < GUARD_ADDRESSES_MAX; i++) {
        packet(bytes, own_mac, 0x0800, OWN + 256 * i);
        assert_true(leaves(guard, bytes, 64));
        packet(bytes, own_mac, 0x0806, OWN + 256 * i);
        assert_true(leaves(guard, bytes, 64));
    }
    packet(bytes, own_mac, 0x0806, OTHER);
    assert_false(leaves(guard, bytes, 64));
    free(guard);
}

static const uint8_t own6[16] = {0xfe, 0x80, [15] = 1}, other6[16] = {0xfe, 0x80, [15] = 9};
static int asked;
static bool lost; /* the host has it now */
static uint64_t time_ns = 1;

static uint64_t clock_now(void) {
    return time_ns;
}

static bool has6(const uint8_t address[16]) {
    asked++;
    return memcmp(address, own6, 16) == 0 && !lost;
}

static void packet6(uint8_t *bytes, const uint8_t source[16], uint8_t next, uint16_t length) {
    packet(bytes, own_mac, 0x86dd, 0);
    memset(bytes + 14, 0, 100);
    bytes[14] = 0x60;
    bytes[14 + 4] = (uint8_t)(length >> 8);
    bytes[14 + 5] = (uint8_t)length;
    bytes[14 + 6] = next;
    memcpy(bytes + 14 + 8, source, 16);
}

static void only_own_addresses_of_ipv6_leave(void **state) {
    (void)state;
    struct nic *guard = guarded();
    uint8_t bytes[128] = {0}, none[16] = {0};
    packet6(bytes, own6, 17, 8);
    assert_false(leaves(guard, bytes, 62)); /* nobody says that it is ours */
    guard_ask6(guard, has6, clock_now);
    asked = 0;
    for (int i = 0; i < 3; i++)
        assert_true(leaves(guard, bytes, 62));
    assert_int_equal(asked, 1);
    packet6(bytes, other6, 17, 8);
    assert_false(leaves(guard, bytes, 62));
    packet6(bytes, none, 58, 8);
    assert_true(leaves(guard, bytes, 62));
    packet6(bytes, own6, 17, 8);
    memcpy(bytes + 6, other_mac, 6);
    assert_false(leaves(guard, bytes, 62));
    assert_false(leaves(guard, bytes, 53));
    free(guard);
}

static void an_address_of_ipv6_is_asked_for_again(void **state) {
    (void)state;
    struct nic *guard = guarded();
    uint8_t bytes[128] = {0};
    guard_ask6(guard, has6, clock_now);
    packet6(bytes, own6, 17, 8);
    assert_true(leaves(guard, bytes, 62));
    lost = true;
    assert_true(leaves(guard, bytes, 62));
    time_ns += GUARD_ASK_NS;
    assert_false(leaves(guard, bytes, 62));
    assert_false(leaves(guard, bytes, 62));
    lost = false;
    assert_true(leaves(guard, bytes, 62));
    asked = 0;
    assert_true(leaves(guard, bytes, 62));
    assert_int_equal(asked, 0);
    free(guard);
}

/* A message of neighbour discovery about a target, with an option that names a MAC. */
static bool message6(struct nic *guard, uint8_t type, const uint8_t target[16], uint8_t option,
                     const uint8_t mac[6]) {
    uint8_t bytes[128] = {0}, *message = bytes + 54;
    packet6(bytes, own6, 58, 32);
    message[0] = type;
    memcpy(message + 8, target, 16);
    message[24] = option;
    message[25] = 1;
    memcpy(message + 26, mac, 6);
    return leaves(guard, bytes, 86);
}

static void of_neighbours_it_tells_of_itself_and_of_routers_nothing(void **state) {
    (void)state;
    struct nic *guard = guarded();
    uint8_t bytes[128] = {0};
    guard_ask6(guard, has6, clock_now);
    assert_true(message6(guard, 136, own6, 2, own_mac));
    assert_false(message6(guard, 136, own6, 2, other_mac));
    assert_false(message6(guard, 136, other6, 2, own_mac));
    assert_true(message6(guard, 135, other6, 1, own_mac));
    assert_false(message6(guard, 135, other6, 1, other_mac));
    assert_false(message6(guard, 134, own6, 1, own_mac));
    assert_false(message6(guard, 137, own6, 2, own_mac));
    assert_true(message6(guard, 128, own6, 0, other_mac)); /* an echo is no such message */
    packet6(bytes, own6, 0, 40);                           /* a router's message behind options */
    bytes[54] = 58;
    bytes[62] = 134;
    assert_false(leaves(guard, bytes, 94));
    bytes[62] = 143; /* MLD's */
    assert_true(leaves(guard, bytes, 94));
    packet6(bytes, own6, 44, 40); /* in a fragment */
    bytes[54] = 58;
    bytes[62] = 136;
    assert_false(leaves(guard, bytes, 94));
    assert_false(leaves(guard, bytes, 62)); /* nothing says what it is */
    bytes[62] = 128;                        /* a long echo */
    bytes[57] = 1;
    assert_true(leaves(guard, bytes, 94));
    bytes[57] = 8; /* and how it goes on */
    bytes[62] = 136;
    assert_true(leaves(guard, bytes, 94));
    bytes[57] = 0;
    bytes[54] = 17;
    assert_true(leaves(guard, bytes, 94));
    packet6(bytes, own6, 58, 100); /* what of it is not there */
    bytes[54] = 136;
    memcpy(bytes + 62, own6, 16);
    assert_false(leaves(guard, bytes, 86));
    packet6(bytes, own6, 0, 40); /* options without an end */
    bytes[54] = 58;
    bytes[55] = 255;
    assert_false(leaves(guard, bytes, 94));
    free(guard);
}

/* What a program makes itself, by a raw socket, lies behind the header that the stack has made. */
static void messages_that_lie_in_several_pieces_are_seen(void **state) {
    (void)state;
    struct nic *guard = guarded();
    uint8_t bytes[128] = {0}, message[600] = {0};
    struct iovec pieces[] = {{bytes, 54}, {message, 5}, {message + 5, 20}, {message + 25, 375}};
    const struct nic_frame frame = {.pieces = pieces, .piece_count = 4};
    guard_ask6(guard, has6, clock_now);
    packet6(bytes, own6, 58, 400);
    for (int i = 0; i < 400; i++)
        message[i] = (uint8_t)i;
    message[0] = 133; /* Router Solicitation */
    memset(message + 8, 0, 392);
    message[8] = 1;
    message[9] = 49;
    memcpy(message + 10, own_mac, 6);
    assert_int_equal(nic_send(guard, &frame, 1), 1);
    assert_int_equal(wire.sent, 0); /* not all of it is seen */
    message[0] = 128;
    assert_int_equal(nic_send(guard, &frame, 1), 1);
    assert_int_equal(wire.sent, 1);
    assert_int_equal(wire.length[0], 454);
    assert_memory_equal(wire.bytes[0] + 54, message, 400);
    packet6(bytes, own6, 58, 32);
    pieces[3].iov_len = 7;
    message[0] = 135;
    message[9] = 0;
    memcpy(message + 8, own6, 16);
    memcpy(message + 24, (uint8_t[]){1, 1}, 2);
    memcpy(message + 26, own_mac, 6);
    assert_int_equal(nic_send(guard, &frame, 1), 1);
    assert_int_equal(wire.sent, 2);
    memcpy(message + 26, other_mac, 6);
    assert_int_equal(nic_send(guard, &frame, 1), 1);
    assert_int_equal(wire.sent, 2);
    free(guard);
}

static uint32_t leased;

static uint32_t now_leased(void) {
    return leased;
}

static void another_address_is_known_with_the_first_frame_in_its_name(void **state) {
    (void)state;
    struct nic *guard = guarded();
    uint8_t bytes[64];
    guard_ask(guard, now_leased);
    leased = OWN;
    packet(bytes, own_mac, 0x0806, OTHER);
    assert_false(leaves(guard, bytes, 42));
    leased = OTHER;
    assert_true(leaves(guard, bytes, 42)); /* an announcement */
    packet(bytes, own_mac, 0x0800, OWN);
    assert_false(leaves(guard, bytes, 64));
    leased = 0; /* taken back */
    packet(bytes, own_mac, 0x0800, OTHER + 1);
    assert_false(leaves(guard, bytes, 64));
    packet(bytes, own_mac, 0x0800, OTHER);
    assert_false(leaves(guard, bytes, 64));
    free(guard);
}

static void arp_tells_of_its_own_address_alone(void **state) {
    (void)state;
    struct nic *guard = guarded();
    uint8_t bytes[64];
    packet(bytes, own_mac, 0x0806, OWN);
    assert_true(leaves(guard, bytes, 42));
    packet(bytes, own_mac, 0x0806, 0); /* a probe */
    assert_true(leaves(guard, bytes, 42));
    packet(bytes, own_mac, 0x0806, OTHER);
    assert_false(leaves(guard, bytes, 42));
    packet(bytes, own_mac, 0x0806, OWN);
    memcpy(bytes + 14 + 8, other_mac, 6);
    assert_false(leaves(guard, bytes, 42));
    free(guard);
}

/* A batch with bad frames in it goes out without them; what the NIC has no room for is to be sent again. */
static void batches_go_on_behind_what_is_lost(void **state) {
    (void)state;
    struct nic *guard = guarded();
    uint8_t bytes[6][64], payload[500];
    struct iovec pieces[6][2];
    struct nic_frame frames[6];
    memset(payload, 7, sizeof payload);
    for (int i = 0; i < 6; i++) {
        packet(bytes[i], own_mac, 0x0800, i % 2 ? OTHER : OWN);
        bytes[i][40] = (uint8_t)i;
        pieces[i][0] = (struct iovec){bytes[i], 54};
        pieces[i][1] = (struct iovec){payload, sizeof payload};
        frames[i] = (struct nic_frame){.pieces = pieces[i], .piece_count = 2, .segment = 100};
    }
    wire.room = 2;
    assert_int_equal(nic_send(guard, frames, 6), 4); /* 0, 2 sent, 1, 3 lost */
    assert_int_equal(nic_send(guard, frames + 4, 2), -EAGAIN);
    wire.room = 1;
    assert_int_equal(nic_send(guard, frames + 4, 2), 2);
    assert_int_equal(wire.sent, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wire.length[i], 554);
        assert_int_equal(wire.segment[i], 100);
        assert_int_equal(wire.bytes[i][40], 2 * i);
        assert_memory_equal(wire.bytes[i] + 54, payload, sizeof payload);
    }
    wire.room = 0;
    assert_int_equal(nic_send(guard, frames + 1, 1), 1);
    assert_int_equal(nic_send(guard, frames + 1, 2), 1);
    free(guard);
}

static void guarded_nic_is_not_shared(void **state) {
    (void)state;
    struct nic *guard = guarded();
    assert_int_equal(guard->facts.features, NIC_OFFLOAD);
    free(guard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_own_addresses_leave),
        cmocka_unit_test(each_of_several_own_addresses_leaves),
        cmocka_unit_test(only_own_addresses_of_ipv6_leave),
        cmocka_unit_test(an_address_of_ipv6_is_asked_for_again),
        cmocka_unit_test(of_neighbours_it_tells_of_itself_and_of_routers_nothing),
        cmocka_unit_test(messages_that_lie_in_several_pieces_are_seen),
        cmocka_unit_test(another_address_is_known_with_the_first_frame_in_its_name),
        cmocka_unit_test(arp_tells_of_its_own_address_alone),
        cmocka_unit_test(batches_go_on_behind_what_is_lost),
        cmocka_unit_test(guarded_nic_is_not_shared),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
