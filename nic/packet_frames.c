/*
 * packet_frames.c - frames through a packet socket that is open: by who opened it (packet.c), and by whoever
 * shares it.
 */
#include "packet.h"
#include "virtio.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define PIECES_MAX 40 /* of a received frame, and one for the header */

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
    struct virtio_net_hdr headers[BATCH];
    struct iovec pieces[BATCH][PIECES_MAX];
    struct mmsghdr messages[BATCH];
    count = count < BATCH ? count : BATCH;
    memset(messages, 0, sizeof *messages * (size_t)count);
    for (int i = 0; i < count; i++) {
        int piece_count = frames[i].piece_count < PIECES_MAX ? frames[i].piece_count : PIECES_MAX - 1;
        pieces[i][0] = (struct iovec){&headers[i], sizeof headers[i]};
        memcpy(&pieces[i][1], frames[i].pieces, sizeof **pieces * (size_t)piece_count);
        messages[i].msg_hdr.msg_iov = pieces[i];
        messages[i].msg_hdr.msg_iovlen = (size_t)piece_count + 1;
    }
    int got = recvmmsg(nic->descriptor, messages, (unsigned)count, MSG_DONTWAIT, NULL);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : interface_error(packet_of(nic));
    for (int i = 0; i < got; i++) {
        bool whole = !(messages[i].msg_hdr.msg_flags & MSG_TRUNC) && messages[i].msg_len > sizeof headers[i];
        frames[i].length = whole ? messages[i].msg_len - (uint32_t)sizeof headers[i] : 0;
        nic->counters.truncated += !whole;
    }
    return got;
}

int nic_packet_send(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_packet *packet = packet_of(nic);
    struct virtio_net_hdr headers[BATCH];
    struct mmsghdr messages[BATCH];
    int used = 0, taken[BATCH + 1] = {0};
    memset(messages, 0, sizeof messages);
    while (used < BATCH && taken[used] < count) {
        struct nic_merged *merged = &packet->merged[used];
        nic_merge(frames + taken[used], count - taken[used], merged);
        headers[used] = nic_virtio_header(merged);
        merged->pieces[0] = (struct iovec){&headers[used], sizeof headers[used]};
        messages[used].msg_hdr.msg_iov = merged->pieces;
        messages[used].msg_hdr.msg_iovlen = (size_t)merged->piece_count;
        taken[used + 1] = taken[used] + merged->count;
        used++;
    }
    int sent = sendmmsg(nic->descriptor, messages, (unsigned)used, MSG_DONTWAIT);
    if (sent > 0)
        return taken[sent];
    if (errno == ENOBUFS || errno == EAGAIN || errno == ENOMEM || errno == EINTR)
        return -EAGAIN;
    return errno == ENETDOWN || errno == ENXIO || errno == ENODEV ? interface_error(packet) : -EIO;
}

static const struct nic_operations SHARED_OPERATIONS = {
    .receive = nic_packet_receive,
    .send = nic_packet_send,
};

size_t nic_packet_bytes(void) {
    return sizeof(struct nic_packet);
}

struct nic *nic_packet_adopt(void *memory, int descriptor) {
    struct nic_packet *packet = memory;
    packet->nic.operations = &SHARED_OPERATIONS;
    packet->nic.descriptor = descriptor;
    packet->nic.facts.features = NIC_CHECKSUM_PARTIAL | NIC_SHARED;
    return &packet->nic;
}
