/* SPDX-License-Identifier: MIT */
/*
 * network.c - see network.h.
 */
#include "tests/unit/network.h"
#include <netinet/in.h>

struct seen seen;

uint8_t *body;

uint32_t body_length;

uint8_t payload[66000], got[66000];

ssize_t send_to(struct host *host, struct socket *socket, uint32_t address, uint32_t length) {
    struct iovec piece = {payload, length};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(address), .port = 9};
    return socket_send(host->stack, socket, &message);
}

uint8_t datagram[4000];
uint32_t make_datagram(uint32_t length) {
    wire_put16(datagram, 5000);
    wire_put16(datagram + 2, 9);
    wire_put16(datagram + 4, (uint16_t)(length + 8));
    wire_put16(datagram + 6, 0);
    memcpy(datagram + 8, payload, length);
    return length + 8;
}

void send_piece(struct host *host, uint16_t identification, uint32_t offset, uint32_t length, bool more) {
    struct packet_shape shape = {.protocol = IP_PROTOCOL_UDP,
                                 .identification = identification,
                                 .fragment = (uint16_t)(offset / 8 | (more ? IP_MORE_FRAGMENTS : 0))};
    peer_packet(host, &shape, datagram + offset, length);
}

void complain(struct host *host, uint8_t type, uint8_t code, uint32_t info) {
    static uint8_t quoted[600];
    uint32_t length = seen.length - ETHER_HEADER_BYTES < 200 ? seen.length - ETHER_HEADER_BYTES : 200;
    memcpy(quoted, seen.bytes + ETHER_HEADER_BYTES, length);
    peer_icmp(host, type, code, info, quoted, length);
}

uint16_t identification(struct host *host, uint8_t protocol, bool *whole) {
    assert_true(next_packet(host, protocol, &seen, &body, &body_length));
    *whole = wire_get16(seen.bytes + ETHER_HEADER_BYTES + 6) & IP_DONT_FRAGMENT;
    return wire_get16(seen.bytes + ETHER_HEADER_BYTES + 4);
}

const uint8_t PEER[6] = {2, 0, 0x0a, 0x4d, 0, 2};

const uint8_t OTHER[6] = {2, 9, 9, 9, 9, 9};

void send_arp(struct host *host, uint16_t operation, const uint8_t mac[6], uint32_t sender, uint32_t target) {
    uint8_t frame[60] = {0};
    memcpy(frame, host->stack->config.mac, 6);
    memcpy(frame + 6, mac, 6);
    wire_put16(frame + 12, ETHER_TYPE_ARP);
    wire_put16(frame + 14, 1);
    wire_put16(frame + 16, ETHER_TYPE_IP);
    frame[18] = 6;
    frame[19] = 4;
    wire_put16(frame + 20, operation);
    memcpy(frame + 22, mac, 6);
    wire_put32(frame + 28, sender);
    wire_put32(frame + 38, target);
    host_input(host, frame, sizeof frame, 0);
}

uint16_t read_arp(struct host *host, uint32_t *sender, uint32_t *target) {
    while (host_sent(host, &seen)) {
        if (wire_get16(seen.bytes + 12) != ETHER_TYPE_ARP)
            continue;
        *sender = wire_get32(seen.bytes + 28);
        *target = wire_get32(seen.bytes + 38);
        return wire_get16(seen.bytes + 20);
    }
    return 0;
}

uint32_t make_ip(struct host *host, uint8_t *frame, uint8_t protocol, uint32_t source, uint32_t destination,
                 const void *payload, uint32_t length) {
    uint8_t *ip = frame + 14;
    memset(frame, 0, 34);
    memcpy(frame, host->stack->config.mac, 6);
    memcpy(frame + 6, PEER, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP);
    ip[0] = 0x45;
    wire_put16(ip + 2, (uint16_t)(20 + length));
    ip[8] = 64;
    ip[9] = protocol;
    wire_put32(ip + 12, source);
    wire_put32(ip + 16, destination);
    ip_seal_header(ip);
    memcpy(ip + 20, payload, length);
    return 34 + length;
}

void send_udp(struct host *host, uint32_t source, uint32_t destination, uint16_t port, const char *text) {
    uint8_t frame[2000], datagram[1500];
    uint16_t length = (uint16_t)(strlen(text) + 8);
    wire_put16(datagram, 5000);
    wire_put16(datagram + 2, port);
    wire_put16(datagram + 4, length);
    wire_put16(datagram + 6, 0);
    memcpy(datagram + 8, text, strlen(text));
    uint64_t sum =
        checksum_pseudo_header(ip_from_v4(source), ip_from_v4(destination), IP_PROTOCOL_UDP, length);
    wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(sum, datagram, length)));
    host_input(host, frame, make_ip(host, frame, IP_PROTOCOL_UDP, source, destination, datagram, length), 0);
}

ssize_t send_message(struct host *host, struct socket *socket, uint32_t address, uint32_t length,
                     struct socket_message message) {
    struct iovec piece = {payload, length};
    message.pieces = &piece;
    message.count = 1;
    message.has_address = address != 0;
    message.address = ip_from_v4(address);
    message.port = 9;
    return socket_send(host->stack, socket, &message);
}

ssize_t receive_message(struct host *host, struct socket *socket, uint32_t room, int flags,
                        struct socket_message *message) {
    struct iovec piece = {got, room};
    *message = (struct socket_message){.pieces = &piece, .count = 1, .flags = flags};
    return socket_receive(host->stack, socket, message);
}

int join(struct host *host, struct socket *socket, int name, uint32_t group, uint32_t interface) {
    struct ip_mreq request = {{htonl(group)}, {htonl(interface)}};
    return socket_set_option(host->stack, socket, IPPROTO_IP, name, &request, sizeof request);
}

unsigned next_igmp(struct host *host, uint32_t *group) {
    if (!next_packet(host, IP_PROTOCOL_IGMP, &seen, &body, &body_length))
        return 0;
    assert_int_equal(seen.bytes[14 + 8], 1);                        /* TTL */
    assert_int_equal(wire_get32(seen.bytes + 14 + 20), 0x94040000); /* router alert */
    assert_int_equal(checksum_fold(checksum_add(0, body, body_length)), 0xffff);
    *group = wire_get32(body + (body[0] == 0x22 ? 12 : 4));
    return body[0] == 0x22 ? 0x22 | (unsigned)body[8] << 8 : body[0];
}
