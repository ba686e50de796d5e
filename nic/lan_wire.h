/* SPDX-License-Identifier: MIT */
/*
 * lan_wire.h - an Ethernet frame as it is on the wire (IEEE 802.3 clause 3): seven bytes of preamble, the
 * start frame delimiter, the frame, padded to 60 bytes, and its frame check sequence.
 */
#ifndef NIC_LAN_WIRE_H
#define NIC_LAN_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#define LAN_PREAMBLE_BYTES 8u /* with the delimiter */
#define LAN_FCS_BYTES 4u
#define LAN_FRAME_MIN 60u
#define LAN_FRAME_MAX 1514u
#define LAN_WIRE_MAX (LAN_PREAMBLE_BYTES + LAN_FRAME_MAX + LAN_FCS_BYTES)
#define LAN_GAP_BITS 96u /* between two frames */

/* What is said first on the socket of a LAN, and answered: who is to be a station, or asks how things are. */
#define LAN_JOIN "+"
#define LAN_ASK "?"

/* Makes of a frame of `length` bytes, which are at wire + LAN_PREAMBLE_BYTES already, what goes on the wire.
 * Returns how many bytes that is. */
uint32_t lan_wire_close(uint8_t *wire, uint32_t length);

/* Whether what came off the wire is a frame with a right FCS: its length; or 0. */
uint32_t lan_wire_check(const uint8_t *wire, uint32_t length);

#endif
