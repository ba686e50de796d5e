/* SPDX-License-Identifier: MIT */
/*
 * routers6.c - see routers6.h.
 */
#include "tests/simulation/routers6.h"
#include "nic/splitmix.h"
#include "stack/base/checksum.h"
#include "stack/base/timer.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6.h"
#include "stack/ip/nd.h"
#include "stack/link/ether.h"

#define SECOND UINT64_C(1000000000)
#define GATEWAY ROUTERS6 /* B's own, which is always there */
#define ADVERTISEMENT_BYTES (16u + 8 + 2 * 32)

static uint64_t below(struct routers6 *routers, uint64_t limit) {
    return splitmix64(&routers->random) % limit;
}

struct ip_address routers6_far(void) {
    return (struct ip_address){.bytes = {0x20, 1, 0xd, 0xb8, 0xff, 0xff, [15] = 2}};
}

static struct ip_address router_address(int router) {
    return (struct ip_address){.bytes = {0xfe, 0x80, [15] = (uint8_t)(0xf0 + router)}};
}

struct ip_address routers6_gateway(void) {
    return router_address(GATEWAY);
}

static void router_mac(int router, uint8_t mac[6]) {
    static const uint8_t first[6] = {2, 0, 0, 0, 0, 0xf0};
    memcpy(mac, first, 6);
    mac[5] = (uint8_t)(0xf0 + router);
}

static struct ip_address prefix_of(uint32_t number) {
    return (struct ip_address){.bytes = {0x20, 1, 0xd, 0xb8, 1, (uint8_t)number}};
}

bool routers6_gave(const struct routers6 *routers, struct ip_address address) {
    for (uint32_t i = 1; i <= routers->prefixes; i++)
        if (ip_equal(ip_prefix(address, 64), prefix_of(i)))
            return true;
    return false;
}

void routers6_begin(struct routers6 *routers, uint64_t seed, uint64_t until_ns) {
    routers->random = seed;
    routers->until_ns = until_ns;
    routers->next_ns = below(routers, SECOND);
    for (int i = 0; i < ROUTERS6; i++) {
        routers->routers[i].up = i == 0 || below(routers, 2);
        routers->routers[i].prefix = ++routers->prefixes;
    }
}

/* A message of ICMPv6 from a router to everybody, or to one host. */
static void send_message(struct routers6 *routers, int router, int side, const struct ip_address *to,
                         uint8_t *message, uint32_t length) {
    uint8_t frame[ETHER_HEADER_BYTES + IP6_HEADER_BYTES + 128] = {0};
    uint8_t *ip = frame + ETHER_HEADER_BYTES;
    struct ip_address from = router_address(router), destination = to ? *to : IP6_ALL_NODES;
    uint64_t sum = checksum_pseudo_header(from, destination, IP_PROTOCOL_ICMP6, (uint16_t)length);
    wire_put16(message + 2, 0);
    wire_put_sum(message + 2, (uint16_t)~checksum_fold(checksum_add(sum, message, length)));
    ip6_group_mac(destination, frame);
    if (to)
        memcpy(frame, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(side + 1)}, 6);
    router_mac(router, frame + 6);
    wire_put16(frame + 12, ETHER_TYPE_IP6);
    ip[0] = 0x60;
    wire_put16(ip + 4, (uint16_t)length);
    ip[6] = IP_PROTOCOL_ICMP6;
    ip[7] = 255;
    memcpy(ip + 8, from.bytes, 16);
    memcpy(ip + 24, destination.bytes, 16);
    memcpy(ip + IP6_HEADER_BYTES, message, length);
    routers->deliver(routers->context, side, frame, ETHER_HEADER_BYTES + IP6_HEADER_BYTES + length);
}

static uint32_t put_prefix(uint8_t *to, uint32_t number, uint32_t valid_s, uint32_t preferred_s) {
    struct ip_address prefix = prefix_of(number);
    memset(to, 0, 32);
    to[0] = ND_OPTION_PREFIX;
    to[1] = 4;
    to[2] = 64;
    to[3] = 0xc0; /* on the link, autonomous */
    wire_put32(to + 4, valid_s);
    wire_put32(to + 8, preferred_s);
    memcpy(to + 16, prefix.bytes, 16);
    return 32;
}

/* What a router says of itself, with a lifetime of 0 that it is none any more; its prefix, and that the one before is for
 * what has begun only. One in three is lost. */
static void advertise(struct routers6 *routers, int router, uint16_t lifetime_s) {
    const struct router6 *own = &routers->routers[router];
    uint8_t message[ADVERTISEMENT_BYTES] = {ICMP6_ROUTER_ADVERTISEMENT,       0, 0, 0, 64,
                                            (uint8_t)(below(routers, 3) << 3)};
    uint32_t length = 16;
    if ((message[5] & 0x18) == 0x10)
        message[5] = 0; /* a preference that there is not */
    wire_put16(message + 6, lifetime_s);
    message[length] = ND_OPTION_SOURCE_MAC;
    message[length + 1] = 1;
    router_mac(router, message + length + 2);
    length += 8;
    uint32_t preferred_s = 5 + (uint32_t)below(routers, 60);
    length +=
        put_prefix(message + length, own->prefix, preferred_s + (uint32_t)below(routers, 200), preferred_s);
    if (own->before)
        length += put_prefix(message + length, own->before, (uint32_t)below(routers, 100), 0);
    if (below(routers, 3) > 0)
        send_message(routers, router, 0, NULL, message, length);
}

void routers6_act(struct routers6 *routers, uint64_t now_ns) {
    int router = (int)below(routers, ROUTERS6);
    struct router6 *own = &routers->routers[router];
    uint64_t what = below(routers, 10);
    if (what == 0 && own->up) {
        own->before = own->prefix;
        own->prefix = ++routers->prefixes;
        routers->tell("router %d renumbers to prefix %u", router, own->prefix);
    } else if (what == 1) {
        own->up = !own->up;
        routers->tell("router %d %s", router, own->up ? "is there again" : "falls silent");
    } else if (what == 2 && own->up) {
        own->up = false;
        routers->tell("router %d says that it is none any more", router);
        advertise(routers, router, 0);
    } else if (own->up) {
        advertise(routers, router, (uint16_t)(5 + below(routers, 60)));
    }
    routers->next_ns = now_ns < routers->until_ns ? now_ns + 1 + below(routers, 4 * SECOND) : TIMER_NEVER;
}

static bool is_up(const struct routers6 *routers, int router) {
    return router == GATEWAY || routers->routers[router].up;
}

/* Whose MAC address a frame goes to; -1: no router's. */
static int router_of(const uint8_t mac[6]) {
    for (int i = 0; i <= GATEWAY; i++) {
        uint8_t own[6];
        router_mac(i, own);
        if (memcmp(mac, own, 6) == 0)
            return i;
    }
    return -1;
}

/* A neighbour asks for a router's MAC address. */
static void answer_neighbour(struct routers6 *routers, int side, const uint8_t *ip, const uint8_t *message) {
    struct ip_address target = ip_from_bytes(message + 8), asks = ip_from_bytes(ip + 8);
    for (int router = 0; router <= GATEWAY; router++) {
        uint8_t answer[32] = {ICMP6_NEIGHBOUR_ADVERTISEMENT, [4] = 0xe0};
        if (!ip_equal(target, router_address(router)) || !is_up(routers, router) || ip_is_any(asks) ||
            (router == GATEWAY) != (side == 1))
            continue;
        memcpy(answer + 8, target.bytes, 16);
        answer[24] = ND_OPTION_TARGET_MAC;
        answer[25] = 1;
        router_mac(router, answer + 26);
        send_message(routers, router, side, &asks, answer, sizeof answer);
    }
}

bool routers6_take(struct routers6 *routers, int side, uint8_t *frame, uint32_t length) {
    uint8_t *ip = frame + ETHER_HEADER_BYTES, *message = ip + IP6_HEADER_BYTES;
    if (wire_get16(frame + 12) != ETHER_TYPE_IP6 || length < ETHER_HEADER_BYTES + IP6_HEADER_BYTES + 8)
        return false;
    bool icmp = ip[6] == IP_PROTOCOL_ICMP6;
    if (icmp && message[0] == ICMP6_NEIGHBOUR_SOLICITATION &&
        length >= ETHER_HEADER_BYTES + IP6_HEADER_BYTES + 24)
        answer_neighbour(routers, side, ip, message);
    for (int i = 0; i < ROUTERS6 && icmp && message[0] == ICMP6_ROUTER_SOLICITATION && side == 0; i++)
        if (is_up(routers, i) && routers->next_ns != TIMER_NEVER)
            advertise(routers, i, 60);
    int router = router_of(frame);
    if (router < 0)
        return false;
    if (!is_up(routers, router) || (router == GATEWAY) != (side == 1) || (icmp && ip[7] == 255))
        return true;
    memcpy(frame, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(2 - side)}, 6);
    return false;
}
