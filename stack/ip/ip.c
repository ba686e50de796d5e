/* SPDX-License-Identifier: MIT */
/*
 * ip.c - see ip.h.
 */
#include "stack/ip/ip.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip_fragment.h"
#include "stack/link/ether.h"
#include "stack/stack.h"
#include "stack/tcp/tcp_input.h"
#include "stack/tcp/tcp_pmtu.h"
#include <errno.h>

int ip_route_add(struct ip_routes *routes, uint32_t destination, uint32_t mask, uint32_t gateway) {
    struct ip_route route = {destination & mask, mask, gateway};
    for (uint32_t i = 0; i < routes->count; i++) {
        if (routes->routes[i].destination == route.destination && routes->routes[i].mask == mask) {
            routes->routes[i] = route;
            return 0;
        }
    }
    if (routes->count == IP_ROUTES_MAX)
        return -ENOBUFS;
    routes->routes[routes->count++] = route;
    return 0;
}

const struct ip_route *ip_route_find(const struct ip_routes *routes, uint32_t destination) {
    const struct ip_route *best = NULL;
    for (uint32_t i = 0; i < routes->count; i++) {
        const struct ip_route *route = &routes->routes[i];
        if ((destination & route->mask) == route->destination && (!best || route->mask > best->mask))
            best = route;
    }
    return best;
}

int ip_route_lookup(const struct ip_routes *routes, uint32_t destination, uint32_t *next_hop) {
    const struct ip_route *best = ip_route_find(routes, destination);
    if (!best)
        return -ENETUNREACH;
    *next_hop = best->gateway ? best->gateway : destination;
    return 0;
}

bool ip_route_names(const struct ip_routes *routes, uint32_t gateway) {
    for (uint32_t i = 0; i < routes->count; i++)
        if (routes->routes[i].gateway == gateway)
            return gateway;
    return false;
}

static void confirm4(struct stack *stack, uint32_t destination) {
    uint32_t next_hop;
    if (!ip4_is_local(stack, destination) && ip_route_lookup(&stack->routes, destination, &next_hop) == 0)
        neighbour_confirm(stack, ip_from_v4(next_hop));
}

void ip_confirm(struct stack *stack, struct ip_address destination) {
    if (ip_is_v4(destination))
        confirm4(stack, ip_to_v4(destination));
    else
        ip6_confirm(stack, destination);
}

bool ip_is_local(const struct stack *stack, struct ip_address address) {
    return ip_is_v4(address) ? ip4_is_local(stack, ip_to_v4(address)) : ip6_is_local(stack, address);
}

bool ip4_is_local(const struct stack *stack, uint32_t address) {
    return ip4_address_find(stack, address) || (stack->config.loopback && ip4_is_loopback(address));
}

bool ip4_is_loopback(uint32_t address) {
    return address >> 24 == 127;
}

bool ip4_is_multicast(uint32_t address) {
    return address >> 28 == 0xe;
}

uint32_t ip_scope_id(const struct stack *stack, struct ip_address address) {
    return ip_needs_scope(address) ? stack_interface_index(stack) : 0;
}

bool ip_is_broadcast(const struct stack *stack, struct ip_address address) {
    return ip_is_v4(address) && ip4_is_broadcast(stack, ip_to_v4(address));
}

bool ip4_is_broadcast(const struct stack *stack, uint32_t address) {
    return ip4_address_kind(stack, address) == IP4_BROADCAST;
}

static int reachable4(const struct stack *stack, uint32_t destination) {
    uint32_t next_hop;
    if (ip4_is_local(stack, destination) || ip4_is_multicast(destination) ||
        ip4_is_broadcast(stack, destination))
        return 0;
    return ip_route_lookup(&stack->routes, destination, &next_hop);
}

int ip_reachable(const struct stack *stack, struct ip_address destination) {
    return ip_is_v4(destination) ? reachable4(stack, ip_to_v4(destination))
                                 : ip6_reachable(stack, destination);
}

struct ip_address ip_source(const struct stack *stack, struct ip_address destination, unsigned preferences) {
    struct ip_address source = {0};
    if (ip_is_v4(destination))
        return ip_from_v4(ip4_source(stack, ip_to_v4(destination)));
    ip6_source(stack, destination, preferences, &source);
    return source;
}

uint32_t ip_mtu(const struct stack *stack, struct ip_address destination) {
    if (ip_is_v4(destination) && stack->paths.pool.used == 0) /* nothing is known of any path */
        return ip4_is_local(stack, ip_to_v4(destination)) ? STACK_MTU_MAX : stack->config.mtu;
    return ip_is_local(stack, destination) ? STACK_MTU_MAX : ip_path_mtu(stack, destination);
}

/* Sources that no packet from the wire may bear (RFC 1122 section 3.2.1.3, RFC 1812 section 5.3.7), and our own. */
static bool is_martian(const struct stack *stack, uint32_t source) {
    return ip4_is_multicast(source) || ip4_address_kind(stack, source) != IP4_NOBODYS ||
           ip4_is_loopback(source) || (source >> 24 == 0 && source != 0);
}

enum {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_RECORD_ROUTE = 7,
    OPTION_TIMESTAMP = 68,
    OPTION_LOOSE_ROUTE = 131,
    OPTION_STRICT_ROUTE = 137,
    OPTION_ROUTER_ALERT = 148,
};

/* Options are skipped, but they must be well formed (RFC 791 section 3.1). Returns the place of what is
 * wrong, or 0; *source_routed says that one of them wants to choose the way. */
static uint32_t check_options(const uint8_t *header, uint32_t header_length, bool *source_routed) {
    uint32_t at = IP_HEADER_BYTES;
    while (at < header_length && header[at] != OPTION_END) {
        if (header[at] == OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 1 >= header_length || header[at + 1] < 2 || at + header[at + 1] > header_length)
            return at;
        *source_routed |= header[at] == OPTION_LOOSE_ROUTE || header[at] == OPTION_STRICT_ROUTE;
        at += header[at + 1];
    }
    return 0;
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
    if (checksum_fold(checksum_header(header, header_length)) != 0xffff) {
        stack->mib.IpExtInCsumErrors++;
        goto bad;
    }
    if (total > present) {
        stack->mib.IpExtInTruncatedPkts++;
        return 0;
    }
    if (total < present) /* padding of the link's */
        buffer_trim_back(&stack->buffers, chain, total);
    return header_length;
bad:
    stack->mib.IpInHdrErrors++;
    return 0;
}

static void deliver(struct stack *stack, struct ip_packet *packet) {
    stack->mib.IpInDelivers++;
    bool raw = !list_empty(&stack->raw_sockets) && raw_input(stack, packet);
    switch (packet->protocol) {
    case IP_PROTOCOL_TCP:
        tcp_input(stack, packet);
        break;
    case IP_PROTOCOL_UDP:
    case IP_PROTOCOL_UDPLITE:
        udp_input(stack, packet);
        break;
    case IP_PROTOCOL_ICMP:
        icmp_input(stack, packet);
        break;
    case IP_PROTOCOL_IGMP:
        igmp_input(stack, packet);
        break;
    default:
        if (raw)
            break;
        stack->mib.IpInUnknownProtos++;
        icmp_send_error(stack, packet, ICMP_DESTINATION_UNREACHABLE, ICMP_PROTOCOL_UNREACHABLE, 0);
        break;
    }
}

/* RFC 791: whoever is on the way writes its address down, as far as there is room. */
static bool record_route(uint8_t *options, uint32_t length, uint32_t address) {
    bool recorded = false;
    for (uint32_t at = 0; at < length && options[at] != OPTION_END;
         at += options[at] == OPTION_NOP ? 1u : options[at + 1]) {
        uint8_t *option = options + at;
        if (option[0] != OPTION_RECORD_ROUTE || option[1] < 3 || option[2] < 4 || option[2] + 3u > option[1])
            continue;
        wire_put32(option + option[2] - 1, address);
        option[2] = (uint8_t)(option[2] + 4);
        recorded = true;
    }
    return recorded;
}

/* Whether a packet is for us, and may come from where it says it does. */
static bool addresses_are_valid(struct stack *stack, const struct ip_packet *packet, enum ip4_kind kind) {
    uint32_t source = ip_to_v4(packet->source), destination = ip_to_v4(packet->destination);
    if (packet->looped)
        return true;
    if (is_martian(stack, source) || ip4_is_loopback(destination))
        return false;
    if (kind == IP4_OWN)
        return source != 0;
    if (kind == IP4_BROADCAST)
        return true;
    if (ip4_is_multicast(destination))
        return multicast_wants(stack, ip_from_v4(destination), ip_from_v4(source));
    return dhcp_expects(stack, destination, packet->protocol);
}

void ip_input(struct stack *stack, struct buffer *chain, unsigned flags) {
    const uint8_t *header = buffer_data(chain);
    struct ip_packet packet = {.header_at = chain->start,
                               .checksum_partial = flags & IP_INPUT_CHECKSUM_PARTIAL,
                               .checksum_good = flags & IP_INPUT_CHECKSUM_GOOD,
                               .chain = chain};
    bool source_routed = false;
    stack->mib.IpInReceives++;
    uint32_t header_length = check_header(stack, chain, header);
    if (!header_length)
        goto drop;
    uint32_t destination = wire_get32(header + 16);
    bool group = ip4_is_multicast(destination);
    enum ip4_kind kind = ip4_address_kind(stack, destination);
    packet.source = ip_from_v4(wire_get32(header + 12));
    packet.destination = ip_from_v4(destination);
    packet.protocol = header[9];
    packet.ttl = header[8];
    packet.tos = header[1];
    packet.looped = flags & IP_INPUT_LOOPED;
    packet.multicast = flags & IP_INPUT_LINK_MULTICAST || kind == IP4_BROADCAST || group;
    packet.length = wire_get16(header + 2) - header_length;
    if (group)
        stack->mib.IpExtInMcastPkts++;
    else if (packet.multicast)
        stack->mib.IpExtInBcastPkts++;
    if (!addresses_are_valid(stack, &packet, kind)) {
        stack->mib.IpInAddrErrors++;
        goto drop;
    }
    chain->start += header_length; /* the buffer stays, even when nothing follows: errors quote its header */
    if (header_length > IP_HEADER_BYTES) {
        uint32_t wrong = check_options(header, header_length, &source_routed);
        if (wrong || source_routed) {
            stack->mib.IpInHdrErrors++;
            if (wrong)
                icmp_send_error(stack, &packet, ICMP_PARAMETER_PROBLEM, 0, wrong << 24);
            goto drop;
        }
        uint8_t *options = chain->storage + packet.header_at + IP_HEADER_BYTES;
        uint32_t own = ip4_is_local(stack, destination) ? destination : stack->config.address;
        if (record_route(options, header_length - IP_HEADER_BYTES, own))
            ip_seal_header(chain->storage + packet.header_at);
        packet.options.length = (uint8_t)(header_length - IP_HEADER_BYTES);
        memcpy(packet.options.bytes, header + IP_HEADER_BYTES, packet.options.length);
    }
    uint16_t fragment = wire_get16(header + 6);
    if (fragment & (IP_MORE_FRAGMENTS | IP_OFFSET_MASK) && !ip_reassemble(stack, &packet, fragment))
        goto drop;
    deliver(stack, &packet);
drop:
    buffer_drop_chain(&stack->buffers, packet.chain);
}

void ip_seal_header(uint8_t *header) {
    wire_put16(header + 10, 0);
    wire_put_sum(header + 10, (uint16_t)~checksum_fold(checksum_header(header, (header[0] & 15) * 4u)));
}

int ip_options_set(struct ip_options *options, const uint8_t *from, uint32_t length) {
    uint8_t header[IP_HEADER_BYTES + IP_OPTIONS_MAX] = {0};
    bool source_routed = false;
    if (length > IP_OPTIONS_MAX)
        return -EINVAL;
    memcpy(header + IP_HEADER_BYTES, from, length);
    if (check_options(header, IP_HEADER_BYTES + length, &source_routed) || source_routed)
        return -EINVAL;
    uint32_t at = IP_HEADER_BYTES;
    for (; at < IP_HEADER_BYTES + length && header[at] != OPTION_END;
         at += header[at] == OPTION_NOP ? 1u : header[at + 1]) {
        bool records = header[at] == OPTION_RECORD_ROUTE, stamps = header[at] == OPTION_TIMESTAMP;
        uint8_t least = records ? 4 : 5;
        if ((records || stamps) && (header[at + 1] < least - 1 || header[at + 2] < least))
            return -EINVAL;
        if (header[at] == OPTION_ROUTER_ALERT && header[at + 1] < 4)
            return -EINVAL;
    }
    memset(header + at, OPTION_END, sizeof header - at);
    options->length = (uint8_t)((length + 3) & ~3u);
    memcpy(options->bytes, header + IP_HEADER_BYTES, sizeof options->bytes);
    return 0;
}

/* Makes room in a header for options, between IP's own part and what follows. */
static void insert_options(struct frame *frame, const struct ip_options *options, uint32_t source) {
    uint8_t *to = frame->header + FRAME_TRANSPORT_AT;
    memmove(to + options->length, to, frame->header_length - FRAME_TRANSPORT_AT);
    memcpy(to, options->bytes, options->length);
    frame->header_length = (uint16_t)(frame->header_length + options->length);
    record_route(to, options->length, source);
}

void ip_write_header(struct frame *frame, const struct ip_parameters *parameters, uint16_t identification,
                     uint16_t flags_and_offset) {
    uint8_t *header = frame->header + FRAME_IP_AT;
    uint32_t options = parameters->options ? parameters->options->length : 0;
    if (options > 0)
        insert_options(frame, parameters->options, ip_to_v4(parameters->source));
    header[0] = (uint8_t)(0x45 + options / 4);
    header[1] = parameters->tos;
    wire_put16(header + 2, (uint16_t)(frame->header_length - FRAME_IP_AT + frame->payload_length));
    wire_put16(header + 4, identification);
    wire_put16(header + 6, flags_and_offset);
    header[8] = parameters->ttl;
    header[9] = parameters->protocol;
    wire_put32(header + 12, ip_to_v4(parameters->source));
    wire_put32(header + 16, ip_to_v4(parameters->destination));
    ip_seal_header(header);
}

/* To all, or to a group, on the link: and to ourselves, who are among them. */
static int output_to_many(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters) {
    uint32_t destination = ip_to_v4(parameters->destination);
    if (!ip4_is_multicast(destination)) {
        stack->mib.IpExtOutBcastPkts++;
        stack_loop_back(stack, frame);
        ether_output(stack, frame, ETHER_BROADCAST, ETHER_TYPE_IP);
        return 0;
    }
    stack->mib.IpExtOutMcastPkts++;
    if (parameters->loop && multicast_wants(stack, parameters->destination, parameters->source))
        stack_loop_back(stack, frame);
    if (parameters->ttl == 0) {
        frame_release(&stack->buffers, frame);
        return 0;
    }
    /* RFC 1112 section 6.4 */
    uint8_t group[6] = {
        0x01, 0x00, 0x5e, destination >> 16 & 0x7f, (uint8_t)(destination >> 8), (uint8_t)destination};
    ether_output(stack, frame, group, ETHER_TYPE_IP);
    return 0;
}

int ip_output_whole(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters) {
    uint32_t destination = ip_to_v4(parameters->destination), next_hop = destination;
    if (parameters->stamp)
        datagram_leaves(stack, frame, parameters);
    enum ip4_kind kind = ip4_address_kind(stack, destination);
    if (kind == IP4_OWN || (stack->config.loopback && ip4_is_loopback(destination))) {
        int result = stack_loop_back(stack, frame);
        frame_release(&stack->buffers, frame);
        return result;
    }
    if (ip4_is_multicast(destination) || kind == IP4_BROADCAST)
        return output_to_many(stack, frame, parameters);
    if (!parameters->on_link && ip_route_lookup(&stack->routes, destination, &next_hop)) {
        stack->mib.IpOutNoRoutes++;
        frame_release(&stack->buffers, frame);
        return -ENETUNREACH;
    }
    int result = neighbour_output(stack, frame, ip_from_v4(next_hop));
    if (result)
        stack->mib.IpOutDiscards++;
    return result;
}

static bool is_too_long(const struct ip_parameters *parameters, const struct frame *frame) {
    uint32_t payload = frame->segment ? frame->segment : frame->payload_length;
    uint32_t more =
        ip_header_bytes(parameters->destination) - IP_HEADER_BYTES; /* that is not in the frame yet */
    return parameters->mtu && frame->header_length - FRAME_IP_AT + more + payload > parameters->mtu;
}

bool ip_offloads(const struct stack *stack, const struct ip_parameters *parameters,
                 const struct frame *frame) {
    struct ip_address destination = parameters->destination;
    return stack->config.offload && !ip_is_multicast(destination) && !ip_is_broadcast(stack, destination) &&
           !(parameters->options && parameters->options->length) && !parameters->extensions &&
           !is_too_long(parameters, frame);
}

int ip_output(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters) {
    if (!ip_is_v4(parameters->destination))
        return ip6_output(stack, frame, parameters);
    stack->mib.IpOutRequests++;
    if (is_too_long(parameters, frame)) {
        struct frame whole = *frame; /* its fragments begin in the same place */
        int result = ip_output_fragments(stack, &whole, parameters);
        frame_release(&stack->buffers, &whole);
        return result;
    }
    uint16_t identification =
        ip_identification(stack, parameters, parameters->dont_fragment, frame_segments(frame));
    ip_write_header(frame, parameters, identification, parameters->dont_fragment ? IP_DONT_FRAGMENT : 0);
    return ip_output_whole(stack, frame, parameters);
}

void ip_error(struct stack *stack, const uint8_t *header, uint32_t length, const struct icmp_error *error) {
    uint32_t header_length = (header[0] & 15) * 4u;
    if (length < IP_HEADER_BYTES || header[0] >> 4 != 4 || header_length < IP_HEADER_BYTES ||
        length < header_length + 8 || wire_get16(header + 6) & IP_OFFSET_MASK)
        return;
    struct icmp_quoted quoted = {
        .local = ip_from_v4(wire_get32(header + 12)),
        .remote = ip_from_v4(wire_get32(header + 16)),
        .protocol = header[9],
        .transport = header + header_length,
        .transport_length = length - header_length,
        .total = wire_get16(header + 2),
        .header = header,
    };
    ip_error_quoted(stack, &quoted, error);
}

void ip_refuse_port(struct stack *stack, const struct ip_packet *packet) {
    if (ip_is_v4(packet->source))
        icmp_send_error(stack, packet, ICMP_DESTINATION_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0);
    else
        icmp6_send_error(stack, packet, ICMP6_UNREACHABLE, ICMP6_PORT_UNREACHABLE, 0);
}

void ip_error_quoted(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error) {
    if (!list_empty(&stack->raw_sockets))
        raw_error(stack, quoted, error);
    switch (quoted->protocol) {
    case IP_PROTOCOL_TCP:
        tcp_error(stack, quoted, error);
        break;
    case IP_PROTOCOL_UDP:
    case IP_PROTOCOL_UDPLITE:
        udp_error(stack, quoted, error);
        break;
    case IP_PROTOCOL_ICMP:
    case IP_PROTOCOL_ICMP6:
        ping_error(stack, quoted, error);
        break;
    default:
        break;
    }
}
