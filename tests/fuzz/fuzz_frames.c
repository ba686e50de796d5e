/* SPDX-License-Identifier: MIT */
/*
 * fuzz_frames.c - frames into a stack with a life: a connection, a listener, datagram, ping and raw sockets,
 * a group.
 *
 * An input is a list of steps, each a byte for what, two for how long, and so many bytes. Steps that fix
 * checksums, addresses and sequence numbers get beyond the first checks; step 0 is a frame as it is.
 */
#include "stack/base/checksum.h"
#include "tests/fuzz/target.h"
#include <netinet/in.h>

enum step {
    STEP_FRAME,   /* as it is */
    STEP_PACKET,  /* IP with a right header checksum, to us */
    STEP_SEGMENT, /* TCP for the connection, its numbers relative to what is expected */
    STEP_SYN,     /* TCP for the listener */
    STEP_UDP,
    STEP_ICMP, /* an error that quotes what we last sent, or whatever the bytes say */
    STEP_TIME,
    STEP_PROGRAM, /* a program reads, writes, closes */
    STEP_PACKET6, /* IPv6, to us or to a group, with a right length, and a right checksum if its first header
                     is TCP's, UDP's or ICMPv6's */
    STEP_COUNT,
};

static struct stack *stack;
static struct socket *connection, *listener, *udp, *lite, *ping, *raw, *ping6, *raw6;
static uint8_t frame[66000], last_sent[66000];
static uint32_t last_length;

static void remember_sent(void) {
    const struct frame *sent;
    while ((sent = stack_frame(stack, 0))) {
        last_length = stack_frame_copy(sent, last_sent);
        stack_frames_sent(stack, 1);
    }
}

/* Completes a frame whose IP payload is in place. */
static void send_packet(uint8_t protocol, uint32_t length) {
    target_packet(stack, frame, protocol, TARGET_ADDRESS, IP_HEADER_BYTES, length);
}

static void seal(uint8_t protocol, uint32_t at, uint32_t length) {
    uint8_t *body = frame + ETHER_HEADER_BYTES + IP_HEADER_BYTES;
    uint64_t sum = protocol == IP_PROTOCOL_ICMP
                       ? 0
                       : checksum_pseudo_header(ip_from_v4(TARGET_PEER), ip_from_v4(TARGET_ADDRESS), protocol,
                                                (uint16_t)length);
    wire_put16(body + at, 0);
    wire_put_sum(body + at, (uint16_t)~checksum_fold(checksum_add(sum, body, length)));
}

static void segment(const uint8_t *data, uint32_t length, bool to_listener) {
    uint8_t *tcp = frame + ETHER_HEADER_BYTES + IP_HEADER_BYTES;
    if (length < TCP_HEADER_BYTES)
        return;
    memcpy(tcp, data, length);
    if (to_listener) {
        wire_put16(tcp + 2, 80);
    } else if (connection) {
        wire_put16(tcp, 7);
        wire_put16(tcp + 2, connection->tcp->binding.port);
        wire_put32(tcp + 4, connection->tcp->rcv_nxt + (int16_t)wire_get16(data + 4));
        wire_put32(tcp + 8, connection->tcp->snd_una + (int16_t)wire_get16(data + 8));
    }
    if (tcp[12] >> 4 < 5 || (tcp[12] >> 4) * 4u > length)
        tcp[12] = 0x50;
    seal(IP_PROTOCOL_TCP, 16, length);
    send_packet(IP_PROTOCOL_TCP, length);
}

static void datagram(const uint8_t *data, uint32_t length) {
    uint8_t *header = frame + ETHER_HEADER_BYTES + IP_HEADER_BYTES;
    if (length < UDP_HEADER_BYTES)
        return;
    memcpy(header, data, length);
    wire_put16(header + 2, 9);
    uint16_t coverage = wire_get16(header + 4);
    wire_put16(header + 4, (uint16_t)length);
    seal(IP_PROTOCOL_UDP, 6, length);
    send_packet(IP_PROTOCOL_UDP, length);
    wire_put16(header + 4, coverage);
    seal(IP_PROTOCOL_UDPLITE, 6, length);
    send_packet(IP_PROTOCOL_UDPLITE, length);
}

static void message(const uint8_t *data, uint32_t length) {
    uint8_t *icmp = frame + ETHER_HEADER_BYTES + IP_HEADER_BYTES;
    if (length < ICMP_HEADER_BYTES)
        return;
    memcpy(icmp, data, length);
    if (length == ICMP_HEADER_BYTES && last_length > ETHER_HEADER_BYTES) {
        uint32_t quoted = last_length - ETHER_HEADER_BYTES < 60 ? last_length - ETHER_HEADER_BYTES : 60;
        memcpy(icmp + length, last_sent + ETHER_HEADER_BYTES, quoted);
        length += quoted;
    }
    seal(IP_PROTOCOL_ICMP, 2, length);
    send_packet(IP_PROTOCOL_ICMP, length);
}

static void packet(const uint8_t *data, uint32_t length) {
    uint8_t *ip = frame + ETHER_HEADER_BYTES;
    if (length < IP_HEADER_BYTES || length > 65535)
        return;
    memcpy(frame, stack->config.mac, 6);
    memset(frame + 6, 4, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP);
    memcpy(ip, data, length);
    uint32_t header_length = (ip[0] & 15) * 4u;
    ip[0] = (uint8_t)(0x40 | (ip[0] & 15));
    wire_put16(ip + 2, (uint16_t)length);
    wire_put32(ip + 16, TARGET_ADDRESS);
    if (header_length <= length)
        ip_seal_header(ip);
    target_input(stack, frame, ETHER_HEADER_BYTES + length);
}

/* Where the checksum of a protocol stands; 0: nowhere. */
static uint32_t checksum_place(uint8_t protocol) {
    switch (protocol) {
    case IP_PROTOCOL_TCP:
        return 16;
    case IP_PROTOCOL_UDP:
        return 6;
    case IP_PROTOCOL_ICMP6:
        return 2;
    default:
        return 0;
    }
}

static void packet6(const uint8_t *data, uint32_t length) {
    static const struct ip_address own = TARGET_ADDRESS6, peer = TARGET_PEER6;
    uint8_t *ip = frame + ETHER_HEADER_BYTES, *body = ip + IP6_HEADER_BYTES;
    if (length < IP6_HEADER_BYTES || length > 65000)
        return;
    memcpy(frame, stack->config.mac, 6);
    memset(frame + 6, 4, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP6);
    memcpy(ip, data, length);
    ip[0] = (uint8_t)(0x60 | (ip[0] & 15));
    if (ip[8] == 0)
        memcpy(ip + 8, peer.bytes, sizeof peer.bytes);
    if (ip[24] == 0xff)
        ip6_group_mac(ip_from_bytes(ip + 24), frame);
    else
        memcpy(ip + 24, own.bytes, sizeof own.bytes);
    uint32_t rest = length - IP6_HEADER_BYTES, at = checksum_place(ip[6]);
    wire_put16(ip + 4, (uint16_t)rest);
    if (ip[6] == IP_PROTOCOL_UDP && rest >= UDP_HEADER_BYTES)
        wire_put16(body + 4, (uint16_t)rest);
    if (at && rest >= at + 2) {
        uint64_t sum =
            checksum_pseudo_header(ip_from_bytes(ip + 8), ip_from_bytes(ip + 24), ip[6], (uint16_t)rest);
        wire_put16(body + at, 0);
        uint16_t folded = (uint16_t)~checksum_fold(checksum_add(sum, body, rest));
        wire_put_sum(body + at, folded ? folded : 0xffff);
    }
    target_input(stack, frame, ETHER_HEADER_BYTES + length);
}

static void receive_all(struct socket *socket, int flags) {
    static uint8_t bytes[70000];
    struct iovec piece = {bytes, sizeof bytes};
    struct socket_message received = {.pieces = &piece, .count = 1, .flags = flags};
    for (int i = 0; socket && i < 50 && socket_receive(stack, socket, &received) > 0; i++)
        received.flags = flags;
}

static void program(const uint8_t *data, uint32_t length) {
    struct socket *accepted;
    struct iovec piece = {(void *)data, length};
    struct socket_message sent = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(TARGET_PEER), .port = 9};
    if (length > 1 && data[1] & 1)
        sent.address = (struct ip_address)TARGET_PEER6;
    switch (length > 0 ? data[0] % 7 : 0) {
    case 0:
        receive_all(connection, 0);
        receive_all(udp, 0);
        receive_all(udp, MSG_ERRQUEUE);
        receive_all(lite, 0);
        receive_all(ping, 0);
        receive_all(raw, 0);
        receive_all(ping6, 0);
        receive_all(raw6, 0);
        break;
    case 1:
        socket_send(stack, udp, &sent);
        break;
    case 2:
        if (socket_accept(stack, listener, &accepted) == 0)
            receive_all(accepted, 0);
        break;
    case 3:
        if (connection)
            socket_shutdown(stack, connection, length > 1 ? data[1] % 3 : 0);
        break;
    case 4:
        sent.has_address = false;
        if (connection)
            socket_send(stack, connection, &sent);
        break;
    case 5:
        socket_send(stack, ping, &sent);
        break;
    case 6:
        socket_send(stack, ping6, &sent);
        socket_send(stack, raw6, &sent);
        break;
    }
    stack_advance(stack, target_now);
}

static struct socket *make6(int type, int protocol, uint16_t port, bool inet6) {
    struct socket *socket;
    int yes = 1;
    target_expect(socket_create(stack, type, protocol, &socket) == 0, "a socket");
    socket->options.inet6 = socket->options.six.receive_errors = inet6;
    if (port)
        socket_bind(stack, socket, (struct ip_address){0}, port);
    socket_set_option(stack, socket, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes);
    return socket;
}

static struct socket *make(int type, int protocol, uint16_t port) {
    return make6(type, protocol, port, false);
}

/* A connection to the peer's port 7, established. */
static void connect_peer(void) {
    uint8_t answer[TCP_HEADER_BYTES] = {0};
    connection = make(SOCK_STREAM, 0, 0);
    socket_connect(stack, connection, ip_from_v4(TARGET_PEER), 7);
    stack_advance(stack, target_now);
    wire_put16(answer, 7);
    wire_put16(answer + 2, connection->tcp->binding.port);
    wire_put32(answer + 4, 5000);
    wire_put32(answer + 8, connection->tcp->iss + 1);
    answer[12] = 0x50;
    answer[13] = 0x12; /* SYN, ACK */
    wire_put16(answer + 14, 60000);
    memcpy(frame + ETHER_HEADER_BYTES + IP_HEADER_BYTES, answer, sizeof answer);
    seal(IP_PROTOCOL_TCP, 16, sizeof answer);
    send_packet(IP_PROTOCOL_TCP, sizeof answer);
    target_expect(connection->tcp->state == TCP_ESTABLISHED, "a connection");
}

/* The peer's answer to ARP. */
static void introduce_peer(void) {
    uint8_t reply[42] = {2, 0, 0, 0, 0, 10, 2, 0,  0,  0, 0, 2, 8, 6, 0, 1, 8, 0,  6,  4, 0,
                         1, 2, 0, 0, 0, 0,  2, 10, 77, 0, 2, 0, 0, 0, 0, 0, 0, 10, 77, 0, 10};
    target_input(stack, reply, sizeof reply);
}

static void check_connection(void *object, void *context) {
    struct tcp *tcp = object;
    (void)context;
    if (tcp->state == TCP_CLOSE || tcp->state == TCP_LISTEN)
        return;
    target_expect(seq_le(tcp->snd_una, tcp->snd_nxt), "una <= nxt");
    target_expect(buffer_chain_length(tcp->send.head) == tcp->send.length, "the send queue's length");
    target_expect(buffer_chain_length(tcp->receive.head) == tcp->receive.length,
                  "the receive queue's length");
    target_expect(tcp->active->out_of_order.count <= TCP_OUT_OF_ORDER_MAX, "a bound on what is out of order");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ip_mreq group = {{htonl(0xefff0001)}, {0}};
    stack = target_stack(TARGET_ADDRESS);
    introduce_peer();
    connect_peer();
    listener = make6(SOCK_STREAM, 0, 80, true); /* of both families */
    socket_listen(stack, listener, 4);
    udp = make6(SOCK_DGRAM, 0, 9, true);
    socket_set_option(stack, udp, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
    lite = make6(SOCK_DGRAM, IPPROTO_UDPLITE, 9, true);
    ping6 = make6(SOCK_DGRAM, IPPROTO_ICMPV6, 3, true);
    raw6 = make6(SOCK_RAW, IPPROTO_ICMPV6, 0, true);
    ping = make(SOCK_DGRAM, IPPROTO_ICMP, 3);
    raw = make(SOCK_RAW, 99, 0);
    while (size >= 3) {
        uint8_t step = data[0] % STEP_COUNT;
        uint32_t length = wire_get16(data + 1);
        data += 3;
        size -= 3;
        length = length < size ? length : (uint32_t)size;
        switch ((enum step)step) {
        case STEP_FRAME:
            target_input(stack, data, length);
            break;
        case STEP_PACKET:
            packet(data, length);
            break;
        case STEP_SEGMENT:
            segment(data, length, false);
            break;
        case STEP_SYN:
            segment(data, length, true);
            break;
        case STEP_UDP:
            datagram(data, length);
            break;
        case STEP_ICMP:
            message(data, length);
            break;
        case STEP_TIME:
            target_run(stack, (uint64_t)(length ? data[0] : 1) * data[-1] * 10000000);
            break;
        case STEP_PROGRAM:
            program(data, length);
            break;
        case STEP_PACKET6:
            packet6(data, length);
            break;
        case STEP_COUNT:
            break;
        }
        remember_sent();
        pool_walk(&stack->connections, check_connection, NULL);
        data += length;
        size -= length;
    }
    target_end(stack);
    return 0;
}
