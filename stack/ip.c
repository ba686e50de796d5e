/*
 * ip.c - see ip.h. Options are skipped; fragments are counted and dropped.
 */
#include "ip.h"
#include "checksum.h"
#include "ether.h"
#include "stack.h"
#include "wire.h"
#include <errno.h>

#define IP_DONT_FRAGMENT 0x4000u
#define IP_FRAGMENT_MASK 0x3fffu /* more fragments, and the offset */

int ip_route_add(struct ip_routes *routes, uint32_t destination, uint32_t mask, uint32_t gateway) {
    if (routes->count == IP_ROUTES_MAX)
        return -ENOBUFS;
    routes->routes[routes->count++] = (struct ip_route){destination & mask, mask, gateway};
    return 0;
}

int ip_route_lookup(const struct ip_routes *routes, uint32_t destination, uint32_t *next_hop) {
    const struct ip_route *best = NULL;
    for (uint32_t i = 0; i < routes->count; i++) {
        const struct ip_route *route = &routes->routes[i];
        if ((destination & route->mask) == route->destination && (!best || route->mask > best->mask))
            best = route;
    }
    if (!best)
        return -ENETUNREACH;
    *next_hop = best->gateway ? best->gateway : destination;
    return 0;
}

void ip_confirm(struct stack *stack, uint32_t destination) {
    uint32_t next_hop;
    if (!ip_is_local(stack, destination) && ip_route_lookup(&stack->routes, destination, &next_hop) == 0)
        arp_confirm(stack, next_hop);
}

bool ip_is_local(const struct stack *stack, uint32_t address) {
    return address == stack->config.address || (stack->config.loopback && ip_is_loopback(address));
}

bool ip_is_loopback(uint32_t address) {
    return address >> 24 == 127;
}

uint32_t ip_source(const struct stack *stack, uint32_t destination) {
    return ip_is_loopback(destination) ? IP_LOOPBACK : stack->config.address;
}

uint32_t ip_mtu(const struct stack *stack, uint32_t destination) {
    return ip_is_local(stack, destination) ? STACK_MTU_MAX : stack->config.mtu;
}

static uint32_t subnet_broadcast(const struct stack *stack) {
    uint8_t prefix = stack->config.prefix_length;
    uint32_t hosts = prefix == 0 ? UINT32_MAX : prefix >= 31 ? 0 : UINT32_MAX >> prefix;
    return hosts ? stack->config.address | hosts : UINT32_MAX;
}

static bool is_broadcast(const struct stack *stack, uint32_t address) {
    return address == UINT32_MAX || address == subnet_broadcast(stack);
}

static bool is_multicast(uint32_t address) {
    return address >> 28 == 0xe;
}

/* Sources that no packet from the wire may bear (RFC 1122 section 3.2.1.3, RFC 1812 section 5.3.7). */
static bool is_martian(const struct stack *stack, uint32_t source) {
    return is_multicast(source) || is_broadcast(stack, source) || source >> 24 == 127 || source >> 24 == 0;
}

/* Checks the header and trims link padding. Returns the header's length, or 0. */
static uint32_t check_header(struct stack *stack, struct buffer *chain, const uint8_t *header) {
    uint32_t present = buffer_chain_length(chain);
    if (buffer_length(chain) < IP_HEADER_BYTES || header[0] >> 4 != 4)
        goto bad;
    uint32_t header_length = (header[0] & 15) * 4u;
    uint32_t total = wire_get16(header + 2);
    if (header_length < IP_HEADER_BYTES || header_length > buffer_length(chain) || total < header_length)
        goto bad;
    if (checksum_fold(checksum_add(0, header, header_length)) != 0xffff)
        goto bad;
    if (total > present) {
        stack->mib.IpExtInTruncatedPkts++;
        return 0;
    }
    buffer_trim_back(&stack->buffers, chain, total);
    return header_length;
bad:
    stack->mib.IpInHdrErrors++;
    return 0;
}

static void deliver(struct stack *stack, struct ip_packet *packet) {
    switch (packet->protocol) {
    case IP_PROTOCOL_TCP:
        tcp_input(stack, packet);
        break;
    case IP_PROTOCOL_UDP:
        udp_input(stack, packet);
        break;
    case IP_PROTOCOL_ICMP:
        icmp_input(stack, packet);
        break;
    default:
        stack->mib.IpInUnknownProtos++;
        icmp_send_unreachable(stack, packet, ICMP_PROTOCOL_UNREACHABLE);
        break;
    }
}

void ip_input(struct stack *stack, struct buffer *chain, unsigned flags) {
    const uint8_t *header = buffer_data(chain);
    struct ip_packet packet = {
        .header_at = chain->start, .checksum_partial = flags & IP_INPUT_CHECKSUM_PARTIAL, .chain = chain};
    stack->mib.IpInReceives++;
    uint32_t header_length = check_header(stack, chain, header);
    if (!header_length)
        goto drop;
    packet.source = wire_get32(header + 12);
    packet.destination = wire_get32(header + 16);
    packet.protocol = header[9];
    packet.ttl = header[8];
    packet.tos = header[1];
    packet.multicast = flags & IP_INPUT_LINK_MULTICAST || is_broadcast(stack, packet.destination) ||
                       is_multicast(packet.destination);
    bool looped = flags & IP_INPUT_LOOPED;
    bool spoofed = !looped && (ip_is_local(stack, packet.source) || ip_is_loopback(packet.destination));
    if (!ip_is_local(stack, packet.destination) && !is_broadcast(stack, packet.destination)) {
        stack->mib.IpInAddrErrors++;
        goto drop;
    }
    if ((!looped && is_martian(stack, packet.source)) || spoofed) {
        stack->mib.IpInAddrErrors++;
        goto drop;
    }
    if (wire_get16(header + 6) & IP_FRAGMENT_MASK) {
        stack->mib.IpReasmFails++;
        goto drop;
    }
    stack->mib.IpInDelivers++;
    packet.length = wire_get16(header + 2) - header_length;
    chain->start += header_length; /* the buffer stays, even when nothing follows: errors quote its header */
    deliver(stack, &packet);
drop:
    buffer_drop_chain(&stack->buffers, packet.chain);
}

static void write_header(struct stack *stack, struct frame *frame, uint32_t source, uint32_t destination,
                         uint8_t protocol, uint8_t ttl, uint8_t tos) {
    uint8_t *header = frame->header + FRAME_IP_AT;
    uint16_t length = (uint16_t)(frame->header_length - FRAME_IP_AT + frame->payload_length);
    header[0] = 0x45;
    header[1] = tos;
    wire_put16(header + 2, length);
    wire_put16(header + 4, stack->ip_identification++);
    wire_put16(header + 6, IP_DONT_FRAGMENT);
    header[8] = ttl;
    header[9] = protocol;
    wire_put16(header + 10, 0);
    wire_put32(header + 12, source);
    wire_put32(header + 16, destination);
    wire_put_sum(header + 10, (uint16_t)~checksum_fold(checksum_add(0, header, IP_HEADER_BYTES)));
}

int ip_output(struct stack *stack, struct frame *frame, uint32_t source, uint32_t destination,
              uint8_t protocol, uint8_t ttl, uint8_t tos) {
    uint32_t next_hop = destination;
    write_header(stack, frame, source, destination, protocol, ttl, tos);
    stack->mib.IpOutRequests++;
    if (ip_is_local(stack, destination)) {
        int result = stack_loop_back(stack, frame);
        frame_release(&stack->buffers, frame);
        return result;
    }
    if (is_broadcast(stack, destination)) {
        ether_output(stack, frame, ETHER_BROADCAST, ETHER_TYPE_IP);
        return 0;
    }
    if (ip_route_lookup(&stack->routes, destination, &next_hop)) {
        stack->mib.IpOutNoRoutes++;
        frame_release(&stack->buffers, frame);
        return -ENETUNREACH;
    }
    int result = arp_output(stack, frame, next_hop);
    if (result)
        stack->mib.IpOutDiscards++;
    return result;
}

void ip_error(struct stack *stack, const uint8_t *header, uint32_t length, int error) {
    uint32_t header_length = (header[0] & 15) * 4u;
    if (length < IP_HEADER_BYTES || header_length < IP_HEADER_BYTES || length < header_length + 8)
        return;
    uint32_t local = wire_get32(header + 12), remote = wire_get32(header + 16);
    const uint8_t *transport = header + header_length;
    uint16_t local_port = wire_get16(transport), remote_port = wire_get16(transport + 2);
    if (header[9] == IP_PROTOCOL_TCP)
        tcp_error(stack, local, local_port, remote, remote_port, wire_get32(transport + 4), error);
    else if (header[9] == IP_PROTOCOL_UDP)
        udp_error(stack, local, local_port, remote, remote_port, error);
}
