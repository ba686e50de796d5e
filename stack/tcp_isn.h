/*
 * tcp_isn.h - initial sequence numbers (RFC 6528).
 */
#ifndef STACK_TCP_ISN_H
#define STACK_TCP_ISN_H

#include <stdint.h>

/* A clock that ticks every 4 microseconds, plus a keyed hash of the connection's addresses and ports. */
uint32_t tcp_isn(const uint8_t key[16], uint64_t now_ns, uint32_t local, uint16_t local_port, uint32_t remote,
                 uint16_t remote_port);

#endif
