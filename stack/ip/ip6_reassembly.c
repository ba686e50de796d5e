/* SPDX-License-Identifier: MIT */
/*
 * ip6_reassembly.c - fragments of IPv6 packets (RFC 8200 section 4.5): what is IPv6's own of it; see
 * ip_reassembly.h for the rest.
 */
#include "stack/ip/ip6_reassembly.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/ip6.h"
#include "stack/stack.h"

#define OFFSET_MASK 0xfff8u
#define MORE_FRAGMENTS 1u

static bool refuse(struct stack *stack, const struct ip_packet *packet, enum icmp6_code code, uint32_t at) {
    stack->mib.Ip6ReasmFails++;
    stack->mib.Ip6InHdrErrors++;
    icmp6_send_error(stack, packet, ICMP6_PARAMETER_PROBLEM, code, at);
    return false;
}

static uint32_t transport_bytes(uint8_t protocol) {
    switch (protocol) {
    case IP_PROTOCOL_TCP:
        return TCP_HEADER_BYTES;
    case IP_PROTOCOL_UDP:
    case IP_PROTOCOL_UDPLITE:
    case IP_PROTOCOL_ICMP6:
        return UDP_HEADER_BYTES;
    default:
        return 0;
    }
}

/* RFC 7112: whoever filters by ports sees them in the first fragment, or there is no packet. */
static bool has_all_headers(const struct ip_packet *packet) {
    const struct buffer *first = packet->chain;
    const uint8_t *start = first->storage + packet->header_at;
    uint8_t protocol;
    uint32_t at, length = first->end - packet->header_at;
    return ip6_find_transport(start, length, &protocol, &at) && length - at >= transport_bytes(protocol);
}

/* Makes one packet of all fragments, with the header of the first; its extension headers have been seen to.
 */
static bool put_together(struct stack *stack, struct ip_reassembly *reassembly, struct ip_packet *packet) {
    uint8_t header[IP6_HEADER_BYTES];
    const struct ip_fragment *first = container_of(reassembly->fragments.next, struct ip_fragment, link);
    const uint8_t *storage = first->chain->storage;
    memcpy(header, storage + first->header_at, sizeof header);
    header[6] = storage[first->chain->start - 8]; /* the fragment header stands there */
    wire_put16(header + 4, (uint16_t)reassembly->total);
    packet->chain = ip_reassembly_join(stack, reassembly, header, sizeof header);
    if (!packet->chain)
        return false;
    packet->header_at = packet->chain->start;
    packet->next_header_at = packet->header_at + 6;
    packet->chain->start += IP6_HEADER_BYTES;
    packet->protocol = header[6];
    packet->ttl = header[7];
    packet->tos = (uint8_t)(wire_get16(header) >> 4);
    packet->length = reassembly->total;
    packet->longest_fragment = reassembly->longest;
    packet->extensions = 0;
    packet->checksum_good = false; /* whatever is known of the fragment that came last */
    return true;
}

bool ip6_reassemble(struct stack *stack, struct ip_packet *packet, uint32_t fragment_header_at) {
    const uint8_t *header = packet->chain->storage + fragment_header_at;
    uint32_t fields = wire_get16(header + 2), offset = fields & OFFSET_MASK;
    bool nested = packet->fragmented, last = !(fields & MORE_FRAGMENTS);
    const struct ip_datagram_name name = {packet->source, packet->destination, wire_get32(header + 4), 0};
    const struct ip_piece piece = {.chain = &packet->chain,
                                   .header_at = packet->header_at,
                                   .offset = offset,
                                   .length = packet->length,
                                   .packet_bytes = IP6_HEADER_BYTES + packet->extensions + packet->length,
                                   .last = last};
    struct ip_reassembly *reassembly;
    packet->fragmented = true;
    packet->longest_fragment = piece.packet_bytes;
    if (nested)
        return refuse(stack, packet, ICMP6_WRONG_FIELD, fragment_header_at - packet->header_at);
    if (offset == 0 && last)
        return true; /* RFC 6946 */
    stack->mib.Ip6ReasmReqds++;
    if (!last && packet->length % 8)
        return refuse(stack, packet, ICMP6_WRONG_FIELD, 4); /* the payload's length */
    if (offset + packet->length > IP_DATAGRAM_MAX)
        return refuse(stack, packet, ICMP6_WRONG_FIELD, fragment_header_at + 2 - packet->header_at);
    if (offset == 0 && !has_all_headers(packet))
        return refuse(stack, packet, ICMP6_INCOMPLETE_CHAIN, 0);
    if (packet->length == 0) {
        stack->mib.Ip6ReasmFails++;
        return false;
    }
    uint64_t wait_ns = stack->sysctl.ip6frag_time * UINT64_C(1000000000);
    if (ip_reassembly_keep(stack, &name, &piece, wait_ns, &reassembly) != IP_PIECE_WHOLE)
        return false;
    bool joined = put_together(stack, reassembly, packet);
    if (joined)
        stack->mib.Ip6ReasmOKs++;
    else
        stack->mib.Ip6ReasmFails++;
    ip_reassembly_end(stack, reassembly);
    return joined;
}
