/* SPDX-License-Identifier: MIT */
/*
 * buffer.c - see buffer.h.
 */
#include "stack/memory/buffer.h"
#include "stack/base/minmax.h"
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

/* A payload of at most this many bytes is copied into the tail of a receive queue. */
#define BUFFER_COPY_MOST (BUFFER_CAPACITY / 2)

static_assert(sizeof(struct buffer) == BUFFER_BYTES, "a buffer fills its pool slot");

struct buffer *buffer_take(struct pool *pool) {
    struct buffer *buffer = pool_take(pool);
    if (!buffer)
        return NULL;
    buffer->next = NULL;
    buffer->start = buffer->end = 0;
    buffer->references = 1;
    return buffer;
}

static void buffer_drop(struct pool *pool, struct buffer *buffer) {
    assert(buffer->references > 0);
    if (--buffer->references == 0)
        pool_return(pool, buffer);
}

void buffer_drop_chain(struct pool *pool, struct buffer *chain) {
    while (chain) {
        struct buffer *next = chain->next;
        buffer_drop(pool, chain);
        chain = next;
    }
}

/* The bytes of a range that lie in the cursor's buffer; moves the cursor on and shortens the range. */
static uint32_t range_step(struct byte_cursor *cursor, uint32_t *length, struct buffer **buffer,
                           uint32_t *at) {
    uint32_t here = min_u32(*length, cursor->buffer->end - cursor->position);
    *buffer = cursor->buffer;
    *at = cursor->position;
    *length -= here;
    cursor->buffer = cursor->buffer->next;
    cursor->position = 0;
    return here;
}

struct byte_cursor byte_cursor_after(struct byte_cursor cursor, uint32_t length) {
    while (length > cursor.buffer->end - cursor.position) {
        length -= cursor.buffer->end - cursor.position;
        cursor.buffer = cursor.buffer->next;
        cursor.position = 0;
    }
    cursor.position += length;
    return cursor;
}

void buffer_hold_range(struct byte_cursor cursor, uint32_t length) {
    struct buffer *buffer;
    uint32_t at;
    while (length > 0) {
        range_step(&cursor, &length, &buffer, &at);
        buffer->references++;
    }
}

void buffer_drop_range(struct pool *pool, struct byte_cursor cursor, uint32_t length) {
    struct buffer *buffer;
    uint32_t at;
    while (length > 0) {
        range_step(&cursor, &length, &buffer, &at);
        buffer_drop(pool, buffer);
    }
}

uint32_t buffer_data_step(struct byte_cursor *cursor, uint32_t length, const uint8_t **data) {
    struct buffer *buffer = cursor->buffer;
    uint32_t here = min_u32(length, buffer->end - cursor->position);
    *data = buffer->storage + cursor->position;
    cursor->position += here;
    if (here < length) {
        cursor->buffer = buffer->next;
        cursor->position = buffer->next->start;
    }
    return here;
}

uint32_t buffer_hold_data(struct byte_cursor cursor, uint32_t length) {
    const uint8_t *data;
    uint32_t count = 0;
    while (length > 0) {
        cursor.buffer->references++;
        count++;
        length -= buffer_data_step(&cursor, length, &data);
    }
    return count;
}

void buffer_drop_count(struct pool *pool, struct buffer *first, uint32_t count) {
    while (count-- > 0) {
        struct buffer *next = first->next;
        buffer_drop(pool, first);
        first = next;
    }
}

void buffer_copy_range(void *to, struct byte_cursor cursor, uint32_t length) {
    struct buffer *buffer;
    uint32_t at;
    uint8_t *out = to;
    while (length > 0) {
        uint32_t here = range_step(&cursor, &length, &buffer, &at);
        memcpy(out, buffer->storage + at, here);
        out += here;
    }
}

int buffer_range_pieces(struct byte_cursor cursor, uint32_t length, struct iovec *pieces, int limit) {
    struct buffer *buffer;
    uint32_t at;
    int count = 0;
    while (length > 0) {
        if (count == limit)
            return -1;
        uint32_t here = range_step(&cursor, &length, &buffer, &at);
        pieces[count++] = (struct iovec){buffer->storage + at, here};
    }
    return count;
}

uint32_t buffer_chain_length(const struct buffer *chain) {
    uint32_t length = 0;
    for (; chain; chain = chain->next)
        length += buffer_length(chain);
    return length;
}

uint32_t buffer_chain_count(const struct buffer *chain) {
    uint32_t count = 0;
    for (; chain; chain = chain->next)
        count++;
    return count;
}

struct buffer *buffer_trim_front(struct pool *pool, struct buffer *chain, uint32_t bytes) {
    while (chain) {
        uint32_t here = min_u32(bytes, buffer_length(chain));
        chain->start += here;
        bytes -= here;
        if (buffer_length(chain) > 0)
            break;
        struct buffer *next = chain->next;
        buffer_drop(pool, chain);
        chain = next;
    }
    return chain;
}

void buffer_trim_back(struct pool *pool, struct buffer *chain, uint32_t length) {
    if (!chain)
        return;
    while (length > buffer_length(chain)) {
        length -= buffer_length(chain);
        chain = chain->next;
        if (!chain)
            return;
    }
    chain->end = chain->start + length;
    buffer_drop_chain(pool, chain->next);
    chain->next = NULL;
}

static struct buffer *byte_queue_grow(struct byte_queue *queue, struct pool *pool) {
    struct buffer *buffer = buffer_take(pool);
    if (!buffer)
        return NULL;
    atomic_signal_fence(memory_order_seq_cst); /* it is empty before it can be found: see repair.h */
    if (queue->tail)
        queue->tail->next = buffer;
    else
        queue->head = buffer;
    queue->tail = buffer;
    queue->buffers++;
    return buffer;
}

size_t buffer_pieces_length(const struct iovec *pieces, int count) {
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += pieces[i].iov_len;
    return length;
}

uint32_t byte_queue_append(struct byte_queue *queue, struct pool *pool, const struct iovec *from, int count,
                           size_t skip, uint32_t length) {
    uint32_t appended = 0;
    for (int i = 0; i < count && appended < length; i++) {
        if (skip >= from[i].iov_len) {
            skip -= from[i].iov_len;
            continue;
        }
        const uint8_t *bytes = (const uint8_t *)from[i].iov_base + skip;
        size_t left = from[i].iov_len - skip;
        skip = 0;
        while (left > 0 && appended < length) {
            struct buffer *tail = queue->tail;
            if ((!tail || tail->end == BUFFER_CAPACITY) && !(tail = byte_queue_grow(queue, pool)))
                return appended;
            uint32_t here = min_u32(BUFFER_CAPACITY - tail->end, length - appended);
            if (here > left)
                here = (uint32_t)left;
            memcpy(tail->storage + tail->end, bytes, here);
            atomic_signal_fence(memory_order_seq_cst);
            tail->end += here;
            queue->length += here;
            appended += here;
            bytes += here;
            left -= here;
        }
    }
    return appended;
}

/* Puts a chain behind the queue's. */
static void link_chain(struct byte_queue *queue, struct buffer *chain) {
    if (queue->tail)
        queue->tail->next = chain;
    else
        queue->head = chain;
    queue->buffers++;
    while (chain->next) {
        chain = chain->next;
        queue->buffers++;
    }
    queue->tail = chain;
}

/* Copies a chain to where the tail has room for it. */
static void copy_into_tail(struct buffer *tail, struct pool *pool, struct buffer *chain) {
    for (struct buffer *piece = chain; piece; piece = piece->next) {
        memcpy(tail->storage + tail->end, buffer_data(piece), buffer_length(piece));
        atomic_signal_fence(memory_order_seq_cst); /* it can't be found before it is there: see repair.h */
        tail->end += buffer_length(piece);
    }
    buffer_drop_chain(pool, chain);
}

void byte_queue_join(struct byte_queue *queue, struct pool *pool, struct buffer *chain, uint32_t length) {
    struct buffer *tail = queue->tail;
    queue->length += length;
    if (length <= BUFFER_COPY_MOST && tail && BUFFER_CAPACITY - tail->end >= length)
        copy_into_tail(tail, pool, chain);
    else
        link_chain(queue, chain);
}

void byte_queue_append_chain(struct byte_queue *queue, struct pool *pool, struct buffer *chain) {
    uint32_t length = buffer_chain_length(chain);
    if (length == 0)
        buffer_drop_chain(pool, chain);
    else
        byte_queue_join(queue, pool, chain, length);
}

bool byte_queue_takes(const struct byte_queue *queue, uint32_t length) {
    return queue->tail && BUFFER_CAPACITY - queue->tail->end >= length;
}

void byte_queue_append_packed(struct byte_queue *queue, struct pool *pool, struct buffer *chain) {
    struct buffer *tail = queue->tail;
    while (tail && chain && tail->end < BUFFER_CAPACITY) {
        uint32_t here = min_u32(BUFFER_CAPACITY - tail->end, buffer_length(chain));
        memcpy(tail->storage + tail->end, buffer_data(chain), here);
        atomic_signal_fence(memory_order_seq_cst);
        tail->end += here;
        queue->length += here;
        chain = buffer_trim_front(pool, chain, here);
    }
    byte_queue_append_chain(queue, pool, chain);
}

void byte_queue_append_queue(struct byte_queue *queue, struct byte_queue *from) {
    if (!from->head)
        return;
    if (queue->tail)
        queue->tail->next = from->head;
    else
        queue->head = from->head;
    queue->tail = from->tail;
    queue->length += from->length;
    queue->buffers += from->buffers;
    *from = (struct byte_queue){0};
}

bool byte_queue_append_range(struct byte_queue *queue, struct pool *pool, struct byte_cursor cursor,
                             uint32_t length) {
    struct buffer *buffer;
    uint32_t at;
    while (length > 0) {
        uint32_t here = range_step(&cursor, &length, &buffer, &at);
        struct iovec piece = {buffer->storage + at, here};
        if (byte_queue_append(queue, pool, &piece, 1, 0, here) < here)
            return false;
    }
    return true;
}

size_t byte_queue_peek(const struct byte_queue *queue, const struct iovec *to, int count, uint32_t limit) {
    return byte_queue_peek_from(queue, 0, to, count, limit);
}

size_t byte_queue_peek_from(const struct byte_queue *queue, uint32_t at, const struct iovec *to, int count,
                            uint32_t limit) {
    size_t copied = 0;
    struct buffer *buffer = queue->head;
    while (buffer && at >= buffer_length(buffer)) {
        at -= buffer_length(buffer);
        buffer = buffer->next;
    }
    for (int i = 0; i < count && buffer; i++) {
        uint8_t *out = to[i].iov_base;
        size_t room = to[i].iov_len < limit - copied ? to[i].iov_len : limit - copied;
        while (room > 0 && buffer) {
            uint32_t here = buffer_length(buffer) - at;
            if (here > room)
                here = (uint32_t)room;
            memcpy(out, buffer_data(buffer) + at, here);
            out += here;
            room -= here;
            copied += here;
            at += here;
            if (at == buffer_length(buffer)) {
                buffer = buffer->next;
                at = 0;
            }
        }
    }
    return copied;
}

void byte_queue_peek_at(const struct byte_queue *queue, uint32_t offset, uint8_t *byte) {
    const struct buffer *buffer = queue->head;
    while (offset >= buffer_length(buffer)) {
        offset -= buffer_length(buffer);
        buffer = buffer->next;
    }
    *byte = buffer->storage[buffer->start + offset];
}

void byte_queue_drop(struct byte_queue *queue, struct pool *pool, uint32_t bytes) {
    bytes = min_u32(bytes, queue->length);
    queue->length -= bytes;
    struct buffer *head;
    while ((head = queue->head)) {
        uint32_t here = min_u32(bytes, buffer_length(head));
        if (here < buffer_length(head)) {
            head->start += here;
            return;
        }
        bytes -= here;
        queue->head = head->next;
        queue->buffers--;
        atomic_signal_fence(memory_order_seq_cst); /* the queue is whole at any instruction: see repair.h */
        buffer_drop(pool, head);
    }
    queue->tail = NULL;
}

struct byte_cursor byte_queue_at(const struct byte_queue *queue, uint32_t offset) {
    struct buffer *buffer = queue->head;
    assert(offset < queue->length);
    while (offset >= buffer_length(buffer)) {
        offset -= buffer_length(buffer);
        buffer = buffer->next;
    }
    return (struct byte_cursor){buffer, buffer->start + offset};
}
