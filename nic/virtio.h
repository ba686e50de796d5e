/*
 * virtio.h - the header that goes with a frame to and from the kernel's devices with offloads (packet(7),
 * PACKET_VNET_HDR; tun, IFF_VNET_HDR).
 */
#ifndef NIC_VIRTIO_H
#define NIC_VIRTIO_H

#include "merge.h"
#include <linux/virtio_net.h>

/* For a frame that is whole, or one that is to be cut. */
static inline struct virtio_net_hdr nic_virtio_header(const struct nic_merged *merged) {
    if (merged->count == 1)
        return (struct virtio_net_hdr){0};
    return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                   .hdr_len = (uint16_t)merged->header_length,
                                   .gso_size = merged->segment,
                                   .csum_start = NIC_MERGED_CHECKSUM_START,
                                   .csum_offset = NIC_MERGED_CHECKSUM_OFFSET};
}

#endif
