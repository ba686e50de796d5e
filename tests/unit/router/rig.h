/* SPDX-License-Identifier: MIT */
/*
 * rig.h - a router of two ports and a host on each, for tests: frames in, frames out, in virtual time.
 *
 *   HOST_IN 10.1.0.9 - port 0: 10.1.0.1/24, 2001:db8:1::1/64 | port 1: 10.2.0.1/24, 2001:db8:2::1/64 - HOST_OUT
 */
#ifndef TESTS_UNIT_ROUTER_RIG_H
#define TESTS_UNIT_ROUTER_RIG_H

#include "stack/base/checksum.h"
#include "stack/link/ether.h"
#include "stack/router/router.h"
#include "tests/unit/host.h"
#include <stdlib.h>

#define HOST_IN 0x0a010009u
#define HOST_OUT 0x0a020009u
#define PORT_IN 0x0a010001u
#define PORT_OUT 0x0a020001u
#define FAR 0x08080808u

static struct router *router;
static uint8_t got[ROUTER_FRAME_MAX]; /* the last frame that was read */
static uint32_t got_length;
static const uint8_t seed[RANDOM_SEED_BYTES] = {7};

static inline void mac_of(uint8_t mac[6], int port, uint8_t host) {
    memcpy(mac, (uint8_t[]){2, 0, 0, 1, (uint8_t)port, host}, 6);
}

static inline struct ip_address parse(const char *text) {
    struct ip_address address;
    assert_int_equal(ip_parse(text, &address), 0);
    return address;
}

/* The next frame that leaves a port by now: its IP header is at the result. NULL: none. */
static inline uint8_t *read_frame(int port) {
    got_length = router_output(router, port, now, got);
    return got_length ? got + ETHER_HEADER_BYTES : NULL;
}

/* ... that is no ARP. */
static inline uint8_t *read_packet(int port) {
    uint8_t *packet;
    while ((packet = read_frame(port)) && wire_get16(got + 12) == ETHER_TYPE_ARP)
        continue;
    return packet;
}

/* Lets time pass; what the router sends meanwhile waits to be read. */
static inline void pass(uint64_t ns) {
    for (uint64_t until = now + ns; now < until;) {
        now = now + 100 * MS < until ? now + 100 * MS : until;
        router_advance(router, now);
    }
}

/* A frame of a host of number `host` at a port. */
static inline void give(int port, uint8_t host, uint16_t type, const void *bytes, uint32_t length) {
    uint8_t frame[ROUTER_FRAME_MAX];
    memcpy(frame, router->ports[port].config.mac, 6);
    mac_of(frame + 6, port, host);
    wire_put16(frame + 12, type);
    memcpy(frame + ETHER_HEADER_BYTES, bytes, length);
    router_input(router, port, now, frame, ETHER_HEADER_BYTES + length);
}

/* An ARP packet of a host's. */
static inline void arp(int port, uint8_t host, uint16_t operation, uint32_t sender, uint32_t target) {
    uint8_t bytes[28] = {0, 1, 8, 0, 6, 4, 0, (uint8_t)operation};
    mac_of(bytes + 8, port, host);
    wire_put32(bytes + 14, sender);
    wire_put32(bytes + 24, target);
    give(port, host, ETHER_TYPE_ARP, bytes, sizeof bytes);
}

static inline void rig_make(const struct router_queue_config *queue, uint16_t mtu_out) {
    router = calloc(1, sizeof *router);
    now = 1000 * SECOND;
    router_init(router, now, seed);
    struct router_port_config in = {.mac = {2, 0, 0, 0, 0, 1}, .address_count = 2, .advertise = true};
    struct router_port_config out = {
        .mac = {2, 0, 0, 0, 0, 2}, .address_count = 2, .mtu = mtu_out, .advertise = true};
    in.addresses[0] = (struct router_address){parse("10.1.0.1"), 96 + 24};
    in.addresses[1] = (struct router_address){parse("2001:db8:1::1"), 64};
    out.addresses[0] = (struct router_address){parse("10.2.0.1"), 96 + 24};
    out.addresses[1] = (struct router_address){parse("2001:db8:2::1"), 64};
    if (queue)
        out.queue = *queue;
    assert_int_equal(router_add_port(router, &in), 0);
    assert_int_equal(router_add_port(router, &out), 1);
    arp(0, 9, 1, HOST_IN, PORT_IN);
    arp(1, 9, 1, HOST_OUT, PORT_OUT);
    router_advance(router, now);
    while (read_frame(0) || read_frame(1))
        now += SECOND;
}

static inline int rig(void **state) {
    (void)state;
    rig_make(NULL, 0);
    return 0;
}

/* Every packet is where it was. */
static inline int rig_end(void **state) {
    (void)state;
    uint32_t held = router->packets.fresh;
    for (struct router_packet *packet = router->packets.free; packet; packet = packet->next)
        held--;
    for (uint32_t i = 0; i < router->neighbours.ever; i++)
        held -= router->neighbours.all[i].waiting;
    for (int i = 0; i < router->port_count; i++)
        held -= router->ports[i].queue.count;
    free(router);
    return held != 0;
}

/* An IPv4 packet of `payload` bytes behind its header of 20 and `options` bytes, written to ip. */
struct shape {
    uint32_t source, destination;
    uint8_t protocol, ttl, tos;
    uint16_t fragment, source_port, destination_port;
    uint32_t payload, options;
    uint8_t option[40];
    uint8_t tcp_flags;
};

static inline uint32_t compose(uint8_t *ip, const struct shape *given) {
    struct shape copy = *given, *shape = &copy;
    shape->payload = given->payload ? given->payload : 100;
    uint32_t header = 20 + shape->options, total = header + shape->payload;
    uint8_t *transport = ip + header;
    memset(ip, 0, header);
    ip[0] = (uint8_t)(0x40 | header / 4);
    ip[1] = shape->tos;
    wire_put16(ip + 2, (uint16_t)total);
    wire_put16(ip + 4, 77);
    wire_put16(ip + 6, shape->fragment);
    ip[8] = shape->ttl ? shape->ttl : 64;
    ip[9] = shape->protocol ? shape->protocol : IP_PROTOCOL_UDP;
    wire_put32(ip + 12, shape->source ? shape->source : HOST_IN);
    wire_put32(ip + 16, shape->destination ? shape->destination : HOST_OUT);
    memcpy(ip + 20, shape->option, shape->options);
    router_ip4_checksum(ip);
    for (uint32_t i = 0; i < shape->payload; i++)
        transport[i] = (uint8_t)(i * 7 + i / 256);
    if (ip[9] == IP_PROTOCOL_ICMP || shape->payload < 8)
        return total;
    wire_put16(transport, shape->source_port);
    wire_put16(transport + 2, shape->destination_port);
    uint32_t sum_at = ip[9] == IP_PROTOCOL_TCP ? 16 : 6;
    if (ip[9] == IP_PROTOCOL_TCP)
        transport[13] = shape->tcp_flags;
    if (shape->payload < sum_at + 2)
        return total;
    wire_put16(transport + sum_at, 0);
    uint64_t sum = checksum_pseudo_header(ip_from_v4(wire_get32(ip + 12)), ip_from_v4(wire_get32(ip + 16)),
                                          ip[9], (uint16_t)shape->payload);
    wire_put_sum(transport + sum_at, (uint16_t)~checksum_fold(checksum_add(sum, transport, shape->payload)));
    return total;
}

static inline void send_shape(int port, const struct shape *shape) {
    uint8_t ip[ROUTER_MTU_MAX];
    give(port, 9, ETHER_TYPE_IP, ip, compose(ip, shape));
}

/* Whether the checksums of an IPv4 packet are right: its header's, and its transport's. */
static inline bool is_sound(const uint8_t *ip) {
    uint32_t header = (ip[0] & 15u) * 4, length = wire_get16(ip + 2) - header;
    uint64_t sum = ip[9] == IP_PROTOCOL_ICMP
                       ? 0
                       : checksum_pseudo_header(ip_from_v4(wire_get32(ip + 12)),
                                                ip_from_v4(wire_get32(ip + 16)), ip[9], (uint16_t)length);
    return checksum_fold(checksum_header(ip, header)) == 0xffff &&
           checksum_fold(checksum_add(sum, ip + header, length)) == 0xffff;
}

/* An ICMP error that a host reads: of that type and code, from that address, and nothing behind it. */
static inline const uint8_t *expect_error(int port, uint8_t type, uint8_t code, uint32_t from) {
    const uint8_t *ip = read_packet(port);
    assert_non_null(ip);
    assert_int_equal(ip[9], IP_PROTOCOL_ICMP);
    assert_true(is_sound(ip));
    assert_int_equal(ip[20], type);
    assert_int_equal(ip[21], code);
    assert_int_equal(wire_get32(ip + 12), from);
    return ip;
}

#endif
