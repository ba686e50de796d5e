/* SPDX-License-Identifier: MIT */
/*
 * loopback.c - see loopback.h.
 */
#include "shim/library/fd/loopback.h"
#include "shim/library/netinfo/netlink_kernel.h"
#include "shim/region/lock.h"
#include "shim/region/region.h"
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <string.h>

#define LISTENING (1u << TCP_LISTEN)

/* Notes the address at which the kernel's listener listens. */
static void note_listener(void *context, const void *bytes, size_t length) {
    const struct nlmsghdr *message = bytes;
    const struct inet_diag_msg *found = NLMSG_DATA(message);
    if (length >= NLMSG_LENGTH(sizeof *found) && message->nlmsg_type == SOCK_DIAG_BY_FAMILY)
        memcpy(context, found->id.idiag_src, sizeof found->id.idiag_src);
}

/* Asks the kernel, by sock_diag(7): it finds what listens at the address itself before what listens at any.
 */
static bool kernel_listens_at(struct ip_address host, uint16_t port) {
    bool v4 = ip_is_v4(host);
    uint32_t wire[4] = {0}, at[4] = {0};
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 wanted;
    } request = {.header = {.nlmsg_len = sizeof request,
                            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                            .nlmsg_flags = NLM_F_REQUEST},
                 .wanted = {.sdiag_family = v4 ? AF_INET : AF_INET6,
                            .sdiag_protocol = IPPROTO_TCP,
                            .idiag_states = LISTENING,
                            .id = {.idiag_sport = htons(port),
                                   .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}}};
    if (v4)
        wire[0] = host.words[3];
    else
        memcpy(wire, host.bytes, sizeof wire);
    memcpy(request.wanted.id.idiag_src, wire, sizeof wire);
    netlink_ask_kernel(NETLINK_SOCK_DIAG, &request.header, false, 0, note_listener, at);
    return memcmp(at, wire, v4 ? sizeof at[0] : sizeof at) == 0;
}

bool loopback_listens(struct ip_address host, uint16_t port) {
    region_enter();
    bool ours = !shared->broken && tcp_lookup_listener(&shared->stack, host, port, host, 0, NULL);
    region_leave();
    return ours && !kernel_listens_at(host, port);
}
