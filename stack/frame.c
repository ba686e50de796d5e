/*
 * frame.c - see frame.h.
 */
#include "frame.h"
#include <string.h>

struct frame *frame_begin(struct frame_queue *queue) {
    if (queue->count == FRAME_QUEUE_MAX)
        return NULL;
    struct frame *frame = &queue->frames[(queue->first + queue->count) % FRAME_QUEUE_MAX];
    frame->payload = (struct byte_cursor){NULL, 0};
    frame->payload_length = 0;
    frame->header_length = 0;
    frame->segment = 0;
    frame->checksum_offset = 0;
    frame->note = (struct frame_note){0};
    return frame;
}

void frame_set_payload(struct frame *frame, struct byte_cursor payload, uint32_t length) {
    frame->payload = payload;
    frame->payload_length = length;
    buffer_hold_range(payload, length);
}

void frame_commit(struct frame_queue *queue) {
    queue->count++;
}

void frame_release(struct pool *buffers, struct frame *frame) {
    buffer_drop_range(buffers, frame->payload, frame->payload_length);
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
