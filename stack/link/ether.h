/* SPDX-License-Identifier: MIT */
/*
 * ether.h - Ethernet II frames (RFC 894).
 */
#ifndef STACK_LINK_ETHER_H
#define STACK_LINK_ETHER_H

#include "stack/link/frame.h"

struct stack;

extern const uint8_t ETHER_BROADCAST[6];

/* Frames as the NIC gave and took them, which may be trains, and their bytes with Ethernet headers; or what the loopback
 * interface carried. */
struct ether_counters {
    uint64_t in_frames, in_bytes, in_multicasts;
    uint64_t out_frames, out_bytes;
};

/* Handles a received frame; takes the chain. */
void ether_input(struct stack *stack, struct buffer *frame, unsigned flags);

/* Writes the Ethernet header of a frame that has the rest of its headers, and commits it. */
void ether_output(struct stack *stack, struct frame *frame, const uint8_t destination[6], uint16_t type);

#endif
