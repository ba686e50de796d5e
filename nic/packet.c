/*
 * packet.c - a network interface through a packet socket (packet(7)) with offloads both ways.
 *
 * Theory of operation. With PACKET_VNET_HDR each frame has a short header that says what an adapter, or the
 * kernel in its place, has still to do for it, or has done. Received frames are as long as receive offload
 * has made them, many in one system call. Frames to be sent that are consecutive segments of one connection
 * are given to the kernel as one long segment (nic_merge), to be cut as late as possible: on a veth pair that
 * is never.
 *
 * A filter in the kernel, compiled by libpcap, passes only frames that are for our address or for everybody.
 * The address filter of an adapter is widened by promiscuous mode, because our address is not the
 * interface's.
 */
#include "interface.h"
#include "merge.h"
#include "nic.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define PIECES_MAX 40 /* of a received frame, and one for the header */
#define BUFFER_BYTES (8 << 20)

struct nic_packet {
    struct nic nic;
    char interface[IF_NAMESIZE];
    struct nic_merged merged[BATCH];
};

static struct nic_packet *packet_of(struct nic *nic) {
    return (struct nic_packet *)nic;
}

static int interface_error(const struct nic_packet *packet) {
    return if_nametoindex(packet->interface) ? -ENETDOWN : -ENODEV;
}

static int packet_receive(struct nic *nic, struct nic_frame *frames, int count) {
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

static struct virtio_net_hdr header_of(const struct nic_merged *merged) {
    if (merged->count == 1)
        return (struct virtio_net_hdr){0};
    return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                   .hdr_len = (uint16_t)merged->header_length,
                                   .gso_size = merged->segment,
                                   .csum_start = NIC_MERGED_CHECKSUM_START,
                                   .csum_offset = NIC_MERGED_CHECKSUM_OFFSET};
}

static int packet_send(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_packet *packet = packet_of(nic);
    struct virtio_net_hdr headers[BATCH];
    struct mmsghdr messages[BATCH];
    int used = 0, taken[BATCH + 1] = {0};
    memset(messages, 0, sizeof messages);
    while (used < BATCH && taken[used] < count) {
        struct nic_merged *merged = &packet->merged[used];
        nic_merge(frames + taken[used], count - taken[used], merged);
        headers[used] = header_of(merged);
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

static int packet_set_address(struct nic *nic, const uint8_t mac[6]) {
    struct bpf_program compiled;
    if (!interface_filter(mac, &compiled))
        return -EINVAL;
    struct sock_fprog program = {(unsigned short)compiled.bf_len, (struct sock_filter *)compiled.bf_insns};
    int result = setsockopt(nic->descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    pcap_freecode(&compiled);
    return result < 0 ? -EIO : 0;
}

static void packet_close(struct nic *nic) {
    close(nic->descriptor);
    free(nic);
}

static const struct nic_operations OPERATIONS = {
    .receive = packet_receive,
    .send = packet_send,
    .set_address = packet_set_address,
    .close = packet_close,
};

/* Nothing is let in before the address is known. */
static bool open_socket(struct nic_packet *packet, char *error) {
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog closed = {1, &nothing};
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)packet->nic.facts.index};
    struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    int one = 1, bytes = BUFFER_BYTES;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    packet->nic.descriptor = fd;
    if (fd < 0 && (errno == EPERM || errno == EACCES)) {
        snprintf(
            error, NIC_ERROR_BYTES,
            "no permission to open interface '%s': run as root, or give the keeper cap_net_raw with setcap",
            packet->interface);
        return false;
    }
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &closed, sizeof closed) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) < 0) {
        snprintf(error, NIC_ERROR_BYTES, "can't open interface '%s': %s", packet->interface, strerror(errno));
        return false;
    }
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return true;
}

struct nic *nic_packet_open(const char *interface, char *error) {
    struct nic_facts facts = {.features = NIC_CHECKSUM_PARTIAL};
    if (!interface_facts(interface, &facts, error))
        return NULL;
    struct nic_packet *packet = calloc(1, sizeof *packet);
    if (!packet) {
        snprintf(error, NIC_ERROR_BYTES, "out of memory");
        return NULL;
    }
    snprintf(packet->interface, sizeof packet->interface, "%s", interface);
    packet->nic.operations = &OPERATIONS;
    packet->nic.facts = facts;
    if (!open_socket(packet, error)) {
        if (packet->nic.descriptor >= 0)
            close(packet->nic.descriptor);
        free(packet);
        return NULL;
    }
    return &packet->nic;
}
