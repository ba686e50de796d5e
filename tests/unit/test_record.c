/* SPDX-License-Identifier: MIT */
/*
 * test_record.c - what comes into a stack is noted in a ring, in order: record.c.
 */
#include "stack/record.h"
#include "tests/unit/pair.h"
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* The entry at a place of a ring that has not gone round. */
static struct record_entry *entry_at(struct recorder *record, uint64_t at) {
    return (struct record_entry *)(record->ring + at);
}

static uint64_t entry_bytes(const struct record_entry *entry) {
    return sizeof *entry + ((entry->length + 7) & ~UINT64_C(7));
}

static void calls_are_noted_before_what_they_returned(void **state) {
    struct recorder *record = calloc(1, HOST_RECORD_BYTES);
    (void)state;
    host_record = record;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 0);
    struct record_entry *entry = entry_at(record, 0);
    assert_int_equal(entry->door, RECORD_CREATE);
    uint64_t at = entry_bytes(entry);
    assert_int_equal(entry_at(record, at)->door, RECORD_RESULT);
    at += entry_bytes(entry_at(record, at));
    assert_int_equal(entry_at(record, at)->door, RECORD_SOCKET_CREATE);
    at += entry_bytes(entry_at(record, at));
    assert_int_equal(entry_at(record, at)->door, RECORD_RESULT);
    assert_int_equal(entry_at(record, at)->socket, (uintptr_t)socket);
    at += entry_bytes(entry_at(record, at));
    assert_int_equal(record->written, at);
    socket_release(host.stack, socket);
    host_destroy(&host);
    free(record);
}

static void what_is_drained_makes_room_and_the_ring_goes_round(void **state) {
    struct stack *stack = calloc(1, sizeof *stack);
    struct recorder *record = calloc(1, sizeof *record + 4096);
    struct iovec pieces[2];
    (void)state;
    record_begin(stack, record, sizeof *record + 4096);
    for (int i = 0; i < 1000; i++) {
        struct socket socket = {.blocked_writers = (uint32_t)i};
        struct record_entry entry;
        struct record_values values;
        uint8_t bytes[sizeof entry + sizeof values];
        record_writers(stack, &socket);
        int count = record_pending(record, pieces);
        assert_true(count > 0);
        assert_int_equal(pieces[0].iov_len + pieces[1].iov_len, sizeof bytes);
        memcpy(bytes, pieces[0].iov_base, pieces[0].iov_len);
        memcpy(bytes + pieces[0].iov_len, pieces[1].iov_base, pieces[1].iov_len);
        memcpy(&values, bytes + sizeof entry, sizeof values);
        assert_int_equal(values.values[0], i);
        record_drained(record, sizeof bytes);
        assert_int_equal(record_pending(record, pieces), 0);
    }
    assert_false(record->lost);
    free(record);
    free(stack);
}

static void what_does_not_fit_ends_the_recording_without_half_an_entry(void **state) {
    struct stack *stack = calloc(1, sizeof *stack);
    struct recorder *record = calloc(1, sizeof *record + 1024);
    struct socket socket = {0};
    (void)state;
    record_begin(stack, record, sizeof *record + 1024);
    for (int i = 0; i < 100; i++)
        record_writers(stack, &socket);
    uint64_t one = sizeof(struct record_entry) + sizeof(struct record_values);
    assert_true(record->lost);
    assert_int_equal(record->written, 1024 / one * one);
    record_drained(record, record->written);
    record_writers(stack, &socket); /* one with a hole would be good for nothing */
    assert_int_equal(record->written, 1024 / one * one);
    free(record);
    free(stack);
}

static void a_hash_is_of_the_bytes_wherever_they_lie(void **state) {
    uint8_t bytes[3000];
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct pool *buffers = &host.stack->buffers;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern(i);
    uint64_t whole = 0;
    for (uint32_t cut = 1; cut < 20; cut++) {
        struct buffer *first = buffer_take(buffers), *second = buffer_take(buffers);
        struct frame frame = {.header_length = 54, .payload_length = 1000, .payload = {first, 0}};
        memcpy(frame.header, bytes, 54);
        memcpy(first->storage, bytes, cut);
        memcpy(second->storage, bytes + cut, 1000 - cut);
        first->end = cut;
        second->end = 1000 - cut;
        first->next = second;
        uint64_t hash = record_hash(&frame);
        assert_true(cut == 1 || hash == whole);
        whole = hash;
        second->storage[500] ^= 1;
        assert_true(record_hash(&frame) != whole);
        buffer_drop_chain(buffers, first);
    }
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_noted_before_what_they_returned),
        cmocka_unit_test(what_is_drained_makes_room_and_the_ring_goes_round),
        cmocka_unit_test(what_does_not_fit_ends_the_recording_without_half_an_entry),
        cmocka_unit_test(a_hash_is_of_the_bytes_wherever_they_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
