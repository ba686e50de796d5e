/* SPDX-License-Identifier: MIT */
/*
 * router.c - see router.h.
 */
#include "tests/simulation/router.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip.h"
#include "stack/ip/ip6.h"

#define FRAME_BYTES_MAX 66000u

static void seal(uint8_t *ip, uint32_t total) {
    wire_put16(ip + 2, (uint16_t)total);
    ip_seal_header(ip);
}

static void cut(const struct router *router, const uint8_t *frame, uint32_t header_length, uint32_t total) {
    static uint8_t piece[FRAME_BYTES_MAX];
    const uint8_t *ip = frame + ETHER_HEADER_BYTES;
    uint16_t field = wire_get16(ip + 6);
    uint32_t step = (router->mtu - header_length) & ~7u, payload = total - header_length;
    for (uint32_t at = 0; at < payload; at += step) {
        uint32_t length = payload - at < step ? payload - at : step;
        bool more = at + length < payload || field & IP_MORE_FRAGMENTS;
        uint8_t *to = piece + ETHER_HEADER_BYTES;
        memcpy(piece, frame, ETHER_HEADER_BYTES + header_length);
        memcpy(to + header_length, ip + header_length + at, length);
        wire_put16(to + 6, (uint16_t)((field & IP_OFFSET_MASK) + at / 8) | (more ? IP_MORE_FRAGMENTS : 0));
        seal(to, header_length + length);
        router->forward(router->context, piece, ETHER_HEADER_BYTES + header_length + length);
    }
}

static void complain(const struct router *router, const uint8_t *frame, uint32_t header_length) {
    static const uint8_t own[6] = {2, 0, 0, 0, 0, 0xfe};
    uint8_t answer[128] = {0};
    uint8_t *ip = answer + ETHER_HEADER_BYTES, *icmp = ip + IP_HEADER_BYTES;
    uint32_t quoted = header_length + 8;
    memcpy(answer, frame + 6, 6);
    memcpy(answer + 6, own, 6);
    wire_put16(answer + 12, ETHER_TYPE_IP);
    ip[0] = 0x45;
    ip[8] = 64;
    ip[9] = IP_PROTOCOL_ICMP;
    wire_put32(ip + 12, 0x0a0000fe); /* 10.0.0.254 */
    memcpy(ip + 16, frame + ETHER_HEADER_BYTES + 12, 4);
    icmp[0] = 3;
    icmp[1] = 4;
    wire_put16(icmp + 6, (uint16_t)router->mtu);
    memcpy(icmp + 8, frame + ETHER_HEADER_BYTES, quoted);
    wire_put_sum(icmp + 2, (uint16_t)~checksum_fold(checksum_add(0, icmp, 8 + quoted)));
    seal(ip, IP_HEADER_BYTES + 8 + quoted);
    router->answer(router->context, answer, ETHER_HEADER_BYTES + IP_HEADER_BYTES + 8 + quoted);
}

/* RFC 4443 section 3.2: a router of IPv6 cuts nothing. */
static void complain6(const struct router *router, const uint8_t *frame, uint32_t mtu) {
    static const uint8_t own[6] = {2, 0, 0, 0, 0, 0xfe};
    const struct ip_address from = {.bytes = {0xfd, [15] = 0xfe}};
    struct ip_address to = ip_from_bytes(frame + ETHER_HEADER_BYTES + 8);
    uint8_t answer[ETHER_HEADER_BYTES + IP6_MTU_MIN] = {0};
    uint8_t *ip = answer + ETHER_HEADER_BYTES, *icmp = ip + IP6_HEADER_BYTES;
    uint32_t length = IP6_MTU_MIN - IP6_HEADER_BYTES;
    memcpy(answer, frame + 6, 6);
    memcpy(answer + 6, own, 6);
    wire_put16(answer + 12, ETHER_TYPE_IP6);
    ip[0] = 0x60;
    wire_put16(ip + 4, (uint16_t)length);
    ip[6] = IP_PROTOCOL_ICMP6;
    ip[7] = 64;
    memcpy(ip + 8, from.bytes, sizeof from.bytes);
    memcpy(ip + 24, to.bytes, sizeof to.bytes);
    icmp[0] = ICMP6_TOO_BIG;
    wire_put32(icmp + 4, mtu);
    memcpy(icmp + 8, frame + ETHER_HEADER_BYTES, length - 8);
    uint64_t sum = checksum_pseudo_header(from, to, IP_PROTOCOL_ICMP6, (uint16_t)length);
    wire_put_sum(icmp + 2, (uint16_t)~checksum_fold(checksum_add(sum, icmp, length)));
    router->answer(router->context, answer, sizeof answer);
}

static void handle6(const struct router *router, const uint8_t *frame, uint32_t length) {
    uint32_t mtu = router->mtu > IP6_MTU_MIN ? router->mtu : IP6_MTU_MIN; /* every link carries so much */
    if (length - ETHER_HEADER_BYTES <= mtu)
        router->forward(router->context, frame, length);
    else if (!router->black_hole)
        complain6(router, frame, mtu);
}

void router_handle(const struct router *router, const uint8_t *frame, uint32_t length) {
    const uint8_t *ip = frame + ETHER_HEADER_BYTES;
    uint32_t header_length = (ip[0] & 15) * 4u;
    if (wire_get16(frame + 12) == ETHER_TYPE_IP6)
        handle6(router, frame, length);
    else if (length - ETHER_HEADER_BYTES <= router->mtu || wire_get16(frame + 12) != ETHER_TYPE_IP)
        router->forward(router->context, frame, length);
    else if (!(wire_get16(ip + 6) & IP_DONT_FRAGMENT))
        cut(router, frame, header_length, wire_get16(ip + 2));
    else if (!router->black_hole)
        complain(router, frame, header_length);
}
