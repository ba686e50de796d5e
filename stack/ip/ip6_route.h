/* SPDX-License-Identifier: MIT */
/*
 * ip6_route.h - routes of IPv6: where packets go next (RFC 4861 sections 5.2 and 6.3.6, RFC 4191, RFC 8028).
 *
 * Theory of operation. One table has the prefixes that are on the link, the default routers, routes that a
 * router tells of, redirects (a route to one host) and what the user said. The longest prefix wins; of
 * several gateways for it one that does not fail to answer, then the preference that it has of itself, then
 * the one that gave us the prefix of the source address, then the older. Each has an end. The table is
 * bounded: what routers tell can't take the user's place, and redirects have a few places for themselves.
 */
#ifndef STACK_IP_IP6_ROUTE_H
#define STACK_IP_IP6_ROUTE_H

#include "stack/ip/ip_address.h"

#define IP6_ROUTES_MAX 64u
#define IP6_REDIRECTS_MAX 16u /* of them */
#define IP6_TOLD_MAX 32u      /* ... and of what routers tell */

struct stack;

enum ip6_route_origin {
    IP6_ROUTE_USER,
    IP6_ROUTE_PREFIX,   /* a router says that it is on the link */
    IP6_ROUTE_TOLD,     /* a router says that it is, or knows, the way */
    IP6_ROUTE_REDIRECT, /* a router says that this is a better way to one host */
};

struct ip6_route {
    struct ip_address destination;
    struct ip_address gateway; /* "::": on the link */
    uint64_t until_ns;         /* TIMER_NEVER: no end */
    uint64_t asked_ns;         /* when its gateway, which does not answer, was asked last */
    uint8_t prefix_length;
    uint8_t origin;               /* enum ip6_route_origin */
    int8_t preference;            /* RFC 4191: -1, 0 or 1 */
    bool failed;                  /* the gateway did not answer when it was asked last */
    struct ip_address advertiser; /* of IP6_ROUTE_PREFIX: who says so */
};

struct ip6_routes {
    uint32_t count;
    struct ip6_route routes[IP6_ROUTES_MAX];
};

/* Adds a route, or changes the one of the same destination, gateway and origin. Returns 0 or -ENOBUFS. */
int ip6_route_add(struct stack *stack, const struct ip6_route *route);

/* Takes a route away. */
void ip6_route_remove(struct stack *stack, const struct ip6_route *route);

/* The next hop for a destination, from a source ("::": whichever it will be). Returns 0 or -ENETUNREACH. */
int ip6_route_lookup(const struct stack *stack, struct ip_address destination, struct ip_address source,
                     struct ip_address *next_hop);

/* Whether an address is on the link, as far as routes say. */
bool ip6_route_is_on_link(const struct stack *stack, struct ip_address address);

/* How long the prefix is by which a destination is reached: 0 by a default router; 128 on no route. */
uint8_t ip6_route_prefix(const struct stack *stack, struct ip_address destination);

/* Whether a route goes by that gateway. */
bool ip6_route_names(const struct stack *stack, struct ip_address gateway);

/* A gateway does not answer, or does again. */
void ip6_route_failed(struct stack *stack, struct ip_address gateway);
void ip6_route_works(struct stack *stack, struct ip_address gateway);

/* A packet goes to a destination: if a gateway that would be better does not answer, it is asked now and then
 * (RFC 4191 section 3.2). */
void ip6_route_probe(struct stack *stack, struct ip_address destination);

/* When the next route ends; and ends those that are due. */
uint64_t ip6_routes_due(const struct stack *stack);
void ip6_routes_run(struct stack *stack);

#endif
