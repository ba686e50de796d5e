/*
 * arena.c - see arena.h. Block 0 holds the arena itself, so 0 can mean "none" in the list of free blocks,
 * which lives outside the blocks so that a punched-out block stays on it.
 */
#include "arena.h"

static uint32_t blocks_of(size_t bytes) {
    return (uint32_t)((bytes + ARENA_BLOCK_BYTES - 1) / ARENA_BLOCK_BYTES);
}

void arena_init(struct arena *arena, void *base, size_t bytes, size_t reserved_bytes) {
    size_t blocks = bytes / ARENA_BLOCK_BYTES;
    arena->base = base;
    arena->block_limit = blocks > ARENA_BLOCKS_MAX ? ARENA_BLOCKS_MAX : (uint32_t)blocks;
    arena->block_next = blocks_of(reserved_bytes);
    arena->blocks_taken = arena->block_next;
    arena->free_head = 0;
}

void *arena_take_fixed(struct arena *arena, size_t bytes) {
    uint32_t blocks = blocks_of(bytes);
    if (blocks > arena->block_limit - arena->block_next)
        return NULL;
    void *memory = arena->base + (size_t)arena->block_next * ARENA_BLOCK_BYTES;
    arena->block_next += blocks;
    arena->blocks_taken += blocks;
    return memory;
}

void *arena_take_block(struct arena *arena) {
    uint32_t index = arena->free_head;
    if (index) {
        arena->free_head = arena->free_next[index];
        arena->dirty[index] = false;
    } else {
        if (arena->block_next >= arena->block_limit)
            return NULL;
        index = arena->block_next++;
    }
    arena->blocks_taken++;
    return arena->base + (size_t)index * ARENA_BLOCK_BYTES;
}

void arena_return_block(struct arena *arena, void *block) {
    uint32_t index = (uint32_t)(((char *)block - arena->base) / ARENA_BLOCK_BYTES);
    arena->free_next[index] = arena->free_head;
    arena->free_head = index;
    arena->dirty[index] = true;
    arena->blocks_taken--;
}

void *arena_trim(struct arena *arena) {
    for (uint32_t index = arena->free_head; index; index = arena->free_next[index]) {
        if (arena->dirty[index]) {
            arena->dirty[index] = false;
            return arena->base + (size_t)index * ARENA_BLOCK_BYTES;
        }
    }
    return NULL;
}
