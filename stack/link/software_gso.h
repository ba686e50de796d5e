/* SPDX-License-Identifier: MIT */
/*
 * software_gso.h - what a NIC makes of a frame that leaves work to it.
 */
#ifndef STACK_LINK_SOFTWARE_GSO_H
#define STACK_LINK_SOFTWARE_GSO_H

#include "stack/link/frame.h"

/* Writes the packet that the NIC makes of the index-th segment of a frame, whole, to memory that has room for
 * it. Returns its length; 0 when there are not so many. */
uint32_t frame_cut(const struct frame *frame, uint32_t index, uint8_t *to);

#endif
