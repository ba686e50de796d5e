/* SPDX-License-Identifier: MIT */
/*
 * socket_option_headers6.c - what few sockets ask for of IPv6: extension headers in all that they send (RFC 3542
 * sections 7 to 9), RFC 2292's forms of what they are told, IPV6_MTU and IPV6_PATHMTU.
 */
#include "stack/socket_option_headers6.h"
#include "stack/socket_option_ip6.h"
#include "stack/stack.h"
#include "stack/tcp/tcp_pmtu.h"
#include <errno.h>
#include <netinet/in.h>

#define LONGEST (8u * 255u) /* Linux's */

static struct ip6_extension *header_of(struct socket_headers6 *six, int name) {
    switch (name) {
    case IPV6_HOPOPTS:
        return &six->extensions.hop_by_hop;
    case IPV6_RTHDRDSTOPTS:
        return &six->extensions.routing_options;
    case IPV6_RTHDR:
        return &six->extensions.routing;
    case IPV6_DSTOPTS:
        return &six->extensions.options;
    default:
        return NULL;
    }
}

/* 0: it is no option of RFC 2292. */
static uint8_t old_form(int name) {
    switch (name) {
    case IPV6_2292PKTINFO:
        return SOCKET_OLD_PACKET_INFO;
    case IPV6_2292HOPLIMIT:
        return SOCKET_OLD_HOP_LIMIT;
    case IPV6_2292HOPOPTS:
        return SOCKET_OLD_HOP_OPTIONS;
    case IPV6_2292DSTOPTS:
        return SOCKET_OLD_DESTINATION_OPTIONS;
    case IPV6_2292RTHDR:
        return SOCKET_OLD_ROUTING;
    default:
        return 0;
    }
}

bool headers6_option_is(int name) {
    struct socket_headers6 any;
    return name == IPV6_MTU || name == IPV6_PKTINFO || name == IPV6_PATHMTU || header_of(&any, name) ||
           old_form(name);
}

/* A routing header of another type than 2 (RFC 6275) is for routers along the way, which drop it. */
static bool may_route(const uint8_t *header, socklen_t length) {
    return length >= IP6_ROUTING_BYTES && header[1] == IP6_ROUTING_BYTES / 8 - 1 && header[2] == 2 &&
           header[3] == 1;
}

static int set_header(struct stack *stack, struct socket *socket, int name, const uint8_t *value,
                      socklen_t length) {
    if (length && (length < 2 || length % 8 || length > LONGEST || (value[1] + 1u) * 8 > length ||
                   (name == IPV6_RTHDR && !may_route(value, length))))
        return -EINVAL;
    uint32_t bytes = length ? (value[1] + 1u) * 8 : 0;
    if (bytes > IP6_EXTENSIONS_MAX)
        return -ENOBUFS;
    if (!length && !socket->filters)
        return 0;
    struct socket_filters *extra = socket_filters(stack, socket);
    if (!extra)
        return -ENOBUFS;
    struct ip6_extension *header = header_of(&extra->six, name);
    memcpy(header->bytes, value, bytes);
    header->length = (uint8_t)bytes;
    if (socket->tcp && socket->tcp->path.mss_peer)
        tcp_path_measure(stack, socket->tcp);
    return 0;
}

static int set_packet_info(struct stack *stack, struct socket *socket, const void *value, socklen_t length) {
    struct in6_pktinfo info;
    if (length < sizeof info)
        return -EINVAL;
    memcpy(&info, value, sizeof info);
    if (!info.ipi6_ifindex && !socket->filters)
        return 0;
    struct socket_filters *extra = socket_filters(stack, socket);
    if (!extra)
        return -ENOBUFS;
    extra->six.interface = info.ipi6_ifindex; /* the address says nothing, in Linux */
    return 0;
}

int headers6_option_set(struct stack *stack, struct socket *socket, int name, const void *value,
                        socklen_t length, int number) {
    struct socket_headers6 any;
    if (name == IPV6_PATHMTU)
        return -ENOPROTOOPT;
    if (name == IPV6_PKTINFO)
        return set_packet_info(stack, socket, value, length);
    if (header_of(&any, name))
        return set_header(stack, socket, name, value, length);
    if (length < sizeof number || (name == IPV6_MTU && number && number < (int)IP6_MTU_MIN))
        return -EINVAL;
    struct socket_filters *extra = socket_filters(stack, socket);
    if (!extra)
        return -ENOBUFS;
    if (name == IPV6_MTU)
        extra->six.mtu = (uint32_t)number;
    else if (number)
        extra->six.old_forms |= old_form(name);
    else
        extra->six.old_forms &= (uint8_t)~old_form(name);
    return 0;
}

static int give_path_mtu(struct stack *stack, const struct socket *socket, void *value, socklen_t *length) {
    struct ip6_mtuinfo info = {0};
    socklen_t bytes = sizeof info.ip6m_mtu;
    if (*length < sizeof info)
        return -EINVAL;
    int error = ip6_option_give_mtu(stack, socket, &info.ip6m_mtu, &bytes);
    return error ? error : option_give(value, length, &info, sizeof info);
}

int headers6_option_get(struct stack *stack, struct socket *socket, int name, void *value,
                        socklen_t *length) {
    struct socket_headers6 none = {0}, *six = socket->filters ? &socket->filters->six : &none;
    const struct ip6_extension *header = header_of(six, name);
    if (name == IPV6_MTU)
        return ip6_option_give_mtu(stack, socket, value, length);
    if (name == IPV6_PATHMTU)
        return give_path_mtu(stack, socket, value, length);
    if (name == IPV6_PKTINFO)
        return -ENOPROTOOPT;
    if (header)
        return option_give(value, length, header->bytes, header->length);
    return option_give_number(value, length, (six->old_forms & old_form(name)) != 0);
}
