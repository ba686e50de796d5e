/*
 * merge.h - consecutive segments of a TCP connection as one long segment, for a NIC that cuts it again
 * (segmentation offload).
 */
#ifndef NIC_MERGE_H
#define NIC_MERGE_H

#include "nic.h"

#define NIC_MERGED_SEGMENTS_MAX 64
#define NIC_MERGED_PIECES_MAX 240
#define NIC_MERGED_HEADER_MAX 94      /* Ethernet, IP without options, TCP */
#define NIC_MERGED_CHECKSUM_START 34  /* where TCP begins */
#define NIC_MERGED_CHECKSUM_OFFSET 16 /* its checksum's place in it */

struct nic_merged {
    int count;        /* of frames in it */
    uint16_t segment; /* payload bytes of each but the last */
    uint32_t header_length;
    uint8_t header[NIC_MERGED_HEADER_MAX];
    int piece_count;
    struct iovec pieces[NIC_MERGED_PIECES_MAX]; /* the first is the caller's, to put something before */
};

/* Merges the first of `count` frames, whose headers lie in their first pieces, with as many after it as may
 * be. A frame that can't be merged stays what it is (count 1). A merged one has the sum of its pseudo-header
 * in the place of its checksum. */
void nic_merge(const struct nic_frame *frames, int count, struct nic_merged *merged);

#endif
