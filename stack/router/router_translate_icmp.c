/* SPDX-License-Identifier: MIT */
/*
 * router_translate_icmp.c - ICMP through NAT (RFC 5508): queries by their identifier, and errors, whose
 * quoted packet is translated as the packet itself was, back to front.
 */
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/router/router_translate.h"

#define ICMP_BYTES 8u
#define QUOTED_LEAST (ICMP_BYTES + IP_HEADER_BYTES + 8u)
#define MORE_FRAGMENTS 0x2000u

static bool is_query(uint8_t type) {
    return type == 8 || type == 13 || type == 15;
}

static bool is_reply(uint8_t type) {
    return type == 0 || type == 14 || type == 16;
}

static bool is_error(uint8_t type) {
    return type == 3 || type == 4 || type == 11 || type == 12;
}

static enum nat_verdict refuse(struct nat *nat) {
    nat->counters.malformed++;
    return NAT_DROPPED;
}

static void put_identifier(uint8_t *icmp, uint16_t identifier) {
    uint8_t new[2];
    wire_put16(new, identifier);
    nat_adjust(icmp + 2, icmp + 4, new, sizeof new);
    memcpy(icmp + 4, new, sizeof new);
}

/* The packet that an error quotes, whose transport header begins with 8 bytes at least; NULL: it is none, or
 * the error is damaged. */
static uint8_t *quoted_in(uint8_t *ip, uint32_t header, uint32_t length) {
    uint8_t *icmp = ip + header, *quoted = icmp + ICMP_BYTES;
    if (length < QUOTED_LEAST || wire_get16(ip + 6) & MORE_FRAGMENTS || quoted[0] >> 4 != 4 ||
        (quoted[0] & 15) < 5 || length < ICMP_BYTES + (quoted[0] & 15u) * 4 + 8 ||
        checksum_fold(checksum_add(0, icmp, length)) != 0xffff)
        return NULL;
    return quoted;
}

/* The port, or the identifier, of the quoted packet's sender, or of its destination. */
static uint8_t *quoted_port(uint8_t *quoted, bool of_sender) {
    uint8_t *transport = quoted + (quoted[0] & 15u) * 4;
    if (quoted[9] == IP_PROTOCOL_ICMP)
        return transport + 4;
    return transport + (of_sender ? 0 : 2);
}

static void put_quoted(uint8_t *ip, uint32_t header, uint32_t length, uint8_t *quoted, bool of_sender,
                       uint32_t address, uint16_t port) {
    uint8_t *icmp = ip + header, *at = quoted_port(quoted, of_sender), new[2];
    wire_put16(new, port);
    if (quoted[9] == IP_PROTOCOL_ICMP)
        nat_adjust(quoted + (quoted[0] & 15u) * 4 + 2, at, new, sizeof new);
    memcpy(at, new, sizeof new);
    nat_put_address(quoted, quoted + (of_sender ? 12 : 16), address, NULL);
    wire_put16(icmp + 2, 0);
    wire_put_sum(icmp + 2, (uint16_t)~checksum_fold(checksum_add(0, icmp, length)));
}

/* An error about a packet that had come in: it was sent to an outer port. */
static enum nat_verdict error_outward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t header,
                                      uint32_t length) {
    bool own = wire_get32(ip + 12) == nat->outer_address;
    uint8_t *quoted = quoted_in(ip, header, length);
    struct nat_mapping *mapping = quoted ? nat_by_inner(nat, now_ns, quoted[9], wire_get32(quoted + 16),
                                                        wire_get16(quoted_port(quoted, false)))
                                         : NULL;
    if (!mapping)
        return own ? NAT_AS_IT_IS : refuse(nat);
    put_quoted(ip, header, length, quoted, false, nat->outer_address, mapping->outer_port);
    if (!own)
        nat_put_address(ip, ip + 12, nat->outer_address, NULL);
    nat->counters.outward++;
    return NAT_TRANSLATED;
}

enum nat_verdict nat_icmp_outward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t header,
                                  uint32_t length) {
    uint8_t *icmp = ip + header;
    uint32_t source = wire_get32(ip + 12);
    if (length < ICMP_BYTES)
        return refuse(nat);
    if (is_error(icmp[0]))
        return error_outward(nat, now_ns, ip, header, length);
    if (source == nat->outer_address)
        return NAT_AS_IT_IS;
    if (!is_query(icmp[0]))
        return refuse(nat);
    uint16_t identifier = wire_get16(icmp + 4);
    struct nat_mapping *mapping = nat_by_inner(nat, now_ns, IP_PROTOCOL_ICMP, source, identifier);
    if (!mapping && !(mapping = nat_make(nat, now_ns, IP_PROTOCOL_ICMP, source, identifier)))
        return NAT_DROPPED;
    mapping->until_ns = now_ns + NAT_ICMP_NS;
    nat_note_fragment(nat, now_ns, ip, true, nat->outer_address);
    nat_put_address(ip, ip + 12, nat->outer_address, NULL);
    put_identifier(icmp, mapping->outer_port);
    nat->counters.outward++;
    return NAT_TRANSLATED;
}

/* An error about a packet that had gone out: it came from an outer port. */
static enum nat_verdict error_inward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t header,
                                     uint32_t length) {
    uint8_t *quoted = quoted_in(ip, header, length);
    struct nat_mapping *mapping = NULL;
    if (quoted && wire_get32(quoted + 12) == nat->outer_address)
        mapping = nat_by_outer(nat, now_ns, quoted[9], wire_get16(quoted_port(quoted, true)));
    if (!mapping)
        return NAT_AS_IT_IS;
    put_quoted(ip, header, length, quoted, true, mapping->inner_address, mapping->inner_port);
    nat_put_address(ip, ip + 16, mapping->inner_address, NULL);
    nat->counters.inward++;
    return NAT_TRANSLATED;
}

enum nat_verdict nat_icmp_inward(struct nat *nat, uint64_t now_ns, uint8_t *ip, uint32_t header,
                                 uint32_t length) {
    uint8_t *icmp = ip + header;
    if (length < ICMP_BYTES)
        return refuse(nat);
    if (is_error(icmp[0]))
        return error_inward(nat, now_ns, ip, header, length);
    struct nat_mapping *mapping =
        is_reply(icmp[0]) ? nat_by_outer(nat, now_ns, IP_PROTOCOL_ICMP, wire_get16(icmp + 4)) : NULL;
    if (!mapping)
        return NAT_AS_IT_IS; /* a query is for the router itself */
    nat_note_fragment(nat, now_ns, ip, false, mapping->inner_address);
    nat_put_address(ip, ip + 16, mapping->inner_address, NULL);
    put_identifier(icmp, mapping->inner_port);
    nat->counters.inward++;
    return NAT_TRANSLATED;
}
