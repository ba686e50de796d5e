/* SPDX-License-Identifier: MIT */
/*
 * router.c - see router.h: ports, and the way in and out.
 */
#include "stack/router/router.h"
#include "stack/base/minmax.h"
#include "stack/link/ether.h"

void router_init(struct router *router, uint64_t now_ns, const uint8_t seed[RANDOM_SEED_BYTES]) {
    random_init(&router->random, seed);
    router->nat_port = -1;
    router->now_ns = router->icmp_filled_ns = now_ns;
    router->icmp_tokens = ROUTER_ICMP_BURST;
    router->identification = (uint16_t)random_u64(&router->random);
}

/* fe80::/64 with the EUI-64 of its MAC address (RFC 4291 appendix A). */
static struct router_address link_local_of(const uint8_t mac[6]) {
    struct router_address own = {.bits = 64};
    uint8_t *bytes = own.address.bytes;
    memcpy(bytes, (uint8_t[]){0xfe, 0x80}, 2);
    memcpy(bytes + 8, mac, 3);
    memcpy(bytes + 11, (uint8_t[]){0xff, 0xfe}, 2);
    memcpy(bytes + 13, mac + 3, 3);
    bytes[8] ^= 2;
    return own;
}

int router_add_port(struct router *router, const struct router_port_config *config) {
    struct router_port *port = &router->ports[router->port_count];
    bool six = false;
    if (router->port_count == ROUTER_PORTS_MAX || config->address_count >= ROUTER_ADDRESSES_MAX)
        return -1;
    *port = (struct router_port){.config = *config, .queue = {.config = config->queue}};
    if (!config->mtu)
        port->config.mtu = ROUTER_MTU_MAX;
    for (uint32_t i = 0; i < config->address_count; i++)
        six |= !ip_is_v4(config->addresses[i].address);
    if (config->mtu > ROUTER_MTU_MAX || port->config.mtu < (six ? 1280 : 68))
        return -1;
    for (uint32_t i = 0; i < config->address_count; i++) {
        struct router_route link = {
            config->addresses[i].address, config->addresses[i].bits, (uint8_t)router->port_count, {{{0}}}};
        if (!router_routes_add(&router->routes, &link))
            return -1;
        if (ip_is_v4(config->addresses[i].address))
            router_arp_announce(router, router->port_count, ip_to_v4(config->addresses[i].address));
    }
    if (six)
        port->config.addresses[port->config.address_count++] = link_local_of(config->mac);
    port->advertise_ns = six && config->advertise ? router->now_ns : 0;
    return router->port_count++;
}

bool router_set_nat(struct router *router, int port) {
    const struct router_port_config *config = &router->ports[port].config;
    for (uint32_t i = 0; i < config->address_count; i++)
        if (ip_is_v4(config->addresses[i].address)) {
            router->nat_port = port;
            nat_init(&router->nat, ip_to_v4(config->addresses[i].address), &router->random);
            return true;
        }
    return false;
}

bool router_is_on_link(const struct router *router, int port, struct ip_address address) {
    const struct router_port_config *config = &router->ports[port].config;
    for (uint32_t i = 0; i < config->address_count; i++)
        if (ip_common_bits(config->addresses[i].address, address) >= config->addresses[i].bits)
            return true;
    return false;
}

bool router_add_route(struct router *router, struct ip_address prefix, uint8_t bits,
                      struct ip_address next_hop) {
    for (int i = 0; i < router->port_count; i++)
        if (router_is_on_link(router, i, next_hop) && router_port_of(router, next_hop) < 0) {
            struct router_route route = {prefix, bits, (uint8_t)i, next_hop};
            return ip_is_v4(prefix) == ip_is_v4(next_hop) && router_routes_add(&router->routes, &route);
        }
    return false;
}

int router_port_of(const struct router *router, struct ip_address address) {
    for (int i = 0; i < router->port_count; i++)
        for (uint32_t j = 0; j < router->ports[i].config.address_count; j++)
            if (ip_equal(router->ports[i].config.addresses[j].address, address))
                return i;
    return -1;
}

struct ip_address router_source(const struct router *router, int port, struct ip_address towards) {
    const struct router_port_config *config = &router->ports[port].config;
    struct ip_address best = {0};
    uint32_t common = 0;
    for (uint32_t i = 0; i < config->address_count; i++) {
        struct ip_address own = config->addresses[i].address;
        bool fits = ip_is_v4(own) == ip_is_v4(towards) &&
                    (ip_is_v4(own) || ip_is_link_local(own) == ip_is_link_local(towards));
        if (fits && (ip_is_any(best) || ip_common_bits(own, towards) > common)) {
            best = own;
            common = ip_common_bits(own, towards);
        }
    }
    return best;
}

void router_drop(struct router *router, struct router_packet *packet, uint64_t *counter) {
    *counter += 1;
    router_packet_free(&router->packets, packet);
}

struct router_packet *router_new_packet(struct router *router, uint32_t ip_bytes) {
    struct router_packet *packet = router_packet_take(&router->packets);
    if (!packet) {
        router->counters.discarded++;
        return NULL;
    }
    packet->length = ETHER_HEADER_BYTES + ip_bytes;
    memset(packet->frame, 0, packet->length);
    return packet;
}

bool router_icmp_allowed(struct router *router) {
    uint64_t new = (router->now_ns - router->icmp_filled_ns) * ROUTER_ICMP_PER_SECOND / 1000000000;
    if (new > 0) {
        router->icmp_tokens = (uint32_t)min_u64(router->icmp_tokens + new, ROUTER_ICMP_BURST);
        router->icmp_filled_ns = router->now_ns;
    }
    router->counters.icmp_limited += router->icmp_tokens == 0;
    router->counters.icmp_errors += router->icmp_tokens > 0;
    return router->icmp_tokens > 0 && router->icmp_tokens-- > 0;
}

void router_enqueue(struct router *router, int port, struct router_packet *packet, const uint8_t to[6],
                    uint16_t type) {
    memcpy(packet->frame, to, ETHER_ADDRESS_BYTES);
    memcpy(packet->frame + 6, router->ports[port].config.mac, ETHER_ADDRESS_BYTES);
    wire_put16(packet->frame + 12, type);
    router_queue_put(&router->ports[port].queue, &router->packets, &router->random, router->now_ns, packet);
}

void router_transmit(struct router *router, int port, struct ip_address next_hop,
                     struct router_packet *packet) {
    uint8_t *ip = router_packet_ip(packet);
    if (port == router->nat_port && packet->in_port != port && ip_is_v4(next_hop)) {
        enum nat_verdict verdict = nat_outward(&router->nat, router->now_ns, ip, router_packet_bytes(packet));
        if (verdict == NAT_DROPPED) {
            router_drop(router, packet, &router->counters.discarded);
            return;
        }
    }
    router_neighbour_send(router, port, next_hop, packet);
}

void router_send_by(struct router *router, int port, struct ip_address next_hop,
                    struct router_packet *packet) {
    if (router_packet_bytes(packet) <= router->ports[port].config.mtu)
        router_transmit(router, port, next_hop, packet);
    else if (ip_is_v4(next_hop))
        router_ip4_fragment(router, port, next_hop, packet);
    else
        router_ip6_fragment(router, port, next_hop, packet);
}

void router_send(struct router *router, struct router_packet *packet) {
    const uint8_t *ip = router_packet_ip(packet);
    struct ip_address to = ip[0] >> 4 == 4 ? ip_from_v4(wire_get32(ip + 16)) : ip_from_bytes(ip + 24);
    const struct router_route *route = router_routes_find(&router->routes, to);
    if (!route || (ip_is_any(route->next_hop) && router_port_of(router, to) >= 0)) {
        router_drop(router, packet, &router->counters.no_routes);
        return;
    }
    router_send_by(router, route->port, ip_is_any(route->next_hop) ? to : route->next_hop, packet);
}

static bool is_for_us(const struct router *router, int port, const uint8_t *frame) {
    return frame[0] & 1 || memcmp(frame, router->ports[port].config.mac, ETHER_ADDRESS_BYTES) == 0;
}

void router_input(struct router *router, int port, uint64_t now_ns, const uint8_t *frame, uint32_t length) {
    struct router_packet *packet;
    router->now_ns = max_u64(now_ns, router->now_ns);
    if (length < ETHER_HEADER_BYTES || length > ROUTER_FRAME_MAX || !is_for_us(router, port, frame))
        return;
    router->ports[port].received++;
    router->ports[port].received_bytes += length;
    uint16_t type = wire_get16(frame + 12);
    if (type == ETHER_TYPE_ARP)
        router_arp_input(router, port, frame + ETHER_HEADER_BYTES, length - ETHER_HEADER_BYTES);
    if (type != ETHER_TYPE_IP && type != ETHER_TYPE_IP6)
        return;
    if (!(packet = router_packet_take(&router->packets))) {
        router->counters.discarded++;
        return;
    }
    memcpy(packet->frame, frame, length);
    packet->length = length;
    packet->in_port = port;
    if (type == ETHER_TYPE_IP)
        router_ip4_receive(router, packet);
    else
        router_ip6_receive(router, packet);
}

uint32_t router_output(struct router *router, int port, uint64_t now_ns, uint8_t *frame) {
    router->now_ns = max_u64(now_ns, router->now_ns);
    struct router_packet *packet =
        router_queue_take(&router->ports[port].queue, &router->packets, router->now_ns);
    if (!packet)
        return 0;
    uint32_t length = packet->length;
    memcpy(frame, packet->frame, length);
    router_packet_free(&router->packets, packet);
    return length;
}

void router_unreachable(struct router *router, const struct router_packet *packet) {
    const uint8_t *ip = packet->frame + ETHER_HEADER_BYTES;
    if (ip[0] >> 4 == 4)
        router_icmp4_error(router, packet, 3, 1, 0);
    else
        router_icmp6_error(router, packet, 1, 3, 0);
}

static uint64_t advertisement_due(const struct router_port *port) {
    uint64_t due_ns = port->advertise_ns ? port->advertise_ns : ROUTER_NEVER;
    return port->answer_ns ? min_u64(due_ns, port->answer_ns) : due_ns;
}

void router_advance(struct router *router, uint64_t now_ns) {
    router->now_ns = max_u64(now_ns, router->now_ns);
    router_neighbours_advance(router);
    if (router->nat_port >= 0)
        nat_advance(&router->nat, router->now_ns);
    for (int i = 0; i < router->port_count; i++)
        if (advertisement_due(&router->ports[i]) <= router->now_ns)
            router_nd_advertise(router, i);
}

uint64_t router_next(const struct router *router) {
    uint64_t next_ns = router_neighbours_next(router);
    if (router->nat_port >= 0)
        next_ns = min_u64(next_ns, nat_next(&router->nat));
    for (int i = 0; i < router->port_count; i++) {
        next_ns = min_u64(next_ns, advertisement_due(&router->ports[i]));
        next_ns = min_u64(next_ns, router_queue_next(&router->ports[i].queue));
    }
    return next_ns;
}
