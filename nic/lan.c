/* SPDX-License-Identifier: MIT */
/*
 * lan.c - a station on a local network in software (`barewire lan`): a UNIX socket to it carries what is on
 * the wire, frame by frame, with preamble and FCS. What is damaged, and what is for somebody else, ends here.
 */
#include "nic/lan_wire.h"
#include "nic/nic.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MTU 1500u

struct nic_lan {
    struct nic nic;
    uint8_t mac[6];
};

static struct nic_lan *lan_of(struct nic *nic) {
    return (struct nic_lan *)nic;
}

static int gone(struct nic *nic) {
    nic->trouble = "the LAN has ended";
    return -ENODEV;
}

/* The address filter of an adapter. */
static bool is_wanted(const struct nic_lan *lan, const uint8_t *frame) {
    return frame[0] & 1 || memcmp(frame, lan->mac, sizeof lan->mac) == 0;
}

static int lan_receive(struct nic *nic, struct nic_frame *frames, int count) {
    int given = 0;
    while (given < count) {
        uint8_t wire[LAN_WIRE_MAX];
        ssize_t got = recv(nic->descriptor, wire, sizeof wire, MSG_DONTWAIT);
        if (got <= 0)
            return given > 0 ? given : got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : gone(nic);
        uint32_t length = lan_wire_check(wire, (uint32_t)got);
        nic->counters.bad_fcs += !length;
        if (!length || !is_wanted(lan_of(nic), wire + LAN_PREAMBLE_BYTES))
            continue;
        bool whole = nic_scatter(&frames[given], wire + LAN_PREAMBLE_BYTES, length);
        frames[given++].length = whole ? length : 0;
        nic->counters.truncated += !whole;
    }
    return given;
}

static int lan_send(struct nic *nic, const struct nic_frame *frames, int count) {
    for (int i = 0; i < count; i++) {
        uint8_t wire[LAN_WIRE_MAX];
        uint32_t length = nic_gather(&frames[i], wire + LAN_PREAMBLE_BYTES, LAN_FRAME_MAX);
        if (length == 0)
            continue;
        length = lan_wire_close(wire, length);
        if (send(nic->descriptor, wire, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            continue;
        if (i > 0)
            return i;
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? -EAGAIN : gone(nic);
    }
    return count;
}

static int lan_set_address(struct nic *nic, const uint8_t mac[6]) {
    memcpy(lan_of(nic)->mac, mac, 6);
    return 0;
}

static void lan_close(struct nic *nic) {
    close(nic->descriptor);
    free(nic);
}

static const struct nic_operations OPERATIONS = {
    .receive = lan_receive,
    .send = lan_send,
    .set_address = lan_set_address,
    .close = lan_close,
};

struct nic *nic_lan_open(const char *path, char *error) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct nic_lan *lan = calloc(1, sizeof *lan);
    char answer;
    int wire = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (!lan || strlen(path) >= sizeof address.sun_path || wire < 0 ||
        connect(wire, (struct sockaddr *)&address, sizeof address) < 0) {
        snprintf(error, NIC_ERROR_BYTES, "there is no LAN at '%s' (%s); 'barewire lan %s --switch' makes one",
                 path, strerror(errno), path);
    } else if (send(wire, LAN_JOIN, 1, MSG_NOSIGNAL) != 1 || recv(wire, &answer, 1, 0) != 1) {
        snprintf(error, NIC_ERROR_BYTES, "the LAN at '%s' has no port left", path);
    } else {
        lan->nic.operations = &OPERATIONS;
        lan->nic.facts.mtu = MTU;
        lan->nic.descriptor = wire;
        return &lan->nic;
    }
    if (wire >= 0)
        close(wire);
    free(lan);
    return NULL;
}
