/* SPDX-License-Identifier: MIT */
/*
 * landlock.h - which files a keeper of root's can still reach.
 */
#ifndef SHIM_KEEPER_LANDLOCK_H
#define SHIM_KEEPER_LANDLOCK_H

#include <stdbool.h>

/* Leaves this thread, and those that it makes, the files of a directory, which it may remove as well, and of /proc to
 * read. What is open stays open. False: the kernel has no Landlock, or too old a one (before 5.13), and nothing has
 * changed. */
bool landlock_restrict(const char *directory);

#endif
