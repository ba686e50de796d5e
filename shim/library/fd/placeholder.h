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

/* An object that may be kept. */
struct placeholder_offer {
    int descriptor; /* a private duplicate; -1: none */
    ino_t name;     /* 0: it is not to be kept */
    bool inet6, nonblocking;
};

/* Keeping the object under fd, which is about to be closed, takes three steps, since a system call is made
 * without the lock: it is duplicated, if it seems to be as good as new and nobody else's; that is made sure of
 * with the lock held, before the entry loses its last descriptor; and it is kept, or the duplicate closed. */
struct placeholder_offer placeholder_duplicate(int fd);
void placeholder_confirm(struct placeholder_offer *offer, const struct fd_entry *entry);
void placeholder_keep(const struct placeholder_offer *offer);

/* Gives a descriptor of an object that was kept, for a socket of this kind, which nobody else knows yet;
 * `flags` are those of socket(2). The lock is not held. Returns -1 when there is none; else *name is its inode. */
int placeholder_take(const struct socket *socket, int flags, ino_t *name);

/* In a child that fork has made: they are the parent's. */
void placeholder_forked(void);

#endif
