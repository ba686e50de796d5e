/* SPDX-License-Identifier: MIT */
/*
 * region.c - see region.h.
 */
#include "tests/fuzz/region.h"
#include "shim/region/lock.h"
#include "shim/region/region_begin.h"
#include "tests/fuzz/target.h"
#include <sys/mman.h>

bool target_locked;

void region_enter_at(struct lock_place *place) {
    (void)place;
    target_expect(!target_locked, "one lock");
    target_locked = true;
}

void region_leave(void) {
    target_expect(target_locked, "a lock");
    target_locked = false;
}

struct stack *target_region(void) {
    static bool mapped;
    void *start = (void *)SHARED_BASE;
    if (mapped)
        madvise(start, SHARED_BYTES, MADV_DONTNEED);
    else
        target_expect(mmap(start, SHARED_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == start,
                      "memory for a region");
    mapped = true;
    target_locked = false;
    target_create(start, SHARED_BYTES, sizeof(struct shared), TARGET_ADDRESS);
    region_begin();
    return &shared->stack;
}
