/* SPDX-License-Identifier: MIT */
/*
 * router_translate.c - see router_nat.h: packets of TCP and UDP, and fragments.
 */
#include "stack/router/router_translate.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"

#define OFFSET_MASK 0x1fffu
#define MORE_FRAGMENTS 0x2000u
#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u

void nat_adjust(uint8_t *sum, const void *before, const void *after, uint32_t length) {
    uint16_t old, word;
    memcpy(&old, sum, sizeof old);
    uint64_t total = (uint16_t)~old;
    for (uint32_t i = 0; i < length; i += 2) {
        memcpy(&word, (const uint8_t *)before + i, sizeof word);
        total += (uint16_t)~word;
        memcpy(&word, (const uint8_t *)after + i, sizeof word);
        total += word;
    }
    wire_put_sum(sum, (uint16_t)~checksum_fold(total));
}

void nat_put_address(uint8_t *ip, uint8_t *at, uint32_t address, uint8_t *transport_sum) {
    uint8_t new[4];
    wire_put32(new, address);
    nat_adjust(ip + 10, at, new, sizeof new);
    if (transport_sum)
        nat_adjust(transport_sum, at, new, sizeof new);
    memcpy(at, new, sizeof new);
}

static void put_port(uint8_t *at, uint16_t port, uint8_t *sum) {
    uint8_t new[2];
    wire_put16(new, port);
    if (sum)
        nat_adjust(sum, at, new, sizeof new);
    memcpy(at, new, sizeof new);
}

/* Where the checksum of a transport header is; NULL: it has none (UDP). */
static uint8_t *transport_sum(uint8_t *transport, uint8_t protocol) {
    uint8_t *sum = transport + (protocol == IP_PROTOCOL_TCP ? 16 : 6);
    return protocol == IP_PROTOCOL_UDP && wire_get16(sum) == 0 ? NULL : sum;
}

/* A sum of 0 would say that there is none. */
static void finish_udp(uint8_t *sum, uint8_t protocol) {
    if (sum && protocol == IP_PROTOCOL_UDP && wire_get16(sum) == 0)
        wire_put16(sum, 0xffff);
}

/* What a packet does for a mapping's age. */
static void refresh(struct nat_mapping *mapping, uint64_t now_ns, const uint8_t *transport, bool outward) {
    mapping->seen_out |= outward;
    mapping->seen_in |= !outward;
    if (mapping->protocol == IP_PROTOCOL_UDP) {
        if (outward) /* RFC 4787 section 4.3: else an outsider could keep it for ever */
            mapping->until_ns = now_ns + NAT_UDP_NS;
        return;
    }
    uint8_t flags = transport[13];
    mapping->closing = (mapping->closing && !(flags & TCP_SYN)) || flags & (TCP_FIN | TCP_RST);
    mapping->established = !mapping->closing && mapping->seen_in && mapping->seen_out;
    mapping->until_ns = now_ns + (mapping->established ? NAT_TCP_NS : NAT_TCP_OPENING_NS);
}

static struct nat_fragment *find_fragment(struct nat *nat, uint64_t now_ns, const uint8_t *ip, bool outward) {
    for (uint32_t i = 0; i < NAT_FRAGMENTS_MAX; i++) {
        struct nat_fragment *fragment = &nat->fragments[i];
        if (fragment->until_ns > now_ns && fragment->outward == outward &&
            fragment->source == wire_get32(ip + 12) && fragment->destination == wire_get32(ip + 16) &&
            fragment->identification == wire_get16(ip + 4) && fragment->protocol == ip[9])
            return fragment;
    }
    return NULL;
}

void nat_note_fragment(struct nat *nat, uint64_t now_ns, const uint8_t *ip, bool outward, uint32_t address) {
    struct nat_fragment *oldest = &nat->fragments[0]; /* whose place it takes */
    if (!(wire_get16(ip + 6) & MORE_FRAGMENTS))
        return;
    for (uint32_t i = 1; i < NAT_FRAGMENTS_MAX; i++)
        if (nat->fragments[i].until_ns < oldest->until_ns)
            oldest = &nat->fragments[i];
    *oldest = (struct nat_fragment){.source = wire_get32(ip + 12),
                                    .destination = wire_get32(ip + 16),
                                    .identification = wire_get16(ip + 4),
                                    .protocol = ip[9],
                                    .outward = outward,
                                    .translated = address,
                                    .until_ns = now_ns + NAT_FRAGMENT_NS};
}

/* A fragment that is not the first: its transport header came with that one. */
static enum nat_verdict follow_first(struct nat *nat, uint64_t now_ns, uint8_t *ip, bool outward) {
    const struct nat_fragment *first = find_fragment(nat, now_ns, ip, outward);
    if (!first) {
        nat->counters.fragments_lost++;
        return NAT_DROPPED;
    }
    nat_put_address(ip, ip + (outward ? 12 : 16), first->translated, NULL);
    return NAT_TRANSLATED;
}

/* Bytes of a transport header that must be there; 0: the protocol is not translated. */
static uint32_t least_of(uint8_t protocol) {
    return protocol == IP_PROTOCOL_TCP   ? TCP_HEADER_BYTES
           : protocol == IP_PROTOCOL_UDP ? UDP_HEADER_BYTES
                                         : 0;
}

static enum nat_verdict refuse(struct nat *nat) {
    nat->counters.malformed++;
    return NAT_DROPPED;
}

enum nat_verdict nat_outward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t length) {
    uint32_t header = (ip[0] & 15u) * 4, source = wire_get32(ip + 12), least = least_of(ip[9]);
    uint8_t *transport = ip + header;
    if (wire_get16(ip + 6) & OFFSET_MASK)
        return source == nat->outer_address ? NAT_AS_IT_IS : follow_first(nat, now_ns, ip, true);
    if (ip[9] == IP_PROTOCOL_ICMP)
        return nat_icmp_outward(nat, now_ns, ip, header, length - header);
    if (source == nat->outer_address)
        return NAT_AS_IT_IS;
    if (!least || length - header < least)
        return refuse(nat);
    uint16_t port = wire_get16(transport);
    struct nat_mapping *mapping = nat_by_inner(nat, now_ns, ip[9], source, port);
    if (!mapping && !(mapping = nat_make(nat, now_ns, ip[9], source, port)))
        return NAT_DROPPED;
    refresh(mapping, now_ns, transport, true);
    nat_note_fragment(nat, now_ns, ip, true, nat->outer_address);
    uint8_t *sum = transport_sum(transport, ip[9]);
    nat_put_address(ip, ip + 12, nat->outer_address, sum);
    put_port(transport, mapping->outer_port, sum);
    finish_udp(sum, ip[9]);
    nat->counters.outward++;
    return NAT_TRANSLATED;
}

enum nat_verdict nat_inward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t length) {
    uint32_t header = (ip[0] & 15u) * 4, least = least_of(ip[9]);
    uint8_t *transport = ip + header;
    if (wire_get16(ip + 6) & OFFSET_MASK)
        return follow_first(nat, now_ns, ip, false);
    if (ip[9] == IP_PROTOCOL_ICMP)
        return nat_icmp_inward(nat, now_ns, ip, header, length - header);
    if (!least)
        return NAT_AS_IT_IS;
    if (length - header < least)
        return refuse(nat);
    struct nat_mapping *mapping = nat_by_outer(nat, now_ns, ip[9], wire_get16(transport + 2));
    if (!mapping) {
        nat->counters.unknown++;
        /* RFC 5382 section 4.3: a SYN may be half of a simultaneous open, and is not answered. */
        return ip[9] == IP_PROTOCOL_TCP ? NAT_DROPPED : NAT_AS_IT_IS;
    }
    refresh(mapping, now_ns, transport, false);
    nat_note_fragment(nat, now_ns, ip, false, mapping->inner_address);
    uint8_t *sum = transport_sum(transport, ip[9]);
    nat_put_address(ip, ip + 16, mapping->inner_address, sum);
    put_port(transport + 2, mapping->inner_port, sum);
    finish_udp(sum, ip[9]);
    nat->counters.inward++;
    return NAT_TRANSLATED;
}
