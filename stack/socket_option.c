/* SPDX-License-Identifier: MIT */
/*
 * socket_option.c - getsockopt(2) and setsockopt(2), with the rules of socket(7), ip(7) and tcp(7). What is
 * not here is ENOPROTOOPT, as for an option that Linux does not have.
 */
#include "stack/socket_option.h"
#include "stack/socket_option_ip.h"
#include "stack/socket_option_ip6.h"
#include "stack/stack.h"
#include "stack/tcp/tcp_model.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_timer.h"
#include <errno.h>
#include <limits.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>

#ifndef SOL_RAW
#define SOL_RAW 255
#endif
#define SECOND_NS UINT64_C(1000000000)
#define LINGER2_MAX_S 120 /* Linux's TCP_FIN_TIMEOUT_MAX */
#define TIMESTAMPING_OPT_ID_TCP (1 << 16)
#define TIMESTAMPING_ALL ((1u << 19) - 1) /* of <linux/net_tstamp.h> of 6.18 */
#define MS_NS UINT64_C(1000000)           /* what the kernel's clock ticks in, at best */

static uint64_t timeout_ns(const struct timeval *value) {
    if (value->tv_sec < 0)
        return 1; /* Linux: a negative timeout has expired already */
    if ((uint64_t)value->tv_sec > UINT64_MAX / SECOND_NS / 2)
        return 0;
    return (uint64_t)value->tv_sec * SECOND_NS + ((uint64_t)value->tv_usec + 999) / 1000 * MS_NS;
}

static struct timeval timeout_value(uint64_t ns) {
    return (struct timeval){.tv_sec = (time_t)(ns / SECOND_NS),
                            .tv_usec = (suseconds_t)(ns % SECOND_NS / 1000)};
}

/* socket(7): the kernel doubles the value, to allow for its own bookkeeping. */
static uint32_t buffer_limit(int value, uint32_t least, uint32_t most) {
    uint32_t limit = value < 0 || (uint32_t)value > most ? 2 * most : (uint32_t)value * 2;
    return limit < least ? least : limit;
}

static void set_receive_limit(struct stack *stack, struct socket *socket, int value) {
    socket->receive_limit = buffer_limit(value, SOCKET_RECEIVE_MIN, stack->sysctl.rmem_max);
    socket->receive_limit_set = true;
    if (socket->tcp)
        tcp_tuning_begin(socket->tcp, socket);
}

/* Of 32 bits, in which all ones are no limit, or of 64. */
static int set_pacing_rate(struct socket *socket, const void *value, socklen_t length) {
    uint64_t rate = 0;
    uint32_t low;
    if (length >= sizeof rate) {
        memcpy(&rate, value, sizeof rate);
    } else {
        memcpy(&low, value, sizeof low);
        rate = low == UINT32_MAX ? TCP_PACING_NONE : low;
    }
    if (socket->tcp)
        socket->tcp->options.max_pacing_rate = rate;
    return 0;
}

static int give_pacing_rate(const struct socket *socket, void *value, socklen_t *length) {
    uint64_t rate = socket->tcp ? socket->tcp->options.max_pacing_rate : TCP_PACING_NONE;
    if (*length >= sizeof rate)
        return option_give(value, length, &rate, sizeof rate);
    uint32_t low = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
    return option_give(value, length, &low, sizeof low);
}

/* Of a flag that takes nothing but 0 and 1. */
static int check_flag(int number) {
    return number == 0 || number == 1 ? 0 : -EINVAL;
}

static int set_socket_level(struct stack *stack, struct socket *socket, int name, const void *value,
                            socklen_t length, int number) {
    struct socket_options *options = &socket->options;
    switch (name) {
    case SO_REUSEADDR:
        options->reuse_address = number != 0;
        break;
    case SO_REUSEPORT:
        options->reuse_port = number != 0;
        break;
    case SO_KEEPALIVE:
        options->keepalive = number != 0;
        if (socket->tcp) {
            socket->tcp->options.keepalive = options->keepalive;
            tcp_arm_keepalive(stack, socket->tcp);
        }
        break;
    case SO_BROADCAST:
        options->broadcast = number != 0;
        break;
    case SO_DONTROUTE:
        options->dont_route = number != 0;
        break;
    case SO_OOBINLINE:
        options->oob_inline = number != 0;
        break;
    case SO_PRIORITY:
        options->priority = number;
        break;
    case SO_PEEK_OFF:
        if (!socket->tcp && !udp_is(socket))
            return -EOPNOTSUPP;
        options->peek_offset = number;
        break;
    case SO_RCVLOWAT:
        options->receive_low_water = number < 0 ? INT_MAX : number ? number : 1;
        if (socket->tcp && (uint32_t)options->receive_low_water > stack->sysctl.tcp_rmem[2] / 2)
            options->receive_low_water = (int)(stack->sysctl.tcp_rmem[2] / 2);
        break;
    case SO_TIMESTAMP_OLD:
    case SO_TIMESTAMP_NEW:
        options->timestamp = number ? SOCKET_TIMESTAMP_US : SOCKET_TIMESTAMP_NONE;
        break;
    case SO_TIMESTAMPNS_OLD:
    case SO_TIMESTAMPNS_NEW:
        options->timestamp = number ? SOCKET_TIMESTAMP_NS : SOCKET_TIMESTAMP_NONE;
        break;
    case SO_MAX_PACING_RATE:
        return set_pacing_rate(socket, value, length);
    case SO_ZEROCOPY:
        if (!socket->tcp && (!udp_is(socket) || socket->datagram->binding.protocol != IP_PROTOCOL_UDP))
            return -EOPNOTSUPP;
        if (check_flag(number))
            return -EINVAL;
        options->zerocopy = number;
        break;
    case SO_TIMESTAMPING_OLD:
        if ((uint32_t)number > TIMESTAMPING_ALL ||
            (number & TIMESTAMPING_OPT_ID_TCP && !(number & SOF_TIMESTAMPING_OPT_ID)))
            return -EINVAL;
        if (socket->tcp && number & SOF_TIMESTAMPING_OPT_ID &&
            !(options->timestamping & SOF_TIMESTAMPING_OPT_ID)) {
            if (socket->tcp->state == TCP_CLOSE || socket->tcp->state == TCP_LISTEN)
                return -EINVAL;
            socket->stamp_base =
                number & TIMESTAMPING_OPT_ID_TCP ? tcp_send_end(socket->tcp) : socket->tcp->snd_una;
        } else if (!socket->tcp && number & SOF_TIMESTAMPING_OPT_ID &&
                   !(options->timestamping & SOF_TIMESTAMPING_OPT_ID)) {
            socket->stamp_base = 0;
        }
        if (number & SOF_TIMESTAMPING_OPT_STATS && !(number & SOF_TIMESTAMPING_OPT_TSONLY))
            return -EINVAL;
        if (number & SOF_TIMESTAMPING_BIND_PHC)
            return -EOPNOTSUPP;
        options->timestamping = (uint32_t)number;
        break;
    case SO_RXQ_OVFL:
        options->receive_drops = number != 0;
        break;
    case SO_SNDBUFFORCE:
    case SO_SNDBUF:
        socket->send_limit = buffer_limit(number, SOCKET_SEND_MIN, stack->sysctl.wmem_max);
        socket->send_limit_set = true;
        break;
    case SO_RCVBUFFORCE:
    case SO_RCVBUF:
        set_receive_limit(stack, socket, number);
        break;
    case SO_LINGER: {
        struct linger linger;
        if (length < sizeof linger)
            return -EINVAL;
        memcpy(&linger, value, sizeof linger);
        options->linger = linger.l_onoff != 0;
        options->linger_seconds = linger.l_onoff ? linger.l_linger : options->linger_seconds;
        break;
    }
    case SO_RCVTIMEO:
    case SO_SNDTIMEO: {
        struct timeval timeout;
        if (length < sizeof timeout)
            return -EINVAL;
        memcpy(&timeout, value, sizeof timeout);
        if (timeout.tv_usec < 0 || timeout.tv_usec >= 1000000)
            return -EDOM;
        *(name == SO_RCVTIMEO ? &options->receive_timeout_ns : &options->send_timeout_ns) =
            timeout_ns(&timeout);
        break;
    }
    default:
        return -ENOPROTOOPT;
    }
    return 0;
}

static int set_in_range(uint32_t *option, int number, int low, int high) {
    if (number < low || number > high)
        return -EINVAL;
    *option = (uint32_t)number;
    return 0;
}

static int timeout_after(int seconds) {
    return seconds < 60 ? 2 * seconds : 120;
}

/* TCP_DEFER_ACCEPT is told in seconds and kept as retransmissions of a SYN-ACK: 1 s, 2 s, 4 s ... apart. */
static uint8_t retransmissions_within(int seconds) {
    uint8_t count = 0;
    for (int period = 0, timeout = 1; period < seconds && count < 255; count++) {
        period += timeout;
        timeout = timeout_after(timeout);
    }
    return count;
}

static int seconds_of_retransmissions(uint8_t count) {
    int period = 0;
    for (int timeout = 1; count > 0; count--) {
        period += timeout;
        timeout = timeout_after(timeout);
    }
    return period;
}

static int set_tcp_level(struct stack *stack, struct tcp *tcp, int name, int number) {
    struct tcp_options *options = &tcp->options;
    int error = 0;
    switch (name) {
    case TCP_NODELAY:
        options->nodelay = number != 0;
        tcp_output_uncorked(stack, tcp); /* what Nagle held leaves now, and what TCP_CORK did */
        break;
    case TCP_CORK:
        options->cork = number != 0;
        tcp_output(stack, tcp);
        break;
    case TCP_QUICKACK:
        tcp_ack_set_quick(stack, tcp, number);
        break;
    case TCP_MAXSEG:
        if (number && (number < 88 || number > 32767))
            return -EINVAL;
        options->mss_limit = (uint16_t)number;
        break;
    case TCP_KEEPIDLE:
        error = set_in_range(&options->keepalive_idle_s, number, 1, 32767);
        tcp_arm_keepalive(stack, tcp);
        break;
    case TCP_KEEPINTVL:
        error = set_in_range(&options->keepalive_interval_s, number, 1, 32767);
        break;
    case TCP_KEEPCNT:
    case TCP_SYNCNT:
        if (number < 1 || number > 127)
            return -EINVAL;
        *(name == TCP_KEEPCNT ? &options->keepalive_probes : &options->syn_retries) = (uint8_t)number;
        break;
    case TCP_USER_TIMEOUT:
        error = set_in_range(&options->user_timeout_ms, number, 0, INT_MAX);
        break;
    case TCP_FASTOPEN:
        if (number < 0 || (tcp->state != TCP_CLOSE && tcp->state != TCP_LISTEN))
            return -EINVAL;
        options->fastopen_backlog =
            (uint32_t)number < stack->sysctl.somaxconn ? (uint32_t)number : stack->sysctl.somaxconn;
        break;
    case TCP_FASTOPEN_CONNECT:
        if (number != 0 && number != 1)
            return -EINVAL;
        if (!(stack->sysctl.tcp_fastopen & SYSCTL_FASTOPEN_CLIENT))
            return -EOPNOTSUPP;
        if (tcp->state != TCP_CLOSE)
            return -EINVAL;
        options->fastopen_connect = number;
        break;
    case TCP_FASTOPEN_NO_COOKIE:
        if ((tcp->state != TCP_CLOSE && tcp->state != TCP_LISTEN) || (number != 0 && number != 1))
            return -EINVAL;
        options->fastopen_no_cookie = number;
        break;
    case TCP_DEFER_ACCEPT:
        options->defer_accept = retransmissions_within(number);
        break;
    case TCP_INQ:
        if (check_flag(number))
            return -EINVAL;
        tcp->socket->options.inq = number;
        break;
    case TCP_WINDOW_CLAMP:
        if (number == 0 && tcp->state != TCP_CLOSE)
            return -EINVAL;
        options->window_clamp =
            number && number < (int)SOCKET_RECEIVE_MIN / 2 ? SOCKET_RECEIVE_MIN / 2 : (uint32_t)number;
        break;
    case TCP_REPAIR: /* for checkpoints of the kernel's own: as for who has no right to it */
        return -EPERM;
    case TCP_LINGER2:
        options->linger2 = number < 0 ? -1 : number < LINGER2_MAX_S ? number : LINGER2_MAX_S;
        break;
    case TCP_NOTSENT_LOWAT:
        options->notsent_lowat = (uint32_t)number;
        socket_event(stack, tcp->socket);
        break;
    default:
        error = -ENOPROTOOPT;
        break;
    }
    return error;
}

static int set_congestion(struct stack *stack, struct tcp *tcp, const char *name, socklen_t length) {
    int algorithm =
        tcp_congestion_find(name, length < TCP_CONGESTION_NAME_BYTES ? length : TCP_CONGESTION_NAME_BYTES);
    if (length < 1)
        return -EINVAL;
    if (algorithm < 0)
        return -ENOENT;
    tcp->options.congestion = (uint8_t)algorithm;
    if (tcp->state != TCP_CLOSE && tcp->state != TCP_LISTEN && tcp->congestion.algorithm != algorithm)
        tcp_congestion_begin(stack, tcp, (enum tcp_algorithm)algorithm);
    return 0;
}

/* Either may be asked by the level of the other. */
static bool is_udp_level(const struct socket *socket, int level) {
    return (level == IPPROTO_UDP || level == IPPROTO_UDPLITE) && udp_is(socket);
}

int socket_set_option(struct stack *stack, struct socket *socket, int level, int name, const void *value,
                      socklen_t length) {
    int number = 0;
    stack_work_on(stack, socket);
    if (length >= sizeof number)
        memcpy(&number, value, sizeof number);
    else if (length >= 1)
        number = *(const unsigned char *)value; /* ip(7): these take a byte, too */
    if (level == IPPROTO_IP && socket->type == SOCK_RAW && socket->options.inet6)
        return -ENOPROTOOPT;
    if (level == IPPROTO_IP)
        return ip_option_set(stack, socket, name, value, length, number);
    if (level == IPPROTO_IPV6 && socket->options.inet6)
        return ip6_option_set(stack, socket, name, value, length, number);
    if (level == IPPROTO_ICMPV6 && socket->options.inet6)
        return icmp6_option_set(socket, name, value, length);
    if (level == SOL_RAW && socket->type == SOCK_RAW)
        return raw_option_set(socket, name, value, length);
    if (level == SOL_SOCKET && name == SO_BINDTODEVICE) { /* there is one, by whatever name */
        socket->options.six.bound_to_device = length > 0 && *(const char *)value;
        return 0;
    }
    if (level == SOL_SOCKET && length < sizeof number)
        return -EINVAL;
    if (level == SOL_SOCKET && filter_is_option(name))
        return filter_set_option(stack, socket, name, value, length, number);
    if (level == IPPROTO_TCP && name == TCP_CONGESTION && socket->tcp)
        return set_congestion(stack, socket->tcp, value, length);
    if (level == IPPROTO_TCP && name == TCP_FASTOPEN_KEY && socket->tcp)
        return tcp_fastopen_set_key(stack, socket->tcp, value, length);
    if (level == IPPROTO_TCP && (name == TCP_MD5SIG || name == TCP_MD5SIG_EXT) && socket->tcp)
        return tcp_md5_set(stack, socket->tcp, value, length, name == TCP_MD5SIG_EXT);
    if ((level != IPPROTO_TCP || !socket->tcp) && level != SOL_SOCKET && !is_udp_level(socket, level))
        return -ENOPROTOOPT; /* of another kind of socket */
    if (length < sizeof number)
        return -EINVAL;
    if (level == SOL_SOCKET)
        return set_socket_level(stack, socket, name, value, length, number);
    if (is_udp_level(socket, level))
        return udp_option_set(stack, socket, name, number);
    return set_tcp_level(stack, socket->tcp, name, number);
}

static int get_socket_level(struct socket *socket, int name, void *value, socklen_t *length) {
    const struct socket_options *options = &socket->options;
    struct timeval timeout;
    switch (name) {
    case SO_BINDTODEVICE:
        *length = 0;
        return 0;
    case SO_GET_FILTER:
    case SO_LOCK_FILTER:
        return filter_get_option(socket, name, value, length);
    case SO_TYPE:
        return option_give_number(value, length, socket->type);
    case SO_DOMAIN:
        return option_give_number(value, length, socket->options.inet6 ? AF_INET6 : AF_INET);
    case SO_PROTOCOL:
        return option_give_number(value, length,
                                  socket->tcp ? IPPROTO_TCP : socket->datagram->binding.protocol);
    case SO_ERROR:
        return option_give_number(value, length, -socket_take_error(socket));
    case SO_ACCEPTCONN:
        return option_give_number(value, length, socket->tcp && socket->tcp->state == TCP_LISTEN);
    case SO_REUSEADDR:
        return option_give_number(value, length, options->reuse_address);
    case SO_REUSEPORT:
        return option_give_number(value, length, options->reuse_port);
    case SO_KEEPALIVE:
        return option_give_number(value, length, options->keepalive);
    case SO_BROADCAST:
        return option_give_number(value, length, options->broadcast);
    case SO_DONTROUTE:
        return option_give_number(value, length, options->dont_route);
    case SO_PRIORITY:
        return option_give_number(value, length, options->priority);
    case SO_PEEK_OFF:
        if (!socket->tcp && !udp_is(socket))
            return -EOPNOTSUPP;
        return option_give_number(value, length, options->peek_offset);
    case SO_RCVLOWAT:
        return option_give_number(value, length, options->receive_low_water);
    case SO_MEMINFO: {
        uint32_t memory[SK_MEMINFO_VARS] = {[SK_MEMINFO_RCVBUF] = socket->receive_limit,
                                            [SK_MEMINFO_SNDBUF] = socket->send_limit,
                                            [SK_MEMINFO_DROPS] =
                                                socket->datagram ? socket->datagram->drops : 0};
        if (socket->tcp) {
            memory[SK_MEMINFO_RMEM_ALLOC] = socket->tcp->receive.length;
            memory[SK_MEMINFO_WMEM_QUEUED] = socket->tcp->send.length;
        } else {
            memory[SK_MEMINFO_RMEM_ALLOC] = socket->datagram_bytes;
        }
        return option_give(value, length, memory, sizeof memory);
    }
    case SO_SNDLOWAT:
        return option_give_number(value, length, 1);
    case SO_OOBINLINE:
        return option_give_number(value, length, options->oob_inline);
    case SO_SNDBUF:
        return option_give_number(value, length, (int)socket->send_limit);
    case SO_RCVBUF:
        return option_give_number(value, length, (int)socket->receive_limit);
    case SO_TIMESTAMP_OLD:
    case SO_TIMESTAMP_NEW:
        return option_give_number(value, length, options->timestamp == SOCKET_TIMESTAMP_US);
    case SO_TIMESTAMPNS_OLD:
    case SO_TIMESTAMPNS_NEW:
        return option_give_number(value, length, options->timestamp == SOCKET_TIMESTAMP_NS);
    case SO_MAX_PACING_RATE:
        return give_pacing_rate(socket, value, length);
    case SO_ZEROCOPY:
        return option_give_number(value, length, options->zerocopy);
    case SO_TIMESTAMPING_OLD:
        return option_give_number(value, length, (int)options->timestamping);
    case SO_RXQ_OVFL:
        return option_give_number(value, length, options->receive_drops);
    case SO_LINGER: {
        struct linger linger = {options->linger, options->linger_seconds};
        return option_give(value, length, &linger, sizeof linger);
    }
    case SO_RCVTIMEO:
        timeout = timeout_value(options->receive_timeout_ns);
        return option_give(value, length, &timeout, sizeof timeout);
    case SO_SNDTIMEO:
        timeout = timeout_value(options->send_timeout_ns);
        return option_give(value, length, &timeout, sizeof timeout);
    default:
        return -ENOPROTOOPT;
    }
}

static int get_tcp_level(struct stack *stack, struct tcp *tcp, int name, void *value, socklen_t *length) {
    char name_of[TCP_CONGESTION_NAME_BYTES] = "";
    const struct tcp_options *options = &tcp->options;
    switch (name) {
    case TCP_NODELAY:
        return option_give_number(value, length, options->nodelay);
    case TCP_CORK:
        return option_give_number(value, length, options->cork);
    case TCP_QUICKACK:
        return option_give_number(value, length, !tcp->ack.ping_pong);
    case TCP_MAXSEG:
        /* Before there is a connection, what was asked for: tcp(7) says otherwise, Linux does so. */
        return option_give_number(value, length,
                                  (tcp->state == TCP_CLOSE || tcp->state == TCP_LISTEN) && options->mss_limit
                                      ? options->mss_limit
                                      : tcp->mss);
    case TCP_KEEPIDLE:
        return option_give_number(value, length, (int)options->keepalive_idle_s);
    case TCP_KEEPINTVL:
        return option_give_number(value, length, (int)options->keepalive_interval_s);
    case TCP_KEEPCNT:
        return option_give_number(value, length, (int)options->keepalive_probes);
    case TCP_SYNCNT:
        return option_give_number(
            value, length,
            (int)(options->syn_retries ? options->syn_retries : stack->sysctl.tcp_syn_retries));
    case TCP_USER_TIMEOUT:
        return option_give_number(value, length, (int)options->user_timeout_ms);
    case TCP_FASTOPEN:
        return option_give_number(value, length, (int)options->fastopen_backlog);
    case TCP_FASTOPEN_CONNECT:
        return option_give_number(value, length, options->fastopen_connect);
    case TCP_FASTOPEN_NO_COOKIE:
        return option_give_number(value, length, options->fastopen_no_cookie);
    case TCP_FASTOPEN_KEY:
        return tcp_fastopen_get_key(stack, tcp, value, length);
    case TCP_DEFER_ACCEPT:
        return option_give_number(value, length, seconds_of_retransmissions(options->defer_accept));
    case TCP_INQ:
        return option_give_number(value, length, tcp->socket->options.inq);
    case TCP_CC_INFO: {
        struct tcp_bbr_information info;
        if (tcp->congestion.algorithm == TCP_DCTCP) {
            struct tcp_dctcp_information told;
            tcp_dctcp_info(tcp, &told);
            return option_give(value, length, &told, sizeof told);
        }
        if (!tcp_congestion_models(&tcp->congestion)) {
            *length = 0; /* the others have no more to tell than TCP_INFO does */
            return 0;
        }
        tcp_model(tcp)->info(tcp, &info);
        return option_give(value, length, &info, sizeof info);
    }
    case TCP_WINDOW_CLAMP:
        return option_give_number(
            value, length,
            (int)(options->window_clamp || tcp->state == TCP_CLOSE || tcp->state == TCP_LISTEN
                      ? options->window_clamp
                      : tcp->receive_window));
    case TCP_REPAIR:
        return option_give_number(value, length, 0);
    case TCP_LINGER2:
        return option_give_number(value, length,
                                  options->linger2 ? options->linger2 : (int)stack->sysctl.tcp_fin_timeout);
    case TCP_NOTSENT_LOWAT:
        return option_give_number(value, length, (int)options->notsent_lowat);
    case TCP_CONGESTION:
        strcpy(name_of, tcp_congestion_name(tcp->state == TCP_CLOSE || tcp->state == TCP_LISTEN
                                                ? options->congestion
                                                : tcp->congestion.algorithm));
        return option_give(value, length, name_of, sizeof name_of);
    case TCP_INFO: {
        struct tcp_information info;
        tcp_info_get(stack, tcp, &info);
        return option_give(value, length, &info, sizeof info);
    }
    default:
        return -ENOPROTOOPT;
    }
}

int socket_get_option(struct stack *stack, struct socket *socket, int level, int name, void *value,
                      socklen_t *length) {
    bool known = level == SOL_SOCKET ||
                 (level == IPPROTO_IP && !(socket->type == SOCK_RAW && socket->options.inet6)) ||
                 (level == SOL_RAW && socket->type == SOCK_RAW) || is_udp_level(socket, level) ||
                 (level == IPPROTO_TCP && socket->tcp) || (level == IPPROTO_IPV6 && socket->options.inet6) ||
                 (level == IPPROTO_ICMPV6 && socket->options.inet6 && socket->type == SOCK_RAW);
    if (level == IPPROTO_IPV6 && !socket->options.inet6)
        return -EOPNOTSUPP; /* also of one that was of AF_INET6: IPV6_ADDRFORM */
    if (!known)
        return -ENOPROTOOPT; /* of another kind of socket */
    if ((int)*length < 0)
        return -EINVAL;
    if (level == SOL_SOCKET)
        return get_socket_level(socket, name, value, length);
    if (level == IPPROTO_IP)
        return ip_option_get(stack, socket, name, value, length);
    if (level == IPPROTO_IPV6)
        return ip6_option_get(stack, socket, name, value, length);
    if (level == IPPROTO_ICMPV6)
        return icmp6_option_get(socket, name, value, length);
    if (level == SOL_RAW)
        return raw_option_get(socket, name, value, length);
    if (is_udp_level(socket, level))
        return udp_option_get(socket, name, value, length);
    return get_tcp_level(stack, socket->tcp, name, value, length);
}
