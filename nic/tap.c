/* SPDX-License-Identifier: MIT */
/*
 * tap.c - a TAP interface: what we send, the kernel of this host receives on it, and the other way round. One
 * that is there, such as one made for this user, or a new one, which takes CAP_NET_ADMIN.
 *
 * With offloads both ways, as a packet socket has them (IFF_VNET_HDR), but a system call a frame.
 */
#include "nic/interface.h"
#include "nic/nic.h"
#include "nic/virtio.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int wrong(void) {
    return errno == EIO || errno == ENETDOWN ? -ENETDOWN : -ENODEV;
}

static int tap_receive(struct nic *nic, struct nic_frame *frames, int count) {
    for (int i = 0; i < count; i++) {
        struct virtio_net_hdr header;
        struct iovec pieces[NIC_VIRTIO_PIECES];
        int used = nic_virtio_pieces(pieces, &header, &frames[i]);
        ssize_t got = readv(nic->descriptor, pieces, used);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return i;
        if (got < 0)
            return i > 0 ? i : wrong();
        bool whole = (size_t)got > sizeof header && (size_t)got <= sizeof header + NIC_FRAME_MAX;
        frames[i].length = whole ? (uint32_t)got - (uint32_t)sizeof header : 0;
        frames[i].checksum_good = whole && nic_virtio_good(&header);
        nic->counters.truncated += !whole;
    }
    return count;
}

static int tap_send(struct nic *nic, const struct nic_frame *frames, int count) {
    for (int i = 0; i < count; i++) {
        struct virtio_net_hdr header = nic_virtio_header(&frames[i]);
        struct iovec pieces[NIC_VIRTIO_PIECES];
        int used = nic_virtio_pieces(pieces, &header, &frames[i]);
        if (writev(nic->descriptor, pieces, used) >= 0)
            continue;
        if (i > 0)
            return i;
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM ? -EAGAIN : wrong();
    }
    return count;
}

static void tap_close(struct nic *nic) {
    close(nic->descriptor);
    free(nic);
}

static const struct nic_operations OPERATIONS = {
    .receive = tap_receive,
    .send = tap_send,
    .close = tap_close,
};

/* A new one is down. */
static void bring_up(const char *interface) {
    struct ifreq request = {0};
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    if (probe >= 0 && ioctl(probe, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_UP)) {
        request.ifr_flags |= IFF_UP;
        ioctl(probe, SIOCSIFFLAGS, &request); /* if it may not be: interface_facts says that it is down */
    }
    if (probe >= 0)
        close(probe);
}

static bool open_tap(const char *interface, int *descriptor, char *error) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    if (strlen(interface) >= IF_NAMESIZE) {
        snprintf(error, NIC_ERROR_BYTES, "'%s' is too long for an interface's name", interface);
        return false;
    }
    memcpy(request.ifr_name, interface, strlen(interface));
    *descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*descriptor >= 0 && ioctl(*descriptor, TUNSETIFF, &request) == 0) {
        ioctl(*descriptor, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_TSO4));
        bring_up(interface);
        return true;
    }
    if (errno == EPERM || errno == EACCES)
        snprintf(error, NIC_ERROR_BYTES,
                 "no permission to open TAP '%s'; as root: 'ip tuntap add dev %s mode tap user $USER'",
                 interface, interface);
    else
        snprintf(error, NIC_ERROR_BYTES, "can't open TAP '%s': %s", interface,
                 errno == EBUSY ? "somebody else has it open" : strerror(errno));
    if (*descriptor >= 0)
        close(*descriptor);
    return false;
}

struct nic *nic_tap_open(const char *interface, char *error) {
    struct nic_facts facts = {.features = nic_virtio_features()};
    int descriptor;
    if (!open_tap(interface, &descriptor, error))
        return NULL;
    struct nic *tap = calloc(1, sizeof *tap);
    if (!tap)
        snprintf(error, NIC_ERROR_BYTES, "out of memory");
    if (!tap || !interface_facts(interface, &facts, error)) {
        close(descriptor);
        free(tap);
        return NULL;
    }
    memset(facts.mac, 0, sizeof facts.mac); /* that is the other side's */
    tap->operations = &OPERATIONS;
    tap->facts = facts;
    tap->descriptor = descriptor;
    return tap;
}
