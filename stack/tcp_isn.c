/*
 * tcp_isn.c - see tcp_isn.h.
 */
#include "tcp_isn.h"
#include "random.h"
#include <string.h>

uint32_t tcp_isn(const uint8_t key[16], uint64_t now_ns, uint32_t local, uint16_t local_port, uint32_t remote,
                 uint16_t remote_port) {
    uint32_t tuple[3] = {local, remote, (uint32_t)local_port << 16 | remote_port};
    uint64_t words[2];
    memcpy(words, key, sizeof words);
    return (uint32_t)siphash(words, tuple, sizeof tuple) + (uint32_t)(now_ns / 4000);
}
