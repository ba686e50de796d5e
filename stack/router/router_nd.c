/* SPDX-License-Identifier: MIT */
/*
 * router_nd.c - a router's Neighbor Discovery (RFC 4861): who has which MAC address, and what it says of
 * itself: its networks, from whose prefixes hosts make themselves addresses (RFC 4862), its life, its MTU.
 */
#include "stack/base/minmax.h"
#include "stack/ip/nd.h"
#include "stack/router/router.h"

#define SOLICITATION_BYTES 24u
#define ADVERTISEMENT_BYTES 16u /* of a router's */
#define OPTION_MAC_BYTES 8u
#define OPTION_MTU_BYTES 8u
#define OPTION_PREFIX_BYTES 32u
#define LIFE_S 1800u
#define VALID_S 86400u /* of a prefix */
#define PREFERRED_S 14400u
#define FLAG_ROUTER 0x80u /* of a neighbour's advertisement */
#define FLAG_SOLICITED 0x40u
#define FLAG_OVERRIDE 0x20u

static const struct ip_address ALL_NODES = {.bytes = {0xff, 2, [15] = 1}};
static const struct ip_address LINK_LOCAL = {.bytes = {0xfe, 0x80}};

static void put_mac_option(const struct router *router, int port, uint8_t *at, uint8_t kind) {
    at[0] = kind;
    at[1] = 1;
    memcpy(at + 2, router->ports[port].config.mac, ETHER_ADDRESS_BYTES);
}

/* A message to a group leaves without asking for anybody. */
static void send_to_group(struct router *router, int port, struct router_packet *packet,
                          struct ip_address group) {
    uint8_t mac[6] = {0x33, 0x33};
    memcpy(mac + 2, group.bytes + 12, 4);
    router_enqueue(router, port, packet, mac, ETHER_TYPE_IP6);
}

void router_nd_ask(struct router *router, int port, struct ip_address target, const uint8_t to[6]) {
    struct router_packet *packet =
        router_new_packet(router, IP6_HEADER_BYTES + SOLICITATION_BYTES + OPTION_MAC_BYTES);
    if (!packet)
        return;
    uint8_t *ip = router_packet_ip(packet), *message = ip + IP6_HEADER_BYTES;
    struct ip_address group = ip_solicited_node(target);
    message[0] = 135;
    memcpy(message + 8, target.bytes, IP_ADDRESS_BYTES);
    put_mac_option(router, port, message + SOLICITATION_BYTES, ND_OPTION_SOURCE_MAC);
    router_icmp6_finish(ip, SOLICITATION_BYTES + OPTION_MAC_BYTES, router_source(router, port, target),
                        to ? target : group, ND_HOP_LIMIT);
    if (to)
        router_enqueue(router, port, packet, to, ETHER_TYPE_IP6);
    else
        send_to_group(router, port, packet, group);
}

/* The answer to who asks for an address of ours; to all, if who asks has no address yet. */
static void answer_solicitation(struct router *router, int port, struct ip_address sender,
                                struct ip_address target) {
    struct router_packet *packet =
        router_new_packet(router, IP6_HEADER_BYTES + SOLICITATION_BYTES + OPTION_MAC_BYTES);
    if (!packet)
        return;
    uint8_t *ip = router_packet_ip(packet), *message = ip + IP6_HEADER_BYTES;
    bool all = ip_is_any(sender);
    message[0] = 136;
    message[4] = (uint8_t)(FLAG_ROUTER | FLAG_OVERRIDE | (all ? 0 : FLAG_SOLICITED));
    memcpy(message + 8, target.bytes, IP_ADDRESS_BYTES);
    put_mac_option(router, port, message + SOLICITATION_BYTES, ND_OPTION_TARGET_MAC);
    router_icmp6_finish(ip, SOLICITATION_BYTES + OPTION_MAC_BYTES, target, all ? ALL_NODES : sender,
                        ND_HOP_LIMIT);
    if (all)
        send_to_group(router, port, packet, ALL_NODES);
    else
        router_transmit(router, port, sender, packet);
}

/* Options of `kind`, checked as a whole (RFC 4861 section 4.6). False: they are malformed. */
static bool find_option(const uint8_t *at, uint32_t left, uint8_t kind, const uint8_t **found) {
    *found = NULL;
    while (left > 0) {
        uint32_t bytes = left >= 2 ? at[1] * 8u : 0;
        if (bytes == 0 || bytes > left)
            return false;
        if (at[0] == kind && !*found)
            *found = at;
        at += bytes;
        left -= bytes;
    }
    return true;
}

static void solicited(struct router *router, int port, struct ip_address sender, const uint8_t *message,
                      uint32_t length) {
    const uint8_t *mac;
    struct ip_address target = ip_from_bytes(message + 8);
    if (!find_option(message + SOLICITATION_BYTES, length - SOLICITATION_BYTES, ND_OPTION_SOURCE_MAC, &mac) ||
        router_port_of(router, target) != port)
        return;
    if (mac && !ip_is_any(sender))
        router_neighbour_heard(router, port, sender, mac + 2, true, false);
    answer_solicitation(router, port, sender, target);
}

static void advertised(struct router *router, int port, const uint8_t *message, uint32_t length) {
    const uint8_t *mac;
    struct ip_address target = ip_from_bytes(message + 8);
    struct router_neighbour *entry = router_neighbour_find(router, port, target);
    if (!find_option(message + SOLICITATION_BYTES, length - SOLICITATION_BYTES, ND_OPTION_TARGET_MAC, &mac) ||
        !entry || (!mac && !entry->known))
        return;
    bool other = mac && entry->known && memcmp(mac + 2, entry->mac, sizeof entry->mac) != 0;
    if (other && !(message[4] & FLAG_OVERRIDE))
        return;
    router_neighbour_heard(router, port, target, mac ? mac + 2 : entry->mac, false,
                           message[4] & FLAG_SOLICITED);
}

void router_nd_input(struct router *router, int port, const uint8_t *ip, const uint8_t *message,
                     uint32_t length) {
    struct ip_address sender = ip_from_bytes(ip + 8);
    struct router_port *own = &router->ports[port];
    const uint8_t *mac;
    if (message[0] == 133 && own->advertise_ns &&
        find_option(message + 8, length - 8, ND_OPTION_SOURCE_MAC, &mac)) {
        if (mac && !ip_is_any(sender))
            router_neighbour_heard(router, port, sender, mac + 2, true, false);
        if (!own->answer_ns)
            own->answer_ns = router->now_ns + random_below(&router->random, ROUTER_RA_DELAY_NS);
    }
    if (length < SOLICITATION_BYTES)
        return;
    if (message[0] == 135)
        solicited(router, port, sender, message, length);
    if (message[0] == 136)
        advertised(router, port, message, length);
}

static uint8_t *put_prefix(uint8_t *at, const struct router_address *own) {
    struct ip_address prefix = ip_prefix(own->address, own->bits);
    at[0] = ND_OPTION_PREFIX;
    at[1] = OPTION_PREFIX_BYTES / 8;
    at[2] = own->bits;
    at[3] = own->bits == 64 ? 0xc0 : 0x80; /* on the link; and good for addresses */
    wire_put32(at + 4, VALID_S);
    wire_put32(at + 8, PREFERRED_S);
    memcpy(at + 16, prefix.bytes, IP_ADDRESS_BYTES);
    return at + OPTION_PREFIX_BYTES;
}

/* When the next one is due that nobody asks for. */
static uint64_t next_advertisement(struct router *router, struct router_port *port) {
    if (++port->advertised < ROUTER_RA_FIRST)
        return router->now_ns + ROUTER_RA_FIRST_NS;
    uint64_t spread = (ROUTER_RA_MOST_NS - ROUTER_RA_LEAST_NS) / 1000000;
    return router->now_ns + ROUTER_RA_LEAST_NS +
           random_below(&router->random, (uint32_t)spread) * UINT64_C(1000000);
}

void router_nd_advertise(struct router *router, int number) {
    struct router_port *port = &router->ports[number];
    const struct router_port_config *config = &port->config;
    uint32_t room = ADVERTISEMENT_BYTES + OPTION_MAC_BYTES + OPTION_MTU_BYTES +
                    ROUTER_ADDRESSES_MAX * OPTION_PREFIX_BYTES;
    struct router_packet *packet = router_new_packet(router, IP6_HEADER_BYTES + room);
    port->answer_ns = 0;
    port->advertise_ns = next_advertisement(router, port);
    if (!packet)
        return;
    uint8_t *ip = router_packet_ip(packet), *message = ip + IP6_HEADER_BYTES;
    uint8_t *at = message + ADVERTISEMENT_BYTES;
    message[0] = 134;
    message[4] = ROUTER_TTL;
    wire_put16(message + 6, LIFE_S);
    put_mac_option(router, number, at, ND_OPTION_SOURCE_MAC);
    at += OPTION_MAC_BYTES;
    at[0] = ND_OPTION_MTU;
    at[1] = 1;
    wire_put32(at + 4, config->mtu);
    at += OPTION_MTU_BYTES;
    for (uint32_t i = 0; i < config->address_count; i++)
        if (!ip_is_v4(config->addresses[i].address) && !ip_is_link_local(config->addresses[i].address))
            at = put_prefix(at, &config->addresses[i]);
    packet->length = (uint32_t)(at - packet->frame);
    router_icmp6_finish(ip, (uint32_t)(at - message), router_source(router, number, LINK_LOCAL), ALL_NODES,
                        ND_HOP_LIMIT);
    send_to_group(router, number, packet, ALL_NODES);
}
