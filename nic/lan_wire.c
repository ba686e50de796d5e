/* SPDX-License-Identifier: MIT */
/*
 * lan_wire.c - see lan_wire.h.
 */
#include "nic/lan_wire.h"
#include <string.h>

#define PREAMBLE 0x55
#define DELIMITER 0xd5
#define POLYNOMIAL 0xedb88320u /* IEEE 802.3 clause 3.2.9, its bits reversed: the lowest goes first */

static uint32_t frame_check_sequence(const uint8_t *bytes, uint32_t length) {
    static uint32_t table[256];
    uint32_t sum = UINT32_MAX;
    for (uint32_t i = 0; !table[255] && i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? POLYNOMIAL : 0);
        table[i] = value;
    }
    for (uint32_t i = 0; i < length; i++)
        sum = sum >> 8 ^ table[(sum ^ bytes[i]) & 255];
    return ~sum;
}

uint32_t lan_wire_close(uint8_t *wire, uint32_t length) {
    uint8_t *frame = wire + LAN_PREAMBLE_BYTES;
    memset(wire, PREAMBLE, LAN_PREAMBLE_BYTES - 1);
    wire[LAN_PREAMBLE_BYTES - 1] = DELIMITER;
    if (length < LAN_FRAME_MIN) {
        memset(frame + length, 0, LAN_FRAME_MIN - length);
        length = LAN_FRAME_MIN;
    }
    uint32_t sum = frame_check_sequence(frame, length);
    for (uint32_t i = 0; i < LAN_FCS_BYTES; i++)
        frame[length + i] = (uint8_t)(sum >> 8 * i);
    return LAN_PREAMBLE_BYTES + length + LAN_FCS_BYTES;
}

uint32_t lan_wire_check(const uint8_t *wire, uint32_t length) {
    const uint8_t *frame = wire + LAN_PREAMBLE_BYTES;
    if (length < LAN_PREAMBLE_BYTES + LAN_FRAME_MIN + LAN_FCS_BYTES || length > LAN_WIRE_MAX ||
        wire[LAN_PREAMBLE_BYTES - 1] != DELIMITER)
        return 0;
    length -= LAN_PREAMBLE_BYTES + LAN_FCS_BYTES;
    uint32_t sum = frame_check_sequence(frame, length);
    for (uint32_t i = 0; i < LAN_FCS_BYTES; i++)
        if (frame[length + i] != (uint8_t)(sum >> 8 * i))
            return 0;
    return length;
}
