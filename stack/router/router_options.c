/* SPDX-License-Identifier: MIT */
/*
 * router_options.c - a router's part in IPv4's options (RFC 791 section 3.1, RFC 1812 section 4.2.2.11 and
 * 5.3.13): it records its address, and the time. What wants a route of its own, as RFC 7126 section 4.3
 * recommends, is refused.
 */
#include "stack/router/router.h"

enum option {
    OPTION_END = 0,
    OPTION_NOTHING = 1,
    OPTION_RECORD_ROUTE = 7,
    OPTION_TIMESTAMP = 68,
    OPTION_LOOSE_ROUTE = 131,
    OPTION_STRICT_ROUTE = 137,
};

/* `option`, its length checked, begins with kind, length and pointer. False: it is malformed. */
static bool record_route(uint8_t *option, uint32_t address) {
    uint32_t length = option[1], pointer = option[2];
    if (length < 3 || pointer < 4)
        return false;
    if (pointer > length)
        return true; /* full */
    if (pointer + 3 > length)
        return false;
    wire_put32(option + pointer - 1, address);
    option[2] = (uint8_t)(pointer + 4);
    return true;
}

static bool record_time(uint8_t *option, uint32_t address, uint32_t time_ms) {
    uint32_t length = option[1], pointer = option[2], flag = length > 3 ? option[3] & 15u : 0;
    uint32_t room = flag == 0 ? 4 : 8;
    if (length < 4 || pointer < 5)
        return false;
    if (pointer > length) { /* full: who did not get in is counted */
        if (option[3] >> 4 == 15)
            return false;
        option[3] = (uint8_t)(option[3] + 16);
        return true;
    }
    if (pointer - 1 + room > length)
        return false;
    if (flag == 3 && wire_get32(option + pointer - 1) != address)
        return true; /* it is another router's turn */
    if (flag != 0)
        wire_put32(option + pointer - 1, address);
    wire_put32(option + pointer - 1 + room - 4, time_ms);
    option[2] = (uint8_t)(pointer + room);
    return true;
}

uint32_t router_ip4_options(uint8_t *ip, uint32_t address, uint32_t time_ms, bool *routed) {
    uint32_t header = (ip[0] & 15u) * 4, at = IP_HEADER_BYTES;
    bool changed = false;
    *routed = false;
    while (at < header && ip[at] != OPTION_END) {
        uint8_t *option = ip + at;
        if (*option == OPTION_NOTHING) {
            at++;
            continue;
        }
        if (at + 2 > header || option[1] < 2 || at + option[1] > header)
            return at;
        *routed |= *option == OPTION_LOOSE_ROUTE || *option == OPTION_STRICT_ROUTE;
        changed |= *option == OPTION_RECORD_ROUTE || *option == OPTION_TIMESTAMP;
        if ((*option == OPTION_RECORD_ROUTE && !record_route(option, address)) ||
            (*option == OPTION_TIMESTAMP && !record_time(option, address, time_ms)))
            return at;
        at += option[1];
    }
    if (changed)
        router_ip4_checksum(ip);
    return 0;
}
