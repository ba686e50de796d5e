/* SPDX-License-Identifier: MIT */
/*
 * nic.h - frames into and out of the machine: one file a kind of NIC.
 *
 * A NIC belongs to the process that opened it, unless it is NIC_SHARED. It moves batches: nic_receive fills
 * memory that the caller gives, nic_send takes scatter lists. Frames are whole Ethernet II frames without
 * FCS.
 */
#ifndef NIC_NIC_H
#define NIC_NIC_H

#include "nic/impair.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define NIC_PIECES_MAX 68    /* of a frame that is sent */
#define NIC_FRAME_MAX 65550u /* the longest IPv4 packet in a frame: merged frames arrive this long */
#define NIC_ERROR_BYTES 320

struct nic_frame {
    struct iovec *pieces;
    int piece_count;
    uint32_t length;    /* received: the frame's length, filled in */
    bool checksum_good; /* received: its transport checksum is known to be right, or need not be */

    uint64_t note; /* to be sent: for who describes it (nic_describe) */

    /* To be sent through a NIC with NIC_OFFLOAD; else 0. A header must lie in the first piece. */
    uint16_t segment;         /* its payload is to be cut into parts of so many bytes */
    uint16_t checksum_start;  /* where the checksum begins that is to be computed ... */
    uint16_t checksum_offset; /* ... and how far behind that it goes; the pseudo-header's sum is there */
};

enum nic_feature {
    /* Received frames may carry unfinished transport checksums (Linux's CHECKSUM_PARTIAL). */
    NIC_CHECKSUM_PARTIAL = 1,
    /* Its descriptor works in any process that has it: nic_packet_adopt. */
    NIC_SHARED = 2,
    /* It computes checksums and cuts long segments of TCP (up to 64 KiB) on their way out. */
    NIC_OFFLOAD = 4,
    /* ... and bursts of datagrams. */
    NIC_OFFLOAD_DATAGRAMS = 8,
};

/* What is known of a NIC once it is open. */
struct nic_facts {
    uint8_t mac[6];    /* of the interface itself */
    uint32_t mtu;      /* largest packet in a frame that can be sent */
    unsigned features; /* enum nic_feature */
    uint32_t index;    /* the interface's number; 0: it has none */
};

struct nic_counters {
    uint64_t truncated; /* frames that did not arrive whole */
    uint64_t bad_fcs;   /* ... or damaged, where the NIC checks it itself */
};

struct nic;
struct nic_packet_calls;

struct nic_operations {
    int (*receive)(struct nic *nic, struct nic_frame *frames, int count);
    int (*send)(struct nic *nic, const struct nic_frame *frames, int count);
    int (*set_address)(struct nic *nic, const uint8_t mac[6]); /* NULL: the other side learns it */
    void (*close)(struct nic *nic);
};

struct nic {
    const struct nic_operations *operations;
    struct nic_facts facts;
    struct nic_counters counters;
    int descriptor;      /* readable when nic_receive has something to give */
    const char *trouble; /* once it is gone: why, for the user; or NULL */
};

/* Opens KIND:ARG, such as pcap:eth0. On failure gives NULL and a line for the user in error
 * (NIC_ERROR_BYTES). */
struct nic *nic_open(const char *specification, char *error);

/* Says which address frames are received for, beside broadcast and multicast. Returns 0 or a negative errno.
 */
static inline int nic_set_address(struct nic *nic, const uint8_t mac[6]) {
    return nic->operations->set_address ? nic->operations->set_address(nic, mac) : 0;
}

/* Receives up to `count` frames without waiting. Returns how many (one of length 0 did not arrive whole), 0
 * when there are none now, or a negative errno: -ENETDOWN when the interface is down, -ENODEV when it is
 * gone. */
static inline int nic_receive(struct nic *nic, struct nic_frame *frames, int count) {
    return nic->operations->receive(nic, frames, count);
}

/* Sends up to `count` frames. Returns how many were taken, or a negative errno when not even the first was:
 * -EAGAIN when the interface's queue is full. */
static inline int nic_send(struct nic *nic, const struct nic_frame *frames, int count) {
    return nic->operations->send(nic, frames, count);
}

static inline void nic_close(struct nic *nic) {
    nic->operations->close(nic);
}

/* The bytes of a scatter list. */
static inline uint32_t nic_length(const struct nic_frame *frame) {
    size_t length = 0;
    for (int i = 0; i < frame->piece_count; i++)
        length += frame->pieces[i].iov_len;
    return (uint32_t)length;
}

/* Copies contiguous bytes into a scatter list. False when they do not fit. */
bool nic_scatter(const struct nic_frame *frame, const void *bytes, uint32_t length);

/* Copies a scatter list to contiguous memory of `room` bytes. Returns the length, 0 when it does not fit. */
uint32_t nic_gather(const struct nic_frame *frame, void *bytes, uint32_t room);

/* Puts a bad link before a NIC, as `specification` says (impair_parse): the NIC that is used from here on. On
 * failure gives NULL and a line for the user in error. */
struct nic *nic_impair(struct nic *inner, const char *specification, char *error);

/* Has what such a link does to frames counted there from now on: to those sent, and to those received. */
void nic_impair_count(struct nic *impaired, struct impair_counters counters[2]);

/* Says in `comment` (NIC_COMMENT_BYTES) whose a frame is, and what is known of it; the note is the frame's.
 */
#define NIC_COMMENT_BYTES 480
typedef void nic_describe(const uint8_t *frame, uint32_t length, bool sent, uint64_t note, char *comment);

/* Writes all that passes a NIC to a file, in pcapng: the NIC that is used from here on. On failure gives NULL
 * and a line for the user in error. */
struct nic *nic_capture(struct nic *inner, const char *path, const char *name, nic_describe *describe,
                        char *error);

/* The kinds. Each opens its ARG and fails as nic_open does. */
struct nic *nic_pcap_open(const char *interface, char *error);
struct nic *nic_packet_open(const char *interface, char *error);
struct nic *nic_tap_open(const char *interface, char *error);
struct nic *nic_vde_open(const char *url, char *error);
struct nic *nic_lan_open(const char *path, char *error);
struct nic *nic_passt_open(const char *publish, char *error); /* ports: passt(1), -t */

/* A NIC_SHARED NIC for another process than the one that opened it: nic_send and nic_receive alone. The
 * memory is the caller's, zero, of nic_packet_bytes; the descriptor stays the caller's. It moves frames by these
 * calls (nic/direct/packet.h). */
size_t nic_packet_bytes(void);
struct nic *nic_packet_adopt(void *memory, int descriptor, const struct nic_packet_calls *calls);

#endif
