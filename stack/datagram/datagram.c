/* SPDX-License-Identifier: MIT */
/*
 * datagram.c - see datagram.h.
 */
#include "stack/datagram/datagram.h"
#include "stack/base/checksum.h"
#include "stack/base/minmax.h"
#include "stack/datagram/raw.h"
#include "stack/datagram/udp.h"
#include "stack/stack.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>

int datagram_begin(struct stack *stack, struct socket *socket, uint8_t protocol) {
    struct datagram_state *state = pool_take_zeroed(&stack->datagram_states);
    if (!state)
        return -ENOBUFS;
    state->socket = socket;
    state->binding.protocol = protocol;
    state->checksum_offset = protocol == IP_PROTOCOL_ICMP6 ? ICMP6_CHECKSUM_AT : -1;
    list_init(&state->raw_link);
    list_init(&state->blocked_link);
    list_init(&state->queue);
    list_init(&state->memberships);
    socket->datagram = state;
    if (socket->type == SOCK_RAW)
        datagram_enter(stack, socket);
    return 0;
}

void datagram_end(struct stack *stack, struct socket *socket) {
    struct datagram_state *state = socket->datagram;
    datagram_purge(stack, socket);
    udp_cork_drop(stack, socket);
    multicast_leave_all(stack, socket);
    hash_remove(&state->port_link);
    list_remove(&state->raw_link);
    list_remove(&state->blocked_link);
    port_release(stack, &state->binding);
    pool_return(&stack->datagram_states, state);
}

/* Whether a socket's limit has room for a packet. As in Linux, one that is longer than the limit is taken all the
 * same when nothing waits (__udp_enqueue_schedule_skb), and by other protocols as long as the limit is not reached
 * (sock_queue_rcv_skb). */
static bool has_room(const struct socket *socket, uint32_t length) {
    if (socket->type != SOCK_DGRAM || socket->datagram->binding.protocol == IP_PROTOCOL_ICMP ||
        socket->datagram->binding.protocol == IP_PROTOCOL_ICMP6)
        return socket->datagram_bytes < socket->receive_limit;
    return socket->datagram_bytes == 0 ||
           socket->datagram_bytes + datagram_weight(length) <= socket->receive_limit;
}

/* The same for what is told of an error, or of a transmission: sock_queue_err_skb. */
static bool has_room_for_error(const struct socket *socket, uint32_t length) {
    return socket->datagram_bytes + datagram_weight(length) < socket->receive_limit;
}

/* A datagram in so many buffers, if the limit of all has room for it. */
static struct datagram *take_datagram(struct stack *stack, const struct socket *socket, uint32_t buffers) {
    if (!memory_admits_datagram(stack, socket, buffers)) {
        bool lite = socket->datagram && socket->datagram->binding.protocol == IP_PROTOCOL_UDPLITE;
        stack->mib.UdpLiteMemErrors += lite;
        stack->mib.UdpMemErrors += !lite;
        return NULL;
    }
    return pool_take_zeroed(&stack->datagrams);
}

static void append(struct stack *stack, struct socket *socket, struct list *list, struct datagram *datagram) {
    datagram->received_ns = stack->now_ns;
    list_init(&datagram->link);
    list_add_tail(list, &datagram->link);
    stack->memory.datagram_buffers += datagram->buffers;
    socket->datagram_bytes += datagram_weight(datagram->length);
}

/* Leaves `length` bytes of a packet, whose buffers others may share. */
static bool cut(struct stack *stack, struct ip_packet *packet, uint32_t length) {
    struct byte_queue queue = {0};
    for (struct buffer *buffer = packet->chain; buffer && queue.length < length; buffer = buffer->next) {
        struct iovec piece = {buffer_data(buffer), buffer_length(buffer)};
        byte_queue_append(&queue, &stack->buffers, &piece, 1, 0,
                          min_u32(length - queue.length, buffer_length(buffer)));
    }
    buffer_drop_chain(&stack->buffers, packet->chain);
    packet->chain = queue.head;
    packet->length = queue.length;
    return queue.length == length;
}

bool datagram_admitted(struct stack *stack, struct socket *socket, struct filter_view *view,
                       struct ip_packet *packet) {
    uint32_t header = view->network_length + view->transport_length - view->base;
    uint32_t wanted = filter_admits(socket, view, header + packet->length);
    if (wanted == 0)
        socket->datagram->drops++;
    if (wanted == 0 || wanted >= header + packet->length)
        return wanted > 0;
    return cut(stack, packet, wanted > header ? wanted - header : 0);
}

bool datagram_queue(struct stack *stack, struct socket *socket, struct ip_packet *packet,
                    uint16_t source_port) {
    uint32_t buffers = buffer_chain_count(packet->chain);
    struct datagram *datagram =
        has_room(socket, packet->length) ? take_datagram(stack, socket, buffers) : NULL;
    if (!datagram) {
        socket->datagram->drops++;
        return false;
    }
    stack_work_on(stack, NULL); /* it is all there before it is found: see repair.c */
    datagram->source = packet->source;
    datagram->destination = packet->destination;
    datagram->source_port = source_port;
    datagram->options = packet->options;
    datagram->ttl = packet->ttl;
    datagram->first_extension = packet->first_extension;
    datagram->flow_label = packet->flow_label;
    datagram->longest_fragment = packet->longest_fragment;
    datagram->tos = packet->tos;
    datagram->drops = socket->datagram->drops;
    datagram->length = packet->length;
    datagram->buffers = (uint16_t)buffers;
    datagram->chain = packet->chain;
    packet->chain = NULL;
    append(stack, socket, &socket->datagram->queue, datagram);
    socket_event(stack, socket);
    return true;
}

/* Takes the chain of what is quoted. */
static void append_error(struct stack *stack, struct socket *socket, const struct icmp_error *error,
                         struct ip_address destination, uint16_t port, struct byte_queue *quoted) {
    struct datagram *datagram = has_room_for_error(socket, quoted->length)
                                    ? take_datagram(stack, socket, quoted->length / BUFFER_CAPACITY + 1)
                                    : NULL;
    if (!datagram) {
        buffer_drop_chain(&stack->buffers, quoted->head);
        return;
    }
    datagram->source = destination;
    datagram->source_port = port;
    datagram->destination = error->receiver;
    datagram->ttl = error->ttl;
    datagram->tos = error->tos;
    datagram->length = quoted->length;
    datagram->buffers = (uint16_t)quoted->buffers;
    datagram->chain = quoted->head;
    datagram->error = *error;
    append(stack, socket, &socket->errors, datagram);
}

static void queue_error(struct stack *stack, struct socket *socket, const struct icmp_error *error,
                        struct ip_address destination, uint16_t port, const uint8_t *payload,
                        uint32_t length) {
    struct byte_queue quoted = {0};
    struct iovec piece = {(void *)payload, length};
    byte_queue_append(&quoted, &stack->buffers, &piece, 1, 0, length);
    append_error(stack, socket, error, destination, port, &quoted);
}

#define EXTENSION_VERSION 2u
#define ORIGINAL_MIN 128u /* RFC 4884 section 5.1: a shorter original datagram is padded */

/* Whether extensions are whole: a header with a checksum, and objects that end with the message (RFC 4884 section 7).
 * Those of another version are nobody's to judge. */
static bool extensions_are_valid(const uint8_t *extensions, uint32_t length) {
    uint32_t at = 4;
    if (extensions[0] >> 4 != EXTENSION_VERSION)
        return true;
    if (wire_get16(extensions + 2) && checksum_fold(checksum_add(0, extensions, length)) != 0xffff)
        return false;
    while (at < length) {
        uint32_t bytes = length - at < 4 ? 0 : wire_get16(extensions + at);
        if (bytes < 4 || bytes > length - at)
            return false;
        at += bytes;
    }
    return true;
}

/* Where extensions stand in what is given of the quoted packet, as ee_data has it (IP_RECVERR_RFC4884): as Linux's
 * ip_icmp_error_rfc4884. 0: there are none. */
static uint32_t find_extensions(const struct icmp_error *error, const struct icmp_quoted *quoted,
                                const uint8_t *payload, uint32_t length) {
    struct sock_ee_data_rfc4884 told = {0};
    uint32_t headers = (uint32_t)(payload - quoted->header), data;
    if (error->original_bytes < ORIGINAL_MIN || error->original_bytes < headers ||
        error->original_bytes - headers + 4 > length)
        return 0;
    told.len = (uint16_t)(error->original_bytes - headers);
    if (!extensions_are_valid(payload + told.len, length - told.len))
        told.flags = SO_EE_RFC4884_FLAG_INVALID;
    memcpy(&data, &told, sizeof data);
    return data;
}

void datagram_error(struct stack *stack, struct socket *socket, const struct icmp_error *error,
                    const struct icmp_quoted *quoted, uint16_t port, const uint8_t *payload) {
    const struct socket_options *options = &socket->options;
    struct ip_address destination = quoted->remote;
    uint32_t length = (uint32_t)(quoted->transport + quoted->transport_length - payload);
    bool v4 = ip_is_v4(destination);
    bool wanted = v4 ? options->receive_errors : options->six.receive_errors;
    struct icmp_error told = *error;
    told.origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6;
    if (v4 ? options->receive_extensions : options->six.receive_extensions)
        told.data = find_extensions(error, quoted, payload, length);
    if (icmp_is_too_long(error)) {
        if ((v4 ? options->path_mtu_discover : options->six.path_mtu_discover) == IP_PMTUDISC_DONT)
            return;
        told.fatal = true;
    }
    if (!wanted && !(told.fatal && socket->connected))
        return;
    stack_work_on(stack, NULL);
    if (wanted)
        queue_error(stack, socket, &told, destination, port, payload, length);
    socket->error = told.error;
    socket_event(stack, socket);
}

/* IPV6_RECVPATHMTU: who sends what may not be cut (IPV6_DONTFRAG) is told with the next receive. */
static void note_path_mtu(struct stack *stack, struct socket *socket, struct ip_address destination,
                          uint32_t mtu) {
    uint8_t protocol = socket->datagram->binding.protocol;
    bool tells = protocol == IP_PROTOCOL_UDP || protocol == IP_PROTOCOL_ICMP6 || protocol == IPPROTO_RAW;
    struct socket_filters *extra =
        tells && socket->options.six.receive_path_mtu ? socket_filters(stack, socket) : NULL;
    if (!extra)
        return;
    extra->six.path_mtu_of = destination;
    extra->six.path_mtu = mtu;
}

/* What was noted is told as an empty datagram, once. */
static bool tell_path_mtu(struct socket *socket, struct socket_message *message) {
    struct socket_filters *extra = socket->options.six.receive_path_mtu ? socket->filters : NULL;
    if (!extra || !extra->six.path_mtu || message->flags & MSG_ERRQUEUE ||
        !(udp_is(socket) || socket->type == SOCK_RAW))
        return false;
    message->has_address = true;
    message->address = extra->six.path_mtu_of;
    message->path_mtu = extra->six.path_mtu;
    extra->six.path_mtu = 0;
    return true;
}

/* It does not become the socket's pending error: the call that fails has said it. The port is the peer's of IPv4, the
 * destination's of IPv6: so Linux. */
int datagram_too_long(struct stack *stack, struct socket *socket, const struct socket_message *message,
                      struct ip_address destination, uint32_t mtu) {
    bool v4 = ip_is_v4(destination);
    const struct icmp_error told = {.error = EMSGSIZE, .origin = SO_EE_ORIGIN_LOCAL, .info = mtu};
    uint16_t peer_port = socket->connected ? socket->datagram->remote_port : 0;
    if (v4 ? socket->options.receive_errors : socket->options.six.receive_errors) {
        stack_work_on(stack, NULL);
        queue_error(stack, socket, &told, destination, v4 ? peer_port : message->port, NULL, 0);
        socket_event(stack, socket);
    }
    return -EMSGSIZE;
}

void datagram_tell(struct stack *stack, struct socket *socket, const struct icmp_error *told,
                   struct byte_queue *quoted) {
    struct byte_queue none = {0};
    append_error(stack, socket, told, (struct ip_address){0}, 0, quoted ? quoted : &none);
    socket_event(stack, socket);
}

struct datagram *datagram_last_error(const struct socket *socket) {
    return list_empty(&socket->errors) ? NULL : container_of(socket->errors.previous, struct datagram, link);
}

static void destroy(struct stack *stack, struct socket *socket, struct datagram *datagram) {
    list_remove(&datagram->link);
    socket->datagram_bytes -= datagram_weight(datagram->length);
    stack->memory.datagram_buffers -= datagram->buffers;
    buffer_drop_chain(&stack->buffers, datagram->chain);
    pool_return(&stack->datagrams, datagram);
}

static void destroy_all(struct stack *stack, struct socket *socket, struct list *list) {
    struct list *link;
    while ((link = list_first(list)))
        destroy(stack, socket, container_of(link, struct datagram, link));
}

void datagram_purge(struct stack *stack, struct socket *socket) {
    destroy_all(stack, socket, &socket->errors);
    if (socket->datagram)
        destroy_all(stack, socket, &socket->datagram->queue);
}

static uint32_t room_of(const struct socket_message *message) {
    size_t room = buffer_pieces_length(message->pieces, message->count);
    return room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
}

/* Whether what is in the queue of errors is none, but tells how sending went: it has no address, as in Linux. */
static bool is_told(const struct datagram *datagram) {
    return datagram->error.origin == SO_EE_ORIGIN_TIMESTAMPING ||
           datagram->error.origin == SO_EE_ORIGIN_ZEROCOPY;
}

static void describe(const struct socket *socket, struct socket_message *message,
                     const struct datagram *datagram) {
    message->has_address = !is_told(datagram);
    message->address = datagram->source;
    message->port = datagram->source_port;
    message->full_length = datagram->length;
    message->truncated = datagram->length > room_of(message);
    message->local_address = datagram->destination;
    message->local_port = socket->datagram ? socket->datagram->binding.port : 0;
    message->options = datagram->options;
    message->old_forms = socket->filters ? socket->filters->six.old_forms : 0;
    message->first_extension = datagram->first_extension;
    message->ttl = datagram->ttl;
    message->flow_label = datagram->flow_label;
    message->longest_fragment = datagram->longest_fragment;
    message->tos = datagram->tos;
    message->received_ns = datagram->received_ns;
    message->drops = datagram->drops;
    message->error = datagram->error;
}

/* Copies a datagram to where the message's pieces have `at` bytes already. */
static uint32_t copy(const struct datagram *datagram, const struct socket_message *message, uint32_t at) {
    struct byte_queue queue = {.head = datagram->chain, .length = datagram->length};
    struct iovec rest[16];
    int count = 0;
    if (at == 0)
        return (uint32_t)byte_queue_peek(&queue, message->pieces, message->count, UINT32_MAX);
    for (int i = 0; i < message->count && count < 16; i++) {
        struct iovec piece = message->pieces[i];
        size_t skip = at < piece.iov_len ? at : piece.iov_len;
        at -= (uint32_t)skip;
        if (piece.iov_len > skip)
            rest[count++] = (struct iovec){(char *)piece.iov_base + skip, piece.iov_len - skip};
    }
    return (uint32_t)byte_queue_peek(&queue, rest, count, UINT32_MAX);
}

/* UDP_GRO: datagrams that came one after another from one place are given as one, as long as they are of one
 * length (the last may be shorter) and there is room for the whole of them. */
static uint32_t receive_train(struct stack *stack, struct socket *socket, struct socket_message *message,
                              const struct datagram *first) {
    struct datagram gso = *first;
    uint32_t copied = copy(first, message, 0), room = room_of(message);
    struct list *link = first->link.next;
    bool peek = message->flags & MSG_PEEK;
    while (copied == message->full_length && link != &socket->datagram->queue) {
        struct datagram *next = container_of(link, struct datagram, link);
        if (!ip_equal(next->source, gso.source) || next->source_port != gso.source_port ||
            !ip_equal(next->destination, gso.destination) || next->length > gso.length || next->length == 0 ||
            next->ttl != gso.ttl || next->tos != gso.tos || next->length > room - copied ||
            message->full_length + next->length > IP_DATAGRAM_MAX)
            break;
        uint32_t length = next->length;
        uint32_t here = copy(next, message, copied);
        if (here < length)
            break;
        copied += length;
        message->full_length += length;
        message->truncated = false;
        message->segment = (uint16_t)gso.length;
        link = next->link.next;
        if (!peek)
            destroy(stack, socket, next);
        if (length < gso.length)
            break;
    }
    return copied;
}

/* The datagram that SO_PEEK_OFF is at, and where in it: it goes on from one to the next. */
static struct list *peeked_link(const struct socket *socket, uint32_t *at) {
    struct list *link, *next;
    list_for_each(link, next, &socket->datagram->queue) {
        const struct datagram *datagram = container_of(link, struct datagram, link);
        if (*at < datagram->length || (*at == 0 && !datagram->peeked))
            return link;
        *at -= datagram->length;
    }
    return NULL;
}

/* Copies what is wanted of one datagram. */
static uint32_t receive_part(struct socket *socket, struct socket_message *message, struct datagram *datagram,
                             uint32_t at) {
    struct byte_queue queue = {.head = datagram->chain, .length = datagram->length};
    uint32_t room = room_of(message);
    uint32_t copied = (uint32_t)byte_queue_peek_from(&queue, at, message->pieces, message->count, UINT32_MAX);
    uint32_t told = message->flags & MSG_TRUNC ? datagram->length : copied;
    message->truncated = room <= datagram->length - at && room < datagram->length; /* Linux's rule */
    if (message->flags & MSG_PEEK)
        socket_peeked(socket, told);
    else
        socket_read_past(socket, told);
    datagram->peeked = true;
    return copied;
}

static bool is_icmp(const struct datagram *datagram) {
    return datagram->error.origin == SO_EE_ORIGIN_ICMP || datagram->error.origin == SO_EE_ORIGIN_ICMP6;
}

/* Linux's sock_dequeue_err_skb: the pending error is the next one that a router or host has told, if the one that was
 * read was such. */
static void note_next_error(struct socket *socket, bool was_icmp) {
    struct list *link = list_first(&socket->errors);
    const struct datagram *next = link ? container_of(link, struct datagram, link) : NULL;
    if (next && is_icmp(next))
        socket->error = next->error.error;
    else if (was_icmp)
        socket->error = 0;
}

ssize_t datagram_receive(struct stack *stack, struct socket *socket, struct socket_message *message) {
    bool wants_error = message->flags & MSG_ERRQUEUE;
    struct list *link = list_first(wants_error ? &socket->errors : &socket->datagram->queue);
    bool by_offset = socket->options.peek_offset >= 0 && !wants_error;
    uint32_t at = by_offset && message->flags & MSG_PEEK ? (uint32_t)socket->options.peek_offset : 0;
    if (by_offset && message->flags & MSG_PEEK)
        link = peeked_link(socket, &at);
    if (tell_path_mtu(socket, message))
        return 0;
    if (!link)
        return -EAGAIN;
    struct datagram *datagram = container_of(link, struct datagram, link);
    uint32_t copied;
    stack_work_on(stack, socket);
    describe(socket, message, datagram);
    if (!wants_error && socket->datagram)
        socket->datagram->stamp_ns = datagram->received_ns;
    if (by_offset)
        copied = receive_part(socket, message, datagram, at);
    else if (socket->options.gro && !wants_error)
        copied = receive_train(stack, socket, message, datagram);
    else
        copied = copy(datagram, message, 0);
    bool was_icmp = is_icmp(datagram);
    if (!(message->flags & MSG_PEEK) || wants_error)
        destroy(stack, socket, datagram);
    if (wants_error && !socket->tcp)
        note_next_error(socket, was_icmp);
    return (ssize_t)copied;
}

bool datagram_next_length(const struct socket *socket, uint32_t *length) {
    struct list *link = list_first(&socket->datagram->queue);
    if (link)
        *length = container_of(link, struct datagram, link)->length;
    return link;
}

/* The stack's own choice, but for what IP_MULTICAST_IF says. */
static struct ip_address own_choice(const struct stack *stack, const struct socket *socket,
                                    struct ip_address destination) {
    uint32_t by = socket->options.multicast_by >= SOCKET_MULTICAST_BY_OWN
                      ? socket_multicast_address(stack, &socket->options)
                      : 0;
    if (by && ip_is_v4(destination) && ip_is_multicast(destination))
        return ip_from_v4(by);
    return ip_source(stack, destination, socket->options.six.source_preferences);
}

static struct ip_address source_for(struct stack *stack, const struct socket *socket,
                                    const struct socket_message *message, struct ip_address destination) {
    struct ip_address bound = socket->datagram->binding.address;
    if (!ip_is_any(message->local_address))
        return message->local_address;
    if (!ip_is_any(bound) && !ip_is_multicast(bound) && !ip_is_broadcast(stack, bound))
        return bound;
    return own_choice(stack, socket, destination);
}

static uint8_t ttl_of(const struct stack *stack, const struct socket_options *options,
                      struct ip_address destination) {
    bool multicast = ip_is_multicast(destination);
    if (ip_is_v4(destination))
        return multicast ? options->multicast_ttl : options->ttl;
    int16_t hops = multicast ? options->six.multicast_hop_limit : options->six.hop_limit;
    if (hops >= 0)
        return (uint8_t)hops;
    return multicast ? 1 : ip6_hop_limit(stack);
}

/* Whether an interface that a program names leads to a destination. IPv4 goes by the address alone. */
static bool leaves_by(const struct stack *stack, struct ip_address destination, uint32_t interface) {
    return ip_is_v4(destination) || interface == stack_interface_index(stack) ||
           (interface == STACK_LOOPBACK_INTERFACE && ip_is_local(stack, destination));
}

int datagram_parameters(struct stack *stack, struct socket *socket, const struct socket_message *message,
                        struct ip_address destination, uint32_t length, struct ip_parameters *parameters) {
    const struct socket_options *options = &socket->options;
    int error = socket_reaches(socket, destination);
    if (error)
        return error;
    bool on_link = options->dont_route || message->flags & MSG_DONTROUTE;
    if (!on_link && ip_reachable(stack, destination))
        return -ENETUNREACH;
    if (ip_is_broadcast(stack, destination) && !options->broadcast)
        return -EACCES;
    uint32_t interface =
        message->interface || !(message->has_address || message->has_packet_info) || !socket->filters ? message->interface : socket->filters->six.interface;
    if (interface && !leaves_by(stack, destination, interface))
        return message->has_packet_info ? -ENODEV : -ENETUNREACH;
    if (!ip_is_any(message->local_address) && (!ip_is_local(stack, message->local_address) ||
                                               ip_is_v4(message->local_address) != ip_is_v4(destination)))
        return -EINVAL;
    struct ip_address source = source_for(stack, socket, message, destination);
    if (ip_is_loopback(source) && !ip_is_loopback(destination))
        return -EINVAL; /* no address to be seen outside */
    bool v4 = ip_is_v4(destination);
    const struct ip_options *ip_options =
        message->has_options ? &message->options : socket_ip_options(socket);
    uint8_t discover = v4 ? options->path_mtu_discover : options->six.path_mtu_discover;
    bool path = discover < IP_PMTUDISC_PROBE;
    uint32_t mtu = path || ip_is_local(stack, destination) ? ip_mtu(stack, destination) : stack->config.mtu;
    const struct ip6_extensions *extensions = NULL;
    if (!v4) {
        ip_options = NULL;
        extensions = message->extensions ? message->extensions : socket_extensions6(socket);
        length += ip6_extensions_bytes(extensions);
        mtu = min_u32(mtu, socket_mtu6(socket));
    }
    if (ip_options)
        mtu = mtu > STACK_MTU_MIN + ip_options->length ? mtu - ip_options->length : STACK_MTU_MIN;
    bool uncut = message->has_dont_fragment ? message->dont_fragment : options->six.dont_fragment;
    bool whole = discover == IP_PMTUDISC_DO || discover == IP_PMTUDISC_PROBE || (!v4 && uncut);
    bool beyond = length > ip_header_bytes(destination) + ip_payload_max(destination); /* of any packet */
    if (beyond || (length > mtu && whole)) {
        uint32_t left = mtu - (extensions ? min_u32(mtu, ip6_extensions_bytes(extensions)) : 0);
        if (!v4 && uncut)
            note_path_mtu(stack, socket, destination, left);
        return datagram_too_long(stack, socket, message, destination, left);
    }
    *parameters = (struct ip_parameters){
        .source = source,
        .destination = destination,
        .protocol = socket->datagram->binding.protocol,
        .ttl = message->has_ttl ? (uint8_t)message->ttl : ttl_of(stack, options, destination),
        .tos = (uint8_t)(message->has_tos ? message->tos
                         : v4             ? options->tos
                                          : options->six.traffic_class),
        .dont_fragment =
            whole || (discover == IP_PMTUDISC_WANT && length <= mtu && ip_path_whole(stack, destination)),
        .on_link = on_link,
        .loop = v4 ? options->multicast_loop : options->six.multicast_loop,
        .options = ip_options,
        .extensions = extensions,
        .mtu = mtu,
        .stamp = datagram_stamp(stack, socket, message),
        .identification = socket->connected ? &socket->datagram->ip_identification : NULL,
    };
    const struct socket_headers6 *six = v4 ? NULL : socket_headers6(socket);
    if (!v4 && message->has_flow) /* its traffic class counts for nothing, as in Linux */
        parameters->flow_label = message->flow_label & IP6_FLOW_LABEL;
    else if (six && !message->has_address)
        parameters->flow_label = six->flow_information & IP6_FLOW_LABEL;
    if (!v4 && parameters->flow_label && !ip6_label_may(stack, socket, parameters->flow_label))
        return -EINVAL;
    if (!v4 && !parameters->flow_label && options->six.auto_flow_label)
        parameters->flow_label =
            ip6_flow_label(stack, source, destination, parameters->protocol,
                           (uint32_t)socket->datagram->binding.port << 16 | message->port);
    ip_path_sent(stack, destination);
    if (message->flags & MSG_CONFIRM)
        ip_confirm(stack, destination);
    return 0;
}

int datagram_payload(struct stack *stack, const struct socket_message *message, size_t skip, uint32_t length,
                     struct byte_queue *payload) {
    *payload = (struct byte_queue){0};
    if (message->unreadable)
        return -EFAULT;
    if (byte_queue_append(payload, &stack->buffers, message->pieces, message->count, skip, length) == length)
        return 0;
    buffer_drop_chain(&stack->buffers, payload->head);
    return -ENOBUFS;
}

/* The transmit ring is full: whoever waits for the socket is told when it is not. */
static void wait_for_room(struct stack *stack, struct socket *socket) {
    list_remove(&socket->datagram->blocked_link);
    list_add_tail(&stack->blocked, &socket->datagram->blocked_link);
}

ssize_t datagram_send(struct stack *stack, struct socket *socket, struct socket_message *message) {
    size_t length = buffer_pieces_length(message->pieces, message->count);
    bool by_port = udp_is(socket), ping = !by_port && socket->type == SOCK_DGRAM;
    if (length > IP_DATAGRAM_MAX && (!socket->options.inet6 || ping || length > INT32_MAX - UDP_HEADER_BYTES))
        return -EMSGSIZE;
    if (!message->has_address && !socket->connected && !socket->datagram->cork)
        return -EDESTADDRREQ;
    if (!message->has_address) {
        message->address = socket->datagram->remote_address;
        message->port = socket->datagram->remote_port;
    }
    if (length > IP_DATAGRAM_MAX && ip_is_v4(message->address))
        return -EMSGSIZE; /* IPv6's is looked at later, in Linux, and told to who reads errors */
    if (message->flags & MSG_OOB && ip_is_v4(message->address))
        return -EOPNOTSUPP;
    /* Linux asks of what is named by the call; of a mapped address it is, however it was named. */
    bool asked = message->has_address || (socket->options.inet6 && ip_is_v4(message->address));
    if (by_port && asked && !message->port && !socket->datagram->cork)
        return -EINVAL;
    if (message->control_error)
        return message->control_error;
    if (socket->error)
        return socket_take_error(socket);
    if (socket->write_shutdown && (socket->type != SOCK_RAW || socket->options.header_included))
        return -EPIPE; /* a raw socket's own packets leave all the same: so Linux */
    if (stack->transmit.count == FRAME_QUEUE_MAX) {
        wait_for_room(stack, socket);
        return -EAGAIN;
    }
    ssize_t result;
    if (socket->type == SOCK_RAW)
        result = raw_send(stack, socket, message, (uint32_t)length);
    else if (!by_port)
        result = ping_send(stack, socket, message, (uint32_t)length);
    else
        result = udp_send(stack, socket, message, (uint32_t)length);
    /* As Linux without IP_RECVERR: a datagram lost in a queue is no error of the sender's. */
    if (result == -ENOBUFS && !socket->options.receive_errors)
        result = (ssize_t)length;
    return result;
}

/* Ping sockets share the numbers of ports with nobody: their idents are ICMP's. */
int datagram_autobind(struct stack *stack, struct socket *socket) {
    if (socket->datagram->binding.port || socket->type == SOCK_RAW)
        return 0;
    socket_settle_families(socket);
    int error = port_bind(stack, &socket->datagram->binding, socket->datagram->binding.address, 0);
    if (error)
        return -EAGAIN;
    datagram_enter(stack, socket);
    return 0;
}

int datagram_connect(struct stack *stack, struct socket *socket, struct ip_address address, uint16_t port) {
    int error = socket_reaches(socket, address);
    if (error)
        return error;
    if (ip_is_loopback(socket->datagram->binding.address) && !ip_is_loopback(address))
        return -EINVAL; /* no address to be seen outside */
    if (ip_reachable(stack, address))
        return -ENETUNREACH;
    if (ip_is_broadcast(stack, address) && !socket->options.broadcast)
        return -EACCES;
    return datagram_connect_elsewhere(stack, socket, address, port);
}

int datagram_connect_elsewhere(struct stack *stack, struct socket *socket, struct ip_address address,
                               uint16_t port) {
    int error = datagram_autobind(stack, socket);
    if (error)
        return error;
    socket->datagram->remote_address = address;
    socket->datagram->remote_port = port;
    socket->connected = true;
    socket->datagram->ip_identification = (uint16_t)random_u64(&stack->random);
    if (ip_is_any(socket->datagram->binding.address)) {
        socket->datagram->binding.address = own_choice(stack, socket, address);
        socket->datagram->address_by_connect = true;
    }
    return 0;
}

void datagram_disconnect(struct stack *stack, struct socket *socket) {
    socket->datagram->remote_address = (struct ip_address){0};
    socket->datagram->remote_port = 0;
    socket->connected = false;
    if (socket->datagram->address_by_connect)
        socket->datagram->binding.address = (struct ip_address){0};
    socket->datagram->address_by_connect = false;
    if (!socket->datagram->binding.chosen && socket->datagram->binding.port) { /* udp(7): as new */
        hash_remove(&socket->datagram->port_link);
        port_release(stack, &socket->datagram->binding);
    }
}

unsigned datagram_poll(struct stack *stack, struct socket *socket) {
    unsigned mask = 0;
    if (stack->transmit.count < FRAME_QUEUE_MAX)
        mask = POLLOUT | POLLWRNORM | POLLWRBAND;
    else
        wait_for_room(stack, socket);
    if (!list_empty(&socket->datagram->queue))
        mask |= POLLIN | POLLRDNORM;
    if (socket->read_shutdown)
        mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (socket->read_shutdown && socket->write_shutdown)
        mask |= POLLHUP;
    if (socket->error || !list_empty(&socket->errors))
        mask |= POLLERR;
    return mask;
}

bool datagram_matches(const struct socket *socket, uint8_t protocol, struct ip_address source,
                      uint16_t source_port, struct ip_address destination, uint16_t port) {
    const struct binding *binding = &socket->datagram->binding;
    if (binding->protocol != protocol || binding->port != port)
        return false;
    if (!port_takes(binding, destination))
        return false;
    return !socket->connected || protocol == IP_PROTOCOL_ICMP || protocol == IP_PROTOCOL_ICMP6 ||
           (socket->datagram->remote_port == source_port &&
            ip_equal(socket->datagram->remote_address, source));
}

/* Whether a socket shares its port with another one of the same rank, so that either will do. */
static bool shares(const struct socket *a, const struct socket *b) {
    return a->datagram->binding.reuse_port && b->datagram->binding.reuse_port &&
           a->connected == b->connected &&
           ip_equal(a->datagram->binding.address, b->datagram->binding.address) &&
           a->datagram->binding.inet6 == b->datagram->binding.inet6;
}

#define CONNECTED 8 /* counts more than how well a binding fits: see port_fits */

struct socket *datagram_lookup(struct stack *stack, uint8_t protocol, struct ip_address source,
                               uint16_t source_port, struct ip_address destination, uint16_t port,
                               struct filter_view *view) {
    struct hash_link *chain = stack->datagram_sockets[port % PORT_BUCKETS];
    struct socket *best = NULL, *steering = NULL;
    int best_score = -1;
    uint32_t count = 0, chosen;
    for (struct hash_link *link = chain; link; link = link->next) {
        struct socket *socket = container_of(link, struct datagram_state, port_link)->socket;
        int score = socket->connected * CONNECTED + port_fits(&socket->datagram->binding, destination);
        if (score < best_score || !datagram_matches(socket, protocol, source, source_port, destination, port))
            continue;
        if (score > best_score) {
            best = socket;
            best_score = score;
            steering = NULL;
            count = 0;
        }
        if (count == 0 || shares(socket, best)) {
            count++;
            steering = filter_has_steering(socket) ? socket : steering;
        }
    }
    if (count < 2)
        return best;
    chosen = steering && view ? filter_steers(steering, view) : count;
    if (chosen >= count)
        chosen = port_share(stack, source, source_port, count);
    for (struct hash_link *link = chain; link; link = link->next) { /* the youngest comes first */
        struct socket *socket = container_of(link, struct datagram_state, port_link)->socket;
        if (datagram_matches(socket, protocol, source, source_port, destination, port) &&
            shares(socket, best) && --count == chosen)
            return socket;
    }
    return best;
}

void datagram_enter(struct stack *stack, struct socket *socket) {
    if (socket->type == SOCK_RAW)
        list_add_tail(&stack->raw_sockets, &socket->datagram->raw_link);
    else
        hash_add(&stack->datagram_sockets[socket->datagram->binding.port % PORT_BUCKETS],
                 &socket->datagram->port_link);
}
