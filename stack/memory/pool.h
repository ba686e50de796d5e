/* SPDX-License-Identifier: MIT */
/*
 * pool.h - objects of one size, carved from the arena's blocks.
 *
 * A pool grows by a block when it needs one and returns a block that became empty. It has a bound. Which
 * objects are in use is written in each block's bitmap, and whose a block is in the arena, and nowhere else:
 * so a pool can be walked, and be made whole again when its user died in the middle of a change
 * (pool_repair).
 */
#ifndef STACK_MEMORY_POOL_H
#define STACK_MEMORY_POOL_H

#include "stack/memory/arena.h"
#include "stack/memory/list.h"

struct pool {
    struct arena *arena;
    uint32_t object_bytes;
    uint32_t objects_per_block;
    uint32_t limit; /* most objects at a time */
    uint32_t used;
    uint32_t reserve;    /* blocks of the arena that it leaves to pools whose reserve is less */
    uint8_t owner;       /* of the blocks, to the arena */
    struct list blocks;  /* every block of the pool */
    struct list partial; /* those with a free object */
};

/* object_bytes is rounded up to a multiple of 32 (half a cache line); 64 to 16,384. The last part of the
 * arena is left to others, until the caller sets `reserve` to 0. */
void pool_init(struct pool *pool, struct arena *arena, size_t object_bytes, uint32_t limit);

/* Gives an object with undefined contents; NULL when the pool's or the arena's limit is reached. */
void *pool_take(struct pool *pool);

/* The same, zero-filled before it counts as taken. */
void *pool_take_zeroed(struct pool *pool);

/* Gives an object back, which is not NULL. */
void pool_return(struct pool *pool, void *object);

/* Calls visit for each object in use. visit may return the object that it is given. */
void pool_walk(struct pool *pool, void (*visit)(void *object, void *context), void *context);

/* The same for somebody who only looks on while others change the pool: follows no link. What is visited may
 * be given back meanwhile. */
void pool_look(const struct pool *pool, void (*visit)(const void *object, void *context), void *context);

/* Whether a pointer, which may be anything, is an object in use. */
bool pool_has(const struct pool *pool, const void *object);

/* Makes lists and counts anew, after arena_repair. No object is marked then. */
void pool_repair(struct pool *pool);

/* Marks an object in use. Returns whether it was not marked yet. */
bool pool_mark(struct pool *pool, void *object);

/* Frees each object that is not marked. */
void pool_sweep(struct pool *pool);

#endif
