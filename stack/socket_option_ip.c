/* SPDX-License-Identifier: MIT */
/*
 * socket_option_ip.c - the options of ip(7), udp(7) and raw(7).
 */
#include "stack/socket_option_ip.h"
#include "stack/socket_option.h"
#include "stack/socket_option_ip6.h"
#include "stack/stack.h"
#include "stack/tcp/tcp_pmtu.h"
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>

#ifndef SOL_RAW
#define SOL_RAW 255
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* The options that are no more than a flag. */
#define FLAGS(FLAG)                               \
    FLAG(IP_RECVERR, receive_errors)              \
    FLAG(IP_RECVTTL, receive_ttl)                 \
    FLAG(IP_RECVOPTS, receive_options)            \
    FLAG(IP_RETOPTS, return_options)              \
    FLAG(IP_RECVTOS, receive_tos)                 \
    FLAG(IP_PKTINFO, receive_packet_info)         \
    FLAG(IP_RECVORIGDSTADDR, receive_destination) \
    FLAG(IP_RECVERR_RFC4884, receive_extensions)  \
    FLAG(IP_RECVFRAGSIZE, receive_fragment_size)  \
    FLAG(IP_MULTICAST_LOOP, multicast_loop)       \
    FLAG(IP_MULTICAST_ALL, multicast_all)

/* False: the option is none of them. */
static bool set_flag(struct socket_options *options, int name, bool value) {
    switch (name) {
#define SET(option, field)      \
    case option:                \
        options->field = value; \
        return true;
        FLAGS(SET)
#undef SET
    default:
        return false;
    }
}

/* -1: the option is none of them. */
static int get_flag(const struct socket_options *options, int name) {
    switch (name) {
#define GET(option, field) \
    case option:           \
        return options->field;
        FLAGS(GET)
#undef GET
    default:
        return -1;
    }
}

/* There is one interface: whoever chooses one must mean it. */
static bool is_ours(const struct stack *stack, uint32_t address, int index) {
    uint32_t own = stack_interface_index(stack);
    if (index)
        return (uint32_t)index == own;
    return !address || ip4_is_local(stack, address);
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
    return name == IP_ADD_MEMBERSHIP ? multicast_join(stack, socket, ip_from_v4(group), false)
                                     : multicast_leave(stack, socket, ip_from_v4(group));
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
    return name == MCAST_JOIN_GROUP
               ? multicast_join(stack, socket, ip_from_v4(ntohl(group.sin_addr.s_addr)), false)
               : multicast_leave(stack, socket, ip_from_v4(ntohl(group.sin_addr.s_addr)));
}

/* One source of a group, by either form of the request (RFC 3678). */
static int source_request(struct stack *stack, struct socket *socket, int name, const void *value,
                          socklen_t length) {
    bool includes = name == IP_ADD_SOURCE_MEMBERSHIP || name == IP_DROP_SOURCE_MEMBERSHIP ||
                    name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_LEAVE_SOURCE_GROUP;
    bool add = name == IP_ADD_SOURCE_MEMBERSHIP || name == IP_BLOCK_SOURCE ||
               name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_BLOCK_SOURCE;
    struct ip_mreq_source request;
    struct group_source_req general;
    struct sockaddr_in group, source;
    bool ours;
    if (socket->tcp)
        return -EPROTO;
    if (name <= IP_MSFILTER) {
        if (length != sizeof request)
            return -EINVAL;
        memcpy(&request, value, sizeof request);
        group.sin_addr = request.imr_multiaddr;
        source.sin_addr = request.imr_sourceaddr;
        ours = is_ours(stack, ntohl(request.imr_interface.s_addr), 0);
    } else {
        if (length != sizeof general)
            return -EINVAL;
        memcpy(&general, value, sizeof general);
        memcpy(&group, &general.gsr_group, sizeof group);
        memcpy(&source, &general.gsr_source, sizeof source);
        if (group.sin_family != AF_INET || source.sin_family != AF_INET)
            return -EADDRNOTAVAIL;
        ours = is_ours(stack, 0, (int)general.gsr_interface);
    }
    if (!ip4_is_multicast(ntohl(group.sin_addr.s_addr)))
        return -EINVAL;
    if (!ours)
        return -ENODEV;
    return multicast_source(stack, socket, ip_from_v4(ntohl(group.sin_addr.s_addr)),
                            ip_from_v4(ntohl(source.sin_addr.s_addr)), includes, add);
}

/* A whole filter: the head of struct ip_msfilter or struct group_filter, and its sources. */
struct filter_request {
    uint32_t group, count;
    bool includes, ours;
    uint32_t head_bytes, source_bytes, source_at; /* where the sources are */
};

static int read_filter(const struct stack *stack, int name, const void *value, socklen_t length,
                       struct filter_request *request) {
    uint32_t mode;
    if (name == IP_MSFILTER) {
        struct ip_msfilter old;
        request->head_bytes = offsetof(struct ip_msfilter, imsf_slist);
        request->source_bytes = sizeof(struct in_addr);
        request->source_at = 0;
        if (length < request->head_bytes)
            return -EINVAL;
        memcpy(&old, value, request->head_bytes);
        request->group = ntohl(old.imsf_multiaddr.s_addr);
        request->count = old.imsf_numsrc;
        request->ours = is_ours(stack, ntohl(old.imsf_interface.s_addr), 0);
        mode = old.imsf_fmode;
    } else {
        struct group_filter new;
        struct sockaddr_in group;
        request->head_bytes = offsetof(struct group_filter, gf_slist);
        request->source_bytes = sizeof(struct sockaddr_storage);
        request->source_at = offsetof(struct sockaddr_in, sin_addr);
        if (length < request->head_bytes)
            return -EINVAL;
        memcpy(&new, value, request->head_bytes);
        memcpy(&group, &new.gf_group, sizeof group);
        request->group = ntohl(group.sin_addr.s_addr);
        request->count = new.gf_numsrc;
        request->ours = is_ours(stack, 0, (int)new.gf_interface);
        mode = new.gf_fmode;
        if (group.sin_family != AF_INET)
            return -EADDRNOTAVAIL;
    }
    request->includes = mode == MCAST_INCLUDE;
    return mode == MCAST_INCLUDE || mode == MCAST_EXCLUDE ? 0 : -EINVAL;
}

static int set_filter(struct stack *stack, struct socket *socket, int name, const void *value,
                      socklen_t length) {
    struct filter_request request;
    struct multicast_filter filter = {0};
    int error = socket->tcp ? -EPROTO : read_filter(stack, name, value, length, &request);
    if (!error && request.count > MULTICAST_SOURCES4_MAX)
        return -ENOBUFS;
    if (!error && (length < request.head_bytes + request.count * request.source_bytes ||
                   !ip4_is_multicast(request.group)))
        return -EINVAL;
    if (!error && !request.ours)
        return -ENODEV;
    if (error)
        return error;
    filter.includes = request.includes;
    for (uint32_t i = 0; i < request.count; i++)
        filter.sources[filter.count++] = ip_from_v4(wire_get32((const uint8_t *)value + request.head_bytes +
                                                               i * request.source_bytes + request.source_at));
    return multicast_set_filter(stack, socket, ip_from_v4(request.group), &filter);
}

/* What was asked is in the same memory: the group, and for how many sources there is room. */
static int get_filter(const struct stack *stack, const struct socket *socket, int name, void *value,
                      socklen_t *length) {
    struct filter_request request;
    int error = socket->tcp ? -EPROTO : read_filter(stack, name, value, *length, &request);
    if (error == -EINVAL && *length >= request.head_bytes)
        error = 0; /* the mode is an answer here */
    if (!error && !ip4_is_multicast(request.group))
        return -EINVAL;
    if (!error && !request.ours)
        return -ENODEV;
    if (error)
        return error;
    const struct multicast_filter *filter = multicast_get_filter(socket, ip_from_v4(request.group));
    if (!filter)
        return -EADDRNOTAVAIL;
    uint32_t mode = filter->includes ? MCAST_INCLUDE : MCAST_EXCLUDE, count = filter->count;
    uint32_t room = (*length - request.head_bytes) / request.source_bytes, given = 0;
    room = room < request.count ? room : request.count;
    bool old = name == IP_MSFILTER;
    memcpy((char *)value +
               (old ? offsetof(struct ip_msfilter, imsf_fmode) : offsetof(struct group_filter, gf_fmode)),
           &mode, sizeof mode);
    memcpy((char *)value +
               (old ? offsetof(struct ip_msfilter, imsf_numsrc) : offsetof(struct group_filter, gf_numsrc)),
           &count, sizeof count);
    for (; given < count && given < room; given++) {
        char *to = (char *)value + request.head_bytes + given * request.source_bytes;
        struct sockaddr_in source = {.sin_family = AF_INET,
                                     .sin_addr = {htonl(ip_to_v4(filter->sources[given]))}};
        memset(to, 0, request.source_bytes);
        memcpy(to, old ? (void *)&source.sin_addr : (void *)&source,
               old ? sizeof source.sin_addr : sizeof source);
    }
    *length = request.head_bytes + given * request.source_bytes;
    return 0;
}

uint32_t socket_multicast_address(const struct stack *stack, const struct socket_options *options) {
    if (options->multicast_by < SOCKET_MULTICAST_BY_OWN)
        return options->multicast_by == SOCKET_MULTICAST_BY_LOOPBACK ? IP_LOOPBACK : 0;
    return stack->addresses4.entries[options->multicast_by - SOCKET_MULTICAST_BY_OWN].address;
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
    uint32_t address = ntohl(request.imr_address.s_addr);
    if (!is_ours(stack, address, request.imr_ifindex))
        return -EADDRNOTAVAIL;
    const struct ip4_address *own = ip4_address_find(stack, address);
    socket->options.multicast_by =
        ip4_is_loopback(address) ? SOCKET_MULTICAST_BY_LOOPBACK
        : own                    ? (uint8_t)(SOCKET_MULTICAST_BY_OWN + (own - stack->addresses4.entries)) & 7
                                 : SOCKET_MULTICAST_BY_ANY;
    return 0;
}

static int set_ip_options(struct stack *stack, struct socket *socket, const void *value, socklen_t length) {
    struct ip_options options;
    int error = ip_options_set(&options, value, length);
    if (error || (!socket->filters && length == 0))
        return error;
    struct socket_filters *extra = socket_filters(stack, socket);
    if (!extra)
        return -ENOBUFS;
    extra->options = options;
    if (socket->tcp && socket->tcp->path.mss_peer)
        tcp_path_measure(stack, socket->tcp);
    return 0;
}

int ip_option_set(struct stack *stack, struct socket *socket, int name, const void *value, socklen_t length,
                  int number) {
    struct socket_options *options = &socket->options;
    bool wants_value = name == IP_MULTICAST_TTL || name == IP_MULTICAST_LOOP || name == IP_MULTICAST_ALL ||
                       name == IP_MINTTL || name == IP_FREEBIND;
    if (wants_value && length < 1)
        return -EINVAL;
    switch (name) {
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
        return membership(stack, socket, name, value, length);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
        return group_request(stack, socket, name, value, length);
    case IP_ADD_SOURCE_MEMBERSHIP:
    case IP_DROP_SOURCE_MEMBERSHIP:
    case IP_BLOCK_SOURCE:
    case IP_UNBLOCK_SOURCE:
    case MCAST_JOIN_SOURCE_GROUP:
    case MCAST_LEAVE_SOURCE_GROUP:
    case MCAST_BLOCK_SOURCE:
    case MCAST_UNBLOCK_SOURCE:
        return source_request(stack, socket, name, value, length);
    case IP_MSFILTER:
    case MCAST_MSFILTER:
        return set_filter(stack, socket, name, value, length);
    case IP_MULTICAST_IF:
        return multicast_interface(stack, socket, value, length);
    case IP_OPTIONS:
        return set_ip_options(stack, socket, value, length);
    default:
        break;
    }
    if ((name == IP_MULTICAST_ALL || name == IP_RECVERR_RFC4884) && number != 0 && number != 1)
        return -EINVAL;
    if (name == IP_RECVFRAGSIZE && socket->tcp)
        return -EINVAL;
    if (set_flag(options, name, number != 0)) {
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
    case IP_FREEBIND:
        options->free_bind = number != 0;
        break;
    case IP_BIND_ADDRESS_NO_PORT:
        options->bind_without_port = number != 0;
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
    int flag = get_flag(options, name);
    if (flag >= 0)
        return option_give_number(value, length, flag);
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
    case IP_MTU:
        return ip6_option_give_mtu(stack, socket, value, length);
    case IP_FREEBIND:
        return option_give_number(value, length, options->free_bind);
    case IP_BIND_ADDRESS_NO_PORT:
        return option_give_number(value, length, options->bind_without_port);
    case IP_HDRINCL:
        return option_give_number(value, length, options->header_included);
    case IP_MULTICAST_IF: {
        struct in_addr by = {htonl(socket_multicast_address(stack, options))};
        return option_give(value, length, &by, sizeof by);
    }
    case IP_MSFILTER:
    case MCAST_MSFILTER:
        return get_filter(stack, socket, name, value, length);
    case IP_OPTIONS: {
        static const struct ip_options none;
        const struct ip_options *ip_options = socket_ip_options(socket);
        ip_options = ip_options ? ip_options : &none;
        return option_give(value, length, ip_options->bytes, ip_options->length);
    }
    default:
        return -ENOPROTOOPT;
    }
}

/* UDP-Lite's: less than the header can't be, and is taken for it. */
static int set_coverage(const struct socket *socket, struct udp_coverage *coverage, int bytes) {
    if (socket->datagram->binding.protocol != IP_PROTOCOL_UDPLITE)
        return -ENOPROTOOPT;
    if (bytes != 0 && bytes < (int)UDP_HEADER_BYTES)
        bytes = UDP_HEADER_BYTES;
    *coverage = (struct udp_coverage){true, (uint16_t)(bytes < UINT16_MAX ? bytes : UINT16_MAX)};
    return 0;
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
    case UDPLITE_SEND_CSCOV:
        return set_coverage(socket, &socket->datagram->sends, number);
    case UDPLITE_RECV_CSCOV:
        return set_coverage(socket, &socket->datagram->accepts, number);
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
    case UDPLITE_SEND_CSCOV: /* UDP's is all, which is 0 */
        return option_give_number(value, length, socket->datagram->sends.bytes);
    case UDPLITE_RECV_CSCOV:
        return option_give_number(value, length, socket->datagram->accepts.bytes);
    default:
        return -ENOPROTOOPT;
    }
}

static bool has_icmp_filter(const struct socket *socket, int name) {
    return socket->type == SOCK_RAW && socket->datagram->binding.protocol == IP_PROTOCOL_ICMP &&
           name == ICMP_FILTER;
}

/* IPV6_CHECKSUM has two levels. Of ICMPv6 it is taken at this one, and counts for nothing, as in Linux. */
static bool is_checksum6(const struct socket *socket, int name) {
    return socket->type == SOCK_RAW && socket->options.inet6 && name == IPV6_CHECKSUM;
}

int raw_option_set(struct socket *socket, int name, const void *value, socklen_t length) {
    if (is_checksum6(socket, name)) {
        int number;
        if (length < sizeof number)
            return -EINVAL;
        memcpy(&number, value, sizeof number);
        if (number > 0 && number % 2)
            return -EINVAL;
        if (socket->datagram->binding.protocol != IP_PROTOCOL_ICMP6)
            socket->datagram->checksum_offset = number < 0 ? -1 : number;
        return 0;
    }
    if (!has_icmp_filter(socket, name))
        return -ENOPROTOOPT;
    memcpy(&socket->datagram->icmp_filter, value, length < sizeof(uint32_t) ? length : sizeof(uint32_t));
    return 0;
}

int raw_option_get(const struct socket *socket, int name, void *value, socklen_t *length) {
    if (is_checksum6(socket, name))
        return option_give_number(value, length, socket->datagram->checksum_offset);
    if (!has_icmp_filter(socket, name))
        return -ENOPROTOOPT;
    return option_give(value, length, &socket->datagram->icmp_filter, sizeof(uint32_t));
}
