/* SPDX-License-Identifier: MIT */
/*
 * pool_poison.h - objects of a pool that are free may not be used: what tests are built with, to find who
 * does.
 *
 * Under AddressSanitizer an access to one ends the process at once, in the process that has given it back:
 * the sanitizer's notes are each process's own, so where several share a pool (BAREWIRE's region) only its
 * content tells
 * (-DPOOL_POISON): free objects are filled with a byte, and who takes one makes sure that they still are.
 */
#ifndef STACK_MEMORY_POOL_POISON_H
#define STACK_MEMORY_POOL_POISON_H

#include "stack/memory/arena.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined __has_feature
#if __has_feature(address_sanitizer) && !defined __SANITIZE_ADDRESS__
#define __SANITIZE_ADDRESS__ 1 /* clang's way to say what gcc says so */
#endif
#endif

#if defined POOL_RUNS_OUT
bool pool_runs_out(void); /* a test's: it has nothing more for this take */
#else
static inline bool pool_runs_out(void) {
    return false;
}
#endif

#if defined POOL_POISON

#define POOL_POISONS 1
#define POOL_POISON_BYTE 0xdb

static inline void pool_poison(void *object, uint32_t bytes) {
    memset(object, POOL_POISON_BYTE, bytes);
}

static inline void pool_poison_end(const void *object, uint32_t bytes) {
    const uint8_t *at = object;
    if (at[0] != POOL_POISON_BYTE ||
        memcmp(at, at + 1, bytes - 1) != 0) /* each byte is as the one before it */
        abort();                            /* it was written to after it had been given back */
}

static inline void pool_poison_not(void *object, uint32_t bytes) {
    (void)object;
    (void)bytes;
}

static inline void pool_poison_end_block(void *block) {
    (void)block;
}

#elif defined __SANITIZE_ADDRESS__

#include <sanitizer/asan_interface.h>

#define POOL_POISONS 1

static inline void pool_poison(void *object, uint32_t bytes) {
    ASAN_POISON_MEMORY_REGION(object, bytes);
}

static inline void pool_poison_end(const void *object, uint32_t bytes) {
    ASAN_UNPOISON_MEMORY_REGION(object, bytes);
}

static inline void pool_poison_not(void *object, uint32_t bytes) {
    ASAN_UNPOISON_MEMORY_REGION(object, bytes);
}

static inline void pool_poison_end_block(void *block) {
    ASAN_UNPOISON_MEMORY_REGION(block, ARENA_BLOCK_BYTES);
}

#else

#define POOL_POISONS 0

static inline void pool_poison(void *object, uint32_t bytes) {
    (void)object;
    (void)bytes;
}

static inline void pool_poison_end(const void *object, uint32_t bytes) {
    (void)object;
    (void)bytes;
}

static inline void pool_poison_not(void *object, uint32_t bytes) {
    (void)object;
    (void)bytes;
}

static inline void pool_poison_end_block(void *block) {
    (void)block;
}

#endif

#endif
