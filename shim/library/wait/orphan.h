/* SPDX-License-Identifier: MIT */
/*
 * orphan.h - what poll, select and epoll say of our sockets when their stack is of no more use, since its
 * keeper has died, say.
 *
 * As when the interface goes under a kernel's sockets: a connection is over (POLLERR, POLLHUP, an error by
 * the next call), and stays so until the program closes it. A listener and a datagram socket have an error
 * once; then nothing comes to them any more, and who waits sleeps. The waiting calls themselves do not fail:
 * descriptors of the kernel's go on.
 */
#ifndef SHIM_LIBRARY_WAIT_ORPHAN_H
#define SHIM_LIBRARY_WAIT_ORPHAN_H

#include "shim/library/fd/fd_table.h"
#include <poll.h>
#include <sys/epoll.h>

/* The events of a socket, of `wanted` and POLLERR and POLLHUP. */
unsigned orphan_events(const struct fd_entry *entry, unsigned wanted);

/* They have been told. */
void orphan_told(struct fd_entry *entry);

/* Whether a set has something to say. The lock is held. */
bool orphan_set_ready(const struct epoll_set *set);

/* What a set says, `limit` events at most. The lock is held. */
int orphan_collect(struct epoll_set *set, struct epoll_event *events, int limit);

#endif
