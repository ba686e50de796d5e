/* SPDX-License-Identifier: MIT */
/*
 * router.h - a router between the two hosts whose next link has an MTU of its own (RFC 1812 section 4.2.2.7):
 * it cuts what may be cut, and answers what may not with "fragmentation needed"; or says nothing, as a black
 * hole does.
 */
#ifndef TESTS_SIMULATION_ROUTER_H
#define TESTS_SIMULATION_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

struct router {
    uint32_t mtu;
    bool black_hole;
    void (*forward)(void *context, const uint8_t *frame, uint32_t length);
    void (*answer)(void *context, const uint8_t *frame, uint32_t length); /* back to the sender */
    void *context;
};

void router_handle(const struct router *router, const uint8_t *frame, uint32_t length);

#endif
