/* SPDX-License-Identifier: MIT */
/*
 * receiving.h - who takes in the frames that come by a NIC which all processes of a stack share: a state
 * machine without I/O.
 *
 * Theory of operation. A frame wakes the first thread that sleeps on the NIC (poller.h). Where none does the
 * state says what happens:
 *
 *   RECEIVING_WATCHED    the keeper sleeps on the NIC, too, behind all those threads, and takes the frame in
 *   RECEIVING_POLLED     a program is at work, and would only be disturbed by that: its threads take frames in
 *                        when they call. The keeper does not watch the NIC, but looks every FRAMES_POLL_NS
 *                        (a tick) whether somebody has, and does it if not
 *   RECEIVING_OFFLOADED  the keeper takes in, and sends, all frames, since programs have too much to do
 *
 *                     frames came, somebody receives by itself, and they were not bulk
 *            +---------+ ------------------------------------------------> +--------+
 *            | WATCHED |                                                   | POLLED |
 *            +---------+ <------------------------------------------------ +--------+
 *               ^   |    nobody receives by itself; bulk; or several ticks      |
 *               |   |    without a frame; or a thread has begun to sleep on     |
 *      a trial  |   |    the NIC, behind which the keeper is to be              |
 *    of offload |   v                                                           |
 *            +-----------+      a trial begins (offload.h)                      |
 *            | OFFLOADED | <----------------------------------------------------+
 *            +-----------+
 *
 * Whoever takes frames in has the lease meanwhile. Who finds that it is another's has that one look once more.
 */
#ifndef SHIM_REGION_RECEIVING_H
#define SHIM_REGION_RECEIVING_H

#include "shim/region/lease.h"
#include <stdatomic.h>

#define RECEIVING_IDLE_TICKS 4                /* so many, and one more: the NIC is watched again */
#define RECEIVING_LEASE_NS UINT64_C(20000000) /* an owner that has it for longer is stopped, or has died */

enum receiving_state {
    RECEIVING_WATCHED,
    RECEIVING_POLLED,
    RECEIVING_OFFLOADED,
};

/* Whether somebody but the keeper takes frames in: of a process, or the best of all. */
enum receiver {
    RECEIVER_NONE,
    RECEIVER_AT_CALLS, /* when its threads call */
    RECEIVER_SLEEPS,   /* and a thread of it sleeps on the NIC */
};

/* What a tick asks of the keeper. */
enum receiving_step {
    RECEIVING_LEAVE, /* nothing */
    RECEIVING_TAKE,  /* to take frames in */
    RECEIVING_WATCH, /* to watch the NIC again, by receiving_watch */
};

/* Zero-filled: the keeper watches. All of it is read and written with the lock held, but for `bulk`. */
struct receiving {
    enum receiving_state state;
    struct lease lease;
    _Atomic bool bulk; /* what came last was much: two processors may share the work */
    bool at_work;      /* a process but the keeper has had the lease since the last tick */
    int idle_ticks;    /* since that was so */
};

/* The keeper was woken by the NIC, and has taken in what came. True: it is polled from now on, and the keeper
 * watches it no more. */
bool receiving_came(struct receiving *receiving, enum receiver receiver);

/* FRAMES_POLL_NS have passed. */
enum receiving_step receiving_tick(struct receiving *receiving, enum receiver receiver);

/* The keeper watches the NIC. Returns whether it was polled. */
bool receiving_watch(struct receiving *receiving);

/* All frames go through the keeper from now on, or do not any more. Returns whether that is new; the NIC is
 * watched then, in either case. */
bool receiving_offload(struct receiving *receiving, bool offloaded);

/* Takes the lease, for the keeper also one that a stopped process has. False: it is another's. */
bool receiving_begin(struct receiving *receiving, struct process *process, bool is_keeper, uint64_t now_ns,
                     uint32_t *number);

/* Somebody has no use for the lease now, but there may be frames: who has it looks once more. */
static inline void receiving_await(struct receiving *receiving) {
    receiving->lease.awaited = true;
}

/* Gives it back, with so many frames and bytes. Returns whether somebody was to look once more. */
bool receiving_end(struct receiving *receiving, const struct process *process, uint32_t number, int frames,
                   uint32_t bytes);

/* Whether a thread that calls is to take frames in, since nobody has for so long. */
static inline bool receiving_is_due(const struct receiving *receiving, uint64_t age_ns, uint64_t now_ns) {
    return receiving->state == RECEIVING_POLLED && now_ns - receiving->lease.since_ns > age_ns;
}

#endif
