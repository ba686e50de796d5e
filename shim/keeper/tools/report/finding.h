/* SPDX-License-Identifier: MIT */
/*
 * finding.h - what was found to be wrong, and whose it is.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_FINDING_H
#define SHIM_KEEPER_TOOLS_REPORT_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum whose {
    WHOSE_NETWORK,
    WHOSE_SENDER,   /* the program that sends */
    WHOSE_RECEIVER, /* the program that should read */
    WHOSE_HOST,     /* an end's TCP, or nobody there */
    WHOSE_CAPTURE,  /* the capture itself: it is not whole */
};

struct finding {
    const char *name; /* a word for filters: loss, zero-window ... */
    enum whose whose;
    int side; /* whose program or host; -1: neither */
    uint32_t count;
    char title[120], text[480];
    uint64_t at_ns; /* when first; 0: never */
};

/* Adds one to an array that grows. `format` gives title and text, with a bar between. Nothing is added when
 * there is no memory. */
__attribute__((format(printf, 8, 9))) void finding_add(struct finding **findings, uint32_t *count,
                                                       uint32_t *room, const char *name, enum whose whose,
                                                       uint32_t times, uint64_t at_ns, const char *format,
                                                       ...);

/* Makes room for one more in an array. False: there is no memory. */
bool array_grow(void **array, uint32_t count, uint32_t *room, size_t size);

/* "network", "sending program" ... */
const char *finding_owner(enum whose whose);

#endif
