/* SPDX-License-Identifier: MIT */
/*
 * netlink_answer.c - see netlink_answer.h: the messages of a request in turn, and how each answer ends.
 */
#include "shim/library/netinfo/netlink_answer.h"
#include "shim/library/calls/call.h"
#include "shim/library/memory.h"
#include "shim/library/netinfo/netlink_diag.h"
#include "shim/library/netinfo/netlink_kernel.h"
#include "shim/region/lock.h"
#include "shim/region/netlink_route.h"
#include "shim/region/region.h"
#include <errno.h>
#include <linux/rtnetlink.h>

#define ANSWER_BYTES (64u << 20) /* some 100,000 sockets; pages that are not touched cost nothing */
#define END_BYTES 65600          /* of them kept for how it ends: an error quotes the request */
#define DATAGRAM_BYTES 8192      /* what the kernel puts into one, and programs have room for */

/* In datagrams of whole messages. The end of a dump has one of its own, as from the kernel: some programs (masscan)
 * look only at the first message of what they receive. */
static void hand_over(const struct netlink_answer *answer,
                      void (*deliver)(void *context, const void *bytes, size_t length), void *context) {
    size_t first = 0, next = 0;
    while (first < answer->used) {
        while (next < answer->used) {
            const struct nlmsghdr *message = (const struct nlmsghdr *)(answer->bytes + next);
            size_t length = NLMSG_ALIGN(message->nlmsg_len);
            bool ends = message->nlmsg_type == NLMSG_DONE;
            if (next > first && (ends || next + length - first > DATAGRAM_BYTES))
                break;
            next += length;
        }
        deliver(context, answer->bytes + first, next - first);
        first = next;
    }
}

/* The flags of a dump are others in a request that changes something. */
static bool is_dump(int protocol, const struct nlmsghdr *message) {
    if (protocol == NETLINK_SOCK_DIAG)
        return message->nlmsg_flags & NLM_F_DUMP;
    return message->nlmsg_type >= RTM_BASE && (message->nlmsg_type - RTM_BASE) % 4 == 2 &&
           message->nlmsg_flags & NLM_F_DUMP;
}

/* A question about addresses or routes, IPv6's among them: a stack that has just begun may have none yet. */
static bool is_of_network6(int protocol, const struct nlmsghdr *message) {
    struct rtgenmsg wanted;
    netlink_body(message, &wanted, sizeof wanted);
    return protocol == NETLINK_ROUTE && wanted.rtgen_family != AF_INET &&
           (message->nlmsg_type == RTM_GETADDR || message->nlmsg_type == RTM_GETROUTE);
}

static bool is_kernels(int protocol, const struct nlmsghdr *message, bool strict,
                       const struct interface *all) {
    return protocol == NETLINK_SOCK_DIAG ? netlink_diag_is_kernels(message)
                                         : netlink_is_kernels(message, strict, all);
}

static int answer_request(int protocol, struct netlink_answer *answer, const struct interface *all) {
    return protocol == NETLINK_SOCK_DIAG ? netlink_diag(answer) : netlink_route(answer, all);
}

bool netlink_answer(int protocol, const uint8_t *request, size_t length, uint32_t port, bool strict,
                    void (*deliver)(void *context, const void *bytes, size_t length), void *context) {
    struct interface all[INTERFACES];
    const struct nlmsghdr *message = (const struct nlmsghdr *)request;
    for (size_t left = length; netlink_is_whole(message, left); message = netlink_next(message, &left)) {
        struct netlink_answer answer = {
            .request = message, .port = port, .strict = strict, .room = ANSWER_BYTES - END_BYTES};
        if (message->nlmsg_type < NLMSG_MIN_TYPE || !(message->nlmsg_flags & NLM_F_REQUEST))
            continue;
        bool empty = message->nlmsg_len < NLMSG_LENGTH(sizeof(struct rtgenmsg)); /* which asks for nothing */
        if (empty && !(message->nlmsg_flags & NLM_F_ACK))
            continue;
        answer.bytes = memory_take(ANSWER_BYTES);
        if (!answer.bytes)
            return false;
        if (!empty && is_of_network6(protocol, message))
            call_await_routers((struct ip_address){0});
        bool inet6 = !empty && interfaces_have_loopback6();
        region_enter();
        interfaces_describe(all);
        all[INTERFACE_LOOPBACK].inet6 = inet6;
        bool kernels = !shared->broken && !empty && is_kernels(protocol, message, strict, all);
        int error = kernels || empty ? 0
                    : shared->broken ? -ENETDOWN
                                     : answer_request(protocol, &answer, all);
        region_leave();
        if (protocol == NETLINK_SOCK_DIAG && !kernels && is_dump(protocol, message))
            netlink_diag_add_kernels(&answer);
        if (kernels)
            error = netlink_ask_kernel(protocol, message, strict, port, deliver, context);
        answer.full = false;
        answer.room = ANSWER_BYTES;
        bool dumped = is_dump(protocol, message) && (!error || answer.filtered);
        if (kernels && !error)
            answer.used = 0; /* the kernel has said it all */
        else if (dumped)
            netlink_tell_done(&answer, error); /* a filter that fits nothing is no error of the request's */
        else if (error || message->nlmsg_flags & NLM_F_ACK)
            netlink_tell_error(&answer, error);
        hand_over(&answer, deliver, context);
        memory_give(answer.bytes);
    }
    return true;
}
