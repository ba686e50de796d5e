/* SPDX-License-Identifier: MIT */
/*
 * test_arena.c - blocks: arena.c.
 */
#include "tests/unit/region.h"
#include <stdlib.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_each_block_once_and_stops_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
