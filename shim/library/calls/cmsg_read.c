/* SPDX-License-Identifier: MIT */
/*
 * cmsg_read.c - control messages of what is sent: what Linux's sock_cmsg_send, ip_cmsg_send and
 * ip6_datagram_send_ctl take. Those of the other family are passed over.
 */
#include "shim/library/calls/cmsg.h"
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef IP_PROTOCOL
#define IP_PROTOCOL 52
#endif
#ifndef SCM_TS_OPT_ID
#define SCM_TS_OPT_ID 81
#endif
#define PRIORITY_MAX 6   /* that everybody may use */
#define TYPE_2_BYTES 24u /* a routing header of one address: RFC 6275 */

/* A message's value as an int, or a byte where ip(7) says that it will do. False: it is neither. */
static bool number_of(const struct cmsghdr *control, bool byte, int *number) {
    if (control->cmsg_len == CMSG_LEN(sizeof *number))
        memcpy(number, CMSG_DATA(control), sizeof *number);
    else if (byte && control->cmsg_len == CMSG_LEN(1))
        *number = *CMSG_DATA(control);
    else
        return false;
    return true;
}

static int read_ip(const struct cmsghdr *control, struct socket_message *message) {
    struct in_pktinfo info;
    int number;
    switch (control->cmsg_type) {
    case IP_PKTINFO:
        if (control->cmsg_len != CMSG_LEN(sizeof info))
            return -EINVAL;
        memcpy(&info, CMSG_DATA(control), sizeof info);
        if (info.ipi_spec_dst.s_addr)
            message->local_address = ip_from_v4(ntohl(info.ipi_spec_dst.s_addr));
        return 0;
    case IP_TTL:
        if (!number_of(control, false, &number) || number < 1 || number > 255)
            return -EINVAL;
        message->ttl = number;
        message->has_ttl = true;
        return 0;
    case IP_RETOPTS:
        message->has_options = true;
        return ip_options_set(&message->options, CMSG_DATA(control),
                              (uint32_t)(control->cmsg_len - CMSG_LEN(0)));
    case IP_TOS:
        if (!number_of(control, true, &number) || number < 0 || number > 255)
            return -EINVAL;
        message->tos = number;
        message->has_tos = true;
        return 0;
    case IP_PROTOCOL: /* of a raw socket with its own headers, which say it themselves */
        return number_of(control, false, &number) && number > 0 && number < 256 ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

static int read_packet_info(const struct cmsghdr *control, bool six, struct socket_message *message) {
    struct in6_pktinfo info;
    if (control->cmsg_len < CMSG_LEN(sizeof info))
        return -EINVAL;
    memcpy(&info, CMSG_DATA(control), sizeof info);
    struct ip_address address = ip_from_bytes(&info.ipi6_addr);
    if (six ? ip_is_v4(address) : !ip_is_v4(address))
        return -EINVAL;
    message->has_packet_info = true;
    message->interface = info.ipi6_ifindex;
    message->local_address = ip_is_any(address) ? (struct ip_address){0} : address;
    return 0;
}

/* A number of RFC 3542, which is -1 where the network's is meant. */
static int read_six_number(const struct cmsghdr *control, int *number) {
    return number_of(control, false, number) && *number >= -1 && *number <= 255 ? 0 : -EINVAL;
}

/* A whole header, of which there may be one. */
static int read_header(const struct cmsghdr *control, struct ip6_extension *to) {
    const uint8_t *header = CMSG_DATA(control);
    if (to->length || control->cmsg_len < CMSG_LEN(2) || control->cmsg_len < CMSG_LEN((header[1] + 1u) * 8))
        return -EINVAL;
    uint32_t bytes = (header[1] + 1u) * 8;
    if (bytes > sizeof to->bytes)
        return -EMSGSIZE;
    memcpy(to->bytes, header, bytes);
    to->length = (uint8_t)bytes;
    return 0;
}

static int read_routing(const struct cmsghdr *control, struct ip6_extension *to) {
    const uint8_t *header = CMSG_DATA(control);
    bool fits = control->cmsg_len >= CMSG_LEN(TYPE_2_BYTES) && header[1] == TYPE_2_BYTES / 8 - 1 &&
                header[2] == 2 && header[3] == 1;
    return fits ? read_header(control, to) : -EINVAL;
}

static int read_flow(const struct cmsghdr *control, struct socket_message *message) {
    uint32_t flow;
    if (control->cmsg_len < CMSG_LEN(sizeof flow))
        return -EINVAL;
    memcpy(&flow, CMSG_DATA(control), sizeof flow);
    flow = ntohl(flow) & IP6_FLOW_INFORMATION;
    if (message->has_flow && message->flow_label != flow)
        return -EINVAL;
    message->has_flow = true;
    message->flow_label = flow;
    return 0;
}

static int read_ipv6(const struct cmsghdr *control, struct socket_message *message,
                     struct ip6_extensions *extensions) {
    int number, error;
    switch (control->cmsg_type) {
    case IPV6_PKTINFO:
    case IPV6_2292PKTINFO:
        return read_packet_info(control, true, message);
    case IPV6_HOPLIMIT:
    case IPV6_2292HOPLIMIT:
        error = read_six_number(control, &number);
        message->has_ttl = !error && number >= 0;
        message->ttl = message->has_ttl ? number : 0;
        return error;
    case IPV6_TCLASS:
        error = read_six_number(control, &number);
        message->has_tos = !error && number >= 0;
        message->tos = message->has_tos ? number : 0;
        return error;
    case IPV6_DONTFRAG:
        if (!number_of(control, false, &number) || number < 0 || number > 1)
            return -EINVAL;
        message->has_dont_fragment = true;
        message->dont_fragment = number != 0;
        return 0;
    case IPV6_FLOWINFO:
        return read_flow(control, message);
    case IPV6_HOPOPTS:
    case IPV6_2292HOPOPTS:
        error = read_header(control, &extensions->hop_by_hop);
        break;
    case IPV6_DSTOPTS:
    case IPV6_2292DSTOPTS:
        error = read_header(control, &extensions->options);
        break;
    case IPV6_RTHDRDSTOPTS:
        error = read_header(control, &extensions->routing_options);
        break;
    case IPV6_RTHDR:
    case IPV6_2292RTHDR:
        error = read_routing(control, &extensions->routing);
        break;
    default:
        return -EINVAL;
    }
    message->extensions = extensions;
    return error;
}

/* What Linux's __sock_cmsg_send takes. */
static int read_socket(const struct cmsghdr *control, const struct socket *socket,
                       struct socket_message *message, bool (*have)(int capability)) {
    int number;
    if (control->cmsg_type == SCM_RIGHTS || control->cmsg_type == SCM_CREDENTIALS)
        return 0;
    if (control->cmsg_type == SO_MARK && !have(CAP_NET_RAW) && !have(CAP_NET_ADMIN))
        return -EPERM;
    if (!number_of(control, false, &number))
        return -EINVAL;
    switch (control->cmsg_type) {
    case SO_MARK:
        return 0;
    case SO_PRIORITY:
        return (number >= 0 && number <= PRIORITY_MAX) || have(CAP_NET_RAW) || have(CAP_NET_ADMIN) ? 0
                                                                                                   : -EPERM;
    case SO_TIMESTAMPING:
        if ((uint32_t)number & ~SOCKET_STAMPS)
            return -EINVAL;
        message->has_stamps = true;
        message->stamps |= (uint32_t)number;
        return 0;
    case SCM_TS_OPT_ID:
        if (socket->tcp || !(socket->options.timestamping & SOF_TIMESTAMPING_OPT_ID))
            return -EINVAL;
        message->has_stamp_key = true;
        message->stamp_key = (uint32_t)number;
        return 0;
    default:
        return -EINVAL;
    }
}

static int read_one(const struct cmsghdr *control, const struct socket *socket, bool six,
                    struct socket_message *message, struct ip6_extensions *extensions,
                    bool (*have)(int capability)) {
    bool inet6 = socket->options.inet6;
    if (control->cmsg_level == SOL_SOCKET)
        return read_socket(control, socket, message, have);
    if (socket->tcp)
        return 0;
    if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_SEGMENT) {
        if (control->cmsg_len != CMSG_LEN(sizeof message->segment))
            return -EINVAL;
        memcpy(&message->segment, CMSG_DATA(control), sizeof message->segment);
        return 0;
    }
    if (!six && inet6 && control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO)
        return read_packet_info(control, false, message);
    if (six && control->cmsg_level == IPPROTO_IPV6)
        return read_ipv6(control, message, extensions);
    return !six && control->cmsg_level == IPPROTO_IP ? read_ip(control, message) : 0;
}

int cmsg_read(const struct msghdr *header, const struct socket *socket, bool six,
              struct socket_message *message, struct ip6_extensions *extensions,
              bool (*have)(int capability)) {
    struct msghdr walked = *header;
    int error = 0;
    if (!header->msg_control || header->msg_controllen < sizeof(struct cmsghdr))
        return 0;
    *extensions = (struct ip6_extensions){0};
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&walked); control && !error;
         control = CMSG_NXTHDR(&walked, control)) {
        if (control->cmsg_len < sizeof *control)
            return -EINVAL;
        error = read_one(control, socket, six, message, extensions, have);
    }
    return error;
}
