/* SPDX-License-Identifier: MIT */
/*
 * router_options.h - what `barewire router` was asked for: ports, routes, NAT.
 */
#ifndef SHIM_KEEPER_TOOLS_NETWORK_ROUTER_OPTIONS_H
#define SHIM_KEEPER_TOOLS_NETWORK_ROUTER_OPTIONS_H

#include "stack/router/router.h"

#define ROUTER_TEXT_BYTES 256
#define ROUTER_MAPS_MAX 64
#define ROUTER_ERROR_BYTES 512

struct router_port_option {
    char nic[ROUTER_TEXT_BYTES];
    char impair[ROUTER_TEXT_BYTES]; /* as --impair has it, of what the port sends; empty: nothing */
    struct router_port_config config;
};

struct router_route_option {
    struct ip_address prefix, next_hop;
    uint8_t bits;
};

struct router_map_option {
    uint8_t protocol;
    uint16_t outer_port, inner_port;
    uint32_t inner_address;
};

struct router_options {
    char name[64]; /* "router", unless --name says another */
    int port_count, route_count, map_count;
    int nat; /* the port; -1: none */
    bool seeded;
    uint64_t seed;
    struct router_port_option ports[ROUTER_PORTS_MAX];
    struct router_route_option routes[ROUTER_ROUTES_MAX];
    struct router_map_option maps[ROUTER_MAPS_MAX];
};

/* Reads `lan:a=10.1.0.1/24,rate=10mbit ... --route P/N=HOP --nat lan:b --map tcp/80=10.1.0.5:80 --name R
 * --seed N`. False: a line for the user is in error (ROUTER_ERROR_BYTES). */
bool router_options_read(struct router_options *options, int count, char **words, char *error);

/* Whether a router of that name runs, its ports open. */
bool router_answers(const char *name);

/* What `barewire router --show` prints, into text; its length. */
uint32_t router_show(struct router *router, const struct router_options *options, char *text, uint32_t room);

#endif
