/* SPDX-License-Identifier: MIT */
/*
 * pool.c - see pool.h. A block starts with a header; the header of an object's block is found by rounding the
 * object's address down, since blocks are aligned to their size.
 */
#include "stack/memory/pool.h"
#include "stack/memory/pool_poison.h"
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define POOL_ALIGNMENT 64u    /* of the first, and the least that an object takes */
#define POOL_STEP 32u         /* ... which is a multiple of it */
#define POOL_RESERVE_PART 64u /* of the arena is left to who needs it more */
#define POOL_WORDS (ARENA_BLOCK_BYTES / POOL_ALIGNMENT / 64)

struct pool_block {
    struct list link;         /* in pool->blocks */
    struct list partial_link; /* in pool->partial, or in no list when the block is full */
    uint32_t used;
    uint64_t taken[POOL_WORDS]; /* a bit an object */
    uint64_t marked[POOL_WORDS];
};

static size_t round_up(size_t value, size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

static size_t first_object_offset(void) {
    return round_up(sizeof(struct pool_block), POOL_ALIGNMENT);
}

static struct pool_block *block_of(void *object) {
    return (struct pool_block *)((uintptr_t)object & ~(uintptr_t)(ARENA_BLOCK_BYTES - 1));
}

void pool_init(struct pool *pool, struct arena *arena, size_t object_bytes, uint32_t limit) {
    pool->arena = arena;
    pool->object_bytes = (uint32_t)round_up(object_bytes, POOL_STEP);
    if (pool->object_bytes < POOL_ALIGNMENT)
        pool->object_bytes = POOL_ALIGNMENT;
    pool->objects_per_block = (uint32_t)((ARENA_BLOCK_BYTES - first_object_offset()) / pool->object_bytes);
    pool->limit = limit;
    pool->used = 0;
    pool->reserve = arena->block_limit / POOL_RESERVE_PART;
    pool->owner = arena_new_owner(arena);
    list_init(&pool->blocks);
    list_init(&pool->partial);
}

static uint32_t first_free_index(const struct pool_block *block) {
    uint32_t word = 0;
    while (block->taken[word] == UINT64_MAX)
        word++;
    return word * 64 + (uint32_t)__builtin_ctzll(~block->taken[word]);
}

static void *object_at(const struct pool *pool, struct pool_block *block, uint32_t index) {
    return (char *)block + first_object_offset() + (size_t)index * pool->object_bytes;
}

/* Notes anew which of a block's objects are free. */
static void pool_poison_anew(const struct pool *pool, struct pool_block *block) {
    for (uint32_t index = 0; POOL_POISONS && index < pool->objects_per_block; index++) {
        void *object = object_at(pool, block, index);
        if (block->taken[index / 64] >> (index % 64) & 1)
            pool_poison_not(object, pool->object_bytes);
        else
            pool_poison(object, pool->object_bytes);
    }
}

static struct pool_block *pool_grow(struct pool *pool) {
    const struct arena *arena = pool->arena;
    if (arena->block_limit - arena->blocks_taken <= pool->reserve)
        return NULL;
    struct pool_block *block = arena_take_block(pool->arena);
    if (!block)
        return NULL;
    block->used = 0;
    memset(block->taken, 0, sizeof block->taken);
    list_add_tail(&pool->blocks, &block->link);
    list_init(&block->partial_link);
    list_add_tail(&pool->partial, &block->partial_link);
    arena_own(pool->arena, block, pool->owner);
    pool_poison_anew(pool, block);
    return block;
}

/* An object that is free still, with its block and index. */
static void *find_free(struct pool *pool, struct pool_block **block, uint32_t *index) {
    if (pool->used >= pool->limit || pool_runs_out())
        return NULL;
    struct list *link = list_first(&pool->partial);
    *block = link ? container_of(link, struct pool_block, partial_link) : pool_grow(pool);
    if (!*block)
        return NULL;
    *index = first_free_index(*block);
    assert(*index < pool->objects_per_block);
    return object_at(pool, *block, *index);
}

static void take_object(struct pool *pool, struct pool_block *block, uint32_t index) {
    block->taken[index / 64] |= UINT64_C(1) << (index % 64);
    pool->used++;
    if (++block->used == pool->objects_per_block)
        list_remove(&block->partial_link);
}

void *pool_take(struct pool *pool) {
    struct pool_block *block;
    uint32_t index;
    void *object = find_free(pool, &block, &index);
    if (!object)
        return NULL;
    pool_poison_end(object, pool->object_bytes);
    take_object(pool, block, index);
    return object;
}

void *pool_take_zeroed(struct pool *pool) {
    struct pool_block *block;
    uint32_t index;
    void *object = find_free(pool, &block, &index);
    if (!object)
        return NULL;
    pool_poison_end(object, pool->object_bytes);
    memset(object, 0, pool->object_bytes);
    atomic_signal_fence(memory_order_seq_cst);
    take_object(pool, block, index);
    return object;
}

void pool_return(struct pool *pool, void *object) {
    assert(object);
    struct pool_block *block = block_of(object);
    size_t offset = (size_t)((char *)object - (char *)block) - first_object_offset();
    size_t index = offset / pool->object_bytes;
    uint64_t bit = UINT64_C(1) << (index % 64);
    assert(offset % pool->object_bytes == 0 && (block->taken[index / 64] & bit));
    block->taken[index / 64] &= ~bit;
    pool_poison(object, pool->object_bytes);
    pool->used--;
    if (block->used-- == pool->objects_per_block)
        list_add_head(&pool->partial, &block->partial_link);
    /* The last partial block stays, so that a pool that hovers around one object does not thrash. */
    if (block->used == 0 && pool->partial.next != pool->partial.previous) {
        list_remove(&block->partial_link);
        list_remove(&block->link);
        pool_poison_end_block(block);
        arena_return_block(pool->arena, block);
    }
}

void pool_walk(struct pool *pool, void (*visit)(void *object, void *context), void *context) {
    struct list *link, *next;
    list_for_each(link, next, &pool->blocks) {
        struct pool_block *block = container_of(link, struct pool_block, link);
        uint64_t taken[POOL_WORDS];
        memcpy(taken, block->taken, sizeof taken); /* visit may free the block with its last object */
        for (uint32_t index = 0; index < pool->objects_per_block; index++)
            if (taken[index / 64] >> (index % 64) & 1)
                visit(object_at(pool, block, index), context);
    }
}

void pool_look(const struct pool *pool, void (*visit)(const void *object, void *context), void *context) {
    const struct pool_block *block;
    const uint32_t object_bytes = pool->object_bytes, objects = pool->objects_per_block;
    uint32_t at = 0;
    /* Who only looks may have been given anything for a pool. */
    if (object_bytes < POOL_ALIGNMENT || objects > (ARENA_BLOCK_BYTES - first_object_offset()) / object_bytes)
        return;
    while ((block = arena_owned_block(pool->arena, pool->owner, &at))) {
        uint64_t taken[POOL_WORDS];
        memcpy(taken, block->taken, sizeof taken);
        for (uint32_t index = 0; index < objects; index++)
            if (taken[index / 64] >> (index % 64) & 1)
                visit((const char *)block + first_object_offset() + (size_t)index * object_bytes, context);
    }
}

/* The place of an object's bit in one of its block's bitmaps. */
struct place {
    struct pool_block *block;
    uint32_t word;
    uint64_t bit;
};

static bool find_place(const struct pool *pool, const void *object, struct place *place) {
    if (!arena_owns(pool->arena, object, pool->owner) || pool->object_bytes == 0)
        return false;
    place->block = block_of((void *)object);
    size_t offset = (size_t)((const char *)object - (const char *)place->block);
    if (offset < first_object_offset() || (offset -= first_object_offset()) % pool->object_bytes)
        return false;
    uint32_t index = (uint32_t)(offset / pool->object_bytes);
    place->word = index / 64;
    place->bit = UINT64_C(1) << (index % 64);
    return index < pool->objects_per_block;
}

bool pool_has(const struct pool *pool, const void *object) {
    struct place place;
    return find_place(pool, object, &place) && place.block->taken[place.word] & place.bit;
}

void pool_repair(struct pool *pool) {
    struct pool_block *block;
    uint32_t at = 0;
    list_init(&pool->blocks);
    list_init(&pool->partial);
    pool->used = 0;
    while ((block = arena_owned_block(pool->arena, pool->owner, &at))) {
        block->used = 0;
        pool_poison_anew(pool, block);
        memset(block->marked, 0, sizeof block->marked);
        for (uint32_t word = 0; word < POOL_WORDS; word++)
            block->used += (uint32_t)__builtin_popcountll(block->taken[word]);
        pool->used += block->used;
        list_init(&block->link);
        list_init(&block->partial_link);
        list_add_tail(&pool->blocks, &block->link);
        if (block->used < pool->objects_per_block)
            list_add_tail(&pool->partial, &block->partial_link);
    }
}

bool pool_mark(struct pool *pool, void *object) {
    struct place place;
    if (!find_place(pool, object, &place) || place.block->marked[place.word] & place.bit)
        return false;
    place.block->marked[place.word] |= place.bit;
    return true;
}

static void sweep_one(void *object, void *context) {
    struct pool *pool = context;
    struct place place;
    if (find_place(pool, object, &place) && !(place.block->marked[place.word] & place.bit))
        pool_return(pool, object);
}

void pool_sweep(struct pool *pool) {
    pool_walk(pool, sweep_one, pool);
}
