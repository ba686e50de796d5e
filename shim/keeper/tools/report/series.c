/* SPDX-License-Identifier: MIT */
/*
 * series.c - see series.h.
 */
#include "shim/keeper/tools/report/series.h"

#define WIDTH_FIRST_NS UINT64_C(100000)

static void widen(struct series *series) {
    for (uint32_t i = 0; i < SERIES_SLOTS; i++) {
        uint64_t sum = 0;
        if (2 * i < SERIES_SLOTS)
            sum = series->bytes[2 * i] + series->bytes[2 * i + 1];
        series->bytes[i] = sum;
    }
    series->width_ns *= 2;
}

void series_add(struct series *series, uint64_t time_ns, uint64_t bytes) {
    if (!series->width_ns) {
        series->begin_ns = time_ns;
        series->width_ns = WIDTH_FIRST_NS;
    }
    uint64_t since_ns = time_ns > series->begin_ns ? time_ns - series->begin_ns : 0;
    while (since_ns / series->width_ns >= SERIES_SLOTS && series->width_ns < UINT64_MAX / 2 / SERIES_SLOTS)
        widen(series);
    uint64_t slot = since_ns / series->width_ns;
    series->bytes[slot < SERIES_SLOTS ? slot : SERIES_SLOTS - 1] += bytes;
}
