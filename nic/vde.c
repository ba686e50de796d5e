/* SPDX-License-Identifier: MIT */
/*
 * vde.c - a port of a Virtual Distributed Ethernet, by libvdeplug(3): a switch of this user's or another's
 * (vde:/run/switch), slirp, vxvde across machines, and whatever else a VDE URL names. Takes no rights.
 */
#include "nic/nic.h"
#include <errno.h>
#include <fcntl.h>
#include <libvdeplug.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MTU 1500u

struct nic_vde {
    struct nic nic;
    VDECONN *connection;
    uint8_t received[NIC_FRAME_MAX], sent[NIC_FRAME_MAX]; /* libvdeplug wants them in one piece */
};

static struct nic_vde *vde_of(struct nic *nic) {
    return (struct nic_vde *)nic;
}

static int gone(struct nic *nic) {
    nic->trouble = "the VDE has closed the connection";
    return -ENODEV;
}

/* libvdeplug gives 1 for what it has dealt with itself. */
static int vde_receive(struct nic *nic, struct nic_frame *frames, int count) {
    struct nic_vde *vde = vde_of(nic);
    int given = 0;
    while (given < count) {
        ssize_t got = vde_recv(vde->connection, vde->received, sizeof vde->received, MSG_DONTWAIT);
        if (got == 1)
            continue;
        if (got <= 0)
            return given > 0 ? given : got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : gone(nic);
        bool whole = nic_scatter(&frames[given], vde->received, (uint32_t)got);
        frames[given++].length = whole ? (uint32_t)got : 0;
        nic->counters.truncated += !whole;
    }
    return given;
}

static int vde_transmit(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_vde *vde = vde_of(nic);
    for (int i = 0; i < count; i++) {
        uint32_t length = nic_gather(&frames[i], vde->sent, sizeof vde->sent);
        if (length > 0 && vde_send(vde->connection, vde->sent, length, MSG_DONTWAIT) < 0) {
            if (i > 0)
                return i;
            return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? -EAGAIN : gone(nic);
        }
    }
    return count;
}

static void vde_nic_close(struct nic *nic) {
    vde_close(vde_of(nic)->connection);
    free(nic);
}

static const struct nic_operations OPERATIONS = {
    .receive = vde_receive,
    .send = vde_transmit,
    .close = vde_nic_close,
};

struct nic *nic_vde_open(const char *url, char *error) {
    struct nic_vde *vde = calloc(1, sizeof *vde);
    if (!vde) {
        snprintf(error, NIC_ERROR_BYTES, "out of memory");
        return NULL;
    }
    errno = 0;
    vde->connection = vde_open((char *)url, (char *)"barewire", NULL);
    if (!vde->connection) {
        snprintf(error, NIC_ERROR_BYTES, "can't reach the VDE '%s': %s", url,
                 errno ? strerror(errno) : "libvdeplug does not know it");
        free(vde);
        return NULL;
    }
    vde->nic.operations = &OPERATIONS;
    vde->nic.facts.mtu = MTU;
    vde->nic.descriptor = vde_datafd(vde->connection);
    fcntl(vde->nic.descriptor, F_SETFL, O_NONBLOCK);
    return &vde->nic;
}
