/* SPDX-License-Identifier: MIT */
/*
 * tcp_isn.c - see tcp_isn.h.
 */
#include "stack/tcp/tcp_isn.h"
#include "stack/base/random.h"
#include <string.h>

#define TICK_NS 64 /* Linux's: a connection would have to send 15.6 MB a second to leave the clock behind */

static uint32_t keyed(const uint8_t key[16], const void *data, size_t length) {
    uint64_t words[2];
    memcpy(words, key, sizeof words);
    return (uint32_t)siphash(words, data, length);
}

uint32_t tcp_isn(const uint8_t key[16], uint64_t now_ns, struct ip_address local, uint16_t local_port,
                 struct ip_address remote, uint16_t remote_port) {
    uint32_t tuple[IP_TUPLE_WORDS];
    size_t length = ip_tuple(tuple, local, local_port, remote, remote_port);
    return keyed(key, tuple, length) + (uint32_t)(now_ns / TICK_NS);
}

uint32_t tcp_timestamp_origin(const uint8_t key[16], struct ip_address local, struct ip_address remote) {
    uint32_t pair[IP_TUPLE_WORDS];
    size_t length = ip_tuple(pair, local, 0, remote, 0) - sizeof *pair; /* without the ports */
    return keyed(key, pair + 1, length);
}
