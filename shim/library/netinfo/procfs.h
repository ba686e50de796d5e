/* SPDX-License-Identifier: MIT */
/*
 * procfs.h - what a program reads of the network below /proc and /sys: the stack's own, in the kernel's
 * format (proc(5)).
 */
#ifndef SHIM_LIBRARY_NETINFO_PROCFS_H
#define SHIM_LIBRARY_NETINFO_PROCFS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a path might be one of those: nearly none is. */
static inline bool procfs_may_be(const char *path) {
    return path[0] == '/' && ((path[1] == 'p' && path[2] == 'r') || (path[1] == 's' && path[2] == 'y'));
}

/* Opens what the stack has to say under a path, with the flags of open(2), as a file in memory. Returns the
 * descriptor; -1 when the kernel is to be asked: there is no stack, or the file tells of something else. */
int procfs_open(const char *path, int flags);

/* A file in memory with a text, to be read from its beginning. Returns the descriptor or -1. */
int procfs_file(const char *text, size_t length, int flags);

#endif
