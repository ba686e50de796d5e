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
        *(uint32_t *)context = ntohl(found->id.idiag_src[0]);
}

/* Asks the kernel, by sock_diag(7): it finds what listens at the address itself before what listens at any.
 */
static bool kernel_listens_at(uint32_t host, uint16_t port) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 wanted;
    } request = {.header = {.nlmsg_len = sizeof request,
                            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                            .nlmsg_flags = NLM_F_REQUEST},
                 .wanted = {.sdiag_family = AF_INET,
                            .sdiag_protocol = IPPROTO_TCP,
                            .idiag_states = LISTENING,
                            .id = {.idiag_sport = htons(port),
                                   .idiag_src = {htonl(host)},
                                   .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}}};
    uint32_t at = INADDR_ANY;
    netlink_ask_kernel(NETLINK_SOCK_DIAG, &request.header, false, 0, note_listener, &at);
    return at == host;
}

bool loopback_listens(uint32_t host, uint16_t port) {
    shared_lock();
    bool ours = !shared->broken &&
                tcp_lookup_listener(&shared->stack, ip_from_v4(host), port, ip_from_v4(host), 0, NULL);
    shared_unlock();
    return ours && !kernel_listens_at(host, port);
}
