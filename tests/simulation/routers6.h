/* SPDX-License-Identifier: MIT */
/*
 * routers6.h - what an IPv6 network does to a host that lives by it: two routers on host A's link advertise a prefix each,
 * renumber, fall silent, take back what they said and come again (RFC 4861, RFC 4862), and some of what they say is lost.
 * Host B is behind them, at an address that is on no link of A's.
 */
#ifndef TESTS_SIMULATION_ROUTERS6_H
#define TESTS_SIMULATION_ROUTERS6_H

#include "stack/ip/ip_address.h"
#include <stdbool.h>
#include <stdint.h>

#define ROUTERS6 2

struct routers6 {
    uint64_t random;
    uint64_t next_ns; /* when one of them does something; TIMER_NEVER: not any more */
    uint64_t until_ns;
    uint32_t prefixes; /* that have been given so far */
    struct router6 {
        bool up;
        uint32_t prefix, before; /* numbers of prefixes; 0: none */
    } routers[ROUTERS6];
    /* A frame for host A (side 0) or B. */
    void (*deliver)(void *context, int side, const uint8_t *frame, uint32_t length);
    void (*tell)(const char *format, ...) __attribute__((format(printf, 1, 2)));
    void *context;
};

/* Where host B is, and B's gateway. */
struct ip_address routers6_far(void);
struct ip_address routers6_gateway(void);

/* Whether an address may be host A's: of a prefix that a router gave. */
bool routers6_gave(const struct routers6 *routers, struct ip_address address);

void routers6_begin(struct routers6 *routers, uint64_t seed, uint64_t until_ns);
void routers6_act(struct routers6 *routers, uint64_t now_ns);

/* A frame that a host has sent. True: it is no further business of the other host's. What is for a router that is up is
 * made out to the other host. */
bool routers6_take(struct routers6 *routers, int side, uint8_t *frame, uint32_t length);

#endif
