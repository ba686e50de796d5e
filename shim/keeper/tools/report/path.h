/* SPDX-License-Identifier: MIT */
/*
 * path.h - the way to both ends of a connection from where a capture was made, what waited on it, and what the
 * connection's time went for; measured in one piece or several.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_PATH_H
#define SHIM_KEEPER_TOOLS_REPORT_PATH_H

#include "shim/keeper/tools/report/connection.h"

/* A stretch of time: what came through, and how long all answers took at least. */
struct bucket {
    uint64_t begin_ns, least_ns, bytes;
    uint32_t samples;
};

struct queue {
    struct bucket bucket;
    struct stretches stretches;
    uint64_t ns, bytes, delay_ns, at_ns;
};

/* Of a reader's window: how wide it was, and since when it has been narrow; since_ns 0: it is wide. */
struct windows {
    uint64_t since_ns, begin_ns, last_ns;
    uint32_t most, last;
    double sum;
};

/* What one piece of a connection leaves to the next; by sides. */
struct path {
    struct queue behind[2], ahead[2];
    uint32_t queue_next[2], queue_acknowledged[2];
    uint32_t pause_next[2], pause_acknowledged[2];
    uint32_t full_next[2], full_acknowledged[2];
    struct windows windows[2];
    struct walk walk;
};

/* Measures the segments that have come since the last time. */
void path_measure(struct connection *connection);

/* Measures the rest, and sums up. */
void path_end(struct connection *connection);

/* Frees what is kept between the pieces. */
void path_free(struct connection *connection);

#endif
