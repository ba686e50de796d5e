/* SPDX-License-Identifier: MIT */
/*
 * tcp_nagle.c - see tcp_nagle.h.
 */
#include "stack/tcp/tcp_nagle.h"

bool nagle_allows(const struct nagle_segment *segment) {
    if (segment->length >= segment->mss)
        return true;
    if (segment->last && segment->fin)
        return true;
    if (segment->last && !segment->cork && (segment->nodelay || !segment->in_flight))
        return true;
    /* A peer whose whole buffer is smaller than two segments: half of it is as much as will ever fit. */
    return segment->largest_window > 0 && segment->length >= segment->largest_window / 2 &&
           segment->largest_window / 2 < segment->mss && segment->length > 0;
}
