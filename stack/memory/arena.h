/* SPDX-License-Identifier: MIT */
/*
 * arena.h - the one memory region that holds all of a stack's state, in blocks of 64 KiB.
 *
 * The region is given by the caller (a sealed memfd under the shim, plain memory in tests) and must be
 * zero-filled and aligned to ARENA_BLOCK_BYTES. It is sparse: a block that was never taken, or was punched
 * out after its return, costs no memory. The arena makes no system call; arena_trim tells the caller what may
 * be given back to the machine.
 */
#ifndef STACK_MEMORY_ARENA_H
#define STACK_MEMORY_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_BLOCK_BYTES 65536u
#define ARENA_BLOCKS_MAX 65536u /* 4 GiB */

struct arena {
    char *base;
    uint32_t block_limit;  /* blocks in the region */
    uint32_t block_next;   /* first block never taken */
    uint32_t blocks_taken; /* blocks in use now, the fixed part included */
    /* Lists of returned blocks, through free_next; 0 ends them. */
    uint32_t dirty_head, clean_head; /* those that may still hold memory, and those that do not */
    uint32_t dirty_count;
    uint32_t free_next[ARENA_BLOCKS_MAX];
    uint8_t owner[ARENA_BLOCKS_MAX]; /* whose it is, by the owner's own number; 0: nobody's */
    uint8_t owners;                  /* numbers given out */
};

#define ARENA_FIXED 255 /* the owner of blocks taken for good */
#define ARENA_TRIMMING \
    254 /* ... of those between arena_trim and arena_trimmed, which a repair leaves alone */

/* Makes an arena over [base, base + bytes) whose first reserved_bytes, this struct included, are the
 * caller's. */
void arena_init(struct arena *arena, void *base, size_t bytes, size_t reserved_bytes);

/* Takes a run of blocks for good, for tables. Zero-filled. NULL when the region is exhausted. */
void *arena_take_fixed(struct arena *arena, size_t bytes);

/* Gives a number to somebody who will own blocks. */
uint8_t arena_new_owner(struct arena *arena);

/* Takes one block of ARENA_BLOCK_BYTES, contents undefined. NULL when the region is exhausted. It is
 * nobody's, and lost to arena_repair, until arena_own. */
void *arena_take_block(struct arena *arena);

/* The block is initialised, and somebody's from here on. */
void arena_own(struct arena *arena, void *block, uint8_t owner);

/* The first block of an owner at or after index *at, which moves behind it; NULL when there is none. */
void *arena_owned_block(const struct arena *arena, uint8_t owner, uint32_t *at);

/* Whether a pointer points into a block of that owner. */
bool arena_owns(const struct arena *arena, const void *pointer, uint8_t owner);

/* Makes the list of free blocks anew, of all that are nobody's: whoever changed the arena died on the way. */
void arena_repair(struct arena *arena);

/* Returns a block of arena_take_block. */
void arena_return_block(struct arena *arena, void *block);

/* Takes up to `most` returned blocks out, whose memory may go back to the machine: nobody gets them until
 * they are given to arena_trimmed, without any content, so the caller needs no lock while it punches them out
 * of the region. They come in order of their addresses, as far as they were returned so. Returns how many. */
uint32_t arena_trim(struct arena *arena, void *blocks[], uint32_t most);
void arena_trimmed(struct arena *arena, void *const blocks[], uint32_t count);

#endif
