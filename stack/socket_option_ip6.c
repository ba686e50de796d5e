/* SPDX-License-Identifier: MIT */
/*
 * socket_option_ip6.c - the options of ipv6(7) and of RFC 3493, 3542, 3678, 5014; icmp6's filter.
 *
 * What a value may be, and what is said when it may not, is as Linux's do_ipv6_setsockopt has it.
 */
#include "stack/socket_option_ip6.h"
#include "stack/socket_option.h"
#include "stack/socket_option_headers6.h"
#include "stack/socket_option_multicast6.h"
#include "stack/stack.h"
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stddef.h>

#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif
#ifndef IPV6_RECVERR_RFC4884
#define IPV6_RECVERR_RFC4884 31
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
    case IPV6_RECVERR_RFC4884:
        FLAG(receive_extensions);
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

static bool is_one_of(int wanted, int of) {
    int chosen = wanted & of;
    return (chosen & (chosen - 1)) == 0;
}

/* RFC 5014: of each pair one may be chosen, or neither. What there is no such thing of is taken, as in Linux. */
static int set_preferences(struct socket_options6 *six, int wanted) {
    int chosen = six->source_preferences;
    if (!is_one_of(wanted, PREFER_PUBLIC | PREFER_TEMPORARY | PREFER_EITHER) ||
        !is_one_of(wanted, PREFER_COA | PREFER_HOME) || !is_one_of(wanted, PREFER_CGA | PREFER_NO_CGA))
        return -EINVAL;
    if (wanted & (PREFER_PUBLIC | PREFER_TEMPORARY | PREFER_EITHER))
        chosen = (chosen & PREFER_COA) | (wanted & (PREFER_PUBLIC | PREFER_TEMPORARY));
    if (wanted & (PREFER_HOME | PREFER_COA))
        chosen = (chosen & ~PREFER_COA) | (wanted & PREFER_COA);
    six->source_preferences = (uint8_t)chosen;
    return 0;
}

static bool is_bound(const struct socket *socket) {
    if (socket->type == SOCK_RAW)
        return true; /* to its protocol */
    return socket->tcp ? socket->tcp->binding.port || socket->tcp->state != TCP_CLOSE
                       : socket->datagram->binding.port != 0;
}

static bool is_number(int name) {
    return name == IPV6_V6ONLY || name == IPV6_UNICAST_HOPS || name == IPV6_MULTICAST_HOPS ||
           name == IPV6_TCLASS || name == IPV6_MINHOPCOUNT || name == IPV6_MTU_DISCOVER ||
           name == IPV6_ADDR_PREFERENCES || name == IPV6_ADDRFORM;
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

static bool is_transport(const struct socket *socket) {
    return socket->tcp || udp_is(socket);
}

static bool is_established(const struct socket *socket) {
    return socket->tcp ? socket->tcp->state == TCP_ESTABLISHED : socket->connected;
}

/* IPV6_ADDRFORM: a socket of AF_INET6 that speaks IPv4 becomes one of AF_INET. */
static int become_inet(struct socket *socket, int family) {
    struct ip_address remote;
    uint16_t port;
    if (family != AF_INET)
        return -EINVAL;
    if (!is_transport(socket))
        return -ENOPROTOOPT;
    if (!is_established(socket) || socket_remote(socket, &remote, &port))
        return -ENOTCONN;
    if (socket->options.six.only || !ip_is_v4(remote))
        return -EADDRNOTAVAIL;
    struct binding *binding = socket->tcp ? &socket->tcp->binding : &socket->datagram->binding;
    socket->options.inet6 = binding->inet6 = binding->takes_v6 = false;
    return 0;
}

/* RFC 3542 section 3.1; raw(7). */
static int set_raw(struct socket *socket, int name, socklen_t length, int number) {
    if (length < sizeof number)
        return -EINVAL;
    if (name == IPV6_HDRINCL) {
        socket->options.header_included = number != 0;
        return 0;
    }
    if (socket->datagram->binding.protocol == IP_PROTOCOL_ICMP6 || (number > 0 && number % 2))
        return -EINVAL;
    socket->datagram->checksum_offset = number < 0 ? -1 : number;
    return 0;
}

/* IPV6_JOIN_ANYCAST and its opposite; that the program may is the caller's to see. */
static int set_anycast(struct stack *stack, struct socket *socket, int name, const void *value,
                       socklen_t length) {
    struct ipv6_mreq request;
    if (length < sizeof request)
        return -EINVAL;
    memcpy(&request, value, sizeof request);
    struct ip_address address = ip_from_bytes(&request.ipv6mr_multiaddr);
    return name == IPV6_JOIN_ANYCAST ? ip6_anycast_join(stack, socket, request.ipv6mr_interface, address)
                                     : ip6_anycast_leave(stack, socket, request.ipv6mr_interface, address);
}

int ip6_option_set(struct stack *stack, struct socket *socket, int name, const void *value, socklen_t length,
                   int number) {
    bool ignored;
    if (socket->type == SOCK_RAW && (name == IPV6_CHECKSUM || name == IPV6_HDRINCL))
        return set_raw(socket, name, length, number);
    if (name == IPV6_JOIN_ANYCAST || name == IPV6_LEAVE_ANYCAST)
        return set_anycast(stack, socket, name, value, length);
    if (headers6_option_is(name))
        return headers6_option_set(stack, socket, name, value, length, number);
    if (multicast6_option_is(name))
        return multicast6_option_set(stack, socket, name, value, length, number);
    if (flag(&socket->options.six, name, GET, &ignored)) {
        bool any_length =
            name == IPV6_DONTFRAG || name == IPV6_AUTOFLOWLABEL || name == IPV6_RECVFRAGSIZE; /* short: 0 */
        if (length < sizeof number && !any_length)
            return -EINVAL;
        if ((name == IPV6_MULTICAST_LOOP || name == IPV6_RECVERR_RFC4884) && number != 0 && number != 1)
            return -EINVAL;
        number = length < sizeof number ? 0 : number;
        flag(&socket->options.six, name, number ? SET : CLEAR, &ignored);
        return 0;
    }
    if (name == IPV6_ADDRFORM && socket->type == SOCK_RAW)
        return -ENOPROTOOPT;
    if (name == IPV6_ADDRFORM && length >= sizeof number)
        return become_inet(socket, number);
    if (name == IPV6_MULTICAST_HOPS && socket->tcp)
        return -ENOPROTOOPT;
    if (length >= sizeof number)
        return set_number(socket, name, number);
    return is_number(name) ? -EINVAL : -ENOPROTOOPT;
}

#define LOOPBACK_MTU 65536

int ip6_option_give_mtu(struct stack *stack, const struct socket *socket, void *value, socklen_t *length) {
    const struct tcp *tcp = socket->tcp;
    struct ip_address address;
    uint16_t port;
    if (tcp && tcp->state == TCP_TIME_WAIT) /* Linux's socket keeps its route until it is closed */
        address = tcp->remote_address;
    else if (socket_remote(socket, &address, &port))
        return -ENOTCONN;
    bool here = !ip_is_v4(address) && ip6_is_local(stack, address); /* lo's, which IPv4 can't use */
    return option_give_number(value, length, here ? LOOPBACK_MTU : (int)ip_mtu(stack, address));
}

int ip6_option_get(struct stack *stack, struct socket *socket, int name, void *value, socklen_t *length) {
    struct socket_options6 *six = &socket->options.six;
    bool set;
    if (flag(six, name, GET, &set))
        return option_give_number(value, length, set);
    if (socket->type == SOCK_RAW && name == IPV6_CHECKSUM)
        return option_give_number(value, length, socket->datagram->checksum_offset);
    if (socket->type == SOCK_RAW && name == IPV6_HDRINCL)
        return option_give_number(value, length, socket->options.header_included);
    if (headers6_option_is(name))
        return headers6_option_get(stack, socket, name, value, length);
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
    case IPV6_ADDRFORM:
        if (!is_transport(socket))
            return -ENOPROTOOPT;
        return is_established(socket) ? option_give_number(value, length, AF_INET6) : -ENOTCONN;
    case MCAST_MSFILTER:
        return multicast6_option_get_filter(stack, socket, value, length);
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
    if (socket->type != SOCK_RAW)
        return -ENOPROTOOPT;
    if (socket->datagram->binding.protocol != IP_PROTOCOL_ICMP6)
        return -EOPNOTSUPP;
    if (name != ICMP6_FILTER)
        return -ENOPROTOOPT;
    uint32_t size = sizeof socket->datagram->icmp6_filter;
    memcpy(socket->datagram->icmp6_filter, value, length < size ? length : size);
    return 0;
}

int icmp6_option_get(const struct socket *socket, int name, void *value, socklen_t *length) {
    if (socket->type != SOCK_RAW)
        return -ENOPROTOOPT;
    if (socket->datagram->binding.protocol != IP_PROTOCOL_ICMP6)
        return -EOPNOTSUPP;
    if (name != ICMP6_FILTER)
        return -ENOPROTOOPT;
    return option_give(value, length, socket->datagram->icmp6_filter, sizeof socket->datagram->icmp6_filter);
}
