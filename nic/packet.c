/* SPDX-License-Identifier: MIT */
/*
 * packet.c - a network interface through a packet socket (packet(7)) with offloads both ways.
 *
 * Theory of operation. With PACKET_VNET_HDR each frame has a short header that says what an adapter, or the
 * kernel in its place, has still to do for it, or has done. Received frames are as long as receive offload
 * has made them, many in one system call. What is sent as one long segment is cut by the kernel or the
 * adapter, as late as possible: on a veth pair that is never.
 *
 * A filter in the kernel, compiled by libpcap, passes only frames that are for our address or for everybody.
 * Frames that leave by the interface are looked at, too: another stack's on the same interface come no other way.
 * The address filter of an adapter is widened by promiscuous mode, because our address is not the
 * interface's.
 */
#include "nic/direct/packet.h"
#include "nic/interface.h"
#include "nic/interface_filter.h"
#include "nic/virtio.h"
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

#define BUFFER_BYTES (8 << 20)

static int packet_set_address(struct nic *nic, const uint8_t mac[6]) {
    int one = 1;
    struct bpf_program compiled;
    if (!interface_filter(mac, nic->facts.mac, &compiled))
        return -EINVAL;
    /* The kernel has taken a VLAN's tag off before it shows a frame, and says so beside it. Frames of other
     * VLANs are not this network's; one of VLAN 0 has a priority only (IEEE 802.1Q), and is. */
    enum { BEFORE = 3 };
    static struct sock_filter filter[BEFORE + BPF_MAXINSNS] = {
        /* the keeper's main thread is here alone */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x0fff, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {(unsigned short)(BEFORE + compiled.bf_len), filter};
    if (compiled.bf_len > BPF_MAXINSNS - BEFORE) {
        pcap_freecode(&compiled);
        return -EINVAL;
    }
    memcpy(filter + BEFORE, compiled.bf_insns, compiled.bf_len * sizeof *filter);
    int result = setsockopt(nic->descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    if (result == 0) /* for good: others will share the socket */
        result = setsockopt(nic->descriptor, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one);
    pcap_freecode(&compiled);
    return result < 0 ? -EIO : 0;
}

static void packet_close(struct nic *nic) {
    close(nic->descriptor);
    free(nic);
}

static const struct nic_operations OPERATIONS = {
    .receive = nic_packet_receive,
    .send = nic_packet_send,
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
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return true;
}

struct nic *nic_packet_open(const char *interface, char *error) {
    struct nic_facts facts = {.features = NIC_SHARED | nic_virtio_features()};
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
    packet->calls = (struct nic_packet_calls){recvmmsg, sendmmsg};
    if (!open_socket(packet, error)) {
        if (packet->nic.descriptor >= 0)
            close(packet->nic.descriptor);
        free(packet);
        return NULL;
    }
    return &packet->nic;
}
