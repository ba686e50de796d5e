/* SPDX-License-Identifier: MIT */
/*
 * ip6_extension.c - see ip6_extension.h.
 *
 * A packet's headers must lie in its first buffer, which bounds what a sender can make us look at (RFC 7112,
 * RFC 7045); so must the number of options in one. What is padding only is refused where it is more than
 * alignment needs, as in Linux.
 */
#include "stack/ip/ip6_extension.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6_reassembly.h"
#include "stack/stack.h"

enum {
    OPTION_PAD1 = 0,
    OPTION_PADN = 1,
    OPTION_ROUTER_ALERT = 5,
    OPTION_JUMBO = 0xc2,
};

/* RFC 8200 section 4.2: what an option's two highest bits say of hosts that do not know it. */
enum {
    UNKNOWN_SKIP = 0,
    UNKNOWN_DROP = 1,
    UNKNOWN_TELL = 2,
    UNKNOWN_TELL_UNICAST = 3,
};

static bool problem(struct stack *stack, struct ip_packet *packet, enum icmp6_code code, uint32_t at) {
    stack->mib.Ip6InHdrErrors++;
    icmp6_send_error(stack, packet, ICMP6_PARAMETER_PROBLEM, code, at - packet->header_at);
    return false;
}

static bool drop(struct stack *stack) {
    stack->mib.Ip6InHdrErrors++;
    return false;
}

static bool unknown_option(struct stack *stack, struct ip_packet *packet, uint32_t at) {
    switch (packet->chain->storage[at] >> 6) {
    case UNKNOWN_SKIP:
        return true;
    case UNKNOWN_TELL:
        return problem(stack, packet, ICMP6_UNKNOWN_OPTION, at);
    case UNKNOWN_TELL_UNICAST:
        if (!ip_is_multicast(packet->destination))
            return problem(stack, packet, ICMP6_UNKNOWN_OPTION, at);
        return drop(stack);
    default:
        return drop(stack);
    }
}

/* Pad1 and PadN: zeros, and no more of them than up to the next multiple of 8. Returns the option's length,
 * or 0. */
static uint32_t padding(const uint8_t *option, uint32_t left) {
    if (option[0] == OPTION_PAD1)
        return 1;
    if (left < 2 || option[1] + 2u > left)
        return 0;
    for (uint32_t i = 0; i < option[1]; i++)
        if (option[2 + i])
            return 0;
    return option[1] + 2u;
}

/* RFC 2675: what is longer than any link here carries is not taken; what is no such thing is told. */
static bool jumbo(struct stack *stack, struct ip_packet *packet, uint32_t at) {
    const uint8_t *storage = packet->chain->storage, *option = storage + at;
    if (option[1] != 4 || (at - packet->header_at) % 4 != 2)
        return drop(stack);
    if (wire_get32(option + 2) <= IP_DATAGRAM_MAX)
        return problem(stack, packet, ICMP6_WRONG_FIELD, at + 2);
    if (wire_get16(storage + packet->header_at + 4))
        return problem(stack, packet, ICMP6_WRONG_FIELD, at);
    return drop(stack);
}

/* The options of a header whose place in the first buffer is [at, end). */
static bool check_options(struct stack *stack, struct ip_packet *packet, uint32_t at, uint32_t end,
                          bool hop_by_hop) {
    const uint8_t *storage = packet->chain->storage;
    uint32_t options = 0, padded = 0;
    while (at < end) {
        if (storage[at] == OPTION_PAD1 || storage[at] == OPTION_PADN) {
            uint32_t length = padding(storage + at, end - at);
            padded += length;
            if (!length || padded > 7)
                return drop(stack);
            at += length;
            continue;
        }
        padded = 0;
        if (end - at < 2 || storage[at + 1] + 2u > end - at || ++options > IP6_OPTIONS_MAX)
            return drop(stack);
        if (hop_by_hop && storage[at] == OPTION_ROUTER_ALERT) {
            if (storage[at + 1] != 2)
                return drop(stack);
        } else if (hop_by_hop && storage[at] == OPTION_JUMBO) {
            return jumbo(stack, packet, at);
        } else if (!unknown_option(stack, packet, at)) {
            return false;
        }
        at += storage[at + 1] + 2u;
    }
    return true;
}

/* RFC 5095: we are the last on the way of whatever is left of it, or refuse. */
static bool check_routing(struct stack *stack, struct ip_packet *packet, uint32_t at) {
    if (packet->multicast)
        return drop(stack);
    return packet->chain->storage[at + 3] == 0 || problem(stack, packet, ICMP6_WRONG_FIELD, at + 2);
}

static uint32_t header_bytes(uint8_t kind, const uint8_t *header) {
    return kind == IP6_FRAGMENT ? 8 : (header[1] + 1u) * 8;
}

static bool is_extension(uint8_t protocol) {
    return protocol == IP6_HOP_BY_HOP || protocol == IP6_DESTINATION_OPTIONS || protocol == IP6_ROUTING ||
           protocol == IP6_FRAGMENT;
}

static bool handle_header(struct stack *stack, struct ip_packet *packet, uint8_t kind, uint32_t at,
                          uint32_t end) {
    switch (kind) {
    case IP6_HOP_BY_HOP: /* only right behind IPv6's own */
        if (at != packet->header_at + IP6_HEADER_BYTES || packet->fragmented)
            return problem(stack, packet, ICMP6_UNKNOWN_NEXT_HEADER, packet->next_header_at);
        return check_options(stack, packet, at + 2, end, true);
    case IP6_DESTINATION_OPTIONS:
        return check_options(stack, packet, at + 2, end, false);
    case IP6_ROUTING:
        return check_routing(stack, packet, at);
    default:
        return ip6_reassemble(stack, packet, at);
    }
}

bool ip6_extensions_input(struct stack *stack, struct ip_packet *packet) {
    while (is_extension(packet->protocol)) {
        struct buffer *first = packet->chain;
        const uint8_t *header = buffer_data(first);
        uint8_t kind = packet->protocol;
        uint32_t at = first->start;
        if (buffer_length(first) < 8 || buffer_length(first) < header_bytes(kind, header)) {
            stack->mib.Ip6InTruncatedPkts++;
            return false;
        }
        uint32_t bytes = header_bytes(kind, header);
        if (kind != IP6_FRAGMENT && !handle_header(stack, packet, kind, at, at + bytes))
            return false;
        packet->next_header_at = at;
        packet->protocol = header[0];
        packet->length -= bytes;
        packet->extensions += bytes;
        first->start += bytes;
        if (kind == IP6_FRAGMENT && !handle_header(stack, packet, kind, at, at + bytes))
            return false;
    }
    return true;
}

bool ip6_find_transport(const uint8_t *packet, uint32_t length, uint8_t *protocol, uint32_t *at) {
    *at = IP6_HEADER_BYTES;
    if (length < IP6_HEADER_BYTES)
        return false;
    *protocol = packet[6];
    while (is_extension(*protocol)) {
        const uint8_t *header = packet + *at;
        if (length < *at + 8)
            return false;
        if (*protocol == IP6_FRAGMENT && wire_get16(header + 2) & ~7u)
            return false;
        *at += header_bytes(*protocol, header);
        *protocol = header[0];
    }
    return *at <= length;
}

uint32_t ip6_extensions_write(const struct ip6_extensions *extensions, enum ip6_parts parts,
                              uint8_t *protocol, uint8_t bytes[IP6_CHAIN_MAX]) {
    const struct {
        const struct ip6_extension *extension;
        uint8_t kind, part;
    } order[] = {
        /* RFC 8200 section 4.1 */
        {&extensions->hop_by_hop, IP6_HOP_BY_HOP, IP6_PART_EVERY_FRAGMENT},
        {&extensions->routing_options, IP6_DESTINATION_OPTIONS, IP6_PART_EVERY_FRAGMENT},
        {&extensions->routing, IP6_ROUTING, IP6_PART_EVERY_FRAGMENT},
        {&extensions->options, IP6_DESTINATION_OPTIONS, IP6_PART_ONCE},
    };
    uint8_t first = *protocol, *next = &first;
    uint32_t length = 0;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const struct ip6_extension *extension = order[i].extension;
        if (!(parts & order[i].part) || extension->length == 0 ||
            (extension == &extensions->routing_options && !extensions->routing.length))
            continue;
        *next = order[i].kind;
        next = bytes + length;
        memcpy(next, extension->bytes, extension->length);
        length += extension->length;
        *next = *protocol;
    }
    *protocol = first;
    return length;
}

struct ip_address ip6_extensions_route(const struct ip6_extensions *extensions, struct ip_address destination,
                                       uint8_t *bytes) {
    if (!extensions || extensions->routing.length != IP6_ROUTING_BYTES)
        return destination;
    uint8_t *place = bytes + extensions->hop_by_hop.length + extensions->routing_options.length + 8;
    struct ip_address first = ip_from_bytes(place);
    memcpy(place, destination.bytes, sizeof destination.bytes);
    return first;
}
