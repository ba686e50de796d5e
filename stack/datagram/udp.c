/* SPDX-License-Identifier: MIT */
/*
 * udp.c - see udp.h.
 */
#include "stack/datagram/udp.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/stack.h"
#include <errno.h>
#include <netinet/in.h>

/* Which of the four a counter is of: by protocol and family of a packet, or of what is to be sent. */
#define COUNTER(stack, packet, name)                                                                        \
    (*(ip_is_v4((packet)->source) ? (packet)->protocol == IP_PROTOCOL_UDPLITE ? &(stack)->mib.UdpLite##name \
                                                                              : &(stack)->mib.Udp##name     \
       : (packet)->protocol == IP_PROTOCOL_UDPLITE ? &(stack)->mib.UdpLite6##name                           \
                                                   : &(stack)->mib.Udp6##name))

static bool checksum_good(const struct ip_packet *packet, const uint8_t *header) {
    bool lite = packet->protocol == IP_PROTOCOL_UDPLITE;
    uint32_t covered = packet->covered ? packet->covered : packet->length;
    uint16_t field;
    memcpy(&field, header + 6, sizeof field);
    if (packet->checksum_good)
        return true;
    if (field == 0)
        return !lite && ip_is_v4(packet->source); /* the sender computed none: UDP may, by IPv4 */
    uint64_t pseudo = checksum_pseudo_header(packet->source, packet->destination, packet->protocol,
                                             (uint16_t)packet->length);
    if (packet->checksum_partial && field == checksum_fold(pseudo))
        return true;
    struct byte_cursor start = {packet->chain, packet->chain->start};
    return checksum_fold(checksum_add_range(pseudo, start, covered)) == 0xffff;
}

/* Whether a socket takes a datagram of which the checksum covers no more than that: RFC 3828 section 3.2. */
static bool covers_enough(const struct socket *socket, const struct ip_packet *packet) {
    const struct udp_coverage *accepts = &socket->datagram->accepts;
    return !accepts->asked || !packet->covered || (accepts->bytes && packet->covered >= accepts->bytes);
}

static void deliver(struct stack *stack, struct socket *socket, struct ip_packet *packet,
                    uint16_t source_port, struct filter_view *view) {
    if (!covers_enough(socket, packet)) {
        COUNTER(stack, packet, InErrors)++;
        socket->datagram->drops++;
        return;
    }
    if (socket->filters && view && !datagram_admitted(stack, socket, view, packet)) {
        COUNTER(stack, packet, InErrors)++;
        return;
    }
    if (datagram_queue(stack, socket, packet, source_port)) {
        COUNTER(stack, packet, InDatagrams)++;
    } else {
        COUNTER(stack, packet, RcvbufErrors)++;
        COUNTER(stack, packet, InErrors)++;
    }
}

/* To every socket that wants it: they share the buffers. */
static void deliver_to_many(struct stack *stack, struct ip_packet *packet, uint16_t source_port,
                            uint16_t port, struct filter_view *view) {
    struct hash_link *link, *next;
    bool wanted = false;
    for (link = stack->datagram_sockets[port % PORT_BUCKETS]; link; link = next) {
        struct socket *socket = container_of(link, struct datagram_state, port_link)->socket;
        next = link->next;
        if (!datagram_matches(socket, packet->protocol, packet->source, source_port, packet->destination,
                              port))
            continue;
        if (ip_is_multicast(packet->destination) &&
            !multicast_socket_wants(socket, packet->destination, packet->source))
            continue;
        struct ip_packet copy = *packet;
        for (struct buffer *buffer = copy.chain; buffer; buffer = buffer->next)
            buffer->references++;
        wanted = true;
        deliver(stack, socket, &copy, source_port, view);
        buffer_drop_chain(&stack->buffers, copy.chain);
    }
    if (!wanted)
        COUNTER(stack, packet, IgnoredMulti)++;
}

/* Takes the length from a UDP header, or the coverage from one of UDP-Lite. False: it can't be. */
static bool take_length(struct stack *stack, struct ip_packet *packet, const uint8_t *header) {
    uint16_t field = wire_get16(header + 4);
    if (packet->protocol == IP_PROTOCOL_UDPLITE) {
        packet->covered = field < packet->length ? field : 0;
        return field == 0 || (field >= UDP_HEADER_BYTES && field <= packet->length);
    }
    if (field < UDP_HEADER_BYTES || field > packet->length)
        return false;
    packet->length = field;
    buffer_trim_back(&stack->buffers, packet->chain, packet->length);
    return true;
}

void udp_input(struct stack *stack, struct ip_packet *packet) {
    const uint8_t *header = buffer_data(packet->chain);
    if (packet->length < UDP_HEADER_BYTES || buffer_length(packet->chain) < UDP_HEADER_BYTES ||
        wire_get16(header + 4) > packet->length) {
        COUNTER(stack, packet, InErrors)++;
        return;
    }
    if (!take_length(stack, packet, header)) {
        bool lite =
            packet->protocol == IP_PROTOCOL_UDPLITE; /* a coverage that can't be is a wrong checksum */
        COUNTER(stack, packet, InCsumErrors) += lite;
        COUNTER(stack, packet, InErrors)++;
        return;
    }
    if (!checksum_good(packet, header)) {
        COUNTER(stack, packet, InCsumErrors)++;
        COUNTER(stack, packet, InErrors)++;
        return;
    }
    uint16_t source_port = wire_get16(header), port = wire_get16(header + 2);
    if (packet->protocol == IP_PROTOCOL_UDP && ip_is_v4(packet->source) &&
        dhcp_input(stack, packet, source_port, port))
        return;
    struct socket *socket = NULL;
    struct filter_view seen, *view = stack->filter_pool.used > 0 ? &seen : NULL;
    if (view)
        filter_view(stack, view, packet, UDP_HEADER_BYTES);
    bool many = ip_is_multicast(packet->destination) || ip_is_broadcast(stack, packet->destination);
    if (!many && !ip_is_local(stack, packet->destination) && !ip6_is_anycast(stack, packet->destination))
        return; /* let in for DHCP's sake alone */
    if (!many && !(socket = datagram_lookup(stack, packet->protocol, packet->source, source_port,
                                            packet->destination, port, view))) {
        COUNTER(stack, packet, NoPorts)++;
        ip_refuse_port(stack, packet);
        return;
    }
    packet->length -= UDP_HEADER_BYTES;
    packet->chain = buffer_trim_front(&stack->buffers, packet->chain, UDP_HEADER_BYTES);
    if (view)
        filter_view_trimmed(view, packet->chain);
    if (many)
        deliver_to_many(stack, packet, source_port, port, view);
    else
        deliver(stack, socket, packet, source_port, view);
}

int udp_output(struct stack *stack, struct frame *frame, uint16_t source_port, uint16_t destination_port,
               const struct ip_parameters *parameters, const struct udp_coverage *coverage) {
    uint8_t *header = frame->header + FRAME_TRANSPORT_AT;
    uint16_t total = (uint16_t)(frame->payload_length + UDP_HEADER_BYTES), covered = total, field = total;
    if (coverage && coverage->asked && coverage->bytes < total) {
        field = coverage->bytes; /* 0 says all, too */
        covered = field ? field : total;
    }
    frame->header_length = FRAME_TRANSPORT_AT + UDP_HEADER_BYTES;
    wire_put16(header, source_port);
    wire_put16(header + 2, destination_port);
    wire_put16(header + 4, field);
    wire_put16(header + 6, 0);
    uint64_t sum =
        checksum_pseudo_header(parameters->source, parameters->destination, parameters->protocol, total);
    if (parameters->protocol == IP_PROTOCOL_UDP && ip_offloads(stack, parameters, frame)) {
        frame->checksum_offset = 6;
        wire_put_sum(header + 6, checksum_fold(sum));
    } else {
        sum = checksum_add(sum, header, UDP_HEADER_BYTES);
        if (covered > UDP_HEADER_BYTES)
            sum += checksum_fold(checksum_add_range(0, frame->payload, covered - UDP_HEADER_BYTES));
        uint16_t folded = (uint16_t)~checksum_fold(sum);
        wire_put_sum(header + 6, folded ? folded : 0xffff);
    }
    COUNTER(stack, parameters, OutDatagrams) += frame_segments(frame);
    return ip_output(stack, frame, parameters);
}

/* One datagram; or a burst of them, whose payload may stay in the program's memory. */
static int send_one(struct stack *stack, struct socket *socket, const struct socket_message *message,
                    const struct ip_parameters *parameters, size_t skip, uint32_t length, uint32_t segment) {
    struct byte_queue payload = {0};
    struct frame *frame = frame_begin(&stack->transmit);
    bool gso = segment < length, borrow = gso && message->borrow && message->count == 1;
    int error = !frame ? -ENOBUFS : borrow ? 0 : datagram_payload(stack, message, skip, length, &payload);
    if (error) {
        COUNTER(stack, parameters, SndbufErrors) += error == -ENOBUFS;
        return error;
    }
    if (gso)
        frame->segment = (uint16_t)segment;
    if (borrow)
        frame_borrow(frame, (const char *)message->pieces[0].iov_base + skip, length);
    else if (length > 0)
        frame_set_payload(frame, (struct byte_cursor){payload.head, 0}, length);
    int result = udp_output(stack, frame, socket->datagram->binding.port, message->port, parameters,
                            &socket->datagram->sends);
    buffer_drop_chain(&stack->buffers, payload.head); /* the frame's references keep it */
    return result;
}

void udp_cork_drop(struct stack *stack, struct socket *socket) {
    struct udp_cork *cork = socket->datagram->cork;
    if (!cork)
        return;
    socket->datagram->cork = NULL;
    buffer_drop_chain(&stack->buffers, cork->payload.head);
    pool_return(&stack->corks, cork);
}

/* Puts a write into the corked datagram. */
static ssize_t add_to_cork(struct stack *stack, struct socket *socket, const struct socket_message *message,
                           uint32_t length) {
    if (!socket->datagram->cork && (socket->datagram->cork = pool_take_zeroed(&stack->corks)))
        socket->datagram->cork->first = *message;
    struct udp_cork *cork = socket->datagram->cork;
    if (!cork)
        return -ENOBUFS;
    if (message->unreadable) {
        udp_cork_drop(stack, socket);
        return -EFAULT;
    }
    bool too_long = cork->payload.length + length > ip_payload_max(cork->first.address) - UDP_HEADER_BYTES;
    if (!too_long && byte_queue_append(&cork->payload, &stack->buffers, message->pieces, message->count, 0,
                                       length) == length)
        return length;
    udp_cork_drop(stack, socket);
    return too_long ? -EMSGSIZE : -ENOBUFS;
}

static ssize_t send_now(struct stack *stack, struct socket *socket, const struct socket_message *message,
                        uint32_t length);

int udp_uncork(struct stack *stack, struct socket *socket) {
    struct udp_cork *cork = socket->datagram->cork;
    struct iovec pieces[48];
    if (!cork)
        return 0;
    struct socket_message message = cork->first;
    struct byte_cursor start = {cork->payload.head, 0};
    message.pieces = pieces;
    message.count = buffer_range_pieces(start, cork->payload.length, pieces, 48);
    ssize_t sent = send_now(stack, socket, &message, cork->payload.length);
    udp_cork_drop(stack, socket);
    return sent < 0 ? (int)sent : 0;
}

ssize_t udp_send(struct stack *stack, struct socket *socket, const struct socket_message *message,
                 uint32_t length) {
    bool more = message->flags & MSG_MORE || socket->options.udp_cork;
    if (!more && !socket->datagram->cork)
        return send_now(stack, socket, message, length);
    ssize_t added = add_to_cork(stack, socket, message, length);
    int error = added < 0 || more ? 0 : udp_uncork(stack, socket);
    return error ? error : added;
}

/* Whether datagrams of one write (UDP_SEGMENT) may leave as one frame, which the NIC cuts. */
static bool may_gso(const struct stack *stack, const struct ip_parameters *parameters) {
    struct ip_address destination = parameters->destination;
    bool options = parameters->options && parameters->options->length > 0;
    return stack->config.offload_datagrams && !options && !ip_is_local(stack, destination) &&
           !ip_is_multicast(destination) && !ip_is_broadcast(stack, destination);
}

static ssize_t send_now(struct stack *stack, struct socket *socket, const struct socket_message *message,
                        uint32_t length) {
    uint32_t segment = message->segment ? message->segment : socket->datagram->segment;
    uint32_t one = segment && segment < length ? segment : length, sent = 0;
    struct ip_parameters parameters;
    uint32_t headers = UDP_HEADER_BYTES + ip_header_bytes(message->address);
    bool beyond = length > ip_payload_max(message->address) - UDP_HEADER_BYTES; /* also of a train's whole */
    int error = datagram_autobind(stack, socket);
    if (!error)
        error = datagram_parameters(stack, socket, message, message->address,
                                    (beyond ? length : one) + headers, &parameters);
    if (error)
        return error;
    if (one < length && one + headers > parameters.mtu)
        return -EMSGSIZE;
    if (length > one * UDP_SEGMENTS_MAX)
        return -EINVAL;
    if (one < length && parameters.protocol == IP_PROTOCOL_UDPLITE)
        return -EIO; /* as Linux */
    uint32_t at_once = one < length && may_gso(stack, &parameters) ? length : one;
    do {
        uint32_t here = length - sent < at_once ? length - sent : at_once;
        error = send_one(stack, socket, message, &parameters, sent, here, one);
        sent += here;
    } while (!error && sent < length);
    return error ? error : (ssize_t)length;
}

void udp_error(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error) {
    uint16_t local_port = wire_get16(quoted->transport), remote_port = wire_get16(quoted->transport + 2);
    struct socket *socket = datagram_lookup(stack, quoted->protocol, quoted->remote, remote_port,
                                            quoted->local, local_port, NULL);
    if (!socket)
        return;
    if (icmp_is_too_long(error) && !ip_path_sent_lately(stack, quoted->remote))
        return; /* a port is soon guessed: it is about nothing that was sent */
    uint8_t discover =
        ip_is_v4(quoted->remote) ? socket->options.path_mtu_discover : socket->options.six.path_mtu_discover;
    if (icmp_is_too_long(error) && discover < IP_PMTUDISC_PROBE)
        ip_path_reduce(stack, quoted->remote, error->info, quoted->total);
    datagram_error(stack, socket, error, quoted, remote_port, quoted->transport + UDP_HEADER_BYTES);
}
