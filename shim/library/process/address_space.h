/* SPDX-License-Identifier: MIT */
/*
 * address_space.h - which process runs in this memory.
 *
 * A child of vfork(2), or of clone(2) with CLONE_VM, runs in its parent's memory, beside the parent's other
 * threads. It has descriptors, signal handlers and user IDs of its own, so what the library notes of those in
 * its tables is the parent's: such a child's calls go to libc and leave the tables as they are. A child of
 * fork(2) has a copy of the memory, and learns here, before anything else, that it is a new process.
 */
#ifndef SHIM_LIBRARY_PROCESS_ADDRESS_SPACE_H
#define SHIM_LIBRARY_PROCESS_ADDRESS_SPACE_H

#include <stdatomic.h>
#include <stdbool.h>

/* How many children may run in this process's memory now. */
extern _Atomic int address_space_lent;

/* The library begins in this process. From now on region_enter notices that it is called in a child of
 * fork(2) (shared_forked, lock.h). */
void address_space_begin(void);

/* A child that runs in this memory is about to be made; it has ended, has run exec, or could not be made. */
void address_space_lend(void);
void address_space_return(void);

/* In a child of fork(2): this memory is its own. */
void address_space_forked(void);

/* The process that this memory belongs to. */
int address_space_owner(void);

bool address_space_by_caller(void);

/* Whether the calling process runs in its parent's memory. Costs a load and a branch while nothing is lent.
 */
static inline bool address_space_is_parents(void) {
    return __builtin_expect(atomic_load_explicit(&address_space_lent, memory_order_relaxed) != 0, 0) &&
           address_space_by_caller();
}

#endif
