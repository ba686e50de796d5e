/* SPDX-License-Identifier: MIT */
/*
 * socket_option_ip6.c - the options of ipv6(7) and of RFC 3493, 3542, 3678, 5014; icmp6's filter.
 *
 * What a value may be, and what is said when it may not, is as Linux's do_ipv6_setsockopt has it.
 */
#include "stack/socket_option_ip6.h"
#include "stack/socket_option.h"
#include "stack/stack.h"
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stddef.h>

#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif
#define IPV6_FLOWINFO 11
#define IPV6_FLOWINFO_SEND 33
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif
#define PREFER_TEMPORARY 1 /* of struct socket_options6's source_preferences: IPV6_PREFER_SRC_* */
#define PREFER_PUBLIC 2
#define PREFER_EITHER 0x100
#define PREFER_COA 4
#define PREFER_HOME 0x400
#define PREFER_CGA 8
#define PREFER_NO_CGA 0x800

/* A flag of an option's name. The options are bits, which have no address. */
enum access { GET, CLEAR, SET };

static bool flag(struct socket_options6 *six, int name, enum access access, bool *value) {
#define FLAG(field)                     \
    do {                                \
        if (access != GET)              \
            six->field = access == SET; \
        *value = six->field;            \
        return true;                    \
    } while (0)
    switch (name) {
    case IPV6_RECVERR:
        FLAG(receive_errors);
    case IPV6_RECVPKTINFO:
        FLAG(receive_packet_info);
    case IPV6_RECVHOPLIMIT:
        FLAG(receive_hop_limit);
    case IPV6_RECVTCLASS:
        FLAG(receive_traffic_class);
    case IPV6_FLOWINFO:
        FLAG(receive_flow_info);
    case IPV6_RECVPATHMTU:
        FLAG(receive_path_mtu);
    case IPV6_RECVFRAGSIZE:
        FLAG(receive_fragment_size);
    case IPV6_RECVORIGDSTADDR:
        FLAG(receive_destination);
    case IPV6_RECVHOPOPTS:
        FLAG(receive_hop_options);
    case IPV6_RECVDSTOPTS:
        FLAG(receive_destination_options);
    case IPV6_RECVRTHDR:
        FLAG(receive_routing);
    case IPV6_DONTFRAG:
        FLAG(dont_fragment);
    case IPV6_AUTOFLOWLABEL:
        FLAG(auto_flow_label);
    case IPV6_FLOWINFO_SEND:
        FLAG(send_flow_info);
    case IPV6_MULTICAST_LOOP:
        FLAG(multicast_loop);
    case IPV6_MULTICAST_ALL:
        FLAG(multicast_all);
    case IPV6_FREEBIND:
        FLAG(free_bind);
    default:
        return false;
    }
#undef FLAG
}

/* There is one interface. */
static bool is_ours(const struct stack *stack, uint32_t index) {
    return !index || index == stack_interface_index(stack);
}

static struct ip_address group_of(const struct sockaddr_storage *given) {
    struct sockaddr_in6 group;
    memcpy(&group, given, sizeof group);
    return ip_from_bytes(&group.sin6_addr);
}

static int membership(struct stack *stack, struct socket *socket, int name, const void *value,
                      socklen_t length) {
    struct ipv6_mreq request;
    if (length < sizeof request)
        return -EINVAL;
    if (socket->tcp)
        return -EPROTO;
    memcpy(&request, value, sizeof request);
    struct ip_address group = ip_from_bytes(&request.ipv6mr_multiaddr);
    if (!ip_is_multicast(group) || ip_is_v4(group))
        return -EINVAL;
    if (!is_ours(stack, request.ipv6mr_interface))
        return -ENODEV;
    return name == IPV6_JOIN_GROUP ? multicast_join(stack, socket, group, false)
                                   : multicast_leave(stack, socket, group);
}

/* RFC 3678's form of the same. */
static int group_request(struct stack *stack, struct socket *socket, int name, const void *value,
                         socklen_t length) {
    struct group_req request;
    if (length < sizeof request)
        return -EINVAL;
    if (socket->tcp)
        return -EPROTO;
    memcpy(&request, value, sizeof request);
    struct ip_address group = group_of(&request.gr_group);
    if (request.gr_group.ss_family != AF_INET6 || !ip_is_multicast(group))
        return -EADDRNOTAVAIL;
    if (!is_ours(stack, request.gr_interface))
        return -ENODEV;
    return name == MCAST_JOIN_GROUP ? multicast_join(stack, socket, group, false)
                                    : multicast_leave(stack, socket, group);
}

static int source_request(struct stack *stack, struct socket *socket, int name, const void *value,
                          socklen_t length) {
    struct group_source_req request;
    bool includes = name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_LEAVE_SOURCE_GROUP;
    bool add = name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_BLOCK_SOURCE;
    if (length < sizeof request)
        return -EINVAL;
    if (socket->tcp)
        return -EPROTO;
    memcpy(&request, value, sizeof request);
    if (request.gsr_group.ss_family != AF_INET6 || request.gsr_source.ss_family != AF_INET6)
        return -EADDRNOTAVAIL;
    if (!ip_is_multicast(group_of(&request.gsr_group)))
        return -EINVAL;
    if (!is_ours(stack, request.gsr_interface))
        return -ENODEV;
    return multicast_source(stack, socket, group_of(&request.gsr_group), group_of(&request.gsr_source),
                            includes, add);
}

static int set_filter(struct stack *stack, struct socket *socket, const void *value, socklen_t length) {
    struct group_filter head;
    struct multicast_filter filter = {0};
    if (length < offsetof(struct group_filter, gf_slist))
        return -EINVAL;
    if (socket->tcp)
        return -EPROTO;
    memcpy(&head, value, offsetof(struct group_filter, gf_slist));
    if (head.gf_numsrc > MULTICAST_SOURCES_MAX)
        return -ENOBUFS;
    if (length < offsetof(struct group_filter, gf_slist) + head.gf_numsrc * sizeof(struct sockaddr_storage) ||
        !ip_is_multicast(group_of(&head.gf_group)) ||
        (head.gf_fmode != MCAST_INCLUDE && head.gf_fmode != MCAST_EXCLUDE))
        return -EINVAL;
    if (!is_ours(stack, head.gf_interface))
        return -ENODEV;
    filter.includes = head.gf_fmode == MCAST_INCLUDE;
    for (uint32_t i = 0; i < head.gf_numsrc; i++) {
        struct sockaddr_storage source;
        memcpy(&source, (const char *)value + offsetof(struct group_filter, gf_slist) + i * sizeof source,
               sizeof source);
        filter.sources[filter.count++] = group_of(&source);
    }
    return multicast_set_filter(stack, socket, group_of(&head.gf_group), &filter);
}

/* RFC 5014: of each pair one may be chosen, or neither. */
static int set_preferences(struct socket_options6 *six, int wanted) {
    static const struct {
        int one, other, none;
    } pairs[] = {{PREFER_PUBLIC, PREFER_TEMPORARY, PREFER_EITHER},
                 {PREFER_COA, PREFER_HOME, 0},
                 {PREFER_CGA, PREFER_NO_CGA, 0}};
    int chosen = six->source_preferences;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        int all = pairs[i].one | pairs[i].other | pairs[i].none, of_pair = wanted & all;
        if (of_pair & (of_pair - 1))
            return -EINVAL;
        if (of_pair)
            chosen = (chosen & ~(pairs[i].one | pairs[i].other)) |
                     (of_pair & (pairs[i].one | pairs[i].other) & 0xff);
        wanted &= ~all;
    }
    if (wanted)
        return -EINVAL;
    six->source_preferences = (uint8_t)chosen;
    return 0;
}

static bool is_bound(const struct socket *socket) {
    return socket->tcp ? socket->tcp->binding.port || socket->tcp->state != TCP_CLOSE
                       : socket->datagram->binding.port != 0;
}

static bool is_number(int name) {
    return name == IPV6_V6ONLY || name == IPV6_UNICAST_HOPS || name == IPV6_MULTICAST_HOPS ||
           name == IPV6_TCLASS || name == IPV6_MINHOPCOUNT || name == IPV6_MTU_DISCOVER ||
           name == IPV6_ADDR_PREFERENCES;
}

/* The options that are numbers. */
static int set_number(struct socket *socket, int name, int number) {
    struct socket_options6 *six = &socket->options.six;
    switch (name) {
    case IPV6_V6ONLY:
        if (is_bound(socket))
            return -EINVAL;
        six->only = number != 0;
        return 0;
    case IPV6_UNICAST_HOPS:
        if (number < -1 || number > 255)
            return -EINVAL;
        six->hop_limit = (int16_t)number;
        break;
    case IPV6_MULTICAST_HOPS:
        if (socket->tcp)
            return -ENOPROTOOPT;
        if (number < -1 || number > 255)
            return -EINVAL;
        six->multicast_hop_limit = (int16_t)(number == -1 ? 1 : number);
        return 0;
    case IPV6_TCLASS:
        if (number < -1 || number > 255)
            return -EINVAL;
        number = number == -1 ? 0 : number;
        six->traffic_class = (uint8_t)(socket->tcp ? number & ~3 : number); /* the ECN bits are TCP's */
        break;
    case IPV6_MINHOPCOUNT:
        if (number < 0 || number > 255)
            return -EINVAL;
        six->min_hop_limit = (uint8_t)number;
        break;
    case IPV6_MTU_DISCOVER:
        if (number < IPV6_PMTUDISC_DONT || number > IPV6_PMTUDISC_OMIT)
            return -EINVAL;
        six->path_mtu_discover = (uint8_t)number;
        return 0;
    case IPV6_ADDR_PREFERENCES:
        return set_preferences(six, number);
    default:
        return -ENOPROTOOPT;
    }
    if (socket->tcp) {
        socket->tcp->options.hop_limit = (uint8_t)(six->hop_limit > 0 ? six->hop_limit : 0);
        socket->tcp->options.traffic_class = six->traffic_class;
        socket->tcp->options.min_hop_limit = six->min_hop_limit;
    }
    return 0;
}

int ip6_option_set(struct stack *stack, struct socket *socket, int name, const void *value, socklen_t length,
                   int number) {
    bool ignored;
    switch (name) {
    case IPV6_JOIN_GROUP:
    case IPV6_LEAVE_GROUP:
        return membership(stack, socket, name, value, length);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
        return group_request(stack, socket, name, value, length);
    case MCAST_JOIN_SOURCE_GROUP:
    case MCAST_LEAVE_SOURCE_GROUP:
    case MCAST_BLOCK_SOURCE:
    case MCAST_UNBLOCK_SOURCE:
        return source_request(stack, socket, name, value, length);
    case MCAST_MSFILTER:
        return set_filter(stack, socket, value, length);
    case IPV6_MULTICAST_IF:
        if (socket->tcp)
            return -ENOPROTOOPT;
        if (length < sizeof number)
            return -EINVAL;
        if (!is_ours(stack, (uint32_t)number))
            return -ENODEV;
        socket->options.six.multicast_interface = number != 0;
        return 0;
    default:
        break;
    }
    bool one_bit = name == IPV6_MULTICAST_LOOP || name == IPV6_MULTICAST_ALL;
    if (flag(&socket->options.six, name, GET, &ignored)) {
        if (length < sizeof number || (one_bit && number != 0 && number != 1))
            return -EINVAL;
        flag(&socket->options.six, name, number ? SET : CLEAR, &ignored);
        return 0;
    }
    if (length >= sizeof number)
        return set_number(socket, name, number);
    return is_number(name) ? -EINVAL : -ENOPROTOOPT;
}

static int give_mtu(struct stack *stack, const struct socket *socket, void *value, socklen_t *length) {
    struct ip_address address;
    uint16_t port;
    if (socket_remote(socket, &address, &port))
        return -ENOTCONN;
    return option_give_number(value, length, (int)ip_mtu(stack, address));
}

int ip6_option_get(struct stack *stack, struct socket *socket, int name, void *value, socklen_t *length) {
    struct socket_options6 *six = &socket->options.six;
    bool set;
    if (flag(six, name, GET, &set))
        return option_give_number(value, length, set);
    switch (name) {
    case IPV6_V6ONLY:
        return option_give_number(value, length, six->only);
    case IPV6_UNICAST_HOPS:
        return option_give_number(value, length, six->hop_limit >= 0 ? six->hop_limit : ip6_hop_limit(stack));
    case IPV6_MULTICAST_HOPS:
        return option_give_number(value, length, six->multicast_hop_limit < 0 ? 1 : six->multicast_hop_limit);
    case IPV6_TCLASS:
        return option_give_number(value, length, six->traffic_class);
    case IPV6_MINHOPCOUNT:
        return option_give_number(value, length, six->min_hop_limit);
    case IPV6_MTU_DISCOVER:
        return option_give_number(value, length, six->path_mtu_discover);
    case IPV6_MTU:
        return give_mtu(stack, socket, value, length);
    case IPV6_MULTICAST_IF:
        return option_give_number(value, length,
                                  six->multicast_interface ? (int)stack_interface_index(stack) : 0);
    case IPV6_ADDR_PREFERENCES: {
        int chosen = six->source_preferences;
        chosen |= chosen & (PREFER_PUBLIC | PREFER_TEMPORARY) ? 0 : PREFER_EITHER;
        chosen |= chosen & PREFER_COA ? 0 : PREFER_HOME;
        return option_give_number(value, length, chosen);
    }
    default:
        return -ENOPROTOOPT;
    }
}

int icmp6_option_set(struct socket *socket, int name, const void *value, socklen_t length) {
    if (socket->tcp || name != ICMP6_FILTER || socket->datagram->binding.protocol != IP_PROTOCOL_ICMP6)
        return -ENOPROTOOPT;
    uint32_t size = sizeof socket->datagram->icmp6_filter;
    memcpy(socket->datagram->icmp6_filter, value, length < size ? length : size);
    return 0;
}

int icmp6_option_get(const struct socket *socket, int name, void *value, socklen_t *length) {
    if (socket->tcp || name != ICMP6_FILTER || socket->datagram->binding.protocol != IP_PROTOCOL_ICMP6)
        return -ENOPROTOOPT;
    return option_give(value, length, socket->datagram->icmp6_filter, sizeof socket->datagram->icmp6_filter);
}
