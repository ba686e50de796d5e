/* SPDX-License-Identifier: MIT */
/*
 * capture.h - reads capture files: pcapng (as --pcap writes them, with comments) and pcap, as tcpdump(8) and
 * Wireshark write them.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_CAPTURE_H
#define SHIM_KEEPER_TOOLS_REPORT_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum capture_direction {
    CAPTURE_UNKNOWN,
    CAPTURE_IN,
    CAPTURE_OUT,
};

enum capture_type { /* EtherTypes */
                    CAPTURE_OTHER = 0,
                    CAPTURE_IPV4 = 0x0800,
                    CAPTURE_ARP = 0x0806,
                    CAPTURE_IPV6 = 0x86dd,
};

struct capture_packet {
    uint64_t number;  /* from 1 */
    uint64_t time_ns; /* since 1970 */
    enum capture_type type;
    const uint8_t *payload; /* the packet behind the link's header, if the type is known */
    uint32_t captured;      /* bytes of it that are there */
    uint32_t length;        /* of the frame, as it was */
    uint32_t frame_bytes;   /* of the frame that are there */
    enum capture_direction direction;
    const char *comment; /* or NULL */
};

/* Calls `each` for every packet of a file, in order. Returns NULL, or why the file can't be read; what was
 * read before has been given. */
const char *capture_read(const char *path, void (*each)(const struct capture_packet *packet, void *context),
                         void *context);

/* The same of a file's bytes. */
const char *capture_read_bytes(const void *bytes, size_t length,
                               void (*each)(const struct capture_packet *packet, void *context),
                               void *context);

#endif
