/* SPDX-License-Identifier: MIT */
/*
 * pair.h - two hosts and a connection between them.
 */
#ifndef TESTS_UNIT_PAIR_H
#define TESTS_UNIT_PAIR_H

#include "tests/unit/host.h"

struct pair {
    struct host a, b;
    struct cable cable;
    struct socket *client, *server, *listener;
};

void pair_open(struct pair *pair, uint64_t delay_ns);

void pair_close(struct pair *pair);

uint8_t pattern(size_t at);

/* Moves `total` bytes from one socket to the other, checks them, and says how long it took. */
uint64_t transfer(struct pair *pair, struct socket *from, struct socket *to, bool from_a, size_t total,
                  uint64_t limit_ns);

#endif
