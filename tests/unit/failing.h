/* SPDX-License-Identifier: MIT */
/*
 * failing.h - memory that runs out when a test wants it.
 *
 * In programs that are linked with FAILING (see the Makefile) each take of an object of a pool (so each
 * buffer, too), and each take of an arena's block, passes through here, and can be made to fail. What is
 * built is the stack as it is.
 */
#ifndef TESTS_UNIT_FAILING_H
#define TESTS_UNIT_FAILING_H

#include <stdbool.h>
#include <stdint.h>

/* From here on takes are counted from 1; number `first`, and so many from there on, fail. 0: none. */
void failing_begin(uint64_t first, uint64_t count);

/* Each take fails with a chance of one in `one_in`, by a seed. */
void failing_by_chance(uint64_t seed, uint32_t one_in);

/* None fails any more. Returns how many takes there were since failing_begin. */
uint64_t failing_end(void);

/* How many have failed since then. */
uint64_t failing_failed(void);

#endif
