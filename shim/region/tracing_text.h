/* SPDX-License-Identifier: MIT */
/*
 * tracing_text.h - an event of the stack's as a line of text.
 */
#ifndef SHIM_REGION_TRACING_TEXT_H
#define SHIM_REGION_TRACING_TEXT_H

#include "stack/trace.h"

enum tracing_group {
    TRACING_CALL = 1,
    TRACING_TCP = 2,
    TRACING_IP = 4,
    TRACING_ARP = 8, /* who is on the link: Neighbor Discovery, too */
    TRACING_FRAME = 16,
};

#define TRACING_LINE_BYTES 512

/* Where the numbers of the connections that were seen last begin. Zero-filled: none was seen. */
#define TRACING_FLOW_SETS 1024
#define TRACING_FLOW_WAYS 4

struct tracing_flow {
    uint64_t ends[2]; /* address and port; 0: none */
    uint32_t first[2];
    bool known[2];
};

struct tracing_flows {
    struct tracing_flow sets[TRACING_FLOW_SETS][TRACING_FLOW_WAYS];
};

/* Writes the lines of an event that are of the groups (enum tracing_group) to `text` (TRACING_LINE_BYTES
 * times 3), each with its end, after `time`. Returns their length. */
size_t tracing_text(const struct trace_event *event, unsigned groups, const char *time,
                    struct tracing_flows *flows, char *text);

/* The name of a state of a connection, as ss(8) has it; of what held a segment back; why it left. */
const char *tracing_state_name(uint8_t state);
const char *tracing_held_name(uint8_t held);
const char *tracing_why_name(uint8_t why);

#endif
