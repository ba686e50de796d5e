/* SPDX-License-Identifier: MIT */
/*
 * router_arp.c - a router's ARP (RFC 826), on each port for that port's addresses.
 */
#include "stack/link/ether.h"
#include "stack/router/router.h"

#define ARP_BYTES 28u
#define REQUEST 1u
#define REPLY 2u

static void send_arp(struct router *router, int port, uint16_t operation, uint32_t source, uint32_t target,
                     const uint8_t target_mac[6], const uint8_t to[6]) {
    struct router_packet *packet = router_new_packet(router, ARP_BYTES);
    if (!packet)
        return;
    uint8_t *arp = router_packet_ip(packet);
    wire_put16(arp, 1);
    wire_put16(arp + 2, ETHER_TYPE_IP);
    arp[4] = ETHER_ADDRESS_BYTES;
    arp[5] = 4;
    wire_put16(arp + 6, operation);
    memcpy(arp + 8, router->ports[port].config.mac, ETHER_ADDRESS_BYTES);
    wire_put32(arp + 14, source);
    if (target_mac)
        memcpy(arp + 18, target_mac, ETHER_ADDRESS_BYTES);
    wire_put32(arp + 24, target);
    router_enqueue(router, port, packet, to, ETHER_TYPE_ARP);
}

void router_arp_ask(struct router *router, int port, uint32_t address, const uint8_t to[6]) {
    struct ip_address source = router_source(router, port, ip_from_v4(address));
    if (!ip_is_any(source))
        send_arp(router, port, REQUEST, ip_to_v4(source), address, NULL, to ? to : ETHER_BROADCAST);
}

void router_arp_announce(struct router *router, int port, uint32_t address) {
    send_arp(router, port, REQUEST, address, address, NULL, ETHER_BROADCAST);
}

void router_arp_input(struct router *router, int port, const uint8_t *arp, uint32_t length) {
    if (length < ARP_BYTES || wire_get16(arp) != 1 || wire_get16(arp + 2) != ETHER_TYPE_IP ||
        arp[4] != ETHER_ADDRESS_BYTES || arp[5] != 4)
        return;
    uint16_t operation = wire_get16(arp + 6);
    const uint8_t *mac = arp + 8;
    uint32_t sender = wire_get32(arp + 14), target = wire_get32(arp + 24);
    bool ours = router_port_of(router, ip_from_v4(target)) == port;
    /* RFC 826: who asks for us is going to be answered; of others only what is known already is renewed. */
    if (sender && router_port_of(router, ip_from_v4(sender)) < 0 &&
        router_is_on_link(router, port, ip_from_v4(sender)))
        router_neighbour_heard(router, port, ip_from_v4(sender), mac, ours, operation == REPLY && ours);
    if (operation == REQUEST && ours)
        send_arp(router, port, REPLY, target, sender, mac, mac);
}
