/* SPDX-License-Identifier: MIT */
/*
 * net.h - a network that runs: its processes (net_start.c), and what is expected of its programs
 * (net_expect.c).
 */
#ifndef SHIM_KEEPER_TOOLS_NETWORK_NET_H
#define SHIM_KEEPER_TOOLS_NETWORK_NET_H

#include "shim/keeper/tools/network/topology.h"
#include <sys/types.h>

struct net {
    struct topology topology;
    char name[TOPOLOGY_NAME_BYTES]; /* of the file */
    char directory[96];             /* of its sockets, and what programs say */
    pid_t segments[TOPOLOGY_LANS_MAX + TOPOLOGY_ROUTERS_MAX];
    int segment_count;
    pid_t programs[TOPOLOGY_STATIONS_MAX]; /* 0: none, or it has ended */
    int status[TOPOLOGY_STATIONS_MAX];     /* as a shell has it */
};

/* Starts LANs and routers, and waits until they are there. False after a line for the user. */
bool net_start(struct net *net);

/* In a child: becomes a program at a station. */
_Noreturn void net_become(const struct net *net, int station, char *const *words);

/* Starts a station's program, which writes to NAME.out and NAME.err. */
bool net_run_program(struct net *net, int station);

/* Whether a station's TCP server listens at its port. */
bool net_listens(const struct net *net, int station);

/* Ends all of it, stations' stacks too. */
void net_end(struct net *net);

/* Says what became of a station's program, and whether that was expected. */
bool net_judge(const struct net *net, int station);

/* The path of a station's file, such as "out". */
void net_file(const struct net *net, int station, const char *kind, char path[160]);

#endif
