/* SPDX-License-Identifier: MIT */
/*
 * memory.c - see memory.h.
 */
#include "shim/library/memory.h"
#include "shim/region/lock_assert.h"
#include "shim/region/wake.h"
#include <stdatomic.h>
#include <sys/mman.h>

static _Atomic size_t taken;

/* Threads may write it in another order than they counted: the next one writes it right. */
static void tell(size_t now) {
    if (wake_self)
        wake_self->memory_bytes = now;
}

/* Goes before the memory that is given out. */
struct header {
    size_t bytes;
    char padding[56];
};

void *memory_take(size_t bytes) {
    LOCK_EXCEPTION;
    bytes += sizeof(struct header);
    struct header *header = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (header == MAP_FAILED)
        return NULL;
    header->bytes = bytes;
    tell(atomic_fetch_add(&taken, bytes) + bytes);
    return header + 1;
}

void memory_give(void *memory) {
    if (!memory)
        return;
    LOCK_EXCEPTION;
    struct header *header = (struct header *)memory - 1;
    size_t bytes = header->bytes;
    munmap(header, bytes);
    tell(atomic_fetch_sub(&taken, bytes) - bytes);
}
