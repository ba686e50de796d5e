/* SPDX-License-Identifier: MIT */
/*
 * buffer.h - packet buffers, and queues of bytes made of them.
 *
 * A buffer holds up to BUFFER_CAPACITY bytes; what is longer is a chain of buffers. A frame is received into
 * a chain, and the same buffers become a socket's receive queue; a write is copied into the buffers of a send
 * queue, and frames refer to them there until they are sent. A buffer is freed when the last reference is
 * dropped.
 */
#ifndef STACK_MEMORY_BUFFER_H
#define STACK_MEMORY_BUFFER_H

#include "stack/memory/pool.h"
#include <sys/uio.h>

#define BUFFER_BYTES 2048u
#define BUFFER_CAPACITY (BUFFER_BYTES - 24u)

struct buffer {
    struct buffer *next; /* the chain's next, or NULL */
    uint32_t start, end; /* the valid bytes are storage[start, end) */
    uint32_t references;
    uint32_t unused;
    uint8_t storage[BUFFER_CAPACITY];
};

/* A stream of bytes. Invariants: length is the sum of the chain's lengths; tail is the last of the chain;
 * head == NULL exactly when length == 0. One that is made of a chain only to look at it need not know how
 * many buffers that has. */
struct byte_queue {
    struct buffer *head, *tail;
    uint32_t length;
    uint32_t buffers; /* in the chain */
};

/* A place in a send queue: buffer->storage[position]. It stays good while the buffer is referenced, whatever
 * is trimmed or appended meanwhile: a range of a send queue goes on at the start of the next buffer's
 * storage, since byte_queue_append fills buffers from there. */
struct byte_cursor {
    struct buffer *buffer;
    uint32_t position;
};

static inline uint8_t *buffer_data(struct buffer *buffer) {
    return buffer->storage + buffer->start;
}

static inline uint32_t buffer_length(const struct buffer *buffer) {
    return buffer->end - buffer->start;
}

/* Gives an empty buffer with one reference; NULL when memory is out. */
struct buffer *buffer_take(struct pool *pool);

/* Drops one reference to each buffer of a chain (NULL is an empty chain). */
void buffer_drop_chain(struct pool *pool, struct buffer *chain);

/* Adds or drops one reference to each buffer that holds a byte of [cursor, cursor + length). */
void buffer_hold_range(struct byte_cursor cursor, uint32_t length);
void buffer_drop_range(struct pool *pool, struct byte_cursor cursor, uint32_t length);

/* The same for data of a receive queue, which goes on where the next buffer's begins. Returns how many
 * buffers those are; which are dropped by their number, whatever was taken off the queue or added to it
 * meanwhile. */
uint32_t buffer_hold_data(struct byte_cursor cursor, uint32_t length);
void buffer_drop_count(struct pool *pool, struct buffer *first, uint32_t count);

/* The bytes of such data that lie in the cursor's buffer, at *data; moves the cursor on by those. Whoever
 * holds the data needs no lock. */
uint32_t buffer_data_step(struct byte_cursor *cursor, uint32_t length, const uint8_t **data);

uint32_t buffer_chain_length(const struct buffer *chain);
uint32_t buffer_chain_count(const struct buffer *chain); /* of buffers */

/* Removes bytes at a chain's start; buffers that become empty are dropped. Returns the new chain. */
struct buffer *buffer_trim_front(struct pool *pool, struct buffer *chain, uint32_t bytes);

/* Cuts a chain, or NULL, to `length` bytes. */
void buffer_trim_back(struct pool *pool, struct buffer *chain, uint32_t length);

/* The place `length` bytes further on, which is the end of a buffer rather than the next one's start. */
struct byte_cursor byte_cursor_after(struct byte_cursor cursor, uint32_t length);

/* Copies `length` bytes from a cursor on into memory; they must be there. */
void buffer_copy_range(void *to, struct byte_cursor from, uint32_t length);

/* The most pieces that so many bytes of a queue lie in: its buffers are half full at least, those at both ends
 * of a range may have but a byte of it. */
#define BUFFER_PIECES_MOST(length) ((length) / (BUFFER_CAPACITY / 2) + 3)

/* Describes [cursor, cursor + length) as pieces of memory. Returns how many of `limit` were used, or -1 when
 * there were not enough. */
int buffer_range_pieces(struct byte_cursor cursor, uint32_t length, struct iovec *pieces, int limit);

/* The bytes of an iovec. */
size_t buffer_pieces_length(const struct iovec *pieces, int count);

/* Appends up to `length` bytes of an iovec, from byte `skip` of it on. Returns the bytes appended: fewer when
 * memory ran out. */
uint32_t byte_queue_append(struct byte_queue *queue, struct pool *pool, const struct iovec *from, int count,
                           size_t skip, uint32_t length);

/* Appends a copy of [cursor, cursor + length). Whether there was memory for all of it. */
bool byte_queue_append_range(struct byte_queue *queue, struct pool *pool, struct byte_cursor cursor,
                             uint32_t length);

/* Appends a chain; the queue owns it from here on. What fits into half a buffer is copied into the tail if
 * there is room, so that a queue's buffers are half full at least, but for a header's length, however short
 * segments or writes are. */
void byte_queue_append_chain(struct byte_queue *queue, struct pool *pool, struct buffer *chain);

/* The same with a chain of `length` bytes, more than none. For a send queue: each of its buffers has something,
 * from its storage's start on. */
void byte_queue_join(struct byte_queue *queue, struct pool *pool, struct buffer *chain, uint32_t length);

/* The same, but the tail is filled up first: for when memory is short. */
void byte_queue_append_packed(struct byte_queue *queue, struct pool *pool, struct buffer *chain);

/* Whether a chain of so many bytes would all be copied into the tail by byte_queue_append_packed. */
bool byte_queue_takes(const struct byte_queue *queue, uint32_t length);

/* Appends all of another queue, which is empty then. */
void byte_queue_append_queue(struct byte_queue *queue, struct byte_queue *from);

/* Copies up to `limit` bytes from the queue's start into an iovec, without removing them. Returns how many.
 */
size_t byte_queue_peek(const struct byte_queue *queue, const struct iovec *to, int count, uint32_t limit);

/* The same, `at` bytes from the start. */
size_t byte_queue_peek_from(const struct byte_queue *queue, uint32_t at, const struct iovec *to, int count,
                            uint32_t limit);

/* Copies the byte at `offset` < queue->length. */
void byte_queue_peek_at(const struct byte_queue *queue, uint32_t offset, uint8_t *byte);

/* Removes bytes at the queue's start (at most queue->length). */
void byte_queue_drop(struct byte_queue *queue, struct pool *pool, uint32_t bytes);

/* The place `offset` bytes from the queue's start; offset < queue->length. */
struct byte_cursor byte_queue_at(const struct byte_queue *queue, uint32_t offset);

#endif
