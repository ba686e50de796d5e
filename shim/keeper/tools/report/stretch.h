/* SPDX-License-Identifier: MIT */
/*
 * stretch.h - stretches of time in order, none of which overlap.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_STRETCH_H
#define SHIM_KEEPER_TOOLS_REPORT_STRETCH_H

#include <stdint.h>

struct stretch {
    uint64_t from_ns, to_ns;
};

struct stretches {
    struct stretch *all; /* to be freed by their owner */
    uint32_t count, room;
};

/* Adds one that begins no earlier than the last one does; what overlaps that is added to it. Without memory it is not
 * added. */
void stretches_add(struct stretches *stretches, uint64_t from_ns, uint64_t to_ns);

/* How much of a time lies in them. `cursor` is 0 at first; later times follow. */
uint64_t stretches_within(const struct stretches *stretches, uint32_t *cursor, uint64_t from_ns,
                          uint64_t to_ns);

#endif
