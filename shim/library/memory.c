/* SPDX-License-Identifier: MIT */
/*
 * memory.c - see memory.h.
 */
#include "shim/library/memory.h"
#include <sys/mman.h>

/* Goes before the memory that is given out. */
struct header {
    size_t bytes;
    char padding[56];
};

void *memory_take(size_t bytes) {
    bytes += sizeof(struct header);
    struct header *header = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (header == MAP_FAILED)
        return NULL;
    header->bytes = bytes;
    return header + 1;
}

void memory_give(void *memory) {
    if (!memory)
        return;
    struct header *header = (struct header *)memory - 1;
    munmap(header, header->bytes);
}
