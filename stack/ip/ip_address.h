/* SPDX-License-Identifier: MIT */
/*
 * ip_address.h - the address of a host, of either family: 16 bytes in network order, as in an IPv6 header.
 *
 * An IPv4 address is an IPv4-mapped one, ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), which no packet of IPv6
 * bears: so an address says which family goes on the wire. Zero-filled memory is "::". IPv4's part of the
 * stack, which has its addresses in host order (uint32_t), makes them of each other at its edge: names with
 * ip4_ are its own, names with ip_ are for both families.
 */
#ifndef STACK_IP_IP_ADDRESS_H
#define STACK_IP_IP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IP_ADDRESS_BYTES 16u
#define IP_ADDRESS_BITS 128u
#define IP_V4_PREFIX 96u    /* bits of an address that say that it is IPv4's */
#define IP_ADDRESS_TEXT 46u /* INET6_ADDRSTRLEN */
#define IP6_FLOW_LABEL 0xfffffu
#define IP6_FLOW_INFORMATION 0xfffffffu /* with the traffic class: sin6_flowinfo */

struct ip_address {
    union {
        uint8_t bytes[IP_ADDRESS_BYTES];
        uint32_t words[4]; /* as they lie in memory */
    };
};

/* RFC 4291 section 2.7, RFC 4007: of a multicast address as it says, of others as RFC 6724 section 3.1 has
 * it. */
enum ip_scope {
    IP_SCOPE_INTERFACE = 1,
    IP_SCOPE_LINK = 2,
    IP_SCOPE_SITE = 5,
    IP_SCOPE_ORGANIZATION = 8,
    IP_SCOPE_GLOBAL = 14,
};

#define IP_MAPPED_WORD __builtin_bswap32(0xffffu)

/* A constant, for initialisers: of an IPv4 address in host order. */
#define IP_V4(host)                                                \
    {                                                              \
        .words = { 0, 0, IP_MAPPED_WORD, __builtin_bswap32(host) } \
    }

static inline struct ip_address ip_from_v4(uint32_t host) {
    return (struct ip_address)IP_V4(host);
}

/* The last four bytes, in host order: the IPv4 address, of an address that is one; 0 of "::". */
static inline uint32_t ip_to_v4(struct ip_address address) {
    return __builtin_bswap32(address.words[3]);
}

/* The first and the last eight bytes, as they lie in memory. */
static inline uint64_t ip_high(struct ip_address address) {
    uint64_t half;
    memcpy(&half, address.bytes, sizeof half);
    return half;
}

static inline uint64_t ip_low(struct ip_address address) {
    uint64_t half;
    memcpy(&half, address.bytes + sizeof half, sizeof half);
    return half;
}

static inline bool ip_is_v4(struct ip_address address) {
    return !ip_high(address) && address.words[2] == IP_MAPPED_WORD;
}

static inline struct ip_address ip_from_bytes(const void *bytes) {
    struct ip_address address;
    memcpy(address.bytes, bytes, sizeof address.bytes);
    return address;
}

static inline bool ip_equal(struct ip_address a, struct ip_address b) {
    return ((ip_high(a) ^ ip_high(b)) | (ip_low(a) ^ ip_low(b))) == 0;
}

/* Less than, equal to or greater than 0, as memcmp: in the order of the numbers. */
static inline int ip_compare(struct ip_address a, struct ip_address b) {
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

/* Whether it is none: "::" or 0.0.0.0. */
static inline bool ip_is_any(struct ip_address address) {
    return !(ip_high(address) | address.words[3]) &&
           (address.words[2] == 0 || address.words[2] == IP_MAPPED_WORD);
}

/* ::1 or 127.0.0.0/8. */
static inline bool ip_is_loopback(struct ip_address address) {
    if (ip_is_v4(address))
        return address.bytes[12] == 127;
    return !(ip_high(address) | address.words[2]) && address.words[3] == __builtin_bswap32(1);
}

/* ff00::/8 or 224.0.0.0/4. */
static inline bool ip_is_multicast(struct ip_address address) {
    return address.bytes[0] == 0xff || (ip_is_v4(address) && address.bytes[12] >> 4 == 0xe);
}

/* fe80::/10 or 169.254.0.0/16. */
static inline bool ip_is_link_local(struct ip_address address) {
    if (ip_is_v4(address))
        return address.bytes[12] == 169 && address.bytes[13] == 254;
    return address.bytes[0] == 0xfe && address.bytes[1] >> 6 == 2;
}

/* Whether an address belongs to fe80::/10 or to a multicast group of the link's: it says nothing without an
 * interface (sin6_scope_id). */
static inline bool ip_needs_scope(struct ip_address address) {
    bool group = address.bytes[0] == 0xff && ((address.bytes[1] & 15) == 1 || (address.bytes[1] & 15) == 2);
    return group || (address.bytes[0] == 0xfe && address.bytes[1] >> 6 == 2);
}

/* The same family's address of no host. */
static inline struct ip_address ip_any_like(struct ip_address address) {
    return ip_is_v4(address) ? ip_from_v4(0) : (struct ip_address){0};
}

/* The addresses, of one family, and ports of a connection, packed to be hashed: IPv4's take no longer than
 * they did. Returns the bytes. */
#define IP_TUPLE_WORDS 9u
static inline size_t ip_tuple(uint32_t to[IP_TUPLE_WORDS], struct ip_address local, uint16_t local_port,
                              struct ip_address remote, uint16_t remote_port) {
    to[0] = (uint32_t)local_port << 16 | remote_port;
    if (ip_is_v4(remote)) {
        to[1] = local.words[3];
        to[2] = remote.words[3];
        return 3 * sizeof *to;
    }
    memcpy(to + 1, local.words, sizeof local.words);
    memcpy(to + 5, remote.words, sizeof remote.words);
    return IP_TUPLE_WORDS * sizeof *to;
}

enum ip_scope ip_scope(struct ip_address address);

/* How many of the first bits two addresses have in common: 0 to 128. Of IPv4's the first 96 always are. */
uint32_t ip_common_bits(struct ip_address a, struct ip_address b);

/* An address's first `bits`, 0 to 128, the rest zero. */
struct ip_address ip_prefix(struct ip_address address, uint32_t bits);

/* ff02::1:ffXX:XXXX of an address (RFC 4291 section 2.7.1). */
struct ip_address ip_solicited_node(struct ip_address address);

/* As programs write it (RFC 5952): IPv4's as a.b.c.d. Returns `to`. */
const char *ip_text(struct ip_address address, char to[IP_ADDRESS_TEXT]);

/* Reads an address of either family, without a scope. Returns 0 or -EINVAL. */
int ip_parse(const char *text, struct ip_address *address);

#endif
