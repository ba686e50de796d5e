/* SPDX-License-Identifier: MIT */
/*
 * pidfd.h - which of the stack's processes are there still: by pidfd_open(2), which says when one
 * ends; before Linux 5.3 by what /proc says now and then.
 */
#ifndef SHIM_KEEPER_PIDFD_H
#define SHIM_KEEPER_PIDFD_H

#include "shim/region/region.h"

/* A descriptor by which a process can be watched; or -ESRCH: it has ended; -ENOSYS: it has not, and the
 * kernel has no such descriptors; or another negative errno. */
int keeper_pidfd(int pid);

/* Whether a process that is watched, as far as the kernel allows, has not ended. */
bool keeper_lives(const struct process *process);

#endif
