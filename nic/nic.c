/* SPDX-License-Identifier: MIT */
/*
 * nic.c - see nic.h.
 */
#include "nic/nic.h"
#include <stdio.h>
#include <string.h>

struct nic *nic_open(const char *specification, char *error) {
    static const struct {
        const char *kind;
        struct nic *(*open)(const char *argument, char *error);
    } kinds[] = {{"packet", nic_packet_open}, {"pcap", nic_pcap_open}, {"tap", nic_tap_open},
                 {"vde", nic_vde_open},       {"lan", nic_lan_open},   {"passt", nic_passt_open}};
    const char *colon = strchr(specification, ':');
    size_t length = colon ? (size_t)(colon - specification) : strlen(specification);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strlen(kinds[i].kind) == length && strncmp(kinds[i].kind, specification, length) == 0)
            return kinds[i].open(colon ? colon + 1 : "", error);
    }
    snprintf(
        error, NIC_ERROR_BYTES,
        "no NIC of kind '%.*s'; this version has packet:IF, pcap:IF, tap:IF, vde:URL, lan:PATH and passt",
        (int)length, specification);
    return NULL;
}

bool nic_scatter(const struct nic_frame *frame, const void *bytes, uint32_t length) {
    const uint8_t *from = bytes;
    for (int i = 0; i < frame->piece_count && length > 0; i++) {
        size_t here = frame->pieces[i].iov_len < length ? frame->pieces[i].iov_len : length;
        memcpy(frame->pieces[i].iov_base, from, here);
        from += here;
        length -= (uint32_t)here;
    }
    return length == 0;
}

uint32_t nic_gather(const struct nic_frame *frame, void *bytes, uint32_t room) {
    uint8_t *to = bytes;
    uint32_t length = 0;
    for (int i = 0; i < frame->piece_count; i++) {
        if (frame->pieces[i].iov_len > room - length)
            return 0;
        memcpy(to + length, frame->pieces[i].iov_base, frame->pieces[i].iov_len);
        length += (uint32_t)frame->pieces[i].iov_len;
    }
    return length;
}
