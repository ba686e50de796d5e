/*
 * socket_option_ip.c - the options of ip(7), udp(7) and raw(7).
 */
#include "socket_option.h"
#include "stack.h"
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#ifndef SOL_RAW
#define SOL_RAW 255
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* The options that are no more than a flag. */
static bool *flag_of(struct socket_options *options, int name) {
    switch (name) {
    case IP_RECVERR:
        return &options->receive_errors;
    case IP_RECVTTL:
        return &options->receive_ttl;
    case IP_RECVOPTS:
        return &options->receive_options;
    case IP_RETOPTS:
        return &options->return_options;
    case IP_RECVTOS:
        return &options->receive_tos;
    case IP_PKTINFO:
        return &options->receive_packet_info;
    case IP_RECVORIGDSTADDR:
        return &options->receive_destination;
    case IP_MULTICAST_LOOP:
        return &options->multicast_loop;
    case IP_MULTICAST_ALL:
        return &options->multicast_all;
    default:
        return NULL;
    }
}

/* There is one interface: whoever chooses one must mean it. */
static bool is_ours(const struct stack *stack, uint32_t address, int index) {
    uint32_t own = stack->config.interface_index ? stack->config.interface_index : 1;
    if (index)
        return (uint32_t)index == own;
    return !address || ip_is_local(stack, address);
}

static int membership(struct stack *stack, struct socket *socket, int name, const void *value,
                      socklen_t length) {
    struct ip_mreqn request = {0};
    if (socket->tcp)
        return -EPROTO;
    if (length < sizeof(struct ip_mreq))
        return -EINVAL;
    memcpy(&request, value, length < sizeof request ? sizeof(struct ip_mreq) : sizeof request);
    uint32_t group = ntohl(request.imr_multiaddr.s_addr);
    if (!is_ours(stack, ntohl(request.imr_address.s_addr), request.imr_ifindex))
        return -ENODEV;
    return name == IP_ADD_MEMBERSHIP ? igmp_join(stack, socket, group) : igmp_leave(stack, socket, group);
}

/* RFC 3678's form of the same. */
static int group_request(struct stack *stack, struct socket *socket, int name, const void *value,
                         socklen_t length) {
    struct group_req request;
    struct sockaddr_in group;
    if (socket->tcp)
        return -EPROTO;
    if (length < sizeof request)
        return -EINVAL;
    memcpy(&request, value, sizeof request);
    memcpy(&group, &request.gr_group, sizeof group);
    if (group.sin_family != AF_INET)
        return -EINVAL;
    if (!is_ours(stack, 0, (int)request.gr_interface))
        return -ENODEV;
    return name == MCAST_JOIN_GROUP ? igmp_join(stack, socket, ntohl(group.sin_addr.s_addr))
                                    : igmp_leave(stack, socket, ntohl(group.sin_addr.s_addr));
}

static int multicast_interface(struct stack *stack, struct socket *socket, const void *value,
                               socklen_t length) {
    struct ip_mreqn request = {0};
    if (socket->tcp || length < sizeof(struct in_addr))
        return -EINVAL;
    if (length >= sizeof(struct ip_mreq))
        memcpy(&request, value, length < sizeof request ? sizeof(struct ip_mreq) : sizeof request);
    else
        memcpy(&request.imr_address, value, sizeof request.imr_address);
    return is_ours(stack, ntohl(request.imr_address.s_addr), request.imr_ifindex) ? 0 : -EADDRNOTAVAIL;
}

int ip_option_set(struct stack *stack, struct socket *socket, int name, const void *value, socklen_t length,
                  int number) {
    struct socket_options *options = &socket->options;
    bool *flag = flag_of(options, name);
    bool wants_value = name == IP_MULTICAST_TTL || name == IP_MULTICAST_LOOP || name == IP_MULTICAST_ALL ||
                       name == IP_MINTTL;
    if (wants_value && length < 1)
        return -EINVAL;
    switch (name) {
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
        return membership(stack, socket, name, value, length);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
        return group_request(stack, socket, name, value, length);
    case IP_MULTICAST_IF:
        return multicast_interface(stack, socket, value, length);
    case IP_OPTIONS:
        return length == 0 ? 0 : -ENOPROTOOPT;
    default:
        break;
    }
    if (name == IP_MULTICAST_ALL && number != 0 && number != 1)
        return -EINVAL;
    if (flag) {
        *flag = number != 0;
        return 0;
    }
    switch (name) {
    case IP_MINTTL:
        if (number < 0 || number > 255)
            return -EINVAL;
        options->min_ttl = (uint8_t)number;
        break;
    case IP_TTL:
        if (number != -1 && (number < 1 || number > 255))
            return -EINVAL;
        options->ttl = (uint8_t)(number == -1 ? stack->sysctl.ip_default_ttl : (uint32_t)number);
        break;
    case IP_TOS:
        options->tos = (uint8_t)(socket->tcp ? number & ~3 : number); /* the ECN bits are TCP's */
        break;
    case IP_MULTICAST_TTL:
        if (socket->tcp || number < -1 || number > 255)
            return -EINVAL;
        options->multicast_ttl = number == -1 ? 1 : (uint8_t)number;
        break;
    case IP_MTU_DISCOVER:
        if (number < IP_PMTUDISC_DONT || number > IP_PMTUDISC_OMIT)
            return -EINVAL;
        options->path_mtu_discover = (uint8_t)number;
        break;
    case IP_HDRINCL:
        if (socket->type != SOCK_RAW)
            return -ENOPROTOOPT;
        options->header_included = number != 0;
        break;
    default:
        return -ENOPROTOOPT;
    }
    if (socket->tcp) {
        socket->tcp->options.ttl = options->ttl;
        socket->tcp->options.tos = options->tos;
        socket->tcp->options.min_ttl = options->min_ttl;
    }
    return 0;
}

int ip_option_get(struct stack *stack, struct socket *socket, int name, void *value, socklen_t *length) {
    struct socket_options *options = &socket->options;
    const bool *flag = flag_of(options, name);
    if (flag)
        return option_give_number(value, length, *flag);
    switch (name) {
    case IP_TTL:
        return option_give_number(value, length, options->ttl);
    case IP_TOS:
        return option_give_number(value, length, options->tos);
    case IP_MULTICAST_TTL:
        return option_give_number(value, length, options->multicast_ttl);
    case IP_MINTTL:
        return option_give_number(value, length, options->min_ttl);
    case IP_MTU_DISCOVER:
        return option_give_number(value, length, options->path_mtu_discover);
    case IP_MTU: {
        uint32_t address;
        uint16_t port;
        if (socket_remote(socket, &address, &port))
            return -ENOTCONN;
        return option_give_number(value, length, (int)ip_mtu(stack, address));
    }
    case IP_HDRINCL:
        return option_give_number(value, length, options->header_included);
    case IP_MULTICAST_IF: {
        struct in_addr any = {INADDR_ANY};
        return option_give(value, length, &any, sizeof any);
    }
    case IP_OPTIONS:
        *length = 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int udp_option_set(struct stack *stack, struct socket *socket, int name, int number) {
    switch (name) {
    case UDP_CORK:
        socket->options.udp_cork = number != 0;
        if (!number)
            udp_uncork(stack, socket); /* what becomes of it, setsockopt(2) does not say */
        return 0;
    case UDP_SEGMENT:
        if (number < 0 || number > UINT16_MAX)
            return -EINVAL;
        socket->datagram->segment = (uint16_t)number;
        return 0;
    case UDP_GRO:
        socket->options.gro = number != 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int udp_option_get(const struct socket *socket, int name, void *value, socklen_t *length) {
    switch (name) {
    case UDP_CORK:
        return option_give_number(value, length, socket->options.udp_cork);
    case UDP_SEGMENT:
        return option_give_number(value, length, socket->datagram->segment);
    case UDP_GRO:
        return option_give_number(value, length, socket->options.gro);
    default:
        return -ENOPROTOOPT;
    }
}

static bool has_icmp_filter(const struct socket *socket, int name) {
    return socket->type == SOCK_RAW && socket->datagram->binding.protocol == IP_PROTOCOL_ICMP &&
           name == ICMP_FILTER;
}

int raw_option_set(struct socket *socket, int name, const void *value, socklen_t length) {
    if (!has_icmp_filter(socket, name))
        return -ENOPROTOOPT;
    memcpy(&socket->datagram->icmp_filter, value, length < sizeof(uint32_t) ? length : sizeof(uint32_t));
    return 0;
}

int raw_option_get(const struct socket *socket, int name, void *value, socklen_t *length) {
    if (!has_icmp_filter(socket, name))
        return -ENOPROTOOPT;
    return option_give(value, length, &socket->datagram->icmp_filter, sizeof(uint32_t));
}
