/* SPDX-License-Identifier: MIT */
/*
 * region_repair.h - makes all of the shared memory whole again after a process was killed while it was
 * changing it.
 */
#ifndef SHIM_REGION_REGION_REPAIR_H
#define SHIM_REGION_REGION_REPAIR_H

#include <stdbool.h>

/* The lock is held, and its last owner died with `busy` set. Everybody who waits is woken, to look again.
 * Returns false when memory is out: the stack is of no more use then. */
bool shared_repair(void);

#endif
