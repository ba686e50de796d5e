/* SPDX-License-Identifier: MIT */
/*
 * socket.c - see socket.h. What Linux's af_inet.c and tcp.c decide before the protocol comes in: which state
 * allows which call, and with which errno.
 */
#include "stack/socket.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp_close.h"
#include "stack/tcp/tcp_handshake.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_timer.h"
#include "stack/tcp/tcp_window.h"
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>

static struct socket *socket_make(struct stack *stack, int type) {
    struct socket *socket = pool_take_zeroed(&stack->sockets);
    if (!socket)
        return NULL;
    list_init(&socket->event_link);
    list_init(&socket->watches);
    list_init(&socket->syn_queue);
    list_init(&socket->accept_queue);
    list_init(&socket->errors);
    socket->type = (uint8_t)type;
    bool stream = type == SOCK_STREAM;
    socket->send_limit = stream ? stack->sysctl.tcp_wmem[1] : stack->sysctl.wmem_default;
    socket->receive_limit = stream ? stack->sysctl.tcp_rmem[1] : stack->sysctl.rmem_default;
    socket->options.receive_low_water = 1;
    socket->options.peek_offset = -1;
    socket->options.ttl = (uint8_t)stack->sysctl.ip_default_ttl;
    socket->options.multicast_ttl = 1;
    socket->options.multicast_loop = socket->options.multicast_all = true;
    socket->options.path_mtu_discover = IP_PMTUDISC_WANT;
    socket->options.six = (struct socket_options6){.hop_limit = -1,
                                                   .multicast_hop_limit = -1,
                                                   .only = stack->sysctl.ip6_bindv6only,
                                                   .path_mtu_discover = IPV6_PMTUDISC_WANT,
                                                   .auto_flow_label = true,
                                                   .multicast_loop = true,
                                                   .multicast_all = true};
    return socket;
}

static bool protocol_fits(int type, int protocol) {
    switch (type) {
    case SOCK_STREAM:
        return protocol == 0 || protocol == IPPROTO_TCP;
    case SOCK_DGRAM:
        return protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
               protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
    default:
        return protocol > 0 && protocol < 256;
    }
}

int socket_create(struct stack *stack, int type, int protocol, struct socket **made) {
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW)
        return -ESOCKTNOSUPPORT;
    if (!protocol_fits(type, protocol))
        return -EPROTONOSUPPORT;
    struct socket *socket = socket_make(stack, type);
    if (!socket)
        return -ENOBUFS;
    if (type == SOCK_STREAM)
        socket->tcp = tcp_create(stack);
    if (type == SOCK_STREAM ? !socket->tcp
                            : datagram_begin(stack, socket, (uint8_t)(protocol ? protocol : IPPROTO_UDP))) {
        pool_return(&stack->sockets, socket);
        return -ENOBUFS;
    }
    if (type == SOCK_STREAM)
        socket->tcp->socket = socket;
    socket->options.header_included = type == SOCK_RAW && protocol == IPPROTO_RAW;
    socket->options.six.only |= type == SOCK_DGRAM && protocol == IPPROTO_ICMPV6;
    *made = socket;
    return 0;
}

void socket_release(struct stack *stack, struct socket *socket) {
    stack_work_on(stack, socket);
    if (socket->tcp) {
        tcp_unlisten(stack, socket);
        tcp_close(stack, socket->tcp);
        datagram_purge(stack, socket);
    } else {
        datagram_end(stack, socket);
    }
    if (socket->filters) {
        filter_purge(stack, &socket->filters->filter);
        ip6_label_release(stack, socket);
        ip6_anycast_release(stack, socket);
        pool_return(&stack->filter_pool, socket->filters);
    }
    list_remove(&socket->event_link);
    pool_return(&stack->sockets, socket);
}

struct socket_filters *socket_filters(struct stack *stack, struct socket *socket) {
    if (!socket->filters)
        socket->filters = pool_take_zeroed(&stack->filter_pool);
    return socket->filters;
}

static struct binding *binding_of(struct socket *socket) {
    return socket->tcp ? &socket->tcp->binding : &socket->datagram->binding;
}

/* Which families a socket takes: an AF_INET6 socket IPv4's, too, as long as IPV6_V6ONLY is not set. */
static void take_families(struct socket *socket) {
    struct binding *binding = binding_of(socket);
    binding->inet6 = binding->takes_v6 = socket->options.inet6;
    binding->takes_v4 = !(socket->options.inet6 && socket->options.six.only);
}

void socket_settle_families(struct socket *socket) {
    const struct binding *binding = binding_of(socket);
    if (!binding->takes_v4 && !binding->takes_v6)
        take_families(socket);
}

int socket_reaches(const struct socket *socket, struct ip_address address) {
    const struct ip_address bound =
        socket->tcp ? socket->tcp->binding.address : socket->datagram->binding.address;
    bool v4 = ip_is_v4(address);
    if (v4 ? socket->options.inet6 && socket->options.six.only : !socket->options.inet6)
        return v4 ? -ENETUNREACH : -EAFNOSUPPORT;
    if (!ip_is_any(bound) && ip_is_v4(bound) != v4)
        return v4 ? -EINVAL : -EAFNOSUPPORT;
    return 0;
}

int socket_bind(struct stack *stack, struct socket *socket, struct ip_address address, uint16_t port) {
    struct binding *binding = binding_of(socket);
    bool any = ip_is_any(address), v4 = ip_is_v4(address),
         many = ip_is_multicast(address) || ip_is_broadcast(stack, address);
    if (!socket->options.inet6 && !v4 && !any)
        return -EAFNOSUPPORT;
    if (socket->options.inet6 && socket->options.six.only && v4)
        return -EINVAL;
    if (any)
        address = (struct ip_address){0};
    if (socket->tcp && socket->options.inet6 && !v4 && ip_is_multicast(address))
        return -EINVAL;
    bool bound =
        socket->type != SOCK_RAW && (binding->port || (socket->tcp && socket->tcp->state != TCP_CLOSE));
    if (bound && socket->options.inet6)
        return -EINVAL; /* Linux looks at the address first, of AF_INET */
    if (!any && !socket->options.free_bind && !ip_is_local(stack, address) && (!many || socket->tcp))
        return -EADDRNOTAVAIL;
    if (socket->type == SOCK_RAW && socket->connected)
        return -EINVAL;
    if (socket->type == SOCK_RAW) {
        binding->address = address;
        return 0;
    }
    if (bound)
        return -EINVAL;
    stack_work_on(stack, socket);
    take_families(socket);
    if (any && v4)
        binding->takes_v6 = false;
    binding->reuse_address = socket->options.reuse_address;
    binding->reuse_port = socket->options.reuse_port;
    if (!port && socket->options.bind_without_port) {
        binding->address = address;
        binding->address_chosen = !any;
        return 0;
    }
    int error = port_bind(stack, binding, address, port);
    if (!error && !any && !v4)
        socket->options.six.only = true; /* Linux's IPV6_V6ONLY then says so */
    if (!error && !socket->tcp)
        datagram_enter(stack, socket);
    return error;
}

int socket_listen(struct stack *stack, struct socket *socket, int backlog) {
    struct tcp *tcp = socket->tcp;
    if (!tcp)
        return -EOPNOTSUPP;
    if ((tcp->state != TCP_CLOSE && tcp->state != TCP_LISTEN) || socket->connected || socket->connecting)
        return -EINVAL;
    stack_work_on(stack, socket);
    uint32_t limit = stack->sysctl.somaxconn;
    socket->backlog = backlog < 0 || (uint32_t)backlog > limit ? limit : (uint32_t)backlog;
    if (tcp->state == TCP_LISTEN)
        return 0;
    tcp->binding.reuse_address = socket->options.reuse_address;
    tcp->binding.reuse_port = socket->options.reuse_port;
    socket_settle_families(socket);
    return tcp_listen(stack, tcp);
}

/* A closed socket's connection, made ready to be opened, also when it has been used before. */
static struct tcp *prepare_connect(struct stack *stack, struct socket *socket) {
    if (socket->tcp->iss || socket->tcp->remote_port) {
        tcp_renew(stack, socket->tcp);
        stack_work_on(stack, socket);
    }
    struct tcp *tcp = socket->tcp;
    socket->error = 0;
    socket->read_shutdown = socket->write_shutdown = false;
    tcp->binding.reuse_address = socket->options.reuse_address;
    tcp->binding.reuse_port = socket->options.reuse_port;
    socket_settle_families(socket);
    tcp->options.ttl = socket->options.ttl;
    tcp->options.tos = socket->options.tos;
    tcp->options.hop_limit = socket->options.six.hop_limit > 0 ? (uint8_t)socket->options.six.hop_limit : 0;
    tcp->options.traffic_class = socket->options.six.traffic_class;
    return tcp;
}

int socket_connect(struct stack *stack, struct socket *socket, struct ip_address address, uint16_t port) {
    struct tcp *tcp = socket->tcp;
    stack_work_on(stack, socket);
    if (!tcp)
        return datagram_connect(stack, socket, address, port);
    if (tcp->fastopen & TCP_FASTOPEN_DEFERRED)
        return -EISCONN;
    if (socket->connecting) {
        if (tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECV)
            return -EALREADY;
        socket->connecting = false;
        socket->connected = tcp->state != TCP_CLOSE;
        if (socket->connected)
            return 0;
        int error = socket_take_error(socket);
        return error ? error : -ECONNABORTED;
    }
    if (tcp->state != TCP_CLOSE || socket->connected)
        return -EISCONN;
    int error = socket_reaches(socket, address);
    if (error)
        return error;
    tcp = prepare_connect(stack, socket);
    if (tcp->options.fastopen_connect)
        tcp->fastopen |= tcp_fastopen_ready(stack, tcp, address) ? TCP_FASTOPEN_DEFERRED : TCP_FASTOPEN_ASKED;
    error = tcp_connect(stack, tcp, address, port);
    if (error) {
        tcp->fastopen = 0;
        return error;
    }
    socket->connecting = true;
    return tcp->fastopen & TCP_FASTOPEN_DEFERRED ? 0 : -EINPROGRESS;
}

/* The first write of a connection that begins with it: MSG_FASTOPEN, or TCP_FASTOPEN_CONNECT. Returns what
 * the SYN took, or -EINPROGRESS when it took nothing. */
static ssize_t open_with_data(struct stack *stack, struct socket *socket,
                              const struct socket_message *message) {
    struct tcp *tcp = socket->tcp;
    bool deferred = tcp->fastopen & TCP_FASTOPEN_DEFERRED;
    struct ip_address address = deferred ? tcp->remote_address : message->address;
    if (!deferred && (!(stack->sysctl.tcp_fastopen & SYSCTL_FASTOPEN_CLIENT) || message->unspecified))
        return -EOPNOTSUPP;
    if (!deferred && !message->has_address)
        return -EDESTADDRREQ;
    int error = deferred ? 0 : socket_reaches(socket, address);
    if (error)
        return error;
    stack_work_on(stack, socket);
    if (!deferred)
        tcp = prepare_connect(stack, socket);
    tcp->fastopen = (uint8_t)((tcp->fastopen & ~TCP_FASTOPEN_DEFERRED) | TCP_FASTOPEN_ASKED);
    size_t wanted = message->unreadable ? 0 : buffer_pieces_length(message->pieces, message->count);
    ssize_t sent = 0;
    if (wanted > 0 && tcp_fastopen_ready(stack, tcp, address)) {
        uint32_t room = tcp_fastopen_room(stack, tcp, address);
        sent = byte_queue_append(&tcp->send, &stack->buffers, message->pieces, message->count, 0,
                                 wanted < room ? (uint32_t)wanted : room);
    }
    if (deferred) {
        tcp_send_syn(stack, tcp);
    } else {
        error = tcp_connect(stack, tcp, address, message->port);
        if (error) {
            byte_queue_drop(&tcp->send, &stack->buffers, tcp->send.length);
            tcp->fastopen = 0;
            return error;
        }
        socket->connecting = true;
    }
    if (sent > 0)
        tcp_write_mark_write(stack, tcp, message->flags & ~MSG_EOR, socket_stamps(socket, message));
    return sent > 0 ? sent : -EINPROGRESS;
}

/* Linux's tcp_need_reset: the peer counts on more. */
static bool is_cut_by_reset(uint8_t state) {
    return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_FIN_WAIT1 ||
           state == TCP_FIN_WAIT2 || state == TCP_SYN_RECV;
}

int socket_disconnect(struct stack *stack, struct socket *socket) {
    stack_work_on(stack, socket);
    if (!socket->tcp) {
        datagram_disconnect(stack, socket);
        return 0;
    }
    struct tcp *tcp = socket->tcp;
    bool sent_more = (tcp->state == TCP_CLOSING || tcp->state == TCP_LAST_ACK) && tcp_unsent(tcp) > 0;
    bool reset = is_cut_by_reset(tcp->state) || sent_more;
    int error = reset || tcp->state == TCP_SYN_SENT ? ECONNRESET : 0;
    if (tcp->state == TCP_LISTEN) {
        tcp_unlisten(stack, socket);
        port_set_listening(stack, &tcp->binding, false);
    } else if (reset) {
        tcp_send_reset(stack, tcp);
    }
    tcp_end(stack, tcp, error);
    socket->connecting = socket->connected = false;
    socket->read_shutdown = socket->write_shutdown = false;
    byte_queue_drop(&tcp->receive, &stack->buffers, tcp->receive.length);
    tcp_renew(stack, tcp);
    return 0;
}

int socket_accept(struct stack *stack, struct socket *listener, struct socket **made) {
    if (!listener->tcp)
        return -EOPNOTSUPP;
    if (listener->tcp->state != TCP_LISTEN)
        return -EINVAL;
    struct list *link = list_first(&listener->accept_queue);
    if (!link)
        return -EAGAIN;
    struct socket *socket = socket_make(stack, SOCK_STREAM);
    if (!socket)
        return -ENOBUFS;
    if (!filter_inherit(stack, listener, socket)) {
        pool_return(&stack->sockets, socket);
        return -ENOBUFS;
    }
    struct tcp *tcp = container_of(link, struct tcp, queue_link);
    tcp_leave_queue(tcp);
    socket->options = listener->options;
    socket->send_limit = listener->send_limit;
    socket->receive_limit = listener->receive_limit_set ? listener->receive_limit : 2 * tcp->receive_window;
    socket->receive_limit_set = listener->receive_limit_set;
    socket->send_limit_set = listener->send_limit_set;
    socket->tcp = tcp;
    socket->connected = true;
    socket->read_shutdown = tcp->fin_received;
    tcp->socket = socket;
    if (tcp->state == TCP_CLOSE) {
        socket->error = tcp->final_error;
        socket->read_shutdown = socket->write_shutdown = true;
    }
    tcp_tuning_send(stack, tcp);
    tcp_arm_keepalive(stack, tcp);
    *made = socket;
    return 0;
}

int socket_shutdown(struct stack *stack, struct socket *socket, int how) {
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    struct tcp *tcp = socket->tcp;
    if (tcp)
        tcp_work_on(stack, tcp);
    else
        stack_work_on(stack, socket);
    if (tcp && tcp_is_over(tcp))
        return -ENOTCONN;
    if (tcp && tcp->state == TCP_LISTEN)
        return how == SHUT_WR ? 0 : socket_disconnect(stack, socket);
    if (tcp && tcp->state == TCP_SYN_SENT)
        return socket_disconnect(stack, socket);
    if (how != SHUT_WR)
        socket->read_shutdown = true;
    if (how != SHUT_RD) {
        socket->write_shutdown = true;
        if (tcp)
            tcp_shutdown_send(stack, tcp);
    }
    socket_event(stack, socket);
    return tcp || socket->connected ? 0 : -ENOTCONN; /* it counts all the same, as in Linux */
}

/* Whether a write opens the connection. */
static bool opens(const struct tcp *tcp, int flags) {
    return tcp->fastopen & TCP_FASTOPEN_DEFERRED || (flags & MSG_FASTOPEN && tcp->state == TCP_CLOSE);
}

/* Whether a stream takes data now, if there is room. 0, or a negative errno. */
static int stream_may_send(struct socket *socket, int flags) {
    struct tcp *tcp = socket->tcp;
    bool child = tcp->fastopen & TCP_FASTOPEN_CHILD;
    if (flags & MSG_FASTOPEN && !socket->connecting)
        return -EISCONN;
    if (flags & MSG_FASTOPEN && tcp->state == TCP_SYN_SENT)
        return -EALREADY;
    if (flags & MSG_FASTOPEN)
        socket->connecting = false;
    if (tcp->state == TCP_SYN_SENT || (tcp->state == TCP_SYN_RECV && !child)) {
        socket->no_space = true;
        return -EAGAIN;
    }
    if (socket->error)
        return socket_take_error(socket);
    if (socket->write_shutdown ||
        (tcp->state != TCP_ESTABLISHED && tcp->state != TCP_CLOSE_WAIT && tcp->state != TCP_SYN_RECV))
        return -EPIPE;
    return 0;
}

/* There was not room for all: the writer wants to know when there is. */
static void note_no_space(struct stack *stack, struct socket *socket) {
    socket->no_space = true;
    tcp_info_note(stack, socket->tcp);
}

ssize_t socket_send_room(struct stack *stack, struct socket *socket, int flags, bool begins) {
    struct tcp *tcp = socket->tcp;
    if (!tcp || opens(tcp, flags))
        return 0;
    int error = stream_may_send(socket, flags);
    if (error)
        return error;
    if (!(begins ? tcp_send_begin(stack, tcp) : tcp_active_take(stack, tcp))) {
        note_no_space(stack, socket);
        return -ENOBUFS;
    }
    uint32_t room = tcp_send_room(stack, tcp);
    if (room == 0)
        note_no_space(stack, socket);
    return room > 0 ? (ssize_t)room : -EAGAIN;
}

void socket_send_part(struct stack *stack, struct socket *socket, struct buffer *chain, uint32_t length,
                      bool fills, bool more) {
    tcp_send_part(stack, socket->tcp, chain, length, fills, more);
}

void socket_send_written(struct stack *stack, struct socket *socket, const struct socket_message *message,
                         bool whole) {
    tcp_send_written(stack, socket->tcp, message->flags, socket_stamps(socket, message), whole);
}

static ssize_t stream_send(struct stack *stack, struct socket *socket, const struct socket_message *message) {
    struct tcp *tcp = socket->tcp;
    if (opens(tcp, message->flags))
        return open_with_data(stack, socket, message);
    int error = stream_may_send(socket, message->flags);
    if (error)
        return error;
    if (message->unreadable && tcp_send_room(stack, tcp) > 0)
        return -EFAULT;
    ssize_t sent = message->unreadable ? -EAGAIN
                                       : tcp_send(stack, tcp, message->pieces, message->count, message->flags,
                                                  socket_stamps(socket, message));
    if (sent == -EAGAIN || sent == -ENOBUFS ||
        (sent >= 0 && (size_t)sent < buffer_pieces_length(message->pieces, message->count)))
        note_no_space(stack, socket);
    return sent;
}

ssize_t socket_send(struct stack *stack, struct socket *socket, struct socket_message *message) {
    if (socket->tcp)
        return stream_send(stack, socket, message);
    bool takes_urgent = socket->options.inet6 && udp_is(socket); /* and sends it as anything else, by IPv6 */
    return message->flags & MSG_OOB && !takes_urgent ? -EOPNOTSUPP : datagram_send(stack, socket, message);
}

/* Whether the peer may still send: what it is told about the window matters. */
static bool receives(const struct tcp *tcp) {
    return tcp->state == TCP_ESTABLISHED || tcp->state == TCP_FIN_WAIT1 || tcp->state == TCP_FIN_WAIT2;
}

/* How far into the stream a look begins: SO_PEEK_OFF. */
static uint32_t peek_start(const struct socket *socket, int flags) {
    return flags & MSG_PEEK && socket->options.peek_offset > 0 ? (uint32_t)socket->options.peek_offset : 0;
}

static bool wants_arrivals(const struct socket *socket) {
    return socket->options.timestamp || socket->options.timestamping & SOF_TIMESTAMPING_RX_SOFTWARE;
}

void socket_arrived(struct stack *stack, struct socket *socket, uint32_t end) {
    struct socket_filters *extra = socket && wants_arrivals(socket) ? socket_filters(stack, socket) : NULL;
    if (!extra)
        return;
    struct stream_arrivals *arrivals = &extra->arrivals;
    uint32_t last = (arrivals->first + arrivals->count - 1) % STREAM_ARRIVALS_MAX;
    if (arrivals->count == 0 || arrivals->entries[last].at_ns != stack->now_ns) {
        if (arrivals->count ==
            STREAM_ARRIVALS_MAX) /* its bytes came with the next ones: as if Linux had joined them */
            arrivals->first = (arrivals->first + 1) % STREAM_ARRIVALS_MAX;
        else
            arrivals->count++;
        last = (arrivals->first + arrivals->count - 1) % STREAM_ARRIVALS_MAX;
    }
    arrivals->entries[last].end = end;
    arrivals->entries[last].at_ns = stack->now_ns;
}

/* When the last byte before a sequence number came. What is read is forgotten. */
static uint64_t arrival_of(const struct socket *socket, uint32_t end) {
    struct stream_arrivals *arrivals = socket->filters ? &socket->filters->arrivals : NULL;
    if (!arrivals)
        return socket->tcp->ack.last_data_ns;
    for (; arrivals->count > 0; arrivals->count--) {
        if (seq_ge(arrivals->entries[arrivals->first].end, end))
            return arrivals->entries[arrivals->first].at_ns;
        arrivals->first = (arrivals->first + 1) % STREAM_ARRIVALS_MAX;
    }
    return socket->tcp->ack.last_data_ns; /* before anybody had asked */
}

/* Bytes were copied to the program: takes them off the stream, unless they were just looked at. */
static void stream_copied(struct stack *stack, struct socket *socket, struct socket_message *message,
                          uint32_t length) {
    struct tcp *tcp = socket->tcp;
    if (wants_arrivals(socket))
        message->received_ns = arrival_of(socket, tcp->rcv_nxt - tcp->fin_received - tcp->receive.length +
                                                      peek_start(socket, message->flags) + length);
    if (message->flags & MSG_PEEK) {
        socket_peeked(socket, length);
    } else {
        socket_read_past(socket, length);
        byte_queue_drop(&tcp->receive, &stack->buffers, length);
        tcp_work_on(stack, tcp);
        tcp_tuning_read(stack, tcp);
        tcp_ack_read(stack, tcp);
        if (receives(tcp) && tcp_window_update_due(tcp))
            tcp_send_ack(stack, tcp);
    }
    message->has_inq = socket->options.inq;
    message->inq = tcp->receive.length + (tcp->receive.length == 0 && tcp->fin_received);
}

/* The order of Linux's tcp_recvmsg: data first, then the pending error, then end of file. */
static ssize_t stream_receive(struct stack *stack, struct socket *socket, struct socket_message *message) {
    struct tcp *tcp = socket->tcp;
    if (tcp->state == TCP_LISTEN)
        return -ENOTCONN;
    stack_work_on(stack, NULL);
    uint32_t readable =
        tcp->urgent.state ? tcp_urgent_readable(stack, tcp, socket->options.oob_inline) : tcp->receive.length;
    uint32_t skip = peek_start(socket, message->flags);
    readable -= min_u32(skip, readable);
    if (readable > 0) {
        size_t copied;
        if (message->flags & MSG_TRUNC) {
            copied = buffer_pieces_length(message->pieces, message->count); /* tcp(7): discarded instead */
            if (copied > readable)
                copied = readable;
        } else {
            copied = byte_queue_peek_from(&tcp->receive, skip, message->pieces, message->count, readable);
        }
        stream_copied(stack, socket, message, (uint32_t)copied);
        return (ssize_t)copied;
    }
    if (tcp->fin_received)
        return 0;
    if (socket->error)
        return socket_take_error(socket);
    if (socket->read_shutdown)
        return 0;
    return tcp->state == TCP_CLOSE ? -ENOTCONN : -EAGAIN;
}

uint32_t socket_receive_extent(struct stack *stack, struct socket *socket,
                               const struct socket_message *message, uint32_t most,
                               struct byte_cursor *start) {
    const struct tcp *tcp = socket->tcp;
    (void)stack;
    if (!tcp || tcp->state == TCP_LISTEN || tcp->urgent.state ||
        message->flags & (MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC))
        return 0;
    uint32_t skip = peek_start(socket, message->flags);
    if (skip >= tcp->receive.length)
        return 0;
    *start = byte_queue_at(&tcp->receive, skip);
    return min_u32(most, tcp->receive.length - skip);
}

void socket_receive_taken(struct stack *stack, struct socket *socket, struct socket_message *message,
                          struct byte_cursor start, uint32_t length) {
    const struct tcp *tcp = socket->tcp;
    uint32_t skip = peek_start(socket, message->flags);
    if (skip + (uint64_t)length > tcp->receive.length)
        return;
    struct byte_cursor now = byte_queue_at(&tcp->receive, skip);
    if (now.buffer == start.buffer && now.position == start.position)
        stream_copied(stack, socket, message, length);
}

void socket_receive_undone(struct stack *stack, struct socket *socket, const void *bytes, uint32_t length) {
    struct tcp *tcp = socket->tcp;
    struct byte_queue again = {0};
    struct iovec piece = {(void *)bytes, length};
    if (length == 0 || byte_queue_append(&again, &stack->buffers, &piece, 1, 0, length) < length) {
        buffer_drop_chain(&stack->buffers, again.head);
        return;
    }
    tcp_work_on(stack, tcp);
    byte_queue_append_queue(&again, &tcp->receive);
    tcp->receive = again;
    if (socket->options.peek_offset >= 0)
        socket->options.peek_offset += (int)length;
    socket_event(stack, socket);
}

static ssize_t receive_urgent(struct socket *socket, const struct socket_message *message) {
    uint8_t byte;
    const struct socket_options *options = &socket->options;
    ssize_t result = tcp_urgent_read(socket->tcp, options->oob_inline, message->flags & MSG_PEEK, &byte);
    if (result <= 0)
        return socket->tcp->state == TCP_CLOSE && result == -EAGAIN ? 0 : result;
    for (int i = 0; i < message->count; i++)
        if (message->pieces[i].iov_len > 0) {
            memcpy(message->pieces[i].iov_base, &byte, 1);
            return 1;
        }
    return 0;
}

ssize_t socket_receive(struct stack *stack, struct socket *socket, struct socket_message *message) {
    message->has_address = false;
    if (message->flags & MSG_OOB && socket->tcp && socket->tcp->state != TCP_LISTEN)
        return receive_urgent(socket, message);
    if (socket->tcp && !(message->flags & MSG_ERRQUEUE))
        return stream_receive(stack, socket, message);
    if (socket->error && !(message->flags & MSG_ERRQUEUE))
        return socket_take_error(socket);
    return datagram_receive(stack, socket, message);
}

/* Linux's tcp_poll. */
static unsigned stream_poll(struct stack *stack, struct socket *socket) {
    const struct tcp *tcp = socket->tcp;
    unsigned mask = 0;
    if (tcp->state == TCP_LISTEN)
        return list_empty(&socket->accept_queue) ? 0 : POLLIN | POLLRDNORM;
    bool read_end = socket->read_shutdown || tcp->fin_received;
    bool write_end = socket->write_shutdown || tcp->fin_queued;
    if ((read_end && write_end) || tcp->state == TCP_CLOSE)
        mask |= POLLHUP;
    if (read_end)
        mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    bool child = tcp->fastopen & TCP_FASTOPEN_CHILD;
    if (tcp->fastopen & TCP_FASTOPEN_DEFERRED)
        mask |= POLLOUT | POLLWRNORM; /* the first write opens the connection */
    if (tcp->state != TCP_SYN_SENT && (tcp->state != TCP_SYN_RECV || child)) {
        if (tcp->receive.length >= (uint32_t)socket->options.receive_low_water)
            mask |= POLLIN | POLLRDNORM;
        if (write_end || tcp_writable(stack, tcp))
            mask |= POLLOUT | POLLWRNORM;
        else
            socket->no_space = true;
    }
    if (tcp->urgent.state == TCP_URGENT_HERE)
        mask |= POLLPRI;
    if (socket->error || !list_empty(&socket->errors))
        mask |= POLLERR;
    return mask;
}

unsigned socket_poll(struct stack *stack, struct socket *socket) {
    return socket->tcp ? stream_poll(stack, socket) : datagram_poll(stack, socket);
}

bool socket_is_opening(const struct socket *socket) {
    const struct tcp *tcp = socket->tcp;
    return tcp && tcp->fastopen & TCP_FASTOPEN_ASKED &&
           (tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECV);
}

int socket_local(const struct socket *socket, struct ip_address *address, uint16_t *port) {
    const struct binding *binding = socket->tcp ? &socket->tcp->binding : &socket->datagram->binding;
    bool v4 = !socket->options.inet6 || (binding->takes_v4 && !binding->takes_v6);
    *address = ip_is_any(binding->address) && v4 ? ip_from_v4(0) : binding->address;
    if (socket->type == SOCK_RAW)
        *port = binding->protocol; /* raw_bind of Linux: the protocol is the socket's number */
    else
        *port = binding->port || !socket->tcp ? binding->port : socket->tcp->last_port;
    return 0;
}

int socket_remote(const struct socket *socket, struct ip_address *address, uint16_t *port) {
    const struct tcp *tcp = socket->tcp;
    if (tcp ? tcp_is_over(tcp) || tcp->state == TCP_LISTEN || tcp->state == TCP_SYN_SENT
            : !socket->connected || !socket->datagram->remote_port)
        return -ENOTCONN;
    *address = tcp ? tcp->remote_address : socket->datagram->remote_address;
    *port = tcp ? tcp->remote_port : socket->datagram->remote_port;
    return 0;
}

int socket_control(const struct socket *socket, unsigned long request, int *value) {
    const struct tcp *tcp = socket->tcp;
    uint32_t bytes = 0;
    if (!tcp && (request == SIOCATMARK || request == SIOCOUTQNSD))
        return -ENOTTY;
    if (request != SIOCINQ && request != SIOCOUTQ && request != SIOCOUTQNSD && request != SIOCATMARK)
        return -ENOTTY;
    if (tcp && tcp->state == TCP_LISTEN && request != SIOCATMARK)
        return -EINVAL;
    if (request == SIOCINQ && tcp)
        bytes = tcp_urgent_distance(tcp, socket->options.oob_inline);
    else if (request == SIOCINQ)
        datagram_next_length(socket, &bytes);
    else if (request == SIOCOUTQ && tcp)
        bytes = tcp->send.length;
    else if (request == SIOCOUTQNSD && tcp)
        bytes = tcp_unsent(tcp);
    else if (request == SIOCATMARK && tcp)
        bytes = tcp_urgent_at_mark(tcp);
    *value = (int)bytes;
    return 0;
}

int socket_take_error(struct socket *socket) {
    int error = socket->error;
    socket->error = 0;
    return -error;
}

void socket_event(struct stack *stack, struct socket *socket) {
    if (socket && list_empty(&socket->event_link))
        list_add_tail(&stack->events, &socket->event_link);
}
