/* SPDX-License-Identifier: MIT */
/*
 * test_frame.c - frames on their way out, and the transmit ring: frame.c.
 */
#include "stack/link/frame.h"
#include "tests/unit/host.h"
#include <errno.h>

static const char text[] = "the payload of a frame";

/* A buffer of the host's with the text in it, twice: a chain of two. */
static struct byte_queue chain(struct host *host) {
    struct byte_queue queue = {0};
    static uint8_t bytes[BUFFER_CAPACITY + sizeof text];
    memset(bytes, '.', sizeof bytes);
    memcpy(bytes + BUFFER_CAPACITY - 3, text, sizeof text);
    struct iovec piece = {bytes, sizeof bytes};
    assert_int_equal(byte_queue_append(&queue, &host->stack->buffers, &piece, 1, 0, sizeof bytes),
                     sizeof bytes);
    return queue;
}

static void the_ring_gives_no_more_frames_than_it_has_places_and_in_their_order(void **state) {
    static struct frame_queue queue;
    struct host host = host_create(HOST_A, 1500);
    (void)state;
    queue.first = FRAME_QUEUE_MAX - 2; /* it goes round */
    for (uint32_t i = 0; i < FRAME_QUEUE_MAX; i++) {
        struct frame *frame = frame_begin(&queue);
        frame->header_length = (uint16_t)i;
        frame_commit(&queue);
    }
    assert_null(frame_begin(&queue));
    for (uint32_t i = 0; i < FRAME_QUEUE_MAX; i++)
        assert_int_equal(frame_queue_at(&queue, i)->header_length, i);
    assert_null(frame_queue_at(&queue, FRAME_QUEUE_MAX));
    frame_queue_drop(&queue, &host.stack->buffers, 3);
    assert_int_equal(frame_queue_at(&queue, 0)->header_length, 3);
    assert_non_null(frame_begin(&queue));
    frame_queue_drop(&queue, &host.stack->buffers, 2 * FRAME_QUEUE_MAX);
    assert_int_equal(queue.count, 0);
    assert_null(frame_queue_at(&queue, 0));
    host_destroy(&host);
}

static void a_frame_begins_empty_whatever_had_its_place(void **state) {
    static struct frame_queue queue;
    (void)state;
    *frame_begin(&queue) = (struct frame){.borrowed = text,
                                          .payload_length = 5,
                                          .header_length = 5,
                                          .transport_at = 5,
                                          .segment = 5,
                                          .checksum_offset = 5,
                                          .note = {.why = 5}};
    const struct frame *frame = frame_begin(&queue); /* the one before was left, not committed */
    assert_null(frame->borrowed);
    assert_int_equal(frame->payload_length, 0);
    assert_int_equal(frame->header_length, 0);
    assert_int_equal(frame->transport_at, FRAME_TRANSPORT_AT);
    assert_int_equal(frame->segment, 0);
    assert_int_equal(frame->checksum_offset, 0);
    assert_int_equal(frame->note.why, FRAME_WHY_NONE);
}

static void a_payload_is_held_until_the_frame_leaves_the_ring(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct frame_queue *ring = &host.stack->transmit;
    uint32_t before = host.stack->buffers.used;
    struct byte_queue queue = chain(&host);
    char copy[sizeof text];
    (void)state;
    host_discard(&host);
    struct frame *frame = frame_begin(ring);
    frame_set_payload(frame, byte_queue_at(&queue, BUFFER_CAPACITY - 3), sizeof text);
    frame_commit(ring);
    byte_queue_drop(&queue, &host.stack->buffers, queue.length);
    assert_int_equal(host.stack->buffers.used, before + 2);
    frame_copy(frame, 0, copy, sizeof copy);
    assert_string_equal(copy, text);
    frame_copy(frame, 4, copy, 7);
    assert_memory_equal(copy, "payload", 7);
    frame_queue_drop(ring, &host.stack->buffers, 1);
    assert_int_equal(host.stack->buffers.used, before);
    host_destroy(&host);
}

static void pieces_describe_a_payload_in_two_buffers_or_borrowed(void **state) {
    struct host host = host_create(HOST_A, 1500);
    struct byte_queue queue = chain(&host);
    struct frame frame = {0};
    struct iovec pieces[2];
    (void)state;
    frame_set_payload(&frame, byte_queue_at(&queue, BUFFER_CAPACITY - 3), sizeof text);
    assert_int_equal(frame_pieces(&frame, pieces, 1), -1);
    assert_int_equal(frame_pieces(&frame, pieces, 2), 2);
    assert_int_equal(pieces[0].iov_len, 3);
    assert_memory_equal(pieces[0].iov_base, "the", 3);
    assert_int_equal(pieces[1].iov_len, sizeof text - 3);
    frame_release(&host.stack->buffers, &frame);
    frame_borrow(&frame, text, sizeof text);
    assert_int_equal(frame_pieces(&frame, pieces, 0), -1);
    assert_int_equal(frame_pieces(&frame, pieces, 2), 1);
    assert_ptr_equal(pieces[0].iov_base, text);
    byte_queue_drop(&queue, &host.stack->buffers, queue.length);
    host_destroy(&host);
}

static void what_is_borrowed_is_copied_when_it_is_kept(void **state) {
    struct host host = host_create(HOST_A, 1500);
    uint32_t before = host.stack->buffers.used;
    struct frame frame = {0};
    char lent[sizeof text], copy[sizeof text];
    (void)state;
    memcpy(lent, text, sizeof text);
    frame_borrow(&frame, lent, sizeof lent);
    assert_int_equal(frame_keep(&host.stack->buffers, &frame), 0);
    memset(lent, 0, sizeof lent); /* whoever lent it goes on */
    assert_null(frame.borrowed);
    frame_copy(&frame, 0, copy, sizeof copy);
    assert_string_equal(copy, text);
    assert_int_equal(frame_keep(&host.stack->buffers, &frame), 0); /* nothing */
    assert_int_equal(host.stack->buffers.used, before + 1);
    frame_release(&host.stack->buffers, &frame);
    assert_int_equal(host.stack->buffers.used, before);
    host_destroy(&host);
}

static void a_burst_counts_as_the_packets_that_it_is_cut_into(void **state) {
    (void)state;
    assert_int_equal(frame_segments(&(struct frame){.payload_length = 9000}), 1);
    assert_int_equal(frame_segments(&(struct frame){.payload_length = 3000, .segment = 1000}), 3);
    assert_int_equal(frame_segments(&(struct frame){.payload_length = 3001, .segment = 1000}), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ring_gives_no_more_frames_than_it_has_places_and_in_their_order),
        cmocka_unit_test(a_frame_begins_empty_whatever_had_its_place),
        cmocka_unit_test(a_payload_is_held_until_the_frame_leaves_the_ring),
        cmocka_unit_test(pieces_describe_a_payload_in_two_buffers_or_borrowed),
        cmocka_unit_test(what_is_borrowed_is_copied_when_it_is_kept),
        cmocka_unit_test(a_burst_counts_as_the_packets_that_it_is_cut_into),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
