/* SPDX-License-Identifier: MIT */
/*
 * udp_loopback.h - a UDP socket of ours that talks to the kernel's loopback network as well: 127.0.0.0/8 is
 * the kernel's, all else is the stack's, and the program has one socket for both.
 *
 * The kernel's object under the socket's descriptors does nothing at first. When the socket is bound to any
 * address, or with the first destination that is the kernel's, it is replaced by one that can reach the
 * loopback interface, and no other, and that has the socket's port and options. The program's calls go to it when their destination, or the one connected to, is
 * the kernel's. Whoever receives looks at both, and whoever waits (poll, select, epoll) waits for both. So
 * dup, fork, exec and messages with descriptors need nothing more; but a process that was forked before has
 * the old object, and gets one of its own, at another port.
 */
#ifndef SHIM_LIBRARY_FD_UDP_LOOPBACK_H
#define SHIM_LIBRARY_FD_UDP_LOOPBACK_H

#include "shim/library/fd/fd_table.h"
#include <poll.h>
#include <sys/epoll.h>

/* Of what the kernel's object says, what counts: the stack says when there is room to send. */
#define WORLDS_POLL (POLLIN | POLLRDNORM)

/* Whether this process's object under a descriptor of a socket of ours is one of the loopback network's: of
 * one that has just got its handle. */
bool worlds_object(const struct socket *socket, int fd);

/* Whether it is, of any descriptor. */
static inline bool worlds_has(int fd) {
    const struct fd_entry *entry = descriptor_find(fd);
    return entry && entry->loopback;
}

/* Replaces the object, if it was not yet. The lock is not held. Returns 0 or a negative errno. */
int worlds_join(int fd);

/* The socket is connected to where the stack reaches: nothing that others send is for it any more. */
void worlds_deafen(int fd);

/* A disconnected socket has lost the port that it had not chosen: the next time it gets another object, at its next
 * port. The lock is held. */
void worlds_leave(int fd);

/* Whether the kernel's object may have something to receive. NULL: no. */
bool worlds_receives(const struct fd_entry *entry);

/* Whether what is sent without an address is the kernel's business. NULL: no. */
bool worlds_sends(const struct fd_entry *entry);

/* What FIONREAD says: the length of what is received next, when the stack has so much. The lock is held. */
int worlds_next_length(int fd, int stack);

/* A socket of ours has been put into an epoll set, changed or taken out: so is the kernel's object. */
void worlds_control(int epoll, int operation, int fd, const struct epoll_event *event);

/* The kernel's object is ready or not, as far as the program has asked. */
static inline short worlds_merge(short asked, short kernel) {
    return (short)(kernel & ((asked & WORLDS_POLL) | POLLERR));
}

#endif
