/* SPDX-License-Identifier: MIT */
/*
 * tcp_nagle.h - whether a segment may leave now: Nagle's delay (RFC 896, RFC 9293 section 3.7.4), corking,
 * and the sender's side of silly window avoidance (RFC 9293 section 3.8.6.2.1).
 */
#ifndef STACK_TCP_TCP_NAGLE_H
#define STACK_TCP_TCP_NAGLE_H

#include <stdbool.h>
#include <stdint.h>

struct nagle_segment {
    uint32_t length; /* payload that could leave */
    uint32_t mss;
    uint32_t largest_window; /* the largest window that the peer ever offered */
    bool last;               /* it would empty the send queue */
    bool in_flight;          /* a segment that was not full is unacknowledged (Minshall) */
    bool fin;
    bool nodelay, cork;
};

bool nagle_allows(const struct nagle_segment *segment);

#endif
