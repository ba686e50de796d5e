/* SPDX-License-Identifier: MIT */
/*
 * region.h - a stack's region at its own address, for the targets that are of the library's or the keeper's.
 */
#ifndef TESTS_FUZZ_REGION_H
#define TESTS_FUZZ_REGION_H

#include "shim/region/region.h"

/* As target_stack, in the region that `shared` is; its pools and lists are made. */
struct stack *target_region(void);

/* Whether somebody has the stack's lock, which is this. */
extern bool target_locked;

#endif
