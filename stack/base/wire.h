/* SPDX-License-Identifier: MIT */
/*
 * wire.h - reading and writing big-endian fields, and the constants of the formats on the wire.
 */
#ifndef STACK_BASE_WIRE_H
#define STACK_BASE_WIRE_H

#include <stdint.h>
#include <string.h>

#define ETHER_ADDRESS_BYTES 6u
#define ETHER_HEADER_BYTES 14u
#define ETHER_TYPE_IP 0x0800u
#define ETHER_TYPE_ARP 0x0806u
#define ETHER_TYPE_IP6 0x86ddu
#define IP_HEADER_BYTES 20u
#define IP_HEADER_MAX 60u
#define IP6_HEADER_BYTES 40u
#define IP_DATAGRAM_MAX 65535u
#define IP6_HEADER_BYTES 40u
#define IP6_HOP_BY_HOP 0u /* next headers of IPv6 alone */
#define IP6_ROUTING 43u
#define IP6_FRAGMENT 44u
#define IP6_NO_NEXT_HEADER 59u
#define IP6_DESTINATION_OPTIONS 60u
#define IP_PROTOCOL_ICMP 1u
#define IP_PROTOCOL_IGMP 2u
#define IP_PROTOCOL_TCP 6u
#define IP_PROTOCOL_UDP 17u
#define IP_PROTOCOL_ICMP6 58u
#define IP_PROTOCOL_UDPLITE 136u
#define TCP_HEADER_BYTES 20u
#define UDP_HEADER_BYTES 8u

static inline uint16_t wire_get16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t wire_get32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static inline void wire_put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void wire_put32(uint8_t *at, uint32_t value) {
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof value);
}

/* Stores a 16-bit sum of checksum.h, which is in memory order already. */
static inline void wire_put_sum(uint8_t *at, uint16_t sum) {
    memcpy(at, &sum, sizeof sum);
}

#endif
