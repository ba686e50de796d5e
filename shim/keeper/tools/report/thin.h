/* SPDX-License-Identifier: MIT */
/*
 * thin.h - a long capture in bounded memory: connections are measured in pieces, and of what has been measured only
 * as many segments are kept as a page can show.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_THIN_H
#define SHIM_KEEPER_TOOLS_REPORT_THIN_H

#include "shim/keeper/tools/report/connection.h"

/* So many segments in memory (64 bytes each) make long connections be thinned. */
#define HELD_MAX 3000000u

/* Notes that a segment more is in memory; may thin. No pointer to a segment is good after it. */
void thin_note(struct report *report);

/* All have come, and are about to be measured for the last time. */
void thin_end(struct connection *connection);

/* Which segments are kept or shown: a share of those that tell something, and one of the others, each a power of
 * two. A segment that is chosen by a share is chosen by every larger one. */
struct choice {
    uint64_t every, every_telling;
};

/* For a connection whose end has come: shares that make about so many segments. */
struct choice thin_choose(const struct connection *connection, uint32_t most);
bool thin_is_chosen(const struct choice *choice, const struct segment *segment);

/* New bytes over time, of both sides, in rates[2]. */
void thin_rates(const struct connection *connection, struct series *rates);

#endif
