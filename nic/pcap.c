/* SPDX-License-Identifier: MIT */
/*
 * pcap.c - a network interface through libpcap.
 *
 * Theory of operation. The interface stays the kernel's; libpcap copies what arrives into a ring. A filter in
 * the kernel passes only frames that are for our address or for everybody, those among them that leave by the
 * interface: another stack's on the same interface come no other way. What this machine's own kernel sends
 * there is not the peer's. Immediate mode, so that a frame wakes us at once.
 *
 * With segmentation or receive offload the kernel hands over frames far beyond the MTU, and frames from this
 * machine whose checksums are unfinished; libpcap does not say which, hence NIC_CHECKSUM_PARTIAL. The ring's
 * slots are as long as the MTU: slots for the longest frames would make a ring of few slots that takes 20 ms
 * to allocate. Of a longer frame the kernel queues the whole beside the ring (PACKET_COPY_THRESH), in order,
 * and its slot says when to fetch it.
 *
 * The address filter of an adapter is widened by promiscuous mode, because our address is not the
 * interface's.
 */
#include "nic/interface.h"
#include "nic/interface_filter.h"
#include "nic/nic.h"
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RING_BYTES (4 << 20)
#define LONG_FRAMES_BYTES (8 << 20) /* receive buffer for frames longer than a slot of the ring */
#define VLAN_TAG_BYTES 4

struct nic_pcap {
    struct nic nic;
    pcap_t *handle;
    char interface[IF_NAMESIZE];
    uint8_t scratch[NIC_FRAME_MAX];
};

/* What pcap_dispatch's callback fills. */
struct reception {
    struct nic_pcap *pcap;
    struct nic_frame *frames;
    int count;
};

static struct nic_pcap *pcap_of(struct nic *nic) {
    return (struct nic_pcap *)nic;
}

/* Fetches the next frame that was too long for its slot. Returns its length; 0 when the kernel had no room
 * for it. */
static uint32_t fetch_long(struct nic_pcap *pcap, const struct nic_frame *frame) {
    struct msghdr message = {.msg_iov = frame->pieces, .msg_iovlen = (size_t)frame->piece_count};
    ssize_t received = recvmsg(pcap->nic.descriptor, &message, MSG_DONTWAIT);
    return received > 0 && !(message.msg_flags & MSG_TRUNC) ? (uint32_t)received : 0;
}

static void receive_one(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes) {
    struct reception *reception = (struct reception *)context;
    struct nic_pcap *pcap = reception->pcap;
    struct nic_frame *frame = &reception->frames[reception->count];
    if (header->caplen < header->len)
        frame->length = fetch_long(pcap, frame);
    else
        frame->length = nic_scatter(frame, bytes, header->len) ? header->len : 0;
    if (frame->length > 0)
        reception->count++;
    else
        pcap->nic.counters.truncated++;
}

static int interface_error(const struct nic_pcap *pcap) {
    return if_nametoindex(pcap->interface) ? -ENETDOWN : -ENODEV;
}

static int pcap_receive(struct nic *nic, struct nic_frame *frames, int count) {
    struct reception reception = {pcap_of(nic), frames, 0};
    int result = pcap_dispatch(reception.pcap->handle, count, receive_one, (u_char *)&reception);
    if (result < 0 && reception.count == 0)
        return interface_error(reception.pcap);
    return reception.count;
}

static int pcap_send(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_pcap *pcap = pcap_of(nic);
    for (int i = 0; i < count; i++) {
        uint32_t length = nic_gather(&frames[i], pcap->scratch, sizeof pcap->scratch);
        const void *bytes = frames[i].piece_count == 1 ? frames[i].pieces[0].iov_base : pcap->scratch;
        errno = 0;
        if (pcap_inject(pcap->handle, bytes, length) >= 0)
            continue;
        if (i > 0)
            return i;
        if (errno == ENOBUFS || errno == EAGAIN || errno == ENOMEM)
            return -EAGAIN;
        return errno == ENETDOWN || errno == ENXIO || errno == ENODEV ? interface_error(pcap) : -EIO;
    }
    return count;
}

static int pcap_set_address(struct nic *nic, const uint8_t mac[6]) {
    struct bpf_program program;
    if (!interface_filter(mac, nic->facts.mac, &program))
        return -EINVAL;
    int one = 1, result = pcap_setfilter(pcap_of(nic)->handle, &program);
    pcap_freecode(&program);
    if (result == 0) /* for good: taking it off again would need no right */
        result = setsockopt(nic->descriptor, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one);
    return result < 0 ? -EIO : 0;
}

static void pcap_nic_close(struct nic *nic) {
    pcap_close(pcap_of(nic)->handle);
    free(nic);
}

static const struct nic_operations OPERATIONS = {
    .receive = pcap_receive,
    .send = pcap_send,
    .set_address = pcap_set_address,
    .close = pcap_nic_close,
};

static bool activate(struct nic_pcap *pcap, char *error) {
    pcap_t *handle = pcap->handle;
    pcap_set_snaplen(handle, (int)pcap->nic.facts.mtu + 14 + VLAN_TAG_BYTES);
    pcap_set_promisc(handle, 1);
    pcap_set_immediate_mode(handle, 1);
    pcap_set_buffer_size(handle, RING_BYTES);
    int result = pcap_activate(handle);
    if (result == PCAP_ERROR_PERM_DENIED) {
        snprintf(
            error, NIC_ERROR_BYTES,
            "no permission to open interface '%s': run as root, or give the keeper cap_net_raw with setcap",
            pcap->interface);
        return false;
    }
    if (result < 0) {
        snprintf(error, NIC_ERROR_BYTES, "can't open interface '%s': %s", pcap->interface,
                 pcap_geterr(handle));
        return false;
    }
    if (pcap_datalink(handle) != DLT_EN10MB) {
        snprintf(error, NIC_ERROR_BYTES, "interface '%s' does not carry Ethernet frames; name one that does",
                 pcap->interface);
        return false;
    }
    return true;
}

struct nic *nic_pcap_open(const char *interface, char *error) {
    char pcap_error[PCAP_ERRBUF_SIZE];
    struct nic_facts facts = {.features = NIC_CHECKSUM_PARTIAL};
    if (!interface_facts(interface, &facts, error))
        return NULL;
    struct nic_pcap *pcap = calloc(1, sizeof *pcap);
    if (!pcap) {
        snprintf(error, NIC_ERROR_BYTES, "out of memory");
        return NULL;
    }
    snprintf(pcap->interface, sizeof pcap->interface, "%s", interface);
    pcap->nic.operations = &OPERATIONS;
    pcap->nic.facts = facts;
    pcap->handle = pcap_create(interface, pcap_error);
    if (!pcap->handle) {
        snprintf(error, NIC_ERROR_BYTES, "can't open interface '%s': %s", interface, pcap_error);
        free(pcap);
        return NULL;
    }
    if (!activate(pcap, error)) {
        pcap_nic_close(&pcap->nic);
        return NULL;
    }
    int one = 1, longer = LONG_FRAMES_BYTES;
    pcap_setnonblock(pcap->handle, 1, pcap_error);
    pcap->nic.descriptor = pcap_get_selectable_fd(pcap->handle);
    setsockopt(pcap->nic.descriptor, SOL_PACKET, PACKET_COPY_THRESH, &one, sizeof one);
    setsockopt(pcap->nic.descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &longer, sizeof longer);
    return &pcap->nic;
}
