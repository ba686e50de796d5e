/* SPDX-License-Identifier: MIT */
/*
 * ip_address.c - see ip_address.h.
 */
#include "stack/ip/ip_address.h"
#include <arpa/inet.h>
#include <errno.h>

enum ip_scope ip_scope(struct ip_address address) {
    if (!ip_is_v4(address) && address.bytes[0] == 0xff)
        return address.bytes[1] & 15;
    if (ip_is_loopback(address) || ip_is_link_local(address))
        return IP_SCOPE_LINK;
    bool site = address.bytes[0] == 0xfe && address.bytes[1] >> 6 == 3;
    return site ? IP_SCOPE_SITE : IP_SCOPE_GLOBAL;
}

uint32_t ip_common_bits(struct ip_address a, struct ip_address b) {
    for (uint32_t i = 0; i < IP_ADDRESS_BYTES; i++) {
        uint32_t differ = a.bytes[i] ^ b.bytes[i];
        if (differ)
            return 8 * i + (uint32_t)__builtin_clz(differ) - 24;
    }
    return IP_ADDRESS_BITS;
}

struct ip_address ip_prefix(struct ip_address address, uint32_t bits) {
    for (uint32_t i = 0; i < IP_ADDRESS_BYTES; i++) {
        uint32_t kept = bits > 8 * i ? bits - 8 * i : 0;
        if (kept < 8)
            address.bytes[i] &= (uint8_t)(0xff00 >> kept);
    }
    return address;
}

struct ip_address ip_solicited_node(struct ip_address address) {
    struct ip_address group = {.bytes = {0xff, 2, [11] = 1, [12] = 0xff}};
    memcpy(group.bytes + 13, address.bytes + 13, 3);
    return group;
}

const char *ip_text(struct ip_address address, char to[IP_ADDRESS_TEXT]) {
    if (ip_is_v4(address))
        return inet_ntop(AF_INET, address.bytes + 12, to, IP_ADDRESS_TEXT);
    return inet_ntop(AF_INET6, address.bytes, to, IP_ADDRESS_TEXT);
}

int ip_parse(const char *text, struct ip_address *address) {
    uint8_t bytes[4];
    if (inet_pton(AF_INET, text, bytes) == 1) {
        *address = ip_from_v4((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
                              bytes[3]);
        return 0;
    }
    return inet_pton(AF_INET6, text, address->bytes) == 1 ? 0 : -EINVAL;
}
