/* SPDX-License-Identifier: MIT */
/*
 * topology_plan.c - see topology.h: addresses, and ways.
 */
#include "nic/impair.h"
#include "nic/nearest.h"
#include "shim/keeper/tools/network/topology.h"
#include "stack/sysctl.h"
#include <stdio.h>

#define FIRST_STATION 10
#define LAST_HOST 254

static bool fail(char *error, const char *who, const char *wrong, const char *what) {
    snprintf(error, TOPOLOGY_ERROR_BYTES, "%s: %s '%.60s'", who, wrong, what);
    return false;
}

struct ip_address topology_address(int lan, int host, bool ipv6) {
    struct ip_address address = {
        .bytes = {0x20, 0x01, 0x0d, 0xb8, 0, (uint8_t)(lan + 1), [15] = (uint8_t)host}};
    return ipv6 ? address : ip_from_v4(10u << 24 | (uint32_t)(lan + 1) << 16 | (uint32_t)host);
}

/* The LAN of a name, which ends with a comma or the text. -1: there is none. */
static int find_lan(const struct topology *topology, const char *name) {
    size_t length = strcspn(name, ",");
    for (int i = 0; i < topology->lan_count; i++)
        if (strlen(topology->lans[i].name) == length && strncmp(topology->lans[i].name, name, length) == 0)
            return i;
    return -1;
}

static bool plan_router(struct topology *topology, struct topology_router *router, int *hosts, char *error) {
    bool nat = !router->nat[0];
    if (router->ports.count == 0)
        return fail(error, router->name, "a router wants", "ports");
    for (int i = 0; i < router->ports.count; i++) {
        const char *port = router->ports.text[i];
        int lan = find_lan(topology, port);
        if (lan < 0)
            return fail(error, router->name, "there is no LAN", port);
        nat |= strcmp(router->nat, topology->lans[lan].name) == 0;
        router->lans[i] = lan;
        router->hosts[i] = ++hosts[lan];
    }
    return nat || fail(error, router->name, "NAT is wanted, but no port is on", router->nat);
}

/* The last byte of the first router's address on a LAN: 0: there is none. */
static int first_router(const struct topology *topology, int lan) {
    for (int i = 0; i < topology->router_count; i++)
        for (int j = 0; j < topology->routers[i].ports.count; j++)
            if (topology->routers[i].lans[j] == lan)
                return topology->routers[i].hosts[j];
    return 0;
}

/* What a program would be told no sooner than at its first socket. */
static bool check_line(const struct topology_station *station, char *error) {
    char wrong[IMPAIR_ERROR_BYTES];
    struct impair_specs specs;
    struct sysctl sysctl;
    const char *bad;
    sysctl_init(&sysctl);
    if (station->impair[0] && !impair_parse(station->impair, &specs, wrong)) {
        snprintf(error, TOPOLOGY_ERROR_BYTES, "%s: %.*s", station->name, TOPOLOGY_ERROR_BYTES - 60, wrong);
        return false;
    }
    return !station->sysctl[0] || sysctl_set_all(&sysctl, station->sysctl, &bad) == 0 ||
           fail(error, station->name,
                "'barewire help sysctl' has no such tunable, or not with that value:", bad);
}

/* Of {NAME} in a program that is no station, but like one. Other braces are the shell's, or the program's own. */
static bool check_names(const struct topology *topology, const struct topology_station *station,
                        const char *program, char *error) {
    for (const char *at = program; (at = strchr(at, '{')); at++) {
        struct nearest near;
        char hint[NEAREST_HINT_BYTES], name[TOPOLOGY_NAME_BYTES];
        size_t length = strcspn(at + 1, "}");
        bool there = false;
        if (length == 0 || length >= sizeof name || !at[1 + length] || (at > program && strchr("%$", at[-1])))
            continue;
        nearest_begin(&near, at + 1, length);
        snprintf(name, sizeof name, "%.*s", (int)length, at + 1);
        for (int i = 0; i < topology->station_count; i++) {
            there |= strcmp(topology->stations[i].name, name) == 0;
            nearest_try(&near, topology->stations[i].name);
        }
        if (there || !near.word)
            continue;
        snprintf(error, TOPOLOGY_ERROR_BYTES, "%s: there is no station '%s'%s", station->name, name,
                 nearest_hint(&near, "", hint));
        return false;
    }
    return true;
}

bool topology_plan(struct topology *topology, char *error) {
    int routers[TOPOLOGY_LANS_MAX] = {0}, stations[TOPOLOGY_LANS_MAX];
    for (int i = 0; i < topology->lan_count; i++) {
        stations[i] = FIRST_STATION;
        if (strcmp(topology->lans[i].kind, "switch") != 0 && strcmp(topology->lans[i].kind, "hub") != 0)
            return fail(error, topology->lans[i].name, "a LAN is a \"switch\" or a \"hub\", not",
                        topology->lans[i].kind);
    }
    for (int i = 0; i < topology->router_count; i++)
        if (!plan_router(topology, &topology->routers[i], routers, error))
            return false;
    for (int i = 0; i < topology->lan_count; i++)
        if (routers[i] >= FIRST_STATION)
            return fail(error, topology->lans[i].name, "there are too many routers on",
                        topology->lans[i].name);
    for (int i = 0; i < topology->station_count; i++) {
        struct topology_station *station = &topology->stations[i];
        station->lan_number = find_lan(topology, station->lan);
        if (station->lan_number < 0)
            return fail(error, station->name, "there is no LAN", station->lan);
        if (station->run[0] && station->serve[0])
            return fail(error, station->name, "a station has run or serve, not both:", station->run);
        station->host = stations[station->lan_number]++;
        station->gateway = first_router(topology, station->lan_number);
        if (station->host > LAST_HOST)
            return fail(error, station->name, "there is no address left on", station->lan);
        if (!check_line(station, error) || !check_names(topology, station, station->run, error) ||
            !check_names(topology, station, station->serve, error))
            return false;
    }
    return topology->station_count > 0 || fail(error, "net", "there is no", "[station.NAME]");
}

bool topology_next_hop(const struct topology *topology, int router, int lan, int *hop_lan, int *hop_host) {
    int queue[TOPOLOGY_ROUTERS_MAX] = {router}, first_lan[TOPOLOGY_ROUTERS_MAX],
        first_host[TOPOLOGY_ROUTERS_MAX];
    bool seen[TOPOLOGY_ROUTERS_MAX] = {false};
    int begin = 0, end = 1;
    seen[router] = true;
    while (begin < end) { /* breadth first: the fewest routers */
        int at = queue[begin++];
        const struct topology_router *own = &topology->routers[at];
        for (int i = 0; i < own->ports.count; i++) {
            if (own->lans[i] == lan && at != router) {
                *hop_lan = first_lan[at];
                *hop_host = first_host[at];
                return true;
            }
            for (int next = 0; next < topology->router_count; next++) {
                const struct topology_router *other = &topology->routers[next];
                for (int j = 0; j < other->ports.count && !seen[next]; j++) {
                    if (other->lans[j] != own->lans[i] ||
                        strcmp(other->nat, topology->lans[other->lans[j]].name) == 0)
                        continue; /* not a neighbour; or what is behind it is its own */
                    seen[next] = true;
                    queue[end++] = next;
                    first_lan[next] = at == router ? own->lans[i] : first_lan[at];
                    first_host[next] = at == router ? other->hosts[j] : first_host[at];
                }
            }
        }
    }
    return false;
}

bool topology_expand(const struct topology *topology, const char *from, char *to, size_t room) {
    size_t used = 0;
    while (*from) {
        char text[IP_ADDRESS_TEXT] = {*from, 0};
        size_t length = 1;
        for (int i = 0; *from == '{' && i < topology->station_count; i++) {
            const struct topology_station *station = &topology->stations[i];
            size_t bytes = strlen(station->name);
            if (strncmp(from + 1, station->name, bytes) == 0 && from[1 + bytes] == '}') {
                ip_text(topology_address(station->lan_number, station->host, !topology->ipv4), text);
                length = bytes + 2;
                break;
            }
        }
        int written = snprintf(to + used, room - used, "%s", text);
        if (written < 0 || (size_t)written >= room - used)
            return false;
        used += (size_t)written;
        from += length;
    }
    to[used < room ? used : room - 1] = 0;
    return true;
}
