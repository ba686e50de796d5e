/* SPDX-License-Identifier: MIT */
/*
 * netlink_diag.c - see netlink_diag.h. Formats: sock_diag(7), <linux/inet_diag.h>.
 *
 * A filter in bytecode is not looked at: ss(8) filters what it is told once more.
 */
#include "shim/library/netinfo/netlink_diag.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/netinfo/netlink_kernel.h"
#include "shim/region/lock.h"
#include "shim/region/region.h"
#include "stack/tcp/tcp_time_wait.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <unistd.h>

#define MILLISECOND_NS 1000000u
#define ANY_STATE UINT32_MAX

bool netlink_diag_is_kernels(const struct nlmsghdr *request) {
    uint8_t family = 0;
    if (request->nlmsg_len > NLMSG_HDRLEN)
        memcpy(&family, request + 1, sizeof family);
    return request->nlmsg_type != SOCK_DIAG_BY_FAMILY || (family != AF_INET && family != AF_INET6);
}

/* A socket, as an answer tells of it. */
struct told {
    const struct socket *socket; /* NULL: nobody's any more */
    const struct tcp *tcp;       /* or NULL */
    struct ip_address local, remote;
    uint16_t local_port, remote_port;
    uint8_t state;
    bool inet6;
    uint32_t receive_queue, send_queue;
};

static const struct ip_address NOBODY;

struct question {
    struct netlink_answer *answer;
    struct inet_diag_req_v2 wanted;
    bool dump, found;
};

static void place(bool inet6, struct ip_address host, __be32 address[4]) {
    memset(address, 0, 4 * sizeof *address);
    if (inet6)
        memcpy(address, host.bytes, sizeof host.bytes);
    else
        address[0] = htonl(ip_to_v4(host));
}

static bool is_wanted(const struct question *question, const struct told *told,
                      const struct inet_diag_sockid *id) {
    const struct inet_diag_req_v2 *wanted = &question->wanted;
    if (told->inet6 != (wanted->sdiag_family == AF_INET6))
        return false;
    if (!question->dump) /* one socket: by its places */
        return wanted->id.idiag_sport == id->idiag_sport && wanted->id.idiag_dport == id->idiag_dport &&
               memcmp(wanted->id.idiag_src, id->idiag_src, told->inet6 ? 16 : 4) == 0 &&
               memcmp(wanted->id.idiag_dst, id->idiag_dst, told->inet6 ? 16 : 4) == 0;
    return wanted->idiag_states & 1u << told->state &&
           (!wanted->id.idiag_sport || wanted->id.idiag_sport == id->idiag_sport) &&
           (!wanted->id.idiag_dport || wanted->id.idiag_dport == id->idiag_dport);
}

/* Which timer runs, as in /proc/net/tcp, and for how long. */
static uint8_t timer_of(const struct tcp *tcp, uint32_t *left_ms) {
    uint64_t now_ns = shared->stack.now_ns, due_ns = tcp->alarms.due_ns[TCP_ALARM_RETRANSMIT];
    int kind = due_ns ? (tcp->snd_wnd == 0 && tcp->snd_una == tcp->snd_nxt ? 4 : 1) : 0;
    if (!kind && (due_ns = tcp->alarms.due_ns[TCP_ALARM_STATE]))
        kind = tcp->state == TCP_TIME_WAIT ? 3 : 2;
    *left_ms = kind && due_ns > now_ns ? (uint32_t)((due_ns - now_ns) / MILLISECOND_NS) : 0;
    return (uint8_t)kind;
}

static bool asks(const struct question *question, int extension) {
    return question->wanted.idiag_ext & 1 << (extension - 1);
}

static void put_memory(const struct question *question, const struct told *told) {
    const struct socket *socket = told->socket;
    struct inet_diag_meminfo memory = {.idiag_rmem = told->receive_queue, .idiag_wmem = told->send_queue};
    uint32_t more[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = told->receive_queue,
                                      [SK_MEMINFO_RCVBUF] = socket->receive_limit,
                                      [SK_MEMINFO_SNDBUF] = socket->send_limit,
                                      [SK_MEMINFO_WMEM_QUEUED] = told->send_queue,
                                      [SK_MEMINFO_BACKLOG] = 0,
                                      [SK_MEMINFO_DROPS] = socket->datagram ? socket->datagram->drops : 0};
    if (asks(question, INET_DIAG_MEMINFO))
        netlink_put(question->answer, INET_DIAG_MEMINFO, &memory, sizeof memory);
    if (asks(question, INET_DIAG_SKMEMINFO))
        netlink_put(question->answer, INET_DIAG_SKMEMINFO, more, sizeof more);
}

static void put_tcp(const struct question *question, const struct told *told) {
    if (asks(question, INET_DIAG_INFO)) {
        struct tcp_information info;
        tcp_info_get(&shared->stack, (struct tcp *)told->tcp, &info);
        if (told->state == TCP_LISTEN) { /* the queue of those to be accepted, and how long it may be */
            info.unacked = told->receive_queue;
            info.sacked = told->send_queue;
        }
        netlink_put(question->answer, INET_DIAG_INFO, &info, sizeof info);
    }
    if (asks(question, INET_DIAG_CONG))
        netlink_put_text(question->answer, INET_DIAG_CONG,
                         tcp_congestion_name(told->tcp->congestion.algorithm));
}

/* As the kernel: what is bound to an address of IPv6 takes no other. */
static bool takes_ipv6_alone(const struct told *told) {
    return told->socket->options.six.only || (!ip_is_any(told->local) && !ip_is_v4(told->local));
}

/* By which a program knows it again. */
static uint64_t cookie_of(const struct told *told) {
    if (told->socket || !told->tcp)
        return (uintptr_t)told->socket;
    return (uint64_t)told->tcp->snd_nxt << 32 | (uint32_t)told->remote_port << 16 | told->local_port;
}

static void tell_of_socket(struct question *question, const struct told *told) {
    struct netlink_answer *answer = question->answer;
    struct inet_diag_msg message = {.idiag_family = told->inet6 ? AF_INET6 : AF_INET,
                                    .idiag_state = told->state,
                                    .id.idiag_sport = htons(told->local_port),
                                    .id.idiag_dport = htons(told->remote_port),
                                    .idiag_rqueue = told->receive_queue,
                                    .idiag_wqueue = told->send_queue};
    place(told->inet6, told->local, message.id.idiag_src);
    place(told->inet6, told->remote, message.id.idiag_dst);
    if (!is_wanted(question, told, &message.id))
        return;
    uint64_t cookie = cookie_of(told);
    memcpy(message.id.idiag_cookie, &cookie, sizeof cookie);
    if (told->tcp) {
        message.idiag_timer = timer_of(told->tcp, &message.idiag_expires);
        message.idiag_retrans = told->tcp->retransmits;
    }
    if (told->socket) {
        message.idiag_uid = getuid();
        message.idiag_inode = (uint32_t)told->socket->name;
    }
    question->found = true;
    netlink_begin(answer, SOCK_DIAG_BY_FAMILY, &message, sizeof message);
    if (told->socket) {
        const struct socket *socket = told->socket;
        netlink_put_u8(answer, INET_DIAG_SHUTDOWN,
                       (uint8_t)((socket->read_shutdown ? 1 : 0) | (socket->write_shutdown ? 2 : 0)));
        if (asks(question, INET_DIAG_TOS))
            netlink_put_u8(answer, INET_DIAG_TOS, socket->options.tos);
        if (told->inet6)
            netlink_put_u8(answer, INET_DIAG_SKV6ONLY, takes_ipv6_alone(told));
        put_memory(question, told);
        if (told->tcp)
            put_tcp(question, told);
    }
    netlink_end(answer);
}

static void look_at_tcp(void *object, void *context) {
    const struct tcp *tcp = object;
    const struct socket *socket = tcp->socket;
    bool listens = tcp->state == TCP_LISTEN;
    struct told told = {.socket = socket,
                        .tcp = tcp,
                        .local = tcp->binding.address,
                        .remote = listens ? NOBODY : tcp->remote_address,
                        .local_port = tcp->binding.port,
                        .remote_port = listens ? 0 : tcp->remote_port,
                        .state = tcp->state,
                        .inet6 = socket ? socket->options.inet6 : !ip_is_v4(tcp->remote_address),
                        .receive_queue = listens && socket ? socket->accept_count : tcp->receive.length,
                        .send_queue = listens && socket ? socket->backlog : tcp->send.length};
    if (tcp->state != TCP_CLOSE)
        tell_of_socket(context, &told);
}

static void look_at_datagrams(void *object, void *context) {
    const struct socket *socket = object;
    const struct datagram_state *state = socket->datagram;
    struct question *question = context;
    uint8_t protocol = question->wanted.sdiag_protocol;
    if (!state || (protocol == IPPROTO_RAW ? socket->type != SOCK_RAW
                                           : socket->type == SOCK_RAW ||
                                                 state->binding.protocol != protocol || !state->binding.port))
        return;
    struct told told = {.socket = socket,
                        .local = state->binding.address,
                        .remote = socket->connected ? state->remote_address : NOBODY,
                        .local_port =
                            socket->type == SOCK_RAW ? state->binding.protocol : state->binding.port,
                        .remote_port = socket->connected ? state->remote_port : 0,
                        .state = socket->connected ? TCP_ESTABLISHED : TCP_CLOSE,
                        .inet6 = socket->options.inet6,
                        .receive_queue = socket->datagram_bytes};
    tell_of_socket(question, &told);
}

int netlink_diag(struct netlink_answer *answer) {
    struct question question = {.answer = answer, .dump = answer->request->nlmsg_flags & NLM_F_DUMP};
    netlink_body(answer->request, &question.wanted, sizeof question.wanted);
    const void *wide =
        netlink_attribute(answer->request, sizeof question.wanted, INET_DIAG_REQ_PROTOCOL, sizeof(uint32_t));
    if (wide) /* a number that does not fit: multipath TCP, of which there is none */
        return question.dump ? 0 : -ENOENT;
    if (question.wanted.sdiag_protocol == IPPROTO_TCP)
        tcp_walk(&shared->stack, look_at_tcp, &question);
    else
        pool_walk(&shared->stack.sockets, look_at_datagrams, &question);
    return question.dump || question.found ? 0 : -ENOENT;
}

/* Whether a socket of the kernel's is told of: at loopback, or of IPv6 that the stack has not. */
static bool stays_the_kernels(const struct inet_diag_msg *message) {
    const struct in6_addr *six = (const void *)message->id.idiag_src;
    bool mapped = message->idiag_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six);
    if (message->idiag_family == AF_INET6 && !mapped)
        return !shared->stack.config.ip6.on || (IN6_IS_ADDR_LOOPBACK(six) && shared->kernel_loopback);
    uint32_t host = ntohl(message->id.idiag_src[mapped ? 3 : 0]);
    return ip4_is_loopback(host) && shared->kernel_loopback;
}

/* Whether it is the object of a socket of ours (udp_loopback.h), which was told of. */
static bool is_object(const struct inet_diag_msg *message) {
    region_enter();
    bool ours = descriptor_socket_named(message->idiag_inode);
    region_leave();
    return ours;
}

static void add_kernels(void *context, const void *bytes, size_t length) {
    struct netlink_answer *answer = context;
    const struct nlmsghdr *message = bytes;
    for (size_t left = length; netlink_is_whole(message, left); message = netlink_next(message, &left)) {
        bool told = message->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
                    message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)) &&
                    stays_the_kernels(NLMSG_DATA(message)) && !is_object(NLMSG_DATA(message));
        size_t bytes_aligned = NLMSG_ALIGN(message->nlmsg_len);
        if (!told || answer->used + bytes_aligned > answer->room)
            continue;
        memcpy(answer->bytes + answer->used, message, message->nlmsg_len);
        answer->used += bytes_aligned;
    }
}

void netlink_diag_add_kernels(struct netlink_answer *answer) {
    netlink_ask_kernel(NETLINK_SOCK_DIAG, answer->request, false, answer->port, add_kernels, answer);
}
