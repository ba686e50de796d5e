/* SPDX-License-Identifier: MIT */
/*
 * fuzz_topology.c - files of `barewire net`: what is taken has a plan in which every host has an address of its
 * own.
 */
#include "shim/keeper/tools/network/topology.h"
#include "tests/fuzz/target.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct topology topology;
    char error[TOPOLOGY_ERROR_BYTES], expanded[128];
    int lan, host;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    error[0] = 0;
    bool good = topology_read(&topology, text, error);
    free(text);
    target_expect(good || error[0], "what is wrong is said");
    if (!good)
        return 0;
    for (int i = 0; i < topology.station_count; i++) {
        const struct topology_station *own = &topology.stations[i];
        topology_expand(&topology, own->run, expanded, sizeof expanded);
        for (int j = 0; j < i; j++)
            target_expect(topology.stations[j].lan_number != own->lan_number ||
                              topology.stations[j].host != own->host,
                          "an address is one station's");
    }
    for (int i = 0; i < topology.router_count; i++)
        for (int j = 0; j < topology.lan_count; j++)
            if (topology_next_hop(&topology, i, j, &lan, &host))
                target_expect(lan >= 0 && lan < topology.lan_count && host > 0, "a next hop is a router");
    return 0;
}
