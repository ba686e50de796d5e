/* SPDX-License-Identifier: MIT */
/*
 * virtio.h - the header that goes with a frame to and from the kernel's devices with offloads (packet(7),
 * PACKET_VNET_HDR; tun, IFF_VNET_HDR): the virtio specification, section 5.1.6.
 */
#ifndef NIC_VIRTIO_H
#define NIC_VIRTIO_H

#include "nic/nic.h"
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define GSO_UDP 5 /* VIRTIO_NET_HDR_GSO_UDP_L4, which older headers have not */

/* What the kernel's devices can do: bursts of datagrams since Linux 6.2. */
static inline unsigned nic_virtio_features(void) {
    struct utsname name;
    int major = 0, minor = 0;
    bool datagrams = uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
                     (major > 6 || (major == 6 && minor >= 2));
    return NIC_OFFLOAD | (datagrams ? NIC_OFFLOAD_DATAGRAMS : 0);
}

/* For a frame to be sent. */
static inline struct virtio_net_hdr nic_virtio_header(const struct nic_frame *frame) {
    if (!frame->checksum_offset)
        return (struct virtio_net_hdr){0};
    bool cut = frame->segment != 0, datagrams = frame->checksum_offset == 6;
    const uint8_t *type = (const uint8_t *)frame->pieces[0].iov_base + 12;
    bool six = type[0] == 0x86 && type[1] == 0xdd;
    return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                   .gso_type = !cut        ? VIRTIO_NET_HDR_GSO_NONE
                                               : datagrams ? GSO_UDP
                                               : six       ? VIRTIO_NET_HDR_GSO_TCPV6
                                                           : VIRTIO_NET_HDR_GSO_TCPV4,
                                   .hdr_len = (uint16_t)frame->pieces[0].iov_len,
                                   .gso_size = frame->segment,
                                   .csum_start = frame->checksum_start,
                                   .csum_offset = frame->checksum_offset};
}

/* A frame's pieces behind its header. Returns how many they are then. */
#define NIC_VIRTIO_PIECES \
    (NIC_PIECES_MAX + 2) /* and one more, in which a guard has copied a header's start */
static inline int nic_virtio_pieces(struct iovec *pieces, struct virtio_net_hdr *header,
                                    const struct nic_frame *frame) {
    int count = frame->piece_count < NIC_VIRTIO_PIECES ? frame->piece_count : NIC_VIRTIO_PIECES - 1;
    pieces[0] = (struct iovec){header, sizeof *header};
    memcpy(pieces + 1, frame->pieces, sizeof *pieces * (size_t)count);
    return count + 1;
}

/* Of a frame that came: the kernel vouches for it, or it has not left the machine. */
static inline bool nic_virtio_good(const struct virtio_net_hdr *header) {
    return header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
}

#endif
