/* SPDX-License-Identifier: MIT */
/*
 * offload.h - whether a program that is busy all the time gets more done when the keeper moves its frames.
 */
#ifndef SHIM_KEEPER_OFFLOAD_H
#define SHIM_KEEPER_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#define OFFLOAD_WINDOW_NS UINT64_C(10000000)

/* Zero-filled: it is not helped. */
struct offload {
    enum offload_state { OFFLOAD_NOT, OFFLOAD_TRIED, OFFLOAD_ON, OFFLOAD_REVIEWED } state;
    int windows;                /* in this state */
    int busy;                   /* windows that the program was busy in, in excess of those that it was not */
    uint64_t rate, sum;         /* what was done in a window: lately, before the trial; in the trial so far */
    uint64_t next_ns, pause_ns; /* when the other way is tried next; how long that was put off last */
};

/* A window of about OFFLOAD_WINDOW_NS has ended at now_ns: so much was done in it (any measure), and the
 * program had no time to spare, or had. Returns whether it is to be helped in the next. */
bool offload_next(struct offload *offload, uint64_t done, bool busy, uint64_t length_ns, uint64_t now_ns);

#endif
