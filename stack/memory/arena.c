/* SPDX-License-Identifier: MIT */
/*
 * arena.c - see arena.h. Block 0 holds the arena itself, so 0 can mean "none" in the list of free blocks,
 * which lives outside the blocks so that a punched-out block stays on it.
 */
#include "stack/memory/arena.h"
#include <string.h>

static uint32_t blocks_of(size_t bytes) {
    return (uint32_t)((bytes + ARENA_BLOCK_BYTES - 1) / ARENA_BLOCK_BYTES);
}

void arena_init(struct arena *arena, void *base, size_t bytes, size_t reserved_bytes) {
    size_t blocks = bytes / ARENA_BLOCK_BYTES;
    arena->base = base;
    arena->block_limit = blocks > ARENA_BLOCKS_MAX ? ARENA_BLOCKS_MAX : (uint32_t)blocks;
    arena->block_next = blocks_of(reserved_bytes);
    arena->blocks_taken = arena->block_next;
    arena->dirty_head = arena->clean_head = arena->dirty_count = 0;
    memset(arena->owner, ARENA_FIXED, arena->block_next);
}

static void *block_at(const struct arena *arena, uint32_t index) {
    return arena->base + (size_t)index * ARENA_BLOCK_BYTES;
}

static uint32_t index_of(const struct arena *arena, const void *pointer) {
    return (uint32_t)(((const char *)pointer - arena->base) / ARENA_BLOCK_BYTES);
}

void *arena_take_fixed(struct arena *arena, size_t bytes) {
    uint32_t blocks = blocks_of(bytes);
    if (blocks > arena->block_limit - arena->block_next)
        return NULL;
    void *memory = block_at(arena, arena->block_next);
    memset(arena->owner + arena->block_next, ARENA_FIXED, blocks);
    arena->block_next += blocks;
    arena->blocks_taken += blocks;
    return memory;
}

uint8_t arena_new_owner(struct arena *arena) {
    return ++arena->owners;
}

void *arena_take_block(struct arena *arena) {
    uint32_t index = arena->dirty_head;
    if (index) {
        arena->dirty_head = arena->free_next[index];
        arena->dirty_count--;
    } else if ((index = arena->clean_head)) {
        arena->clean_head = arena->free_next[index];
    } else {
        if (arena->block_next >= arena->block_limit)
            return NULL;
        index = arena->block_next++;
    }
    arena->blocks_taken++;
    return block_at(arena, index);
}

void arena_own(struct arena *arena, void *block, uint8_t owner) {
    arena->owner[index_of(arena, block)] = owner;
}

void *arena_owned_block(const struct arena *arena, uint8_t owner, uint32_t *at) {
    while (*at < arena->block_next) {
        uint32_t index = (*at)++;
        if (arena->owner[index] == owner)
            return block_at(arena, index);
    }
    return NULL;
}

bool arena_owns(const struct arena *arena, const void *pointer, uint8_t owner) {
    const char *at = pointer;
    return at >= arena->base && at < (char *)block_at(arena, arena->block_next) &&
           arena->owner[index_of(arena, at)] == owner;
}

static void free_block(struct arena *arena, uint32_t index) {
    arena->free_next[index] = arena->dirty_head;
    arena->dirty_head = index;
    arena->dirty_count++;
}

void arena_return_block(struct arena *arena, void *block) {
    arena->owner[index_of(arena, block)] = 0;
    free_block(arena, index_of(arena, block));
    arena->blocks_taken--;
}

void arena_repair(struct arena *arena) {
    arena->dirty_head = arena->clean_head = arena->dirty_count = 0;
    arena->blocks_taken = arena->block_next;
    for (uint32_t index = arena->block_next; index-- > 0;) {
        if (arena->owner[index] == 0) {
            free_block(arena, index);
            arena->blocks_taken--;
        }
    }
}

uint32_t arena_trim(struct arena *arena, void *blocks[], uint32_t most) {
    uint32_t count = 0;
    for (uint32_t index; count < most && (index = arena->dirty_head); arena->dirty_count--) {
        arena->dirty_head = arena->free_next[index];
        arena->owner[index] = ARENA_TRIMMING;
        arena->blocks_taken++;
        blocks[count++] = block_at(arena, index);
    }
    return count;
}

void arena_trimmed(struct arena *arena, void *const blocks[], uint32_t count) {
    while (count-- > 0) {
        uint32_t index = index_of(arena, blocks[count]);
        arena->owner[index] = 0;
        arena->blocks_taken--;
        arena->free_next[index] = arena->clean_head;
        arena->clean_head = index;
    }
}
