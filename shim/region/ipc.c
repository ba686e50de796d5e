/*
 * ipc.c - see ipc.h. Used on both sides of the door.
 */
#include "shim/region/ipc.h"
#include "shim/region/libc.h"
#include "stack/base/random.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct door_place abstract_place(const char *format, ...) {
    struct door_place place = {.address.sun_family = AF_UNIX};
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(place.address.sun_path + 1, sizeof place.address.sun_path - 1, format, arguments);
    va_end(arguments);
    if (length > 0 && length < (int)sizeof place.address.sun_path - 1)
        place.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return place;
}

int door_connect(const struct door_place *place, unsigned *user) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    int door = LIBC(socket)(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), result;
    if (door < 0)
        return -errno;
    do
        result = LIBC(connect)(door, (const struct sockaddr *)&place->address, place->length);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        result = LIBC(getsockopt)(door, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    if (result == 0) {
        *user = peer.uid;
        return door;
    }
    int error = errno;
    LIBC(close)(door);
    return -error;
}

const char *door_interface(const char *nic) {
    static const char *const kinds[] = {"packet:", "pcap:"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(nic, kinds[i], strlen(kinds[i])) == 0)
            return nic + strlen(kinds[i]);
    return NULL;
}

struct door_place door_of_address(const char *nic, unsigned interface, uint32_t address) {
    static const uint64_t key[2] = {0, 0};
    const char *colon = strchr(nic, ':');
    struct stat status;
    struct in_addr in = {htonl(address)};
    char text[INET_ADDRSTRLEN];
    if (!address || !colon || (door_interface(nic) && !interface) ||
        !inet_ntop(AF_INET, &in, text, sizeof text))
        return (struct door_place){0};
    if (door_interface(nic))
        return abstract_place("barewire/interface/%u/%s", interface, text);
    if (strncmp(nic, "lan:", 4) == 0)
        return stat(colon + 1, &status) < 0
                   ? (struct door_place){0}
                   : abstract_place("barewire/lan/%lx.%lx/%s", (unsigned long)status.st_dev,
                                    (unsigned long)status.st_ino, text);
    return abstract_place("barewire/%.*s/%.40s-%lx/%s", (int)(colon - nic), nic, colon + 1,
                          (unsigned long)siphash(key, nic, strlen(nic)), text);
}

struct door_place door_of_name(unsigned user, const char *name) {
    return abstract_place("barewire/name/%u/%s", user, name);
}

struct door_place door_of_mac(unsigned interface, const uint8_t mac[6]) {
    return abstract_place("barewire/mac/%u/%02x%02x%02x%02x%02x%02x", interface, mac[0], mac[1], mac[2],
                          mac[3], mac[4], mac[5]);
}

struct door_place door_of_path(const char *directory, const char *name) {
    struct door_place place = {.address.sun_family = AF_UNIX};
    int length = snprintf(place.address.sun_path, sizeof place.address.sun_path, "%s/%s", directory, name);
    if (length > 0 && length < (int)sizeof place.address.sun_path)
        place.length = sizeof place.address;
    return place;
}

void door_put_beside(struct msghdr *message, union door_control *control, struct door_beside beside) {
    size_t bytes = beside.second >= 0 ? sizeof beside : sizeof beside.first;
    if (beside.first < 0)
        return;
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(bytes);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), &beside, bytes);
}

struct door_beside door_taken_beside(struct msghdr *message) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    struct door_beside beside = DOOR_NOTHING;
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len > CMSG_LEN(0) &&
        header->cmsg_len <= CMSG_LEN(sizeof beside))
        memcpy(&beside, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    return beside;
}
