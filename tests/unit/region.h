/* SPDX-License-Identifier: MIT */
/*
 * region.h - memory for what lies in an arena.
 */
#ifndef TESTS_UNIT_REGION_H
#define TESTS_UNIT_REGION_H

#include "tests/unit/host.h"

#define REGION (8u << 20)

struct region {
    struct arena *arena;
    void *memory;
};

struct region region_create(void);

#endif
