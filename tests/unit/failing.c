/* SPDX-License-Identifier: MIT */
/*
 * failing.c - see failing.h. The linker's --wrap puts __wrap_X in the place of X, which is called __real_X
 * then.
 */
#include "tests/unit/failing.h"
#include "nic/splitmix.h"
#include "stack/memory/pool.h"

static uint64_t taken, failed, first_failing, end_failing, chance_state;
static uint32_t chance;

void *__real_pool_take(struct pool *pool);
void *__real_pool_take_zeroed(struct pool *pool);
void *__real_arena_take_block(struct arena *arena);
void *__wrap_pool_take(struct pool *pool);
void *__wrap_pool_take_zeroed(struct pool *pool);
void *__wrap_arena_take_block(struct arena *arena);

void failing_begin(uint64_t first, uint64_t count) {
    taken = failed = 0;
    chance = 0;
    first_failing = first;
    end_failing = first + count;
}

void failing_by_chance(uint64_t seed, uint32_t one_in) {
    failing_begin(0, 0);
    chance_state = seed;
    chance = one_in;
}

uint64_t failing_end(void) {
    uint64_t takes = taken;
    first_failing = end_failing = 0;
    chance = 0;
    return takes;
}

uint64_t failing_failed(void) {
    return failed;
}

static bool fails(void) {
    taken++;
    bool now =
        chance ? splitmix64(&chance_state) % chance == 0 : taken >= first_failing && taken < end_failing;
    failed += now;
    return now;
}

void *__wrap_pool_take(struct pool *pool) {
    return fails() ? NULL : __real_pool_take(pool);
}

void *__wrap_pool_take_zeroed(struct pool *pool) {
    return fails() ? NULL : __real_pool_take_zeroed(pool);
}

void *__wrap_arena_take_block(struct arena *arena) {
    return fails() ? NULL : __real_arena_take_block(arena);
}
