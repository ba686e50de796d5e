/* SPDX-License-Identifier: MIT */
/*
 * router_show.c - what a router tells of itself (`barewire router --show`).
 */
#include "shim/keeper/tools/network/router_options.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct page {
    char *text;
    uint32_t used, room;
};

__attribute__((format(printf, 2, 3))) static void say(struct page *page, const char *format, ...) {
    va_list arguments;
    if (page->used + 1 >= page->room)
        return;
    va_start(arguments, format);
    int length = vsnprintf(page->text + page->used, page->room - page->used, format, arguments);
    va_end(arguments);
    page->used += length > 0 ? (uint32_t)length : 0;
    if (page->used >= page->room)
        page->used = page->room - 1;
}

static void say_network(struct page *page, struct ip_address address, uint8_t bits) {
    char text[IP_ADDRESS_TEXT];
    say(page, "%s/%d", ip_text(address, text), ip_is_v4(address) ? bits - (int)IP_V4_PREFIX : bits);
}

static void show_ports(struct page *page, const struct router *router, const struct router_options *options) {
    static const char *const aqms[] = {"drop-tail", "CoDel", "RED"};
    for (int i = 0; i < router->port_count; i++) {
        const struct router_port *port = &router->ports[i];
        const struct router_queue *queue = &port->queue;
        const struct router_queue_counters *counters = &queue->counters;
        const uint8_t *mac = port->config.mac;
        say(page, "port %d %s %02x:%02x:%02x:%02x:%02x:%02x mtu %u", i, options->ports[i].nic, mac[0], mac[1],
            mac[2], mac[3], mac[4], mac[5], port->config.mtu);
        for (uint32_t j = 0; j < port->config.address_count; j++) {
            say(page, " ");
            say_network(page, port->config.addresses[j].address, port->config.addresses[j].bits);
        }
        say(page, "%s%s\n", i == router->nat_port ? " NAT" : "", port->config.silent ? " black-hole" : "");
        say(page, "  in %" PRIu64 " frames %" PRIu64 " bytes, out %" PRIu64 " frames %" PRIu64 " bytes\n",
            port->received, port->received_bytes, counters->packets, counters->bytes);
        say(page, "  queue %s%s %" PRIu64 " bit/s: %u frames %" PRIu64 " bytes wait, longest %.3f ms;",
            aqms[queue->config.aqm], queue->config.ecn ? " ECN" : "", queue->config.rate, queue->count,
            queue->bytes, (double)counters->delay_ns_most / 1e6);
        say(page, " overflowed %" PRIu64 ", dropped %" PRIu64 ", marked %" PRIu64 "\n", counters->overflowed,
            counters->dropped, counters->marked);
        if (options->ports[i].impair[0])
            say(page, "  line %s\n", options->ports[i].impair);
    }
}

static void show_routes(struct page *page, const struct router *router) {
    char text[IP_ADDRESS_TEXT];
    for (uint32_t i = 0; i < router->routes.count; i++) {
        const struct router_route *route = &router->routes.all[i];
        say(page, "route ");
        say_network(page, route->prefix, route->bits);
        if (!ip_is_any(route->next_hop))
            say(page, " via %s", ip_text(route->next_hop, text));
        say(page, " port %u\n", route->port);
    }
}

static void show_neighbours(struct page *page, const struct router *router) {
    char text[IP_ADDRESS_TEXT];
    for (uint32_t i = 0; i < router->neighbours.ever; i++) {
        const struct router_neighbour *entry = &router->neighbours.all[i];
        const uint8_t *mac = entry->mac;
        if (!entry->used)
            continue;
        say(page, "neighbour %s port %u ", ip_text(entry->address, text), entry->port);
        if (entry->known)
            say(page, "%02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
        else
            say(page, "asked %u times, %u packets wait\n", entry->asked, entry->waiting);
    }
}

static void show_nat(struct page *page, const struct router *router) {
    const struct nat *nat = &router->nat;
    char text[IP_ADDRESS_TEXT];
    if (router->nat_port < 0)
        return;
    say(page, "nat %s: %u mappings, packets out %" PRIu64 ", in %" PRIu64 ", hairpins %" PRIu64,
        ip_text(ip_from_v4(nat->outer_address), text), nat->count, nat->counters.outward,
        nat->counters.inward, nat->counters.hairpins);
    say(page,
        "; for no mapping %" PRIu64 ", table full %" PRIu64 ", malformed %" PRIu64 ", fragments lost %" PRIu64
        "\n",
        nat->counters.unknown, nat->counters.full, nat->counters.malformed, nat->counters.fragments_lost);
    for (uint32_t i = 0; i < nat->fresh; i++) {
        const struct nat_mapping *mapping = &nat->mappings[i];
        const char *protocol = mapping->protocol == IP_PROTOCOL_TCP   ? "tcp"
                               : mapping->protocol == IP_PROTOCOL_UDP ? "udp"
                                                                      : "icmp";
        if (mapping->protocol == 0 || (!mapping->fixed && mapping->until_ns <= router->now_ns))
            continue;
        say(page, "map %s %u to %s %u, ", protocol, mapping->outer_port,
            ip_text(ip_from_v4(mapping->inner_address), text), mapping->inner_port);
        if (mapping->fixed)
            say(page, "for good\n");
        else
            say(page, "%" PRIu64 " s\n", (mapping->until_ns - router->now_ns) / 1000000000);
    }
}

uint32_t router_show(struct router *router, const struct router_options *options, char *text, uint32_t room) {
    struct page page = {text, 0, room};
    const struct router_counters *counters = &router->counters;
    say(&page, "router %s\n", options->name);
    show_ports(&page, router, options);
    show_routes(&page, router);
    show_neighbours(&page, router);
    say(&page,
        "forwarded %" PRIu64 ", delivered %" PRIu64 ", no route %" PRIu64 ", TTL exceeded %" PRIu64
        ", too long %" PRIu64 ", no neighbour %" PRIu64 "\n",
        counters->forwarded, counters->delivered, counters->no_routes, counters->ttl_exceeded,
        counters->too_long, counters->no_neighbour);
    say(&page,
        "fragmented %" PRIu64 " into %" PRIu64 ", redirects %" PRIu64 ", ICMP errors %" PRIu64 " (%" PRIu64
        " more held back), bad headers %" PRIu64 ", bad addresses %" PRIu64 ", discarded %" PRIu64 "\n",
        counters->fragmented, counters->fragments, counters->redirects, counters->icmp_errors,
        counters->icmp_limited, counters->in_header_errors, counters->in_address_errors, counters->discarded);
    show_nat(&page, router);
    return page.used;
}
