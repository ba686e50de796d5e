/* SPDX-License-Identifier: MIT */
/*
 * inflight.h - sockets on their way from one process to another (SCM_RIGHTS, unix(7)).
 *
 * Theory of operation. A socket that was sent is held by its flight until somebody receives it, as the kernel
 * holds a file: the sender may close it at once. The kernel alone knows when a message is dropped that nobody
 * has read, with the socket it lies in, with what lies in that, and so on. So whoever sends gives the keeper
 * a copy of the descriptor; the keeper puts that into an epoll set and closes it. The set does not keep the
 * kernel's object alive, but lists it for as long as somebody has it, a process or a message (proc(5),
 * /proc/PID/fdinfo). What the set does not list any more nobody can receive: its flight ends.
 */
#ifndef SHIM_REGION_INFLIGHT_H
#define SHIM_REGION_INFLIGHT_H

#include "shim/region/region.h"

/* How long after the last event about flights the keeper looks for such, and how much later the next time, up
 * to this. */
#define INFLIGHT_CHECK_MS 20
#define INFLIGHT_CHECK_MAX_MS 2000

struct inflight {
    struct list link; /* in shared->inflights */
    struct socket *socket;
    uint64_t number;   /* no other flight ever has it */
    uint32_t messages; /* that the socket is in, as far as is known */
    bool listed;       /* the keeper's epoll set has it */
    struct process_record sender;
};

/* A socket takes off. The lock is held. Gives its flight's number, if the keeper is to be given a copy of the
 * descriptor; 0: it was. */
uint64_t inflight_begin(struct socket *socket);

/* One of a socket's flights has ended, if it has any. The lock is held. */
void inflight_end(struct socket *socket);

/* The keeper has entered a flight into its epoll set. The lock is held. */
void inflight_list(uint64_t number);

/* A holder of a socket has let it go: whether its flight is all that holds it now. The lock is held. */
bool inflight_is_last(const struct socket *socket);

/* Ends the flights that were listed, and are not among `count` sorted numbers; and those of processes that
 * have ended before they could give the keeper a copy. The lock is held. */
void inflight_expire(const uint64_t *numbers, size_t count);

#endif
