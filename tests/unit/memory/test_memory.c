/* SPDX-License-Identifier: MIT */
/*
 * test_memory.c - arena.c, pool.c, buffer.c.
 */
#include "tests/unit/host.h"
#include <stdlib.h>
#include <string.h>

#define REGION (8u << 20)

struct region {
    struct arena *arena;
    void *memory;
};

static struct region region_create(void) {
    struct region region = {.memory = aligned_alloc(ARENA_BLOCK_BYTES, REGION)};
    memset(region.memory, 0, REGION);
    region.arena = region.memory;
    arena_init(region.arena, region.memory, REGION, sizeof(struct arena));
    return region;
}

static void arena_gives_each_block_once_and_stops_at_its_limit(void **state) {
    (void)state;
    struct region region = region_create();
    uint32_t before = region.arena->blocks_taken, count = 0;
    char *block, *last = NULL;
    while ((block = arena_take_block(region.arena))) {
        assert_true(block >= (char *)region.memory + sizeof(struct arena));
        assert_true(block + ARENA_BLOCK_BYTES <= (char *)region.memory + REGION);
        *(char **)block = last;
        last = block;
        count++;
    }
    assert_int_equal(before + count, REGION / ARENA_BLOCK_BYTES);
    while (last) {
        block = last;
        last = *(char **)block;
        arena_return_block(region.arena, block);
    }
    assert_int_equal(region.arena->blocks_taken, before);
    void *blocks[7];
    uint32_t trimmed = 0, some;
    assert_int_equal(region.arena->dirty_count, count);
    while ((some = arena_trim(region.arena, blocks, 7))) { /* nobody gets those that are being trimmed */
        if (trimmed == 0) {
            void *other = arena_take_block(region.arena);
            for (uint32_t i = 0; i < some; i++)
                assert_ptr_not_equal(other, blocks[i]);
            arena_return_block(region.arena, other);
            arena_repair(region.arena);
            assert_int_equal(region.arena->dirty_count, count - some);
        }
        trimmed += some;
        arena_trimmed(region.arena, blocks, some);
    }
    assert_int_equal(trimmed, count);
    for (uint32_t i = 0; i < count; i++)
        assert_non_null(arena_take_block(region.arena));
    assert_null(arena_take_block(region.arena));
    arena_repair(region.arena); /* none has an owner */
    assert_int_equal(region.arena->dirty_count, count);
    free(region.memory);
}

static void pool_objects_do_not_overlap_and_come_back(void **state) {
    (void)state;
    struct region region = region_create();
    struct pool pool;
    enum { COUNT = 3000 };
    static unsigned char *objects[COUNT];
    pool_init(&pool, region.arena, 100, UINT32_MAX);
    uint32_t before = region.arena->blocks_taken;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            objects[i] = pool_take(&pool);
            assert_non_null(objects[i]);
            memset(objects[i], i & 255, 100);
        }
        for (int i = 0; i < COUNT; i++)
            for (int j = 0; j < 100; j++)
                assert_int_equal(objects[i][j], i & 255);
        for (int i = 0; i < COUNT; i++)
            pool_return(&pool, objects[i * 7 % COUNT]);
        assert_int_equal(pool.used, 0);
    }
    assert_in_range(region.arena->blocks_taken, before, before + 1);
    free(region.memory);
}

static void pool_refuses_beyond_its_limit(void **state) {
    (void)state;
    struct region region = region_create();
    struct pool pool;
    pool_init(&pool, region.arena, 64, 2);
    void *a = pool_take(&pool);
    assert_non_null(pool_take(&pool));
    assert_null(pool_take(&pool));
    pool_return(&pool, a);
    assert_non_null(pool_take(&pool));
    free(region.memory);
}

static void count_object(void *object, void *context) {
    (void)object;
    ++*(int *)context;
}

static void pool_walk_sees_what_is_in_use(void **state) {
    (void)state;
    struct region region = region_create();
    struct pool pool;
    void *objects[500];
    int seen = 0;
    pool_init(&pool, region.arena, 256, UINT32_MAX);
    for (int i = 0; i < 500; i++)
        objects[i] = pool_take(&pool);
    for (int i = 0; i < 500; i += 2)
        pool_return(&pool, objects[i]);
    pool_walk(&pool, count_object, &seen);
    assert_int_equal(seen, 250);
    free(region.memory);
}

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

static void count_seen(const void *object, void *context) {
    (void)object;
    ++*(int *)context;
}

/* A tool looks at a pool that it did not make. */
static void look_at_a_pool_stays_within_its_blocks(void **state) {
    (void)state;
    struct region region = region_create();
    struct pool pool;
    int seen = 0;
    pool_init(&pool, region.arena, 128, UINT32_MAX);
    void *object = pool_take(&pool);
    pool_look(&pool, count_seen, &seen);
    assert_int_equal(seen, 1);
    const struct pool good = pool;
    pool.objects_per_block = 1u << 30;
    pool_look(&pool, count_seen, &seen);
    pool.objects_per_block = good.objects_per_block + 1;
    pool_look(&pool, count_seen, &seen);
    pool = good;
    pool.object_bytes = 0;
    pool_look(&pool, count_seen, &seen);
    assert_false(pool_has(&pool, object));
    assert_int_equal(seen, 1);
    free(region.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_each_block_once_and_stops_at_its_limit),
        cmocka_unit_test(pool_objects_do_not_overlap_and_come_back),
        cmocka_unit_test(look_at_a_pool_stays_within_its_blocks),
        cmocka_unit_test(pool_refuses_beyond_its_limit),
        cmocka_unit_test(pool_walk_sees_what_is_in_use),
        cmocka_unit_test(byte_queue_keeps_order_through_appends_and_drops),
        cmocka_unit_test(held_range_survives_the_queue_moving_on),
        cmocka_unit_test(small_chains_share_a_buffer),
        cmocka_unit_test(chain_is_trimmed_at_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
