/* SPDX-License-Identifier: MIT */
/*
 * packet_frames.c - frames through a packet socket that is open: by who opened it (packet.c), and by whoever
 * shares it.
 */
#include "nic/direct/packet.h"
#include "nic/virtio.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static struct nic_packet *packet_of(struct nic *nic) {
    return (struct nic_packet *)nic;
}

/* Who only shares the NIC leaves it to its owner to find out what is wrong with it. */
static int interface_error(const struct nic_packet *packet) {
    if (!packet->interface[0])
        return -EAGAIN;
    return if_nametoindex(packet->interface) ? -ENETDOWN : -ENODEV;
}

int nic_packet_receive(struct nic *nic, struct nic_frame *frames, int count) {
    struct nic_packet_batch *batch = &packet_of(nic)->received;
    struct virtio_net_hdr *headers = batch->headers;
    struct mmsghdr *messages = batch->messages;
    count = count < BATCH ? count : BATCH;
    memset(messages, 0, sizeof *messages * (size_t)count);
    for (int i = 0; i < count; i++) {
        messages[i].msg_hdr.msg_iov = batch->pieces[i];
        messages[i].msg_hdr.msg_iovlen = (size_t)nic_virtio_pieces(batch->pieces[i], &headers[i], &frames[i]);
    }
    int got = packet_of(nic)->calls.recvmmsg(nic->descriptor, messages, (unsigned)count, MSG_DONTWAIT, NULL);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : interface_error(packet_of(nic));
    for (int i = 0; i < got; i++) {
        bool whole = !(messages[i].msg_hdr.msg_flags & MSG_TRUNC) && messages[i].msg_len > sizeof headers[i];
        frames[i].length = whole ? messages[i].msg_len - (uint32_t)sizeof headers[i] : 0;
        frames[i].checksum_good = nic_virtio_good(&headers[i]);
        nic->counters.truncated += !whole;
    }
    return got;
}

int nic_packet_send(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_packet_batch *batch = &packet_of(nic)->sent;
    struct virtio_net_hdr *headers = batch->headers;
    struct mmsghdr *messages = batch->messages;
    count = count < BATCH ? count : BATCH;
    memset(messages, 0, sizeof *messages * (size_t)count);
    for (int i = 0; i < count; i++) {
        headers[i] = nic_virtio_header(&frames[i]);
        messages[i].msg_hdr.msg_iov = batch->pieces[i];
        messages[i].msg_hdr.msg_iovlen = (size_t)nic_virtio_pieces(batch->pieces[i], &headers[i], &frames[i]);
    }
    int sent = packet_of(nic)->calls.sendmmsg(nic->descriptor, messages, (unsigned)count, MSG_DONTWAIT);
    if (sent > 0)
        return sent;
    if (errno == ENOBUFS || errno == EAGAIN || errno == ENOMEM || errno == EINTR)
        return -EAGAIN;
    return errno == ENETDOWN || errno == ENXIO || errno == ENODEV ? interface_error(packet_of(nic)) : -EIO;
}

static const struct nic_operations SHARED_OPERATIONS = {
    .receive = nic_packet_receive,
    .send = nic_packet_send,
};

size_t nic_packet_bytes(void) {
    return sizeof(struct nic_packet);
}

struct nic *nic_packet_adopt(void *memory, int descriptor, const struct nic_packet_calls *calls) {
    struct nic_packet *packet = memory;
    packet->calls = *calls;
    packet->nic.operations = &SHARED_OPERATIONS;
    packet->nic.descriptor = descriptor;
    packet->nic.facts.features = NIC_SHARED | NIC_OFFLOAD;
    return &packet->nic;
}
