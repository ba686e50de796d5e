/* SPDX-License-Identifier: MIT */
/*
 * frame.c - see frame.h.
 */
#include "stack/link/frame.h"
#include <errno.h>
#include <string.h>

struct frame *frame_begin(struct frame_queue *queue) {
    if (queue->count == FRAME_QUEUE_MAX)
        return NULL;
    struct frame *frame = &queue->frames[(queue->first + queue->count) % FRAME_QUEUE_MAX];
    frame->payload = (struct byte_cursor){NULL, 0};
    frame->borrowed = NULL;
    frame->payload_length = 0;
    frame->header_length = 0;
    frame->segment = 0;
    frame->checksum_offset = 0;
    frame->transport_at = FRAME_TRANSPORT_AT;
    frame->note = (struct frame_note){0};
    return frame;
}

void frame_set_payload(struct frame *frame, struct byte_cursor payload, uint32_t length) {
    frame->payload = payload;
    frame->payload_length = length;
    buffer_hold_range(payload, length);
}

void frame_borrow(struct frame *frame, const void *bytes, uint32_t length) {
    frame->borrowed = bytes;
    frame->payload_length = length;
}

int frame_keep(struct pool *buffers, struct frame *frame) {
    struct byte_queue queue = {0};
    struct iovec piece = {(void *)frame->borrowed, frame->payload_length};
    if (!frame->borrowed)
        return 0;
    if (byte_queue_append(&queue, buffers, &piece, 1, 0, frame->payload_length) < frame->payload_length) {
        buffer_drop_chain(buffers, queue.head);
        return -ENOBUFS;
    }
    frame->payload = (struct byte_cursor){queue.head, 0};
    frame->borrowed = NULL;
    return 0;
}

int frame_pieces(const struct frame *frame, struct iovec *pieces, int limit) {
    if (!frame->borrowed)
        return buffer_range_pieces(frame->payload, frame->payload_length, pieces, limit);
    if (limit < 1)
        return -1;
    pieces[0] = (struct iovec){(void *)frame->borrowed, frame->payload_length};
    return 1;
}

bool frame_append_payload(const struct frame *frame, struct byte_queue *queue, struct pool *buffers) {
    uint32_t length = frame->payload_length;
    if (!frame->borrowed)
        return byte_queue_append_range(queue, buffers, frame->payload, length);
    struct iovec piece = {(void *)frame->borrowed, length};
    return byte_queue_append(queue, buffers, &piece, 1, 0, length) == length;
}

void frame_copy(const struct frame *frame, uint32_t at, void *to, uint32_t length) {
    if (frame->borrowed)
        memcpy(to, (const uint8_t *)frame->borrowed + at, length);
    else if (length > 0)
        buffer_copy_range(to, byte_cursor_after(frame->payload, at), length);
}

void frame_commit(struct frame_queue *queue) {
    queue->count++;
}

void frame_release(struct pool *buffers, struct frame *frame) {
    if (!frame->borrowed)
        buffer_drop_range(buffers, frame->payload, frame->payload_length);
    frame->borrowed = NULL;
    frame->payload_length = 0;
}

struct frame *frame_queue_at(struct frame_queue *queue, uint32_t index) {
    return index < queue->count ? &queue->frames[(queue->first + index) % FRAME_QUEUE_MAX] : NULL;
}

void frame_queue_drop(struct frame_queue *queue, struct pool *buffers, uint32_t count) {
    while (count-- > 0 && queue->count > 0) {
        frame_release(buffers, &queue->frames[queue->first]);
        queue->first = (queue->first + 1) % FRAME_QUEUE_MAX;
        queue->count--;
    }
}
