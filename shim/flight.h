/*
 * flight.h - sockets on their way from one process to another (SCM_RIGHTS, unix(7)).
 *
 * A socket that was sent is held by its flight until somebody receives it, as the kernel holds a file: the
 * sender may close it at once. A message that nobody ever reads takes the kernel's object under the socket
 * with it; the keeper looks for that from time to time, while there are flights.
 */
#ifndef SHIM_FLIGHT_H
#define SHIM_FLIGHT_H

#include "shared.h"

#define FLIGHT_CHECK_MS 2000

struct flight {
    struct list link; /* in shared->flights */
    struct socket *socket;
};

/* A socket takes off. The lock is held. Returns false when memory is out. */
bool flight_begin(struct socket *socket);

/* One of a socket's flights has ended, if it has any. The lock is held. */
void flight_end(struct socket *socket);

/* Ends the flights of sockets whose kernel object, by its inode, is not among `count` sorted ones. The lock
 * is held. */
void flight_expire(const uint64_t *inodes, size_t count);

#endif
