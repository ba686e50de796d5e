/*
 * bell.h - epoll sets as descriptors: in another set, in poll or select, and for threads that sleep in the
 * kernel.
 *
 * A set that has sockets of ours has a bell, an eventfd that the kernel's epoll descriptor watches. Whoever
 * waits for that descriptor itself is woken by it. It is rung once when a set gets its first socket, for
 * threads that sleep in the kernel already, and from then on only if somebody does watch the descriptor
 * (bell_want): our own waits need no bell.
 */
#ifndef SHIM_BELL_H
#define SHIM_BELL_H

#include "descriptor.h"
#include <sys/epoll.h>

/* An epoll descriptor has become a set of ours: hangs its bell, and rings it. The lock is not held. */
void bell_hang(int epoll);

/* Somebody watches this epoll descriptor, or will. The lock is not held. */
void bell_want(int epoll);

/* Whether a descriptor is of an epoll set, as far as the kernel says so. */
bool bell_is_epoll(int fd);

/* The process has joined its stack: epoll sets that are in others by now have been put there unseen. */
void bells_attached(void);

/* Makes every bell that is wanted say what is so now. The lock is not held. */
void bells_refresh(void);

/* Takes bells out of what the kernel gave. Returns how many events are left. */
int bell_filter(struct epoll_event *events, int count);

/* A set is given up by this process; it has forked. */
void bell_drop(struct handle *handle);
void bells_forked(void);

#endif
