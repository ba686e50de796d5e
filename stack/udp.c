/*
 * udp.c - see udp.h.
 */
#include "udp.h"
#include "checksum.h"
#include "stack.h"
#include "wire.h"
#include <errno.h>
#include <poll.h>

static bool checksum_good(const struct ip_packet *packet, const uint8_t *header) {
    uint16_t field;
    memcpy(&field, header + 6, sizeof field);
    if (field == 0)
        return true; /* the sender computed none */
    uint64_t pseudo = checksum_pseudo_header(packet->source, packet->destination, IP_PROTOCOL_UDP,
                                             (uint16_t)packet->length);
    if (packet->checksum_partial && field == checksum_fold(pseudo))
        return true;
    return checksum_fold(checksum_add_chain(pseudo, packet->chain)) == 0xffff;
}

struct socket *udp_lookup(struct stack *stack, uint32_t source, uint16_t source_port, uint32_t destination,
                          uint16_t port) {
    struct socket *best = NULL;
    int best_score = -1;
    for (struct hash_link *link = stack->udp_sockets[port % PORT_BUCKETS]; link; link = link->next) {
        struct socket *socket = container_of(link, struct socket, udp_link);
        if (socket->binding.port != port)
            continue;
        if (socket->binding.address && socket->binding.address != destination)
            continue;
        if (socket->remote_port && (socket->remote_port != source_port || socket->remote_address != source))
            continue;
        int score = !!socket->remote_port * 2 + !!socket->binding.address;
        if (score > best_score) {
            best = socket;
            best_score = score;
        }
    }
    return best;
}

void udp_enter(struct stack *stack, struct socket *socket) {
    hash_add(&stack->udp_sockets[socket->binding.port % PORT_BUCKETS], &socket->udp_link);
}

static void queue_datagram(struct stack *stack, struct socket *socket, struct ip_packet *packet,
                           uint16_t source_port) {
    uint32_t length = packet->length - UDP_HEADER_BYTES;
    struct udp_datagram *datagram = NULL;
    if (socket->datagram_bytes + length + BUFFER_BYTES / 4 <= socket->receive_limit)
        datagram = pool_take_zeroed(&stack->datagrams);
    if (!datagram) {
        stack->mib.UdpRcvbufErrors++;
        stack->mib.UdpInErrors++;
        return;
    }
    stack_work_on(stack, socket);
    datagram->source = packet->source;
    datagram->destination = packet->destination;
    datagram->source_port = source_port;
    datagram->length = length;
    datagram->chain = buffer_trim_front(&stack->buffers, packet->chain, UDP_HEADER_BYTES);
    packet->chain = NULL;
    list_init(&datagram->link);
    list_add_tail(&socket->datagrams, &datagram->link);
    socket->datagram_bytes += length + BUFFER_BYTES / 4;
    stack->mib.UdpInDatagrams++;
    socket_event(stack, socket);
}

void udp_input(struct stack *stack, struct ip_packet *packet) {
    const uint8_t *header = buffer_data(packet->chain);
    if (packet->length < UDP_HEADER_BYTES || buffer_length(packet->chain) < UDP_HEADER_BYTES ||
        wire_get16(header + 4) < UDP_HEADER_BYTES || wire_get16(header + 4) > packet->length) {
        stack->mib.UdpInErrors++;
        return;
    }
    packet->length = wire_get16(header + 4);
    buffer_trim_back(&stack->buffers, packet->chain, packet->length);
    if (!checksum_good(packet, header)) {
        stack->mib.UdpInCsumErrors++;
        stack->mib.UdpInErrors++;
        return;
    }
    uint16_t source_port = wire_get16(header);
    struct socket *socket =
        udp_lookup(stack, packet->source, source_port, packet->destination, wire_get16(header + 2));
    if (!socket) {
        stack->mib.UdpNoPorts++;
        icmp_send_unreachable(stack, packet, ICMP_PORT_UNREACHABLE);
        return;
    }
    queue_datagram(stack, socket, packet, source_port);
}

ssize_t udp_send(struct stack *stack, struct socket *socket, const struct iovec *from, int count,
                 uint32_t destination, uint16_t port) {
    struct byte_queue payload = {0};
    uint32_t next_hop;
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += from[i].iov_len;
    uint32_t source = socket->binding.address ? socket->binding.address : ip_source(stack, destination);
    if (length + UDP_HEADER_BYTES + IP_HEADER_BYTES > ip_mtu(stack, destination))
        return -EMSGSIZE;
    if (destination == UINT32_MAX && !socket->options.broadcast)
        return -EACCES;
    if (destination != UINT32_MAX && !ip_is_local(stack, destination) &&
        ip_route_lookup(&stack->routes, destination, &next_hop))
        return -ENETUNREACH;
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame)
        return -EAGAIN;
    if (byte_queue_append(&payload, &stack->buffers, from, count, 0, (uint32_t)length) < length) {
        buffer_drop_chain(&stack->buffers, payload.head);
        return -ENOBUFS;
    }
    uint8_t *header = frame->header + FRAME_TRANSPORT_AT;
    uint16_t total = (uint16_t)(length + UDP_HEADER_BYTES);
    frame->header_length = FRAME_TRANSPORT_AT + UDP_HEADER_BYTES;
    wire_put16(header, socket->binding.port);
    wire_put16(header + 2, port);
    wire_put16(header + 4, total);
    wire_put16(header + 6, 0);
    uint64_t sum = checksum_pseudo_header(source, destination, IP_PROTOCOL_UDP, total);
    sum = checksum_add(sum, header, UDP_HEADER_BYTES);
    if (length > 0) {
        struct byte_cursor start = {payload.head, 0};
        frame_set_payload(frame, start, (uint32_t)length);
        sum += checksum_fold(checksum_add_range(0, start, (uint32_t)length));
        buffer_drop_chain(&stack->buffers, payload.head); /* the frame's references keep it */
    }
    uint16_t folded = (uint16_t)~checksum_fold(sum);
    wire_put_sum(header + 6, folded ? folded : 0xffff);
    stack->mib.UdpOutDatagrams++;
    int result = ip_output(stack, frame, source, destination, IP_PROTOCOL_UDP, socket->options.ttl,
                           socket->options.tos);
    /* As Linux without IP_RECVERR: a datagram lost in a queue is no error of the sender's. */
    return result == -ENETUNREACH ? result : (ssize_t)length;
}

static void datagram_destroy(struct stack *stack, struct socket *socket, struct udp_datagram *datagram) {
    list_remove(&datagram->link);
    socket->datagram_bytes -= datagram->length + BUFFER_BYTES / 4;
    buffer_drop_chain(&stack->buffers, datagram->chain);
    pool_return(&stack->datagrams, datagram);
}

ssize_t udp_receive(struct stack *stack, struct socket *socket, const struct iovec *to, int count, bool peek,
                    uint32_t *full_length, uint32_t *source, uint16_t *source_port) {
    struct list *link = list_first(&socket->datagrams);
    if (!link)
        return -EAGAIN;
    struct udp_datagram *datagram = container_of(link, struct udp_datagram, link);
    struct byte_queue queue = {datagram->chain, NULL, datagram->length};
    *full_length = datagram->length;
    *source = datagram->source;
    *source_port = datagram->source_port;
    ssize_t copied = (ssize_t)byte_queue_peek(&queue, to, count);
    stack_work_on(stack, socket);
    if (!peek)
        datagram_destroy(stack, socket, datagram);
    return copied;
}

void udp_purge(struct stack *stack, struct socket *socket) {
    struct list *link;
    while ((link = list_first(&socket->datagrams)))
        datagram_destroy(stack, socket, container_of(link, struct udp_datagram, link));
}

void udp_error(struct stack *stack, uint32_t local, uint16_t local_port, uint32_t remote,
               uint16_t remote_port, int error) {
    struct socket *socket = udp_lookup(stack, remote, remote_port, local, local_port);
    /* Linux tells only a connected socket, and of hard errors (udp(7)). */
    if (socket && socket->remote_port && error == ECONNREFUSED) {
        socket->error = error;
        socket_event(stack, socket);
    }
}
