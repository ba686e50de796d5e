/* SPDX-License-Identifier: MIT */
/*
 * placeholder.h - kernel objects for descriptors, used again.
 *
 * Making the object that holds a descriptor's number, and destroying it, costs more than the rest of a short
 * connection. The object of a socket that nobody else has any more is kept under a private number instead,
 * and serves the next socket of its kind: two duplications instead of a socket(2) and its end.
 */
#ifndef SHIM_LIBRARY_FD_PLACEHOLDER_H
#define SHIM_LIBRARY_FD_PLACEHOLDER_H

#include "shim/library/fd/fd_table.h"
#include <sys/types.h>

/* Keeps the object under fd, whose entry is about to lose its last descriptor, if it is as good as new and
 * nobody else has it. The lock is held. */
void placeholder_keep(const struct fd_entry *entry, int fd);

/* Gives a descriptor of an object that was kept, for a socket of this kind; `flags` are those of socket(2).
 * The lock is held. Returns -1 when there is none; else *name is its inode. */
int placeholder_take(const struct socket *socket, int flags, ino_t *name);

/* In a child that fork has made: they are the parent's. */
void placeholder_forked(void);

#endif
