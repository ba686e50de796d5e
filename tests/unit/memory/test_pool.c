/* SPDX-License-Identifier: MIT */
/*
 * test_pool.c - objects of one size: pool.c.
 */
#include "tests/unit/region.h"
#include <stdlib.h>

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
        cmocka_unit_test(pool_objects_do_not_overlap_and_come_back),
        cmocka_unit_test(pool_refuses_beyond_its_limit),
        cmocka_unit_test(pool_walk_sees_what_is_in_use),
        cmocka_unit_test(look_at_a_pool_stays_within_its_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
