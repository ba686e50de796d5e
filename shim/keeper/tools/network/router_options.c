/* SPDX-License-Identifier: MIT */
/*
 * router_options.c - see router_options.h.
 */
#include "shim/keeper/tools/network/router_options.h"
#include "nic/impair.h"
#include "nic/nearest.h"
#include "nic/units.h"
#include <stdio.h>
#include <stdlib.h>

/* The items of a port, of which none is this one; what is none of the queue's is the line's. */
static bool fail_item(char *error, const char *item) {
    static const char *const items[] = {"rate",  "queue",      "aqm",     "ecn",    "mtu",
                                        "no-ra", "black-hole", "delay",   "jitter", "loss",
                                        "burst", "duplicate",  "reorder", "corrupt"};
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    nearest_begin(&near, item, strcspn(item, "="));
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        nearest_try(&near, items[i]);
    nearest_hint(&near, "", hint);
    snprintf(
        error, ROUTER_ERROR_BYTES,
        "'%.60s': a port takes addresses, rate=10mbit, queue=100ms, aqm=drop-tail|codel|red, ecn, mtu=1500, "
        "no-ra, "
        "black-hole, and delay=, jitter=, loss=, burst=, duplicate=, reorder=, corrupt= as --impair does%s",
        item, hint);
    return false;
}

static bool fail(char *error, const char *text, const char *wrong) {
    snprintf(error, ROUTER_ERROR_BYTES, "'%.120s'%s", text, wrong);
    return false;
}

/* A number up to `most`, and nothing else. */
static bool read_number(const char *text, uint64_t most, uint64_t *value) {
    char *end;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && *value <= most;
}

/* ADDRESS/N, of either family. */
static bool read_network(const char *text, struct ip_address *address, uint8_t *bits) {
    char copy[ROUTER_TEXT_BYTES], *slash;
    uint64_t number;
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy || !(slash = strchr(copy, '/')))
        return false;
    *slash = 0;
    if (ip_parse(copy, address) < 0)
        return false;
    bool v4 = ip_is_v4(*address);
    if (!read_number(slash + 1, v4 ? 32 : 128, &number))
        return false;
    *bits = (uint8_t)(number + (v4 ? IP_V4_PREFIX : 0));
    return true;
}

static bool read_address(struct router_port_option *port, const char *item, char *error) {
    struct router_port_config *config = &port->config;
    struct router_address own;
    if (!read_network(item, &own.address, &own.bits) || ip_is_multicast(own.address) ||
        ip_is_any(own.address) || ip_is_loopback(own.address))
        return fail(error, item, ": an address with its prefix is wanted, such as 10.1.0.1/24");
    if (config->address_count + 1 == ROUTER_ADDRESSES_MAX)
        return fail(error, item, ": a port has no room for so many addresses");
    config->addresses[config->address_count++] = own;
    return true;
}

static bool read_queue(struct router_queue_config *queue, const char *value) {
    static const struct unit times[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {NULL, 0}};
    double time;
    uint64_t number;
    if (read_number(value, ROUTER_QUEUE_PACKETS_MAX, &number) && number > 0) {
        queue->packets = (uint32_t)number;
        return true;
    }
    if (!units_read(value, times, 6e10, &time) || time < 1)
        return false;
    queue->limit_ns = (uint64_t)time;
    return true;
}

static bool read_aqm(struct router_queue_config *queue, const char *value) {
    static const char *const names[] = {"drop-tail", "codel", "red"};
    for (int i = 0; i < 3; i++)
        if (strcmp(names[i], value) == 0) {
            queue->aqm = (enum router_aqm)i;
            return true;
        }
    return false;
}

/* What is none of the queue's is the line's (impair.h). */
static bool read_impairment(struct router_port_option *port, const char *item, char *error) {
    size_t used = strlen(port->impair);
    char wrong[IMPAIR_ERROR_BYTES];
    struct impair_specs specs;
    int written = snprintf(port->impair + used, sizeof port->impair - used, "%stx:%s", used ? "," : "", item);
    if (written >= (int)(sizeof port->impair - used))
        return fail(error, item, ": that is too much for one port");
    if (!impair_parse(port->impair, &specs, wrong))
        return fail_item(error, item);
    return true;
}

static bool read_item(struct router_port_option *port, const char *item, char *error) {
    static const struct unit rates[] = {{"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0}};
    struct router_queue_config *queue = &port->config.queue;
    double rate;
    uint64_t mtu;
    if (!strchr(item, '=') && strchr(item, '/'))
        return read_address(port, item, error);
    if (strcmp(item, "ecn") == 0)
        queue->ecn = true;
    else if (strcmp(item, "no-ra") == 0)
        port->config.advertise = false;
    else if (strcmp(item, "black-hole") == 0)
        port->config.silent = true;
    else if (strncmp(item, "rate=", 5) == 0 && units_read(item + 5, rates, 1e11, &rate) && rate >= 1000)
        queue->rate = (uint64_t)rate;
    else if (strncmp(item, "queue=", 6) == 0 && read_queue(queue, item + 6))
        return true;
    else if (strncmp(item, "aqm=", 4) == 0 && read_aqm(queue, item + 4))
        return true;
    else if (strncmp(item, "aqm=", 4) == 0)
        return fail(error, item, ": give drop-tail, codel or red");
    else if (strncmp(item, "mtu=", 4) == 0 && read_number(item + 4, ROUTER_MTU_MAX, &mtu) && mtu >= 68)
        port->config.mtu = (uint16_t)mtu;
    else if (strncmp(item, "rate=", 5) == 0 || strncmp(item, "queue=", 6) == 0)
        return fail(error, item, ": a rate such as rate=10mbit, or a queue such as queue=100ms, is wanted");
    else
        return read_impairment(port, item, error);
    return true;
}

static bool read_port(struct router_options *options, const char *word, char *error) {
    char copy[1024], *rest = copy, *item;
    if (options->port_count == ROUTER_PORTS_MAX)
        return fail(error, word, ": a router has 16 ports at most");
    struct router_port_option *port = &options->ports[options->port_count];
    const char *items = strchr(word, '=');
    if (!items || items == word || (size_t)(items - word) >= sizeof port->nic ||
        snprintf(copy, sizeof copy, "%s", items + 1) >= (int)sizeof copy)
        return fail(error, word, ": a port is wanted, such as lan:PATH=10.1.0.1/24,rate=10mbit");
    *port = (struct router_port_option){.config.advertise = true};
    snprintf(port->nic, sizeof port->nic, "%.*s", (int)(items - word), word);
    while ((item = strsep(&rest, ",")))
        if (!read_item(port, item, error))
            return false;
    if (port->config.address_count == 0)
        return fail(error, word, ": the port has no address");
    options->port_count++;
    return true;
}

static bool read_route(struct router_options *options, const char *word, char *error) {
    char copy[ROUTER_TEXT_BYTES], *equals;
    if (options->route_count == (int)ROUTER_ROUTES_MAX)
        return fail(error, word, ": there are too many routes");
    struct router_route_option *route = &options->routes[options->route_count];
    if (snprintf(copy, sizeof copy, "%s", word) >= (int)sizeof copy || !(equals = strchr(copy, '=')))
        return fail(error, word, ": a route is wanted, such as 0.0.0.0/0=10.2.0.254");
    *equals = 0;
    if (!read_network(copy, &route->prefix, &route->bits) || ip_parse(equals + 1, &route->next_hop) < 0 ||
        ip_is_v4(route->prefix) != ip_is_v4(route->next_hop))
        return fail(error, word, ": a route is wanted, such as 0.0.0.0/0=10.2.0.254");
    options->route_count++;
    return true;
}

/* tcp/8080=10.1.0.5:80 */
static bool read_map(struct router_options *options, const char *word, char *error) {
    char copy[ROUTER_TEXT_BYTES], *equals, *colon;
    struct router_map_option *map = &options->maps[options->map_count];
    struct ip_address inner;
    uint64_t outer_port, inner_port;
    if (options->map_count < ROUTER_MAPS_MAX && snprintf(copy, sizeof copy, "%s", word) < (int)sizeof copy &&
        (strncmp(copy, "tcp/", 4) == 0 || strncmp(copy, "udp/", 4) == 0) && (equals = strchr(copy, '=')) &&
        (colon = strchr(equals, ':'))) {
        *equals = *colon = 0;
        if (read_number(copy + 4, 65535, &outer_port) && outer_port > 0 &&
            read_number(colon + 1, 65535, &inner_port) && inner_port > 0 &&
            ip_parse(equals + 1, &inner) == 0 && ip_is_v4(inner)) {
            *map = (struct router_map_option){copy[0] == 't' ? IP_PROTOCOL_TCP : IP_PROTOCOL_UDP,
                                              (uint16_t)outer_port, (uint16_t)inner_port, ip_to_v4(inner)};
            options->map_count++;
            return true;
        }
    }
    return fail(error, word, ": a mapping is wanted, such as tcp/8080=10.1.0.5:80");
}

static bool read_nat(struct router_options *options, const char *word, char *error) {
    for (int i = 0; i < options->port_count; i++)
        if (strcmp(options->ports[i].nic, word) == 0)
            options->nat = i;
    return options->nat >= 0 || fail(error, word, ": NAT is wanted for no port that is named before it");
}

static bool read_option(struct router_options *options, const char *name, const char *value, char *error) {
    if (strcmp(name, "--route") == 0)
        return read_route(options, value, error);
    if (strcmp(name, "--map") == 0)
        return read_map(options, value, error);
    if (strcmp(name, "--nat") == 0)
        return read_nat(options, value, error);
    if (strcmp(name, "--name") == 0)
        return (*value && !strchr(value, '/') && value[0] != '.' &&
                snprintf(options->name, sizeof options->name, "%s", value) < (int)sizeof options->name) ||
               fail(error, value, ": no name for a router");
    if (strcmp(name, "--seed") == 0) {
        options->seeded = true;
        return read_number(value, UINT64_MAX, &options->seed) || fail(error, value, ": a number is wanted");
    }
    return false;
}

/* False, with what may have been meant. */
static bool is_option(const char *word, char *error) {
    static const char *const options[] = {"--route", "--nat", "--map", "--name", "--seed", "--show"};
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    nearest_begin(&near, word, strlen(word));
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(word, options[i]) == 0)
            return true;
        nearest_try(&near, options[i]);
    }
    snprintf(error, ROUTER_ERROR_BYTES,
             "'%.120s' is no option of router: there are --route, --nat, --map, --name and --seed%s", word,
             nearest_hint(&near, "", hint));
    return false;
}

bool router_options_read(struct router_options *options, int count, char **words, char *error) {
    memset(options, 0, sizeof *options);
    snprintf(options->name, sizeof options->name, "router");
    options->nat = -1;
    for (int i = 0; i < count; i++) {
        bool option = words[i][0] == '-';
        if (option && !is_option(words[i], error))
            return false;
        if (!option && !read_port(options, words[i], error))
            return false;
        if (!option)
            continue;
        if (i + 1 == count)
            return fail(error, words[i], " wants a value");
        if (!read_option(options, words[i], words[i + 1], error))
            return false;
        i++;
    }
    if (options->map_count && options->nat < 0)
        return fail(error, "--map", " wants --nat, too");
    return options->port_count > 0 || fail(error, "router", " wants a port, such as lan:PATH=10.1.0.1/24");
}
