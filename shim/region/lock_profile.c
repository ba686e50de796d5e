/* SPDX-License-Identifier: MIT */
/*
 * lock_profile.c - see lock_profile.h.
 *
 * A column of a histogram: the position of a time's highest bit, and the two bits behind that.
 */
#include "shim/region/lock_profile.h"
#include <stdio.h>
#include <string.h>

#define COLUMNS_EACH 4 /* an octave */

uint32_t lock_times_column(uint64_t ns) {
    if (ns < COLUMNS_EACH)
        return (uint32_t)ns;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(ns);
    uint32_t column = (octave - 1) * COLUMNS_EACH + (ns >> (octave - 2) & (COLUMNS_EACH - 1));
    return column < LOCK_TIMES ? column : LOCK_TIMES - 1;
}

uint64_t lock_times_most(uint32_t column) {
    if (column < COLUMNS_EACH)
        return column;
    uint32_t shift = column / COLUMNS_EACH - 1;
    return ((uint64_t)(COLUMNS_EACH + column % COLUMNS_EACH + 1) << shift) - 1;
}

uint64_t lock_times_quantile(const struct lock_times *times, double part) {
    uint64_t wanted = (uint64_t)((double)times->count * part), seen = 0;
    if (times->count == 0)
        return 0;
    for (uint32_t column = 0; column < LOCK_TIMES; column++) {
        seen += times->columns[column];
        if (seen > wanted || seen == times->count)
            return lock_times_most(column);
    }
    return lock_times_most(LOCK_TIMES - 1);
}

void lock_times_since(struct lock_times *times, const struct lock_times *before) {
    times->sum_ns -= before->sum_ns;
    times->count = 0; /* both were copied while others wrote: what counts is what the columns say */
    for (int column = 0; column < LOCK_TIMES; column++) {
        times->columns[column] -= before->columns[column];
        times->count += times->columns[column];
    }
}

static void add(struct lock_times *times, uint64_t ns) {
    times->count++;
    times->sum_ns += ns;
    times->columns[lock_times_column(ns)]++;
}

/* Finds a place by its name, which it has in every process. */
static uint32_t number_of(struct lock_profile *profile, const char *name) {
    uint32_t count = profile->count;
    for (uint32_t i = 0; i < count; i++)
        if (strncmp(profile->places[i].name, name, LOCK_PLACE_NAME_BYTES - 1) == 0)
            return i + 1;
    if (count == LOCK_PLACES_MAX)
        return count;
    struct lock_place_profile *place = &profile->places[count];
    snprintf(place->name, sizeof place->name, "%s", count == LOCK_PLACES_MAX - 1 ? "(others)" : name);
    profile->count = count + 1;
    return count + 1;
}

void lock_profile_note(struct lock_profile *profile, struct lock_place *place, uint64_t waited_ns,
                       uint64_t held_ns) {
    if (!place->number)
        place->number = number_of(profile, place->name);
    struct lock_place_profile *entry = &profile->places[place->number - 1];
    add(&entry->waited, waited_ns);
    add(&entry->held, held_ns);
}
