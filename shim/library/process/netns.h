/* SPDX-License-Identifier: MIT */
/*
 * netns.h - a thread that has left the network namespace of its stack, by unshare(2), setns(2) or clone(2):
 * what it opens from then on belongs to the namespace where it is, so it is the kernel's.
 */
#ifndef SHIM_LIBRARY_PROCESS_NETNS_H
#define SHIM_LIBRARY_PROCESS_NETNS_H

#include <stdbool.h>

extern bool netns_left; /* a thread of this process may have */

/* A call is to come that may lead out of the namespace. */
void netns_leaving(void);

bool netns_is_elsewhere(void);

/* A program begins; `told` is what the one before it in this process was told to say (netns_tell) of where
 * the stack is. NULL or empty (barewire(1) says that): it is here. */
void netns_begin(const char *told);

#define NETNS_TEXT_BYTES 20

void netns_tell(char text[NETNS_TEXT_BYTES]);

/* Whether this thread is in another namespace than the one in which its process began. */
static inline bool netns_away(void) {
    return __builtin_expect(netns_left, 0) && netns_is_elsewhere();
}

#endif
