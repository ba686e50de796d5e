/* SPDX-License-Identifier: MIT */
/*
 * netlink_kernel.c - see netlink_kernel.h.
 */
#include "shim/library/netinfo/netlink_kernel.h"
#include "shim/library/memory.h"
#include "shim/region/libc.h"
#include "shim/region/netlink_message.h"
#include "shim/region/region.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define ANSWER_BYTES 65536

static bool is_own(const struct interface *all, uint32_t index) {
    return index == all[INTERFACE_OWN].index;
}

static bool link_is_kernels(const struct nlmsghdr *request, const struct interface *all, bool asks) {
    struct ifinfomsg link = {0};
    memcpy(&link, request + 1, sizeof link);
    char name[IFNAMSIZ];
    bool named = netlink_text(request, sizeof link, IFLA_IFNAME, name, sizeof name) ||
                 netlink_text(request, sizeof link, IFLA_ALT_IFNAME, name, sizeof name);
    for (int i = 0; i < INTERFACES; i++) {
        bool this = link.ifi_index ? (uint32_t)link.ifi_index == all[i].index
                                   : named && strcmp(name, all[i].name) == 0;
        if (this)
            return i == INTERFACE_LOOPBACK && !asks;
    }
    return link.ifi_index || named;
}

/* A route with no interface goes by its gateway. */
static bool route_is_kernels(const struct nlmsghdr *request, const struct interface *all) {
    uint32_t index = 0, gateway = 0, hop;
    const void *out = netlink_attribute(request, sizeof(struct rtmsg), RTA_OIF, sizeof index);
    const void *via = netlink_attribute(request, sizeof(struct rtmsg), RTA_GATEWAY, sizeof gateway);
    if (out) {
        memcpy(&index, out, sizeof index);
        return !is_own(all, index);
    }
    if (!via)
        return false;
    memcpy(&gateway, via, sizeof gateway);
    gateway = ntohl(gateway);
    return ip_route_lookup(&shared->stack.routes, gateway, &hop) < 0 || hop != gateway;
}

static bool neighbour_is_kernels(const struct nlmsghdr *request, const struct interface *all) {
    struct ndmsg neighbour = {0};
    uint32_t index;
    memcpy(&neighbour, request + 1, sizeof neighbour);
    index = (uint32_t)neighbour.ndm_ifindex;
    const void *filter = netlink_attribute(request, sizeof neighbour, NDA_IFINDEX, sizeof index);
    if (filter)
        memcpy(&index, filter, sizeof index);
    return index && !is_own(all, index);
}

bool netlink_is_kernels(const struct nlmsghdr *request, bool strict, const struct interface all[INTERFACES]) {
    const uint8_t *body = (const uint8_t *)(request + 1);
    size_t length = request->nlmsg_len - NLMSG_HDRLEN;
    bool asks = (request->nlmsg_type - RTM_BASE) % 4 == RTM_GETLINK - RTM_BASE;
    bool dumps = asks && request->nlmsg_flags & NLM_F_DUMP;
    uint32_t index = 0;
    const void *filter;
    switch (request->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
    case RTM_GETLINK:
    case RTM_SETLINK:
        return !dumps && length >= sizeof(struct ifinfomsg) && link_is_kernels(request, all, asks);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        if (length >= sizeof(struct ifaddrmsg))
            memcpy(&index, body + offsetof(struct ifaddrmsg, ifa_index), sizeof index);
        return index && !is_own(all, index);
    case RTM_GETADDR: /* a dump can ask for one interface when it is strict */
        if (length >= sizeof(struct ifaddrmsg))
            memcpy(&index, body + offsetof(struct ifaddrmsg, ifa_index), sizeof index);
        return strict && index && !is_own(all, index) && index != all[INTERFACE_LOOPBACK].index;
    case RTM_GETROUTE:
        filter = netlink_attribute(request, sizeof(struct rtmsg), RTA_OIF, sizeof index);
        if (filter)
            memcpy(&index, filter, sizeof index);
        return strict && dumps && index && !is_own(all, index) && index != all[INTERFACE_LOOPBACK].index;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return length >= sizeof(struct rtmsg) && route_is_kernels(request, all);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
    case RTM_GETNEIGH:
        return length >= sizeof(struct ndmsg) && neighbour_is_kernels(request, all);
    case RTM_NEWQDISC:
    case RTM_DELQDISC:
    case RTM_GETQDISC:
        if (length >= sizeof(struct tcmsg))
            memcpy(&index, body + offsetof(struct tcmsg, tcm_ifindex), sizeof index);
        return index && !is_own(all, index);
    default:
        return request->nlmsg_type == RTM_GETNSID;
    }
}

/* The messages of a datagram say whom they are for. */
static void address_to(uint8_t *bytes, size_t length, uint32_t port) {
    struct nlmsghdr *message = (struct nlmsghdr *)bytes;
    for (size_t left = length; netlink_is_whole(message, left); message = netlink_next(message, &left))
        message->nlmsg_pid = port;
}

int netlink_ask_kernel(int protocol, const struct nlmsghdr *request, bool strict, uint32_t port,
                       void (*deliver)(void *context, const void *bytes, size_t length), void *context) {
    int one = 1, fd = LIBC(socket)(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), error = 0;
    uint8_t *answer = memory_take(ANSWER_BYTES);
    ssize_t got;
    if (fd < 0 || !answer) {
        error = fd < 0 ? -errno : -ENOBUFS;
    } else {
        if (strict)
            LIBC(setsockopt)(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
        if (LIBC(send)(fd, request, request->nlmsg_len, 0) < 0)
            error = -errno;
    }
    /* The kernel has answered before send(2) returns, and goes on with a dump as it is read. */
    while (!error && (got = LIBC(recv)(fd, answer, ANSWER_BYTES, MSG_DONTWAIT)) > 0) {
        address_to(answer, (size_t)got, port);
        deliver(context, answer, (size_t)got);
    }
    if (fd >= 0)
        LIBC(close)(fd);
    memory_give(answer);
    return error;
}
