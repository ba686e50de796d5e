/* SPDX-License-Identifier: MIT */
/*
 * packet.h - what the two parts of the packet NIC share.
 */
#ifndef NIC_DIRECT_PACKET_H
#define NIC_DIRECT_PACKET_H

#include "nic/nic.h"
#include "nic/virtio.h"
#include <net/if.h>
#include <sys/socket.h>

#define BATCH 64

/* What the kernel is told of a batch of frames: too much for the stack of whatever thread of a program's
 * sends them.
 */
struct nic_packet_batch {
    struct virtio_net_hdr headers[BATCH];
    struct iovec pieces[BATCH][NIC_VIRTIO_PIECES];
    struct mmsghdr messages[BATCH];
};

/* recvmmsg(2) and sendmmsg(2). In a program of which a library takes these calls over they are the kernel's own. */
struct nic_packet_calls {
    int (*recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);
    int (*sendmmsg)(int, struct mmsghdr *, unsigned, int);
};

struct nic_packet {
    struct nic nic;
    struct nic_packet_calls calls;
    char interface[IF_NAMESIZE]; /* empty: it is another process's, shared */
    struct nic_packet_batch sent, received;
};

int nic_packet_receive(struct nic *nic, struct nic_frame *frames, int count);
int nic_packet_send(struct nic *nic, const struct nic_frame *frames, int count);

#endif
