/* SPDX-License-Identifier: MIT */
/*
 * tso.h - a long frame of TCP taken apart into those that a wire carries: what a network card does when it
 * sends (TSO), and undoes when it receives (GRO).
 */
#ifndef NIC_TSO_H
#define NIC_TSO_H

#include <stdint.h>

#define TSO_SEGMENT_MAX 65550u

/* How many frames of up to `longest` bytes an Ethernet frame of IPv4 or IPv6 with TCP is taken apart into; 0:
 * it is none, or no longer than that, and stays as it is. */
uint32_t tso_segments(const uint8_t *frame, uint32_t length, uint32_t longest);

/* Writes one of them, its checksums right, to `part` (TSO_SEGMENT_MAX bytes). Returns its length. */
uint32_t tso_segment(const uint8_t *frame, uint32_t length, uint32_t longest, uint32_t index, uint8_t *part);

#endif
