/* SPDX-License-Identifier: MIT */
/*
 * region.c - see region.h.
 */
#include "tests/unit/region.h"
#include <stdlib.h>

struct region region_create(void) {
    struct region region = {.memory = aligned_alloc(ARENA_BLOCK_BYTES, REGION)};
    memset(region.memory, 0, REGION);
    region.arena = region.memory;
    arena_init(region.arena, region.memory, REGION, sizeof(struct arena));
    return region;
}
