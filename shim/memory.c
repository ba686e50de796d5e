/*
 * memory.c - see memory.h.
 */
#include "memory.h"
#include <sys/mman.h>
#include <unistd.h>

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
    struct header *header = (struct header *)memory - 1;
    if (memory)
        munmap(header, header->bytes);
}

/* A page that is zero in a child which has memory of its own. */
static pid_t *owner;

void memory_begin(void) {
    long bytes = sysconf(_SC_PAGESIZE);
    owner = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (owner == MAP_FAILED || madvise(owner, (size_t)bytes, MADV_WIPEONFORK) < 0)
        owner = NULL;
    else
        *owner = getpid();
}

bool memory_is_lent(void) {
    if (owner && !*owner)
        *owner = getpid();
    return owner && *owner != getpid();
}
