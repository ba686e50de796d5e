/* SPDX-License-Identifier: MIT */
/*
 * lease.h - the right to send, or to receive, without the lock: one process's at a time.
 *
 * A lease is short. Its owner may be killed or stopped while it has it, so that another may take it over; the
 * owner learns of that by the lease's number when it gives it back. The region's lock is held for all of
 * these.
 */
#ifndef SHIM_REGION_LEASE_H
#define SHIM_REGION_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process;

/* Zero-filled: nobody's. */
struct lease {
    struct process *owner; /* NULL: nobody */
    uint32_t number;       /* of the last one that was given out */
    uint64_t since_ns;     /* when it was */
    bool awaited;          /* somebody could not have it since: whoever has it looks once more */
};

/* Gives it to a process, whoever had it. Returns its number. */
static inline uint32_t lease_begin(struct lease *lease, struct process *owner, uint64_t now_ns) {
    lease->owner = owner;
    lease->since_ns = now_ns;
    return ++lease->number;
}

/* Its owner gives it back. False: it was taken over meanwhile. */
static inline bool lease_end(struct lease *lease, const struct process *owner, uint32_t number) {
    bool had = lease->owner == owner && lease->number == number;
    if (had)
        lease->owner = NULL;
    return had;
}

/* The end of a process. Returns whether it had the lease. */
static inline bool lease_reap(struct lease *lease, const struct process *process) {
    bool had = lease->owner == process;
    if (had)
        lease->owner = NULL;
    return had;
}

/* Nobody has it any more, whatever was given out. */
static inline void lease_revoke(struct lease *lease) {
    lease->owner = NULL;
    lease->number++;
}

#endif
