/* SPDX-License-Identifier: MIT */
/*
 * cmsg.c - see cmsg.h: what is told of a datagram that came. cmsg_read.c has the other direction.
 */
#include "shim/library/calls/cmsg.h"
#include "shim/region/interface.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef IPV6_RECVORIGDSTADDR
#define IPV6_RECVORIGDSTADDR 74
#endif
#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

bool control_is_whole(const struct msghdr *header) {
    struct msghdr walked = *header;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&walked); control; control = CMSG_NXTHDR(&walked, control)) {
        size_t room = (size_t)((char *)walked.msg_control + walked.msg_controllen - (char *)control);
        if (control->cmsg_len < sizeof *control || control->cmsg_len > room)
            return false;
    }
    return true;
}

/* Where the next control message goes. */
struct writing {
    struct msghdr *header;
    size_t room, used;
};

static void put(struct writing *writing, int level, int type, const void *data, size_t length) {
    size_t left = writing->room - writing->used, wanted = CMSG_LEN(length);
    if (left < sizeof(struct cmsghdr)) {
        writing->header->msg_flags |= MSG_CTRUNC;
        return;
    }
    if (left < wanted) {
        writing->header->msg_flags |= MSG_CTRUNC;
        wanted = left;
    }
    struct cmsghdr control = {.cmsg_len = wanted, .cmsg_level = level, .cmsg_type = type};
    uint8_t *at = (uint8_t *)writing->header->msg_control + writing->used;
    memcpy(at, &control, sizeof control);
    memcpy(at + CMSG_LEN(0), data, wanted - CMSG_LEN(0));
    writing->used += left < CMSG_SPACE(length) ? left : CMSG_SPACE(length);
}

static void put_time(struct writing *writing, uint8_t kind, uint64_t at_ns) {
    struct timespec time = {(time_t)(at_ns / UINT64_C(1000000000)), (long)(at_ns % UINT64_C(1000000000))};
    struct timeval coarse = {time.tv_sec, time.tv_nsec / 1000};
    if (kind == SOCKET_TIMESTAMP_NS)
        put(writing, SOL_SOCKET, SO_TIMESTAMPNS, &time, sizeof time);
    else
        put(writing, SOL_SOCKET, SO_TIMESTAMP, &coarse, sizeof coarse);
}

/* SO_TIMESTAMPING: of three times, the first is software's. */
static void put_stamp(struct writing *writing, uint64_t at_ns) {
    struct timespec times[3] = {
        {(time_t)(at_ns / UINT64_C(1000000000)), (long)(at_ns % UINT64_C(1000000000))}};
    put(writing, SOL_SOCKET, SO_TIMESTAMPING, times, sizeof times);
}

/* When what was received came; or when what is told of happened. SO_TIMESTAMPING says by one flag that times are to be
 * taken, as SO_TIMESTAMP does too, and by another that software's are to be told. */
static void put_times(struct writing *writing, const struct socket_options *options,
                      const struct socket_message *message, uint64_t at_ns) {
    uint8_t origin = message->error.origin;
    bool came = !origin || origin == SO_EE_ORIGIN_ICMP || origin == SO_EE_ORIGIN_ICMP6;
    bool taken = options->timestamp || origin == SO_EE_ORIGIN_TIMESTAMPING ||
                 (came && options->timestamping & SOF_TIMESTAMPING_RX_SOFTWARE);
    if (options->timestamp)
        put_time(writing, options->timestamp, at_ns);
    if (taken && options->timestamping & SOF_TIMESTAMPING_SOFTWARE)
        put_stamp(writing, at_ns);
    /* Of a stream's, Linux quotes the packet, which is longer than anybody's buffer for it. */
    if (origin == SO_EE_ORIGIN_TIMESTAMPING && message->full_length == 0 &&
        !(options->timestamping & SOF_TIMESTAMPING_OPT_TSONLY))
        writing->header->msg_flags |= MSG_TRUNC;
}

/* What is sent to this host comes by lo, as in Linux, if it is sent to the loopback network. */
static unsigned interface_of(const struct stack *stack, struct ip_address destination) {
    return ip_is_loopback(destination) ? LOOPBACK_INDEX : stack_interface_index(stack);
}

static void put_error6(const struct stack *stack, struct writing *writing, const struct icmp_error *error,
                       bool quotes) {
    struct {
        struct sock_extended_err error;
        struct sockaddr_in6 offender;
    } told = {.error = {.ee_errno = (uint32_t)error->error,
                        .ee_origin = error->origin,
                        .ee_type = error->type,
                        .ee_code = error->code,
                        .ee_info = error->info,
                        .ee_data = error->data}};
    if (quotes) {
        told.offender.sin6_family = AF_INET6;
        memcpy(&told.offender.sin6_addr, error->offender.bytes, sizeof told.offender.sin6_addr);
        told.offender.sin6_scope_id = ip_scope_id(stack, error->offender);
    }
    put(writing, IPPROTO_IPV6, IPV6_RECVERR, &told, sizeof told);
}

static void put_error(struct writing *writing, const struct icmp_error *error, bool quotes) {
    struct {
        struct sock_extended_err error;
        struct sockaddr_in offender;
    } told = {.error = {.ee_errno = (uint32_t)error->error,
                        .ee_origin = error->origin,
                        .ee_type = error->type,
                        .ee_code = error->code,
                        .ee_info = error->info,
                        .ee_data = error->data}};
    if (quotes)
        told.offender =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip_to_v4(error->offender))};
    put(writing, IPPROTO_IP, IP_RECVERR, &told, sizeof told);
}

static void put_ip(const struct stack *stack, struct writing *writing, const struct socket_options *options,
                   const struct socket_message *message) {
    struct in_addr destination = {htonl(ip_to_v4(message->local_address))};
    if (options->receive_packet_info) {
        struct in_pktinfo info = {.ipi_ifindex = (int)interface_of(stack, message->local_address),
                                  .ipi_addr = destination,
                                  .ipi_spec_dst = destination};
        if (!ip_is_local(stack, message->local_address))
            info.ipi_spec_dst.s_addr = htonl(ip4_source(stack, ip_to_v4(message->address)));
        put(writing, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
    if (options->receive_ttl)
        put(writing, IPPROTO_IP, IP_TTL, &message->ttl, sizeof message->ttl);
    if (options->receive_tos) {
        uint8_t tos = (uint8_t)message->tos;
        put(writing, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    }
    if (options->receive_options && message->options.length)
        put(writing, IPPROTO_IP, IP_RECVOPTS, message->options.bytes, message->options.length);
    if (options->return_options && message->options.length)
        put(writing, IPPROTO_IP, IP_RETOPTS, message->options.bytes, message->options.length);
    if (options->receive_destination) {
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_port = htons(message->local_port), .sin_addr = destination};
        put(writing, IPPROTO_IP, IP_RECVORIGDSTADDR, &address, sizeof address);
    }
    if (options->receive_fragment_size && message->longest_fragment)
        put(writing, IPPROTO_IP, IP_RECVFRAGSIZE, &message->longest_fragment,
            sizeof message->longest_fragment);
}

/* Extension headers, as they came: `wanted` says which (SOCKET_OLD_*, whichever form they are told in). */
static void put_headers(struct writing *writing, const struct socket_message *message, uint8_t wanted,
                        bool old) {
    uint8_t kind = message->first_extension;
    const uint8_t *header = message->options.bytes;
    uint32_t left = message->options.length, bytes;
    for (; left >= 8; header += bytes, left -= bytes) {
        bytes = (header[1] + 1u) * 8;
        if (bytes > left)
            return;
        if (kind == IPPROTO_HOPOPTS && wanted & SOCKET_OLD_HOP_OPTIONS)
            put(writing, IPPROTO_IPV6, old ? IPV6_2292HOPOPTS : IPV6_HOPOPTS, header, bytes);
        else if (kind == IPPROTO_DSTOPTS && wanted & SOCKET_OLD_DESTINATION_OPTIONS)
            put(writing, IPPROTO_IPV6, old ? IPV6_2292DSTOPTS : IPV6_DSTOPTS, header, bytes);
        else if (kind == IPPROTO_ROUTING && wanted & SOCKET_OLD_ROUTING)
            put(writing, IPPROTO_IPV6, old ? IPV6_2292RTHDR : IPV6_RTHDR, header, bytes);
        kind = header[0];
    }
}

static void put_packet_info6(const struct stack *stack, struct writing *writing, int name,
                             const struct socket_message *message) {
    struct in6_pktinfo info = {.ipi6_ifindex = interface_of(stack, message->local_address)};
    memcpy(&info.ipi6_addr, message->local_address.bytes, sizeof info.ipi6_addr);
    put(writing, IPPROTO_IPV6, name, &info, sizeof info);
}

/* RFC 2292's forms. */
static void put_old(const struct stack *stack, struct writing *writing,
                    const struct socket_message *message) {
    if (message->old_forms & SOCKET_OLD_PACKET_INFO)
        put_packet_info6(stack, writing, IPV6_2292PKTINFO, message);
    if (message->old_forms & SOCKET_OLD_HOP_LIMIT)
        put(writing, IPPROTO_IPV6, IPV6_2292HOPLIMIT, &message->ttl, sizeof message->ttl);
    put_headers(writing, message, message->old_forms, true);
}

/* Of an AF_INET6 socket, RFC 3542; what came by IPv4 says the rest as ip(7) has it. */
static void put_ip6(const struct stack *stack, struct writing *writing, const struct socket_options *options,
                    const struct socket_message *message) {
    const struct socket_options6 *six = &options->six;
    if (six->receive_packet_info)
        put_packet_info6(stack, writing, IPV6_PKTINFO, message);
    if (ip_is_v4(message->local_address)) {
        put_ip(stack, writing, options, message);
        return;
    }
    if (six->receive_hop_limit)
        put(writing, IPPROTO_IPV6, IPV6_HOPLIMIT, &message->ttl, sizeof message->ttl);
    if (six->receive_traffic_class)
        put(writing, IPPROTO_IPV6, IPV6_TCLASS, &message->tos, sizeof message->tos);
    if (six->receive_flow_info && (message->flow_label || message->tos)) {
        uint32_t flow = htonl((uint32_t)message->tos << 20 | message->flow_label);
        put(writing, IPPROTO_IPV6, IPV6_FLOWINFO, &flow, sizeof flow);
    }
    uint8_t wanted = (uint8_t)((six->receive_hop_options ? SOCKET_OLD_HOP_OPTIONS : 0) |
                               (six->receive_destination_options ? SOCKET_OLD_DESTINATION_OPTIONS : 0) |
                               (six->receive_routing ? SOCKET_OLD_ROUTING : 0));
    if (wanted)
        put_headers(writing, message, wanted, false);
    if (message->old_forms)
        put_old(stack, writing, message);
    if (six->receive_destination) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                       .sin6_port = htons(message->local_port),
                                       .sin6_scope_id = ip_scope_id(stack, message->local_address)};
        memcpy(&address.sin6_addr, message->local_address.bytes, sizeof address.sin6_addr);
        put(writing, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &address, sizeof address);
    }
    if (six->receive_fragment_size && message->longest_fragment)
        put(writing, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, &message->longest_fragment,
            sizeof message->longest_fragment);
}

/* Whether what is in the queue of errors tells of a packet, whose sender it names: an error of the network's, and the
 * time of one that was sent, of an AF_INET socket by SOF_TIMESTAMPING_OPT_CMSG (Linux's ipv4_datagram_support_cmsg and
 * its twin of IPv6). */
static bool quotes_packet(const struct socket_options *options, const struct socket_message *message) {
    uint8_t origin = message->error.origin;
    if (origin == SO_EE_ORIGIN_TIMESTAMPING)
        return (options->inet6 || options->timestamping & SOF_TIMESTAMPING_OPT_CMSG) &&
               !(options->timestamping & SOF_TIMESTAMPING_OPT_TSONLY) &&
               message->error.info != SCM_TSTAMP_ACK;
    return origin == SO_EE_ORIGIN_ICMP || origin == SO_EE_ORIGIN_ICMP6;
}

static void put_error_of(const struct stack *stack, struct writing *writing,
                         const struct socket_options *options, const struct socket_message *message) {
    bool quotes = quotes_packet(options, message);
    if (quotes) /* of which the options tell */
        (options->inet6 ? put_ip6 : put_ip)(stack, writing, options, message);
    if (options->inet6)
        put_error6(stack, writing, &message->error, quotes);
    else
        put_error(writing, &message->error, quotes);
}

/* IPV6_RECVPATHMTU: RFC 3542 section 11.3. */
static void put_path_mtu(const struct stack *stack, struct writing *writing,
                         const struct socket_message *message) {
    struct ip6_mtuinfo info = {
        .ip6m_addr = {.sin6_family = AF_INET6, .sin6_scope_id = ip_scope_id(stack, message->address)},
        .ip6m_mtu = message->path_mtu};
    memcpy(&info.ip6m_addr.sin6_addr, message->address.bytes, sizeof info.ip6m_addr.sin6_addr);
    put(writing, IPPROTO_IPV6, IPV6_PATHMTU, &info, sizeof info);
}

void cmsg_write(const struct stack *stack, uint64_t clock_offset_ns, struct msghdr *header,
                const struct socket_options *options, const struct socket_message *message) {
    struct writing writing = {header, header->msg_control ? header->msg_controllen : 0, 0};
    if (message->path_mtu) {
        put_path_mtu(stack, &writing, message);
        header->msg_controllen = writing.used;
        return;
    }
    if (message->received_ns)
        put_times(&writing, options, message, message->received_ns + clock_offset_ns);
    if (options->receive_drops && message->drops)
        put(&writing, SOL_SOCKET, SO_RXQ_OVFL, &message->drops, sizeof message->drops);
    if (message->has_inq) {
        int left = (int)message->inq;
        put(&writing, IPPROTO_TCP, TCP_CM_INQ, &left, sizeof left);
    }
    if (message->error.origin) {
        put_error_of(stack, &writing, options, message);
    } else if (message->has_address) {
        (options->inet6 ? put_ip6 : put_ip)(stack, &writing, options, message);
        int segment = message->segment;
        if (segment)
            put(&writing, IPPROTO_UDP, UDP_GRO, &segment, sizeof segment);
    }
    header->msg_controllen = writing.used;
}
