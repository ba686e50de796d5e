/* SPDX-License-Identifier: MIT */
/*
 * topology.h - a network in a file, for `barewire net`: LANs, routers, stations and their programs.
 *
 * The file is a part of TOML: comments, [kind.name], key = "text", 'text', a whole number, true, false, or a
 * list of texts on one line. Reading it and planning addresses and routes are pure functions.
 */
#ifndef SHIM_KEEPER_TOOLS_NETWORK_TOPOLOGY_H
#define SHIM_KEEPER_TOOLS_NETWORK_TOPOLOGY_H

#include "stack/ip/ip_address.h"
#include "stack/router/router.h"

#define TOPOLOGY_NAME_BYTES 32
#define TOPOLOGY_TEXT_BYTES 512
#define TOPOLOGY_ERROR_BYTES 256
#define TOPOLOGY_LANS_MAX 32
#define TOPOLOGY_ROUTERS_MAX 16
#define TOPOLOGY_STATIONS_MAX 64
#define TOPOLOGY_LIST_MAX 16

struct topology_list {
    int count;
    char text[TOPOLOGY_LIST_MAX][TOPOLOGY_TEXT_BYTES / 2];
};

struct topology_lan {
    char name[TOPOLOGY_NAME_BYTES];
    char kind[TOPOLOGY_NAME_BYTES]; /* "switch", "hub" */
    char rate[TOPOLOGY_NAME_BYTES], delay[TOPOLOGY_NAME_BYTES], ber[TOPOLOGY_NAME_BYTES],
        outage[TOPOLOGY_NAME_BYTES];
};

struct topology_router {
    char name[TOPOLOGY_NAME_BYTES];
    struct topology_list ports; /* LAN[,item...], as `barewire router` has items */
    struct topology_list map;   /* tcp/8080=STATION:80 */
    char nat[TOPOLOGY_NAME_BYTES];
    int lans[ROUTER_PORTS_MAX];  /* planned: of each port */
    int hosts[ROUTER_PORTS_MAX]; /* ... and the last byte of its addresses */
};

struct topology_station {
    char name[TOPOLOGY_NAME_BYTES], lan[TOPOLOGY_NAME_BYTES];
    char impair[TOPOLOGY_TEXT_BYTES / 2], sysctl[TOPOLOGY_TEXT_BYTES / 2];
    char run[TOPOLOGY_TEXT_BYTES], serve[TOPOLOGY_TEXT_BYTES];
    int64_t mtu, listen;
    struct topology_list expect;
    int lan_number, host, gateway; /* planned; gateway: the last byte of its router's address, 0: none */
};

struct topology {
    bool ipv4, ipv6;
    int64_t seed, timeout; /* seconds */
    int lan_count, router_count, station_count;
    struct topology_lan lans[TOPOLOGY_LANS_MAX];
    struct topology_router routers[TOPOLOGY_ROUTERS_MAX];
    struct topology_station stations[TOPOLOGY_STATIONS_MAX];
};

/* Reads a file's text, which ends with a 0. False: a line for the user is in error (TOPOLOGY_ERROR_BYTES). */
bool topology_read(struct topology *topology, const char *text, char *error);

/* Gives ports and stations their places: LAN n has 10.n.0.0/24 and 2001:db8:n::/64, counted from 1; its routers
 * are .1, .2 ..., its stations from .10 on. False: something that is named is not there. */
bool topology_plan(struct topology *topology, char *error);

/* The address of a host of a LAN. */
struct ip_address topology_address(int lan, int host, bool ipv6);

/* How a router gets to a LAN that it has no port on: the LAN and host of the next hop. False: there is no way;
 * what is behind a NAT is not reached from outside. */
bool topology_next_hop(const struct topology *topology, int router, int lan, int *hop_lan, int *hop_host);

/* Writes `from` with each {STATION} in it replaced by its address. False: it does not fit, or there is none. */
bool topology_expand(const struct topology *topology, const char *from, char *to, size_t room);

#endif
