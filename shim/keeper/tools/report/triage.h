/* SPDX-License-Identifier: MIT */
/*
 * triage.h - what a connection's time went for: whom or what was waited for, moment by moment.
 *
 * All the time between a connection's first and last packet is given to one of these, so that they sum to all
 * of it (as RFC 4898's SndLim counters do for a sender).
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_TRIAGE_H
#define SHIM_KEEPER_TOOLS_REPORT_TRIAGE_H

#include <stdbool.h>
#include <stdint.h>

#define TRIAGE_SLOTS 128u

enum use {
    USE_HANDSHAKE,
    USE_TRANSFER, /* data, or its acknowledgment, is on the way, and nothing is wrong */
    USE_QUEUE,    /* ... and it stands in a queue on the way */
    USE_REPAIR,   /* something was lost, and is not yet there */
    USE_NAGLE,    /* Nagle's rule waits for a delayed acknowledgment */
    USE_FIRST_WINDOW, /* the first side's window is closed or full: its program reads slowly, or its buffer is small */
    USE_SECOND_WINDOW, /* the second side's */
    USE_FIRST_IDLE,    /* nothing is on the way, and the first side speaks next: its program was waited for */
    USE_SECOND_IDLE,
    USE_COUNT,
};

/* The result: sums, and what most of each of `count` equal parts of the time went for. */
struct triage {
    uint64_t ns[USE_COUNT];
    uint64_t width_ns; /* of a slot */
    uint32_t count;
    uint8_t slots[TRIAGE_SLOTS];
};

struct connection;
struct path;

/* The state of a walk over a connection's segments. */
struct walk {
    uint64_t ns[USE_COUNT];
    uint64_t slots[TRIAGE_SLOTS][USE_COUNT];
    uint64_t width_ns, last_ns;
    uint32_t next[2], acknowledged[2], window[2], widest[2];
    bool begun, opened, closed[2]; /* closed: a window that takes nothing */
    uint64_t last_data_ns[2];
    uint32_t repair_cursor, queue_cursor[2];
};

/* Goes on with the segments that are not measured yet; path.c calls it when it has looked at them itself. */
void triage_continue(const struct connection *connection, struct path *path);

/* Sums up. */
void triage_end(const struct connection *connection, const struct walk *walk, struct triage *triage);

/* What was taken for the way was a reader's window, all the time (diagnose.c knows). */
void triage_blame_window(struct triage *triage, int reader);

/* A word for filters and data: "handshake", "first-idle" ... */
const char *triage_word(enum use use);

/* The same for readers; the first side is called the client, as whoever opens a connection is. */
const char *triage_name(enum use use);

#endif
