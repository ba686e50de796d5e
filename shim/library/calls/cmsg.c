/* SPDX-License-Identifier: MIT */
/*
 * cmsg.c - see cmsg.h.
 */
#include "shim/library/calls/cmsg.h"
#include <errno.h>
#include <linux/errqueue.h>
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
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static int number_of(const struct cmsghdr *control) {
    int number = 0;
    if (control->cmsg_len >= CMSG_LEN(sizeof number))
        memcpy(&number, CMSG_DATA(control), sizeof number);
    else
        number = *CMSG_DATA(control); /* one byte will do, as ip(7) has it for IP_TOS */
    return number;
}

static int read_ip(const struct cmsghdr *control, struct socket_message *message) {
    struct in_pktinfo info;
    if (control->cmsg_len < CMSG_LEN(1))
        return -EINVAL;
    switch (control->cmsg_type) {
    case IP_PKTINFO:
        if (control->cmsg_len < CMSG_LEN(sizeof info))
            return -EINVAL;
        memcpy(&info, CMSG_DATA(control), sizeof info);
        if (info.ipi_spec_dst.s_addr)
            message->local_address = ip_from_v4(ntohl(info.ipi_spec_dst.s_addr));
        return 0;
    case IP_TTL:
        message->ttl = number_of(control);
        return message->ttl < 1 || message->ttl > 255 ? -EINVAL : 0;
    case IP_RETOPTS:
        message->has_options = true;
        return ip_options_set(&message->options, CMSG_DATA(control),
                              (uint32_t)(control->cmsg_len - CMSG_LEN(0)));
    case IP_TOS:
        message->tos = number_of(control);
        message->has_tos = true;
        return message->tos < 0 || message->tos > 255 ? -EINVAL : 0;
    default:
        return -EINVAL;
    }
}

/* A number of RFC 3542, which is -1 where the network's is meant. */
static int read_six_number(const struct cmsghdr *control, int *number) {
    if (control->cmsg_len != CMSG_LEN(sizeof *number))
        return -EINVAL;
    memcpy(number, CMSG_DATA(control), sizeof *number);
    return *number < -1 || *number > 255 ? -EINVAL : 0;
}

static int read_ipv6(const struct cmsghdr *control, struct socket_message *message) {
    struct in6_pktinfo info;
    int number, error;
    switch (control->cmsg_type) {
    case IPV6_PKTINFO:
        if (control->cmsg_len < CMSG_LEN(sizeof info))
            return -EINVAL;
        memcpy(&info, CMSG_DATA(control), sizeof info);
        if (!IN6_IS_ADDR_UNSPECIFIED(&info.ipi6_addr))
            message->local_address = ip_from_bytes(&info.ipi6_addr);
        return 0;
    case IPV6_HOPLIMIT:
        error = read_six_number(control, &number);
        message->ttl = error || number <= 0 ? 0 : number;
        return error;
    case IPV6_TCLASS:
        error = read_six_number(control, &number);
        message->has_tos = !error && number >= 0;
        message->tos = message->has_tos ? number : 0;
        return error;
    default:
        return 0;
    }
}

int cmsg_read(const struct msghdr *header, struct socket_message *message) {
    struct msghdr walked = *header;
    int error = 0;
    if (!header->msg_control || header->msg_controllen < sizeof(struct cmsghdr))
        return 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&walked); control && !error;
         control = CMSG_NXTHDR(&walked, control)) {
        if (control->cmsg_len < sizeof *control)
            return -EINVAL;
        if (control->cmsg_level == IPPROTO_IP) {
            error = read_ip(control, message);
        } else if (control->cmsg_level == IPPROTO_IPV6) {
            error = read_ipv6(control, message);
        } else if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_SEGMENT) {
            if (control->cmsg_len != CMSG_LEN(sizeof message->segment))
                return -EINVAL;
            memcpy(&message->segment, CMSG_DATA(control), sizeof message->segment);
        } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type != SCM_RIGHTS &&
                   control->cmsg_type != SCM_CREDENTIALS) {
            error = -EINVAL;
        }
    }
    return error;
}

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
    if (writing->header->msg_flags & MSG_ERRQUEUE)
        writing->header->msg_flags |= MSG_TRUNC; /* Linux quotes the packet, and nobody reads it */
}

static void put_error6(const struct stack *stack, struct writing *writing, const struct icmp_error *error) {
    struct {
        struct sock_extended_err error;
        struct sockaddr_in6 offender;
    } told = {.error = {.ee_errno = (uint32_t)error->error,
                        .ee_origin = error->origin,
                        .ee_type = error->type,
                        .ee_code = error->code,
                        .ee_info = error->info,
                        .ee_data = error->data}};
    if (error->origin == SO_EE_ORIGIN_ICMP || error->origin == SO_EE_ORIGIN_ICMP6) {
        told.offender.sin6_family = AF_INET6;
        memcpy(&told.offender.sin6_addr, error->offender.bytes, sizeof told.offender.sin6_addr);
        told.offender.sin6_scope_id = ip_scope_id(stack, error->offender);
    }
    put(writing, IPPROTO_IPV6, IPV6_RECVERR, &told, sizeof told);
}

static void put_error(struct writing *writing, const struct icmp_error *error) {
    struct {
        struct sock_extended_err error;
        struct sockaddr_in offender;
    } told = {.error = {.ee_errno = (uint32_t)error->error,
                        .ee_origin = error->origin,
                        .ee_type = error->type,
                        .ee_code = error->code,
                        .ee_info = error->info,
                        .ee_data = error->data},
              .offender = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip_to_v4(error->offender))}};
    put(writing, IPPROTO_IP, IP_RECVERR, &told, sizeof told);
}

static void put_error_of(const struct stack *stack, struct writing *writing,
                         const struct socket_options *options, const struct icmp_error *error) {
    if (options->inet6)
        put_error6(stack, writing, error);
    else
        put_error(writing, error);
}

static void put_ip(const struct stack *stack, struct writing *writing, const struct socket_options *options,
                   const struct socket_message *message) {
    struct in_addr destination = {htonl(ip_to_v4(message->local_address))};
    const struct stack_config *config = &stack->config;
    if (options->receive_packet_info) {
        struct in_pktinfo info = {.ipi_ifindex = (int)stack_interface_index(stack),
                                  .ipi_addr = destination,
                                  .ipi_spec_dst = destination};
        if (!ip_is_local(stack, message->local_address))
            info.ipi_spec_dst.s_addr = htonl(config->address);
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
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = destination};
        put(writing, IPPROTO_IP, IP_RECVORIGDSTADDR, &address, sizeof address);
    }
}

/* Of an AF_INET6 socket, RFC 3542; what came by IPv4 says the rest as ip(7) has it. */
static void put_ip6(const struct stack *stack, struct writing *writing, const struct socket_options *options,
                    const struct socket_message *message) {
    const struct socket_options6 *six = &options->six;
    if (six->receive_packet_info) {
        struct in6_pktinfo info = {.ipi6_ifindex = stack_interface_index(stack)};
        memcpy(&info.ipi6_addr, message->local_address.bytes, sizeof info.ipi6_addr);
        put(writing, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
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
    if (six->receive_destination) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6};
        memcpy(&address.sin6_addr, message->local_address.bytes, sizeof address.sin6_addr);
        put(writing, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &address, sizeof address);
    }
}

void cmsg_write(const struct stack *stack, uint64_t clock_offset_ns, struct msghdr *header,
                const struct socket_options *options, const struct socket_message *message) {
    struct writing writing = {header, header->msg_control ? header->msg_controllen : 0, 0};
    if (options->timestamp && message->received_ns && !message->error.origin)
        put_time(&writing, options->timestamp, message->received_ns + clock_offset_ns);
    if (options->receive_drops && message->drops)
        put(&writing, SOL_SOCKET, SO_RXQ_OVFL, &message->drops, sizeof message->drops);
    if (message->has_inq) {
        int left = (int)message->inq;
        put(&writing, IPPROTO_TCP, TCP_CM_INQ, &left, sizeof left);
    }
    if (message->error.origin == SO_EE_ORIGIN_TIMESTAMPING)
        put_stamp(&writing, message->received_ns + clock_offset_ns);
    if (message->error.origin) {
        put_error_of(stack, &writing, options, &message->error);
    } else if (message->has_address) {
        (options->inet6 ? put_ip6 : put_ip)(stack, &writing, options, message);
        int segment = message->segment;
        if (segment)
            put(&writing, IPPROTO_UDP, UDP_GRO, &segment, sizeof segment);
    }
    header->msg_controllen = writing.used;
}
