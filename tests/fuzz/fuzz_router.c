/* SPDX-License-Identifier: MIT */
/*
 * fuzz_router.c - frames at the ports of a router with NAT: the input is a list of steps, each a byte (port,
 * queue, and what is put right), two bytes of length, and a packet from its IP header on, or an ARP packet.
 * The header's length, checksum and destination's MAC address are put right unless the step says otherwise.
 */
#include "stack/base/checksum.h"
#include "stack/link/ether.h"
#include "stack/router/router.h"
#include "tests/fuzz/target.h"
#include <stdlib.h>

enum step {
    STEP_PORT = 1,    /* which it comes from */
    STEP_ARP = 2,     /* else IP, by the version */
    STEP_RAW = 4,     /* nothing is put right */
    STEP_GROUP = 8,   /* to everybody on the link */
    STEP_INNER = 16,  /* to a host inside: the address of the other port's network */
    STEP_OUTER = 32,  /* to the outer address */
    STEP_LATER = 64,  /* time passes */
    STEP_EXTERN = 128 /* to a host that a route leads to */
};

static struct router *make(void) {
    static const uint8_t seed[RANDOM_SEED_BYTES] = {3};
    struct router *router = calloc(1, sizeof *router);
    struct router_port_config in = {.mac = {2, 0, 0, 0, 0, 1}, .address_count = 2, .advertise = true},
                              out = {.mac = {2, 0, 0, 0, 0, 2}, .address_count = 2, .mtu = 1280};
    target_expect(router != NULL, "memory for a router");
    in.addresses[0] = (struct router_address){ip_from_v4(0x0a010001), 120};
    in.addresses[1] = (struct router_address){{.bytes = {0x20, 1, 0x0d, 0xb8, 0, 1, [15] = 1}}, 64};
    out.addresses[0] = (struct router_address){ip_from_v4(0x0a020001), 120};
    out.addresses[1] = (struct router_address){{.bytes = {0x20, 1, 0x0d, 0xb8, 0, 2, [15] = 1}}, 64};
    router_init(router, target_now, seed);
    target_expect(router_add_port(router, &in) == 0 && router_add_port(router, &out) == 1, "two ports");
    target_expect(router_add_route(router, ip_from_v4(0), 96, ip_from_v4(0x0a020009)), "a route");
    target_expect(router_set_nat(router, 1), "NAT");
    target_expect(nat_map(&router->nat, IP_PROTOCOL_TCP, 80, 0x0a010009, 8080), "a port that leads in");
    return router;
}

static void put_right(uint8_t *ip, uint32_t length, unsigned step) {
    static const uint8_t network6[] = {0x20, 1, 0x0d, 0xb8, 0, 1};
    if (length >= IP_HEADER_BYTES && ip[0] >> 4 != 6) {
        uint32_t destination = step & STEP_INNER    ? 0x0a010009
                               : step & STEP_OUTER  ? 0x0a020001
                               : step & STEP_EXTERN ? 0x08080808
                                                    : wire_get32(ip + 16);
        uint32_t header = (ip[0] & 15u) * 4;
        if (header < IP_HEADER_BYTES || header > length)
            header = IP_HEADER_BYTES;
        ip[0] = (uint8_t)(0x40 | header / 4);
        wire_put16(ip + 2, (uint16_t)length);
        wire_put32(ip + 16, destination);
        router_ip4_checksum(ip);
    } else if (length >= IP6_HEADER_BYTES && ip[0] >> 4 == 6) {
        wire_put16(ip + 4, (uint16_t)(length - IP6_HEADER_BYTES));
        if (step & (STEP_INNER | STEP_OUTER))
            memcpy(ip + 24, network6, sizeof network6);
        if (step & STEP_OUTER)
            ip[29] = 2;
        if (ip[6] == IP_PROTOCOL_ICMP6 && length >= IP6_HEADER_BYTES + 4) {
            uint8_t *message = ip + IP6_HEADER_BYTES;
            uint32_t bytes = length - IP6_HEADER_BYTES;
            wire_put16(message + 2, 0);
            uint64_t sum = checksum_pseudo_header(ip_from_bytes(ip + 8), ip_from_bytes(ip + 24),
                                                  IP_PROTOCOL_ICMP6, (uint16_t)bytes);
            wire_put_sum(message + 2, (uint16_t)~checksum_fold(checksum_add(sum, message, bytes)));
        }
    }
}

/* What leaves is a frame of the port's own, its header right, and no longer than the link carries. */
static void check_output(struct router *router) {
    static uint8_t frame[ROUTER_FRAME_MAX];
    for (int port = 0; port < router->port_count; port++) {
        const struct router_port_config *config = &router->ports[port].config;
        uint32_t length;
        while ((length = router_output(router, port, target_now, frame))) {
            const uint8_t *ip = frame + ETHER_HEADER_BYTES;
            uint16_t type = wire_get16(frame + 12);
            target_expect(length <= ETHER_HEADER_BYTES + config->mtu, "a frame that the link carries");
            target_expect(memcmp(frame + 6, config->mac, 6) == 0, "the port's MAC address");
            if (type == ETHER_TYPE_IP) {
                uint32_t header = (ip[0] & 15u) * 4;
                target_expect(length >= ETHER_HEADER_BYTES + header &&
                                  wire_get16(ip + 2) == length - ETHER_HEADER_BYTES,
                              "the header's length");
                target_expect(checksum_fold(checksum_add(0, ip, header)) == 0xffff, "the header's checksum");
                target_expect(port != router->nat_port || wire_get32(ip + 12) >> 8 != 0x0a0100,
                              "no address of the inside outside");
            } else if (type == ETHER_TYPE_IP6) {
                target_expect(wire_get16(ip + 4) + IP6_HEADER_BYTES == length - ETHER_HEADER_BYTES,
                              "the payload's length");
            }
        }
    }
}

static void give(struct router *router, unsigned step, const uint8_t *data, uint32_t length) {
    static uint8_t frame[ROUTER_FRAME_MAX];
    int port = step & STEP_PORT;
    memcpy(frame, router->ports[port].config.mac, 6);
    if (step & STEP_GROUP)
        memset(frame, 0xff, 6);
    memcpy(frame + 6, (uint8_t[]){2, 0, 0, 0, (uint8_t)port, 9}, 6);
    memcpy(frame + ETHER_HEADER_BYTES, data, length);
    bool six = length > 0 && data[0] >> 4 == 6;
    wire_put16(frame + 12, step & STEP_ARP ? ETHER_TYPE_ARP : six ? ETHER_TYPE_IP6 : ETHER_TYPE_IP);
    if (!(step & (STEP_RAW | STEP_ARP)))
        put_right(frame + ETHER_HEADER_BYTES, length, step);
    const uint8_t *ip = frame + ETHER_HEADER_BYTES;
    if (port == router->nat_port && length >= IP_HEADER_BYTES && wire_get32(ip + 12) >> 8 == 0x0a0100)
        return; /* a neighbour outside that sends from the inside's addresses may see them come back */
    router_input(router, port, target_now, target_guarded(frame, ETHER_HEADER_BYTES + length),
                 ETHER_HEADER_BYTES + length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    target_now = 1000 * SECOND;
    struct router *router = make();
    while (size >= 3) {
        unsigned step = data[0];
        uint32_t length = wire_get16(data + 1) % (ROUTER_FRAME_MAX - ETHER_HEADER_BYTES);
        data += 3;
        size -= 3;
        length = length < size ? length : (uint32_t)size;
        give(router, step, data, length);
        if (step & STEP_LATER)
            target_now += SECOND;
        router_advance(router, target_now);
        check_output(router);
        target_expect(router_next(router) > target_now || router_next(router) == ROUTER_NEVER,
                      "nothing is due any more");
        data += length;
        size -= length;
    }
    target_now += 3600 * SECOND;
    for (int i = 0; i < 10; i++, target_now += 10 * SECOND) {
        router_advance(router, target_now);
        check_output(router);
    }
    free(router);
    return 0;
}
