/* SPDX-License-Identifier: MIT */
/*
 * router_routes.c - see router_routes.h.
 */
#include "stack/router/router_routes.h"

bool router_routes_add(struct router_routes *routes, const struct router_route *route) {
    struct router_route added = *route;
    uint32_t at = 0;
    added.prefix = ip_prefix(added.prefix, added.bits);
    for (uint32_t i = 0; i < routes->count; i++)
        if (routes->all[i].bits == added.bits && ip_equal(routes->all[i].prefix, added.prefix)) {
            routes->all[i] = added;
            return true;
        }
    if (routes->count == ROUTER_ROUTES_MAX)
        return false;
    while (at < routes->count && routes->all[at].bits >= added.bits)
        at++;
    memmove(&routes->all[at + 1], &routes->all[at], (routes->count - at) * sizeof added);
    routes->all[at] = added;
    routes->count++;
    return true;
}

const struct router_route *router_routes_find(const struct router_routes *routes,
                                              struct ip_address destination) {
    for (uint32_t i = 0; i < routes->count; i++)
        if (ip_common_bits(routes->all[i].prefix, destination) >= routes->all[i].bits &&
            ip_is_v4(routes->all[i].prefix) == ip_is_v4(destination))
            return &routes->all[i];
    return NULL;
}
