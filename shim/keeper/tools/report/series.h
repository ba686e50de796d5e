/* SPDX-License-Identifier: MIT */
/*
 * series.h - bytes over time, in a fixed number of slots: when time goes beyond the last one, two slots become
 * one, and all of them twice as wide. How long a capture lasts need not be known beforehand.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_SERIES_H
#define SHIM_KEEPER_TOOLS_REPORT_SERIES_H

#include <stdint.h>

#define SERIES_SLOTS 256u

struct series {
    uint64_t begin_ns, width_ns; /* of a slot; 0: nothing has been added */
    uint64_t bytes[SERIES_SLOTS];
};

/* Adds bytes at a time. What is earlier than the first time counts for the first slot. */
void series_add(struct series *series, uint64_t time_ns, uint64_t bytes);

#endif
