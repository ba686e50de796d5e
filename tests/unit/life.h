/* SPDX-License-Identifier: MIT */
/*
 * life.h - a stack that may follow another of its address on one boot.
 */
#ifndef TESTS_UNIT_LIFE_H
#define TESTS_UNIT_LIFE_H

#include "stack/tcp/tcp_isn.h"
#include "tests/unit/scene.h"

extern const uint8_t KEY[16];

/* A stack that may follow another of its address on one boot, and knows its peer. */
struct host host_begin(void);

/* Sends a SYN and tells what it said. */
struct tcp_segment open_and_leave(struct host *host, uint16_t port);

#endif
