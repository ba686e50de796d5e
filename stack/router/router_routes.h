/* SPDX-License-Identifier: MIT */
/*
 * router_routes.h - a router's table of routes, of both families: the longest prefix that matches decides
 * (RFC 1812 section 5.2.4.3). IPv4's prefixes are those of mapped addresses: 96 bits longer.
 */
#ifndef STACK_ROUTER_ROUTER_ROUTES_H
#define STACK_ROUTER_ROUTER_ROUTES_H

#include "stack/ip/ip_address.h"

#define ROUTER_ROUTES_MAX 512u

struct router_route {
    struct ip_address prefix;
    uint8_t bits;               /* of 128 */
    uint8_t port;               /* where it leads */
    struct ip_address next_hop; /* "::": the destination itself is on the link */
};

struct router_routes {
    uint32_t count;
    struct router_route all[ROUTER_ROUTES_MAX]; /* the longest prefixes first */
};

/* Adds a route; one of the same prefix gives way to it. False: the table is full. */
bool router_routes_add(struct router_routes *routes, const struct router_route *route);

/* The route to a destination; NULL: there is none. */
const struct router_route *router_routes_find(const struct router_routes *routes,
                                              struct ip_address destination);

#endif
