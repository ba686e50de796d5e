/* SPDX-License-Identifier: MIT */
/*
 * stretch.c - see stretch.h.
 */
#include "shim/keeper/tools/report/stretch.h"
#include "shim/keeper/tools/report/finding.h"

void stretches_add(struct stretches *stretches, uint64_t from_ns, uint64_t to_ns) {
    struct stretch *last = stretches->count ? &stretches->all[stretches->count - 1] : NULL;
    if (to_ns <= from_ns)
        return;
    if (last && from_ns <= last->to_ns) {
        if (last->to_ns < to_ns)
            last->to_ns = to_ns;
    } else if (array_grow((void **)&stretches->all, stretches->count, &stretches->room,
                          sizeof *stretches->all)) {
        stretches->all[stretches->count++] = (struct stretch){from_ns, to_ns};
    }
}

uint64_t stretches_within(const struct stretches *stretches, uint32_t *cursor, uint64_t from_ns,
                          uint64_t to_ns) {
    uint64_t sum_ns = 0;
    while (*cursor < stretches->count && stretches->all[*cursor].to_ns <= from_ns)
        (*cursor)++;
    for (uint32_t i = *cursor; i < stretches->count && stretches->all[i].from_ns < to_ns; i++) {
        const struct stretch *at = &stretches->all[i];
        uint64_t first_ns = at->from_ns > from_ns ? at->from_ns : from_ns;
        uint64_t last_ns = at->to_ns < to_ns ? at->to_ns : to_ns;
        sum_ns += last_ns - first_ns;
    }
    return sum_ns;
}
