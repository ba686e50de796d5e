/* SPDX-License-Identifier: MIT */
/*
 * ipc.c - see ipc.h. Used on both sides of the door.
 */
#include "shim/region/ipc.h"
#include "shim/region/config.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include "stack/base/random.h"
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct ipc_address abstract_place(const char *format, ...) {
    struct ipc_address place = {.address.sun_family = AF_UNIX};
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(place.address.sun_path + 1, sizeof place.address.sun_path - 1, format, arguments);
    va_end(arguments);
    if (length > 0 && length < (int)sizeof place.address.sun_path - 1)
        place.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return place;
}

int ipc_connect(const struct ipc_address *place, unsigned *user) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    int ipc = LIBC(socket)(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), result;
    if (ipc < 0)
        return -errno;
    do
        result = KERNEL(connect)(ipc, (const struct sockaddr *)&place->address, place->length);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        result = LIBC(getsockopt)(ipc, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    if (result == 0) {
        *user = peer.uid;
        return ipc;
    }
    int error = errno;
    LIBC(close)(ipc);
    return -error;
}

struct ipc_address ipc_of_address(const char *nic, unsigned interface, struct ip_address address) {
    static const uint64_t key[2] = {0, 0};
    const char *colon = strchr(nic, ':');
    struct stat status;
    char text[IP_ADDRESS_TEXT];
    if (ip_is_any(address) || !colon || (config_interface(nic) && !interface))
        return (struct ipc_address){0};
    ip_text(address, text);
    if (config_interface(nic))
        return abstract_place("barewire/interface/%u/%s", interface, text);
    if (strncmp(nic, "lan:", 4) == 0)
        return stat(colon + 1, &status) < 0
                   ? (struct ipc_address){0}
                   : abstract_place("barewire/lan/%lx.%lx/%s", (unsigned long)status.st_dev,
                                    (unsigned long)status.st_ino, text);
    return abstract_place("barewire/%.*s/%.24s-%lx/%s", (int)(colon - nic), nic, colon + 1,
                          (unsigned long)siphash(key, nic, strlen(nic)), text);
}

struct ipc_address ipc_of_name(unsigned user, const char *name) {
    return abstract_place("barewire/name/%u/%s", user, name);
}

struct ipc_address ipc_of_mac(unsigned interface, const uint8_t mac[6]) {
    return abstract_place("barewire/mac/%u/%02x%02x%02x%02x%02x%02x", interface, mac[0], mac[1], mac[2],
                          mac[3], mac[4], mac[5]);
}

struct ipc_address ipc_of_path(const char *directory, const char *name) {
    struct ipc_address place = {.address.sun_family = AF_UNIX};
    int length = snprintf(place.address.sun_path, sizeof place.address.sun_path, "%s/%s", directory, name);
    if (length > 0 && length < (int)sizeof place.address.sun_path)
        place.length = sizeof place.address;
    return place;
}

void ipc_put_ancillary(struct msghdr *message, union ipc_control *control, struct ipc_ancillary ancillary) {
    size_t bytes = ancillary.second >= 0 ? sizeof ancillary : sizeof ancillary.first;
    if (ancillary.first < 0)
        return;
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(bytes);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), &ancillary, bytes);
}

struct ipc_ancillary ipc_taken_ancillary(struct msghdr *message) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    struct ipc_ancillary ancillary = IPC_NOTHING;
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len > CMSG_LEN(0) &&
        header->cmsg_len <= CMSG_LEN(sizeof ancillary))
        memcpy(&ancillary, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    return ancillary;
}
