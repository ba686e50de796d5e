/* SPDX-License-Identifier: MIT */
/*
 * test_buffer.c - packet buffers and byte queues: buffer.c.
 */
#include "tests/unit/region.h"
#include <stdlib.h>

static void byte_queue_keeps_order_through_appends_and_drops(void **state) {
    (void)state;
    struct region region = region_create();
    struct pool pool;
    struct byte_queue queue = {0};
    uint8_t in[5000], out[5000];
    uint32_t written = 0, read = 0;
    srand(1);
    pool_init(&pool, region.arena, sizeof(struct buffer), UINT32_MAX);
    for (int round = 0; round < 2000; round++) {
        uint32_t length = (uint32_t)rand() % sizeof in;
        for (uint32_t i = 0; i < length; i++)
            in[i] = (uint8_t)((written + i) * 13);
        struct iovec piece = {in, length};
        if (queue.length < 100000) {
            assert_int_equal(byte_queue_append(&queue, &pool, &piece, 1, 0, length), length);
            written += length;
        }
        struct iovec pieces[2] = {{out, (size_t)rand() % 2000}, {out + 2000, (size_t)rand() % 3000}};
        size_t got = byte_queue_peek(&queue, pieces, 2, UINT32_MAX);
        for (size_t i = 0; i < got; i++) {
            size_t at = i < pieces[0].iov_len ? i : 2000 + i - pieces[0].iov_len;
            assert_int_equal(out[at], (uint8_t)((read + i) * 13));
        }
        byte_queue_drop(&queue, &pool, (uint32_t)got);
        read += (uint32_t)got;
        assert_int_equal(queue.length, written - read);
    }
    byte_queue_drop(&queue, &pool, queue.length);
    assert_null(queue.head);
    assert_int_equal(pool.used, 0);
    free(region.memory);
}

static void held_range_survives_the_queue_moving_on(void **state) {
    (void)state;
    struct region region = region_create();
    struct pool pool;
    struct byte_queue queue = {0};
    static uint8_t bytes[9000], copy[6000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 17);
    pool_init(&pool, region.arena, sizeof(struct buffer), UINT32_MAX);
    struct iovec piece = {bytes, sizeof bytes};
    byte_queue_append(&queue, &pool, &piece, 1, 0, sizeof bytes);
    struct byte_cursor cursor = byte_queue_at(&queue, 1000);
    buffer_hold_range(cursor, 6000);
    byte_queue_drop(&queue, &pool, 1500); /* into the range's first buffer */
    byte_queue_append(&queue, &pool, &piece, 1, 0, 100);
    byte_queue_drop(&queue, &pool, queue.length);
    buffer_copy_range(copy, cursor, 6000);
    assert_memory_equal(copy, bytes + 1000, 6000);
    assert_true(pool.used > 0);
    buffer_drop_range(&pool, cursor, 6000);
    assert_int_equal(pool.used, 0);
    free(region.memory);
}

static void small_chains_share_a_buffer(void **state) {
    (void)state;
    struct region region = region_create();
    struct pool pool;
    struct byte_queue queue = {0};
    pool_init(&pool, region.arena, sizeof(struct buffer), UINT32_MAX);
    for (int i = 0; i < 1000; i++) {
        struct buffer *buffer = buffer_take(&pool);
        buffer->storage[100] = (uint8_t)i;
        buffer->start = 100;
        buffer->end = 101;
        byte_queue_append_chain(&queue, &pool, buffer);
    }
    assert_int_equal(queue.length, 1000);
    assert_in_range(pool.used, 1, 2);
    uint8_t out[1000];
    struct iovec piece = {out, sizeof out};
    assert_int_equal(byte_queue_peek(&queue, &piece, 1, UINT32_MAX), 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(out[i], (uint8_t)i);
    free(region.memory);
}

/* Whatever lengths writes have, no range lies in more pieces than BUFFER_PIECES_MOST says. */
static void range_lies_in_few_pieces_however_it_was_written(void **state) {
    (void)state;
    static const uint32_t lengths[][2] = {{100, 100},   {1012, 1012}, {1013, 1012}, {1013, 1013},
                                          {2025, 2025}, {2025, 1013}, {4049, 1},    {700, 1500}};
    struct region region = region_create();
    static uint8_t bytes[4096];
    struct iovec pieces[BUFFER_PIECES_MOST(65550)];
    for (size_t kind = 0; kind < sizeof lengths / sizeof *lengths; kind++) {
        struct pool pool;
        struct byte_queue queue = {0};
        pool_init(&pool, region.arena, sizeof(struct buffer), UINT32_MAX);
        for (int i = 0; queue.length < 80000; i++) {
            struct byte_queue chain = {0};
            struct iovec piece = {bytes, lengths[kind][i % 2]};
            assert_int_equal(byte_queue_append(&chain, &pool, &piece, 1, 0, lengths[kind][i % 2]),
                             piece.iov_len);
            byte_queue_append_chain(&queue, &pool, chain.head);
        }
        for (uint32_t from = 0; from < 4500; from += 11) {
            struct byte_cursor cursor = byte_queue_at(&queue, from);
            assert_in_range(buffer_range_pieces(cursor, 65550, pieces, BUFFER_PIECES_MOST(65550)), 1,
                            BUFFER_PIECES_MOST(65550));
        }
        byte_queue_drop(&queue, &pool, queue.length);
        assert_int_equal(pool.used, 0);
    }
    free(region.memory);
}

static void range_is_copied_to_another_queue(void **state) {
    (void)state;
    struct region region = region_create();
    struct pool pool, few;
    struct byte_queue queue = {0}, copy = {0}, part = {0};
    static uint8_t bytes[10000], out[10000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 5);
    pool_init(&pool, region.arena, sizeof(struct buffer), UINT32_MAX);
    pool_init(&few, region.arena, sizeof(struct buffer), 2);
    struct iovec piece = {bytes, sizeof bytes}, whole = {out, sizeof out};
    byte_queue_append(&queue, &pool, &piece, 1, 0, sizeof bytes);
    struct byte_cursor cursor = byte_queue_at(&queue, 1000);
    assert_true(byte_queue_append_range(&copy, &pool, cursor, 8000));
    assert_int_equal(byte_queue_peek(&copy, &whole, 1, UINT32_MAX), 8000);
    assert_memory_equal(out, bytes + 1000, 8000);
    assert_false(byte_queue_append_range(&part, &few, cursor, 8000));
    byte_queue_drop(&part, &few, part.length);
    byte_queue_drop(&queue, &pool, queue.length);
    byte_queue_drop(&copy, &pool, copy.length);
    assert_int_equal(pool.used, 0);
    assert_int_equal(few.used, 0);
    free(region.memory);
}

static void chain_is_trimmed_at_both_ends(void **state) {
    (void)state;
    struct region region = region_create();
    struct pool pool;
    struct byte_queue queue = {0};
    static uint8_t bytes[10000], out[10000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 5);
    pool_init(&pool, region.arena, sizeof(struct buffer), UINT32_MAX);
    struct iovec piece = {bytes, sizeof bytes}, whole = {out, sizeof out};
    byte_queue_append(&queue, &pool, &piece, 1, 0, sizeof bytes);
    queue.head = buffer_trim_front(&pool, queue.head, 4321);
    buffer_trim_back(&pool, queue.head, 3000);
    assert_int_equal(buffer_chain_length(queue.head), 3000);
    assert_int_equal(byte_queue_peek(&queue, &whole, 1, UINT32_MAX), 3000);
    assert_memory_equal(out, bytes + 4321, 3000);
    assert_null(buffer_trim_front(&pool, queue.head, 3000));
    assert_int_equal(pool.used, 0);
    free(region.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_queue_keeps_order_through_appends_and_drops),
        cmocka_unit_test(held_range_survives_the_queue_moving_on),
        cmocka_unit_test(small_chains_share_a_buffer),
        cmocka_unit_test(range_lies_in_few_pieces_however_it_was_written),
        cmocka_unit_test(range_is_copied_to_another_queue),
        cmocka_unit_test(chain_is_trimmed_at_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
