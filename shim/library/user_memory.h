/* SPDX-License-Identifier: MIT */
/*
 * user_memory.h - the program's memory, as its calls name it: it may not be there, or not be writable.
 *
 * What a call is given is read and written by these two alone. A fault in them is theirs: the call fails with
 * EFAULT, as the kernel's own would, and no handler of the program's runs. A copy costs what memcpy costs.
 */
#ifndef SHIM_LIBRARY_USER_MEMORY_H
#define SHIM_LIBRARY_USER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Copies from the program's memory, and to it. Returns 0; or -EFAULT when some of it can't be had (a file
 * that was cut behind a mapping among it): some bytes may have been copied then. The lock is not held. */
int user_read(void *to, const void *from, size_t bytes);
int user_write(void *to, const void *from, size_t bytes);

/* For the handler of SIGSEGV and SIGBUS: whether the fault was in a copy, which has failed now: the handler
 * returns. */
bool user_memory_fault(void *context);

/* This thread's signal mask may have changed: a fault whose signal is blocked ends the process. */
void user_memory_mask_changed(void);

#endif
