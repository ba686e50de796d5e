/* SPDX-License-Identifier: MIT */
/*
 * raw.c - see raw.h.
 */
#include "stack/datagram/raw.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/stack.h"
#include <errno.h>
#include <netinet/in.h>

/* Whether a raw socket takes packets between these two of this protocol. */
static bool matches(const struct socket *socket, uint8_t protocol, struct ip_address remote,
                    struct ip_address local) {
    return socket->datagram->binding.protocol == protocol && socket->options.inet6 == !ip_is_v4(local) &&
           (ip_is_any(socket->datagram->binding.address) ||
            ip_equal(socket->datagram->binding.address, local)) &&
           (!socket->connected || ip_equal(socket->datagram->remote_address, remote));
}

static bool filtered(const struct socket *socket, const struct ip_packet *packet) {
    uint8_t type = buffer_length(packet->chain) > 0 ? buffer_data(packet->chain)[0] : 0;
    if (packet->protocol == IP_PROTOCOL_ICMP6)
        return socket->datagram->icmp6_filter[type / 32] >> type % 32 & 1;
    return packet->protocol == IP_PROTOCOL_ICMP && type < 32 && socket->datagram->icmp_filter >> type & 1;
}

/* Whether a packet has the checksum that an AF_INET6 socket wants to see (RFC 3542 section 3.1). */
static bool checksum_good(const struct socket *socket, const struct ip_packet *packet) {
    bool by_nic = packet->checksum_good && (packet->protocol == IP_PROTOCOL_TCP ||
                                            packet->protocol == IP_PROTOCOL_UDP); /* who knows no others */
    if (socket->datagram->checksum_offset < 0 || by_nic)
        return true;
    uint64_t pseudo = checksum_pseudo_header(packet->source, packet->destination, packet->protocol,
                                             (uint16_t)packet->length);
    return checksum_fold(checksum_add_chain(pseudo, packet->chain)) == 0xffff;
}

/* A packet as raw sockets see it: from its IP header on, or of IPv6 what follows its headers. */
static struct ip_packet seen_by_raw(struct stack *stack, const struct ip_packet *packet) {
    struct byte_queue queue = {0};
    struct ip_packet copy = *packet;
    uint32_t start = ip_is_v4(packet->source) ? packet->header_at : packet->chain->start;
    for (struct buffer *buffer = packet->chain; buffer; buffer = buffer->next) {
        struct iovec piece = {buffer->storage + start, buffer->end - start};
        byte_queue_append(&queue, &stack->buffers, &piece, 1, 0, (uint32_t)piece.iov_len);
        start = buffer->next ? buffer->next->start : 0;
    }
    copy.chain = queue.head;
    copy.header_at = 0;
    copy.length = queue.length;
    return copy;
}

/* Raw sockets' filters see the IP header first, and ping sockets' that of ICMP. */
static bool admitted(struct stack *stack, struct socket *socket, struct ip_packet *packet) {
    struct filter_view view;
    if (!socket->filters)
        return true;
    filter_view(stack, &view, packet, 0);
    if (socket->type == SOCK_RAW && ip_is_v4(packet->source))
        view.network_length = view.base = 0; /* it is in the chain */
    return datagram_admitted(stack, socket, &view, packet);
}

bool raw_input(struct stack *stack, const struct ip_packet *packet) {
    struct list *link, *next;
    bool wanted = false;
    list_for_each(link, next, &stack->raw_sockets) {
        struct socket *socket = container_of(link, struct datagram_state, raw_link)->socket;
        if (!matches(socket, packet->protocol, packet->source, packet->destination) ||
            (ip_is_multicast(packet->destination) &&
             !multicast_socket_wants(socket, packet->destination, packet->source)))
            continue;
        wanted = true;
        if (filtered(socket, packet) || !checksum_good(socket, packet))
            continue;
        struct ip_packet copy = seen_by_raw(stack, packet);
        if (copy.chain && admitted(stack, socket, &copy))
            datagram_queue(stack, socket, &copy, 0);
        buffer_drop_chain(&stack->buffers, copy.chain);
    }
    return wanted;
}

/* IP_HDRINCL: the program's header, with what raw(7) says is filled in. */
static int take_header(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters,
                       const uint8_t *header, uint32_t header_length, uint32_t total) {
    uint8_t *to = frame->header + FRAME_IP_AT;
    memcpy(to, header, header_length);
    wire_put16(to + 2, (uint16_t)total);
    if (wire_get16(to + 4) == 0)
        wire_put16(to + 4, ip_identification(stack, parameters, wire_get16(to + 6) & IP_DONT_FRAGMENT, 1));
    if (wire_get32(to + 12) == 0)
        wire_put32(to + 12, ip_to_v4(parameters->source));
    ip_seal_header(to);
    frame->header_length = (uint16_t)(FRAME_IP_AT + header_length);
    stack->mib.IpOutRequests++;
    return ip_output_whole(stack, frame, parameters);
}

/* The same of a whole packet of IPv6, which leaves as it is. */
static int take_header6(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters,
                        const uint8_t *header) {
    memcpy(frame->header + FRAME_IP_AT, header, IP6_HEADER_BYTES);
    frame->header_length = FRAME_IP_AT + IP6_HEADER_BYTES;
    return ip6_output_whole(stack, frame, parameters);
}

/* Writes the checksum of a message that lies in buffers of its own. False: its place is beyond the end. */
static bool put_checksum(const struct ip_parameters *parameters, struct byte_queue *message, uint32_t at) {
    struct buffer *buffer = message->head;
    uint32_t place = at;
    if (at + 2 > message->length)
        return false;
    while (buffer && place >= buffer_length(buffer)) {
        place -= buffer_length(buffer);
        buffer = buffer->next;
    }
    if (!buffer || place + 2 > buffer_length(buffer))
        return false;
    uint8_t *field = buffer_data(buffer) + place;
    wire_put16(field, 0);
    uint64_t sum = checksum_pseudo_header(parameters->source, parameters->destination, parameters->protocol,
                                          (uint16_t)message->length);
    uint16_t folded = (uint16_t)~checksum_fold(
        checksum_add_range(sum, (struct byte_cursor){message->head, message->head->start}, message->length));
    wire_put_sum(field, folded ? folded : 0xffff);
    return true;
}

static void copy_start(const struct socket_message *message, uint8_t *to, uint32_t length) {
    for (int i = 0; i < message->count && length > 0; i++) {
        uint32_t here = message->pieces[i].iov_len < length ? (uint32_t)message->pieces[i].iov_len : length;
        memcpy(to, message->pieces[i].iov_base, here);
        to += here;
        length -= here;
    }
}

/* As Linux's rawv6_sendmsg: an address' port is the protocol, if there is one; and no socket of IPv6 speaks IPv4. */
static int check_raw6(const struct socket *socket, const struct socket_message *message, uint32_t length) {
    uint8_t protocol = socket->datagram->binding.protocol;
    uint16_t port = message->has_address ? message->port : 0;
    if (!socket->options.inet6)
        return 0;
    if (port && (port > UINT8_MAX || (port != protocol && protocol != IPPROTO_RAW)))
        return -EINVAL;
    if (ip_is_v4(message->address))
        return -ENETUNREACH;
    bool typed = protocol != IP_PROTOCOL_ICMP6 || socket->options.header_included || length >= 2;
    return typed ? 0 : -EFAULT; /* its type and code are looked at first */
}

ssize_t raw_send(struct stack *stack, struct socket *socket, const struct socket_message *message,
                 uint32_t length) {
    bool included = socket->options.header_included, v4 = ip_is_v4(message->address);
    uint8_t header[IP_HEADER_MAX] = {0};
    struct ip_parameters parameters;
    uint32_t header_length = 0;
    uint32_t total = length + (included ? 0 : ip_header_bytes(message->address));
    struct byte_queue payload;
    int error = check_raw6(socket, message, length);
    if (!error)
        error = datagram_parameters(stack, socket, message, message->address, total, &parameters);
    if (error)
        return error;
    if (message->unreadable)
        return -EFAULT;
    if (included) {
        copy_start(message, header, length < sizeof header ? length : sizeof header);
        header_length = v4 ? (header[0] & 15) * 4u : IP6_HEADER_BYTES;
        if (length < IP_HEADER_BYTES || header_length < IP_HEADER_BYTES || header_length > length)
            return -EINVAL;
    }
    if (included && total > parameters.mtu)
        return datagram_too_long(stack, socket, message, message->address, parameters.mtu);
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame || datagram_payload(stack, message, header_length, length - header_length, &payload))
        return -ENOBUFS;
    if (!v4 && !included && socket->datagram->checksum_offset >= 0 &&
        !put_checksum(&parameters, &payload, (uint32_t)socket->datagram->checksum_offset)) {
        buffer_drop_chain(&stack->buffers, payload.head);
        return -EINVAL;
    }
    frame->header_length = FRAME_TRANSPORT_AT;
    if (payload.length > 0)
        frame_set_payload(frame, (struct byte_cursor){payload.head, 0}, payload.length);
    if (!included)
        error = ip_output(stack, frame, &parameters);
    else
        error = v4 ? take_header(stack, frame, &parameters, header, header_length, total)
                   : take_header6(stack, frame, &parameters, header);
    buffer_drop_chain(&stack->buffers, payload.head);
    return error ? error : (ssize_t)length;
}

void raw_error(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error) {
    struct list *link, *next;
    list_for_each(link, next, &stack->raw_sockets) {
        struct socket *socket = container_of(link, struct datagram_state, raw_link)->socket;
        if (!matches(socket, quoted->protocol, quoted->remote, quoted->local))
            continue;
        const uint8_t *payload = socket->options.header_included ? quoted->header : quoted->transport;
        bool icmp = quoted->protocol == IP_PROTOCOL_ICMP || quoted->protocol == IP_PROTOCOL_ICMP6;
        if (icmp_is_too_long(error) && icmp && ip_path_sent_lately(stack, quoted->remote))
            ip_path_reduce(stack, quoted->remote, error->info, quoted->total);
        datagram_error(stack, socket, error, quoted, 0, payload);
    }
}

void ping_input(struct stack *stack, struct ip_packet *packet) {
    uint16_t ident = wire_get16(buffer_data(packet->chain) + 4);
    struct socket *socket =
        datagram_lookup(stack, packet->protocol, packet->source, 0, packet->destination, ident, NULL);
    if (socket && ident && admitted(stack, socket, packet))
        datagram_queue(stack, socket, packet, 0);
}

static int send_echo6(struct stack *stack, const uint8_t header[ICMP_HEADER_BYTES], struct byte_cursor rest,
                      uint32_t length, const struct ip_parameters *parameters) {
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame)
        return -ENOBUFS;
    memcpy(frame->header + FRAME_TRANSPORT_AT, header, ICMP_HEADER_BYTES);
    frame->header_length = FRAME_TRANSPORT_AT + ICMP_HEADER_BYTES;
    frame_set_payload(frame, rest, length);
    return icmp6_output(stack, frame, parameters);
}

ssize_t ping_send(struct stack *stack, struct socket *socket, const struct socket_message *message,
                  uint32_t length) {
    uint8_t header[ICMP_HEADER_BYTES];
    struct ip_parameters parameters;
    struct byte_queue payload;
    if (length < ICMP_HEADER_BYTES)
        return -EINVAL;
    if (message->unreadable)
        return -EFAULT;
    bool v4 = socket->datagram->binding.protocol == IP_PROTOCOL_ICMP;
    if (v4 != ip_is_v4(message->address))
        return -EINVAL;
    copy_start(message, header, sizeof header);
    if (header[0] != (v4 ? ICMP_ECHO_REQUEST : ICMP6_ECHO_REQUEST) || header[1] != 0)
        return -EINVAL;
    if (length > ip_payload_max(message->address))
        return -EMSGSIZE;
    int error = datagram_autobind(stack, socket);
    if (!error)
        error = datagram_parameters(stack, socket, message, message->address,
                                    length + ip_header_bytes(message->address), &parameters);
    if (error)
        return error;
    uint32_t rest = length - (uint32_t)sizeof header;
    if (datagram_payload(stack, message, sizeof header, rest, &payload))
        return -ENOBUFS;
    wire_put16(header + 2, 0);
    wire_put16(header + 4, socket->datagram->binding.port);
    struct byte_cursor start = {payload.head, 0};
    error = v4 ? icmp_output(stack, header, start, rest, &parameters)
               : send_echo6(stack, header, start, rest, &parameters);
    stack->mib.IcmpOutEchos += v4;
    buffer_drop_chain(&stack->buffers, payload.head);
    return error ? error : (ssize_t)length;
}

void ping_error(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error) {
    uint16_t ident = wire_get16(quoted->transport + 4);
    uint8_t request = quoted->protocol == IP_PROTOCOL_ICMP ? ICMP_ECHO_REQUEST : ICMP6_ECHO_REQUEST;
    if (quoted->transport[0] != request || !ident)
        return;
    struct socket *socket =
        datagram_lookup(stack, quoted->protocol, quoted->remote, 0, quoted->local, ident, NULL);
    if (!socket)
        return;
    if (icmp_is_too_long(error) && ip_path_sent_lately(stack, quoted->remote))
        ip_path_reduce(stack, quoted->remote, error->info, quoted->total);
    datagram_error(stack, socket, error, quoted, 0, quoted->transport);
}
