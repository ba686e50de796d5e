/* SPDX-License-Identifier: MIT */
/*
 * lock_profile.h - how long the stack's lock is held and waited for, by the function that takes it.
 *
 * Measured while somebody wants to know (barewire stats --lock); else a lock costs a load and a branch more.
 * A function that takes the lock again after it has slept begins anew. All of it is written with the lock
 * held.
 */
#ifndef SHIM_REGION_LOCK_PROFILE_H
#define SHIM_REGION_LOCK_PROFILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LOCK_PLACES_MAX 128
#define LOCK_PLACE_NAME_BYTES 32
#define LOCK_TIMES 112 /* up to half a second */

/* A histogram of times in nanoseconds: four columns to an octave, so that each is right within a fifth. */
struct lock_times {
    uint64_t count, sum_ns;
    uint32_t columns[LOCK_TIMES];
};

struct lock_place_profile {
    char name[LOCK_PLACE_NAME_BYTES];
    struct lock_times held, waited;
};

/* In the region. The last place is for all for which there is no room. */
struct lock_profile {
    _Atomic bool wanted;
    _Atomic uint32_t count; /* of places */
    struct lock_place_profile places[LOCK_PLACES_MAX];
};

/* Where the lock is taken. */
struct lock_place {
    const char *name;
    uint32_t number; /* in the region's table, + 1; 0: not known yet */
};

/* The function in which this stands. */
#define LOCK_PLACE                                            \
    __extension__({                                           \
        static struct lock_place place_ = {.name = __func__}; \
        &place_;                                              \
    })

/* Which column a time belongs to, and the longest time of a column. */
uint32_t lock_times_column(uint64_t ns);
uint64_t lock_times_most(uint32_t column);

/* The time below which `part` (0 to 1) of all lie; 0 when there are none. */
uint64_t lock_times_quantile(const struct lock_times *times, double part);

/* What has been added since `before`. */
void lock_times_since(struct lock_times *times, const struct lock_times *before);

/* The lock was taken at a place after so long a wait, and is about to be let go after so long. It is held. */
void lock_profile_note(struct lock_profile *profile, struct lock_place *place, uint64_t waited_ns,
                       uint64_t held_ns);

#endif
