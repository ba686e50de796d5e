/* SPDX-License-Identifier: MIT */
/*
 * messages.h - the library's own lines, for whoever has started the program.
 *
 * They go to what descriptor 2 was when the program began, and nowhere else: a program may close it and open
 * something of its own under that number. Nor does a reader that has gone end the program.
 */
#ifndef SHIM_LIBRARY_OUTPUT_MESSAGES_H
#define SHIM_LIBRARY_OUTPUT_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>

/* The program begins. */
void messages_begin(void);

/* Whether descriptor 2 is still what it was then. */
bool messages_heard(void);

/* Writes text there, if it is. Leaves errno alone, and raises no SIGPIPE. */
void messages_write(const void *text, size_t length);

#endif
