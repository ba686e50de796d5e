/* SPDX-License-Identifier: MIT */
/*
 * router_neighbours.h - who is on the links of a router, of both families, and what waits for their MAC
 * addresses (RFC 1122 section 2.3.2, RFC 4861 section 7.3). How they are asked is ARP's and Neighbor
 * Discovery's (router_arp.c, router_nd.c).
 */
#ifndef STACK_ROUTER_ROUTER_NEIGHBOURS_H
#define STACK_ROUTER_ROUTER_NEIGHBOURS_H

#include "stack/ip/ip_address.h"
#include "stack/router/router_packet.h"

#define ROUTER_NEIGHBOURS_MAX 512u
#define ROUTER_NEIGHBOUR_WAITING 16u                        /* packets of one that does not answer yet */
#define ROUTER_NEIGHBOUR_ASKED 3u                           /* times, and it is not there */
#define ROUTER_NEIGHBOUR_ASK_NS UINT64_C(1000000000)        /* between two questions */
#define ROUTER_NEIGHBOUR_REACHABLE_NS UINT64_C(30000000000) /* so long an answer is believed */
#define ROUTER_NEIGHBOUR_FORGET_NS UINT64_C(1200000000000)  /* unused so long, it is forgotten */

struct router_neighbour {
    bool used;
    bool known; /* its MAC address is */
    uint8_t port;
    uint8_t mac[6];
    struct ip_address address;
    uint32_t asked;  /* questions without an answer */
    uint64_t ask_ns; /* when it is asked again, or given up; 0: nothing is asked */
    uint64_t confirmed_ns, wanted_ns;
    struct router_packet *first, *last; /* what waits for it */
    uint32_t waiting;
};

struct router_neighbours {
    uint32_t ever; /* entries from here on have never been used */
    struct router_neighbour all[ROUTER_NEIGHBOURS_MAX];
};

struct router;

/* NULL: it has no entry. */
struct router_neighbour *router_neighbour_find(struct router *router, int port, struct ip_address address);

/* Sends a packet, which it takes, to a neighbour at a port, as soon as its MAC address is known. */
void router_neighbour_send(struct router *router, int port, struct ip_address address,
                           struct router_packet *packet);

/* A neighbour has said which MAC address it has. `create`: even if nobody has asked for it. `answer`: to our
 * question, so that it is there for sure. */
void router_neighbour_heard(struct router *router, int port, struct ip_address address, const uint8_t mac[6],
                            bool create, bool answer);

/* Asks again, or gives up: what waited is answered with ICMP. */
void router_neighbours_advance(struct router *router);
uint64_t router_neighbours_next(const struct router *router);

#endif
