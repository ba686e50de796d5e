/* SPDX-License-Identifier: MIT */
/*
 * memory.h - the library's private memory, which is neither the program's malloc's nor the stack's.
 */
#ifndef SHIM_LIBRARY_MEMORY_H
#define SHIM_LIBRARY_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Whole pages, zero-filled, straight from the kernel: for what is large or kept. Needs no lock, so it may be
 * called in a signal handler, and after fork. NULL when memory is out. */
void *memory_take(size_t bytes);
void memory_give(void *memory); /* NULL: nothing */

#endif
