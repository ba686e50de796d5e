/* SPDX-License-Identifier: MIT */
/*
 * procfs_text6.c - see procfs_text6.h. Formats: what Linux prints (if6_seq_show, ipv6_route_native_seq_show,
 * snmp6_seq_show, igmp6_mc_seq_show, igmp6_mcf_seq_show, ac6_seq_show,
 * ip6fl_seq_show, rt6_stats_seq_show, sockstat6_seq_show).
 *
 * Loopback is the kernel's, so the lines that are about lo are the kernel's.
 */
#include "shim/library/netinfo/procfs_text6.h"
#include "shim/region/region.h"
#include <inttypes.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>

#define PER_INTERFACE "dev_snmp6/"
#define METRIC_OWN 256u   /* of routes that come with an address */
#define METRIC_TOLD 1024u /* of all others */
#define LINK_LOCAL_BITS 64u
#define NS_PER_S UINT64_C(1000000000)
/* <linux/ipv6_route.h>, which does not go with <net/route.h> */
#ifndef RTF_EXPIRES
#define RTF_PREFIX_RT 0x00080000u
#define RTF_EXPIRES 0x00400000u
#define RTF_ROUTEINFO 0x00800000u
#endif
#ifndef RTF_LOCAL
#define RTF_LOCAL 0x80000000u
#endif
#define PREFERENCE_AT 27
#define GROUP_LOADED 4u    /* MAF_LOADED: routers were told */
#define GROUP_NO_REPORT 8u /* MAF_NOREPORT */

static bool is_on(void) {
    return shared->stack.config.ip6.on;
}

static void print_address(struct procfs_text *text, struct ip_address address) {
    for (unsigned at = 0; at < IP_ADDRESS_BYTES; at++)
        procfs_print(text, "%02x", address.bytes[at]);
}

/* The lines of the kernel's file that end in, or begin their second word with, the name of loopback. */
static void print_lines_of_lo(struct procfs_text *text) {
    const char *line = text->kernels, *end;
    for (; (end = strchr(line, '\n')); line = end + 1) {
        unsigned index;
        char name[IFNAMSIZ] = "";
        bool ends = end - line > 3 && memcmp(end - 3, " lo", 3) == 0;
        if (ends || (sscanf(line, "%u %15s", &index, name) == 2 && strcmp(name, "lo") == 0))
            procfs_print(text, "%.*s\n", (int)(end - line), line);
    }
}

static void write_if_inet6(struct procfs_text *text) {
    const struct ip6_addresses *addresses = &shared->stack.ip6.addresses;
    const struct interface *own = &text->interfaces[INTERFACE_OWN];
    print_lines_of_lo(text);
    for (uint32_t i = 0; is_on() && i < addresses->count; i++) {
        const struct ip6_address *entry = &addresses->entries[i];
        print_address(text, entry->address);
        procfs_print(text, " %02x %02x %02x %02x %8s\n", own->index, entry->prefix_length,
                     ip_is_link_local(entry->address) ? 0x20 : 0, entry->flags & 0xff, own->name);
    }
}

static void print_route(struct procfs_text *text, struct ip_address destination, uint8_t prefix_length,
                        struct ip_address gateway, uint32_t metric, uint32_t flags) {
    print_address(text, destination);
    procfs_print(text, " %02x ", prefix_length);
    print_address(text, (struct ip_address){0});
    procfs_print(text, " 00 ");
    print_address(text, gateway);
    procfs_print(text, " %08x %08x %08x %08x %8s\n", metric, 1u, 0u, RTF_UP | flags,
                 text->interfaces[INTERFACE_OWN].name);
}

/* As the kernel marks routes: by who said so, and whether they end. */
static uint32_t flags_of(const struct ip6_route *route) {
    uint32_t flags = ip_is_any(route->gateway) ? 0 : RTF_GATEWAY;
    if (route->origin == IP6_ROUTE_PREFIX)
        flags |= RTF_ADDRCONF | RTF_PREFIX_RT;
    if (route->origin == IP6_ROUTE_TOLD)
        flags |= RTF_ADDRCONF | (route->prefix_length == 0 ? RTF_DEFAULT : RTF_ROUTEINFO);
    if (route->origin == IP6_ROUTE_REDIRECT)
        flags |= RTF_HOST | RTF_DYNAMIC;
    else if (route->until_ns != TIMER_NEVER)
        flags |= RTF_EXPIRES;
    return flags | (route->preference > 0 ? 1u : route->preference < 0 ? 3u : 0u) << PREFERENCE_AT;
}

static void write_routes(struct procfs_text *text) {
    const struct ip6_routes *routes = &shared->stack.ip6.routes;
    const struct ip6_addresses *addresses = &shared->stack.ip6.addresses;
    const struct ip_address none = {0}, link = {{{0xfe, 0x80}}}, groups = {{{0xff}}};
    for (uint32_t i = 0; is_on() && i < routes->count; i++) {
        const struct ip6_route *entry = &routes->routes[i];
        bool own = entry->origin == IP6_ROUTE_PREFIX || ip_is_any(entry->gateway);
        print_route(text, ip_prefix(entry->destination, entry->prefix_length), entry->prefix_length,
                    entry->gateway, own ? METRIC_OWN : METRIC_TOLD, flags_of(entry));
    }
    if (is_on())
        print_route(text, link, LINK_LOCAL_BITS, none, METRIC_OWN, 0);
    print_lines_of_lo(text);
    for (uint32_t i = 0; is_on() && i < addresses->count; i++)
        print_route(text, addresses->entries[i].address, IP_ADDRESS_BITS, none, 0, RTF_NONEXTHOP | RTF_LOCAL);
    if (is_on())
        print_route(text, groups, 8, none, METRIC_OWN, 0);
}

/* A counter by its whole name; those that the stack has not are 0. */
static uint64_t counter(const char *name) {
    const struct mib *mib = &shared->stack.mib;
#define LOOK_UP(group, counter)             \
    if (strcmp(name, #group #counter) == 0) \
        return mib->group##counter;
    MIB_COUNTERS(LOOK_UP)
#undef LOOK_UP
    return 0;
}

/* What came and went by the number of its type, of which the kernel tells those that there were. */
static void print_types(struct procfs_text *text) {
    static const struct {
        unsigned type;
        const char *name;
    } types[] = {{1, "DestUnreachs"},
                 {2, "PktTooBigs"},
                 {3, "TimeExcds"},
                 {4, "ParmProblems"},
                 {128, "Echos"},
                 {129, "EchoReplies"},
                 {130, "GroupMembQueries"},
                 {131, "GroupMembResponses"},
                 {132, "GroupMembReductions"},
                 {133, "RouterSolicits"},
                 {134, "RouterAdvertisements"},
                 {135, "NeighborSolicits"},
                 {136, "NeighborAdvertisements"},
                 {137, "Redirects"},
                 {143, "MLDv2Reports"}};
    static const char *const ways[] = {"In", "Out"};
    for (unsigned way = 0; way < 2; way++)
        for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
            char name[48];
            snprintf(name, sizeof name, "Icmp6%s%s", ways[way], types[i].name);
            uint64_t value = counter(name);
            snprintf(name, sizeof name, "Icmp6%sType%u", ways[way], types[i].type);
            if (value)
                procfs_print(text, "%-32s\t%" PRIu64 "\n", name, value);
        }
}

/* A line a counter. The names are the kernel's, but for those of types. */
static void write_counters(struct procfs_text *text) {
    const char *line = text->kernels, *end;
    bool types = false;
    for (; (end = strchr(line, '\n')); line = end + 1) {
        char name[48];
        if (sscanf(line, "%47s", name) != 1 || strncmp(name, "Icmp6InType", 11) == 0 ||
            strncmp(name, "Icmp6OutType", 12) == 0)
            continue;
        if (!types && strncmp(name, "Udp", 3) == 0) {
            print_types(text);
            types = true;
        }
        if (strcmp(name, "ifIndex") == 0)
            procfs_print(text, "%-32s\t%u\n", name, text->interfaces[INTERFACE_OWN].index);
        else
            procfs_print(text, "%-32s\t%" PRIu64 "\n", name, is_on() ? counter(name) : 0);
    }
    if (!types)
        print_types(text);
}

static void print_group(struct procfs_text *text, struct ip_address group, int users, unsigned flags) {
    const struct interface *own = &text->interfaces[INTERFACE_OWN];
    procfs_print(text, "%-4u %-15s ", own->index, own->name);
    print_address(text, group);
    procfs_print(text, " %5d %08X %d\n", users, flags, 0);
}

static void write_groups(struct procfs_text *text) {
    static const struct ip_address of_interface = {{{0xff, 0x01, [15] = 1}}};
    struct list *link, *next, *member, *after;
    print_lines_of_lo(text);
    if (!is_on())
        return;
    list_for_each(link, next, &shared->stack.multicast.list) {
        const struct multicast_group *group = container_of(link, struct multicast_group, link);
        int users = (int)group->own;
        if (ip_is_v4(group->address))
            continue;
        list_for_each(member, after, &group->members)
            users++;
        if (users > 0) /* else routers are still told that it has been left */
            print_group(text, group->address, users,
                        ip_equal(group->address, IP6_ALL_NODES) ? GROUP_LOADED | GROUP_NO_REPORT
                                                                : GROUP_LOADED);
    }
    print_group(text, of_interface, 1, GROUP_NO_REPORT);
}

static bool has_source(const struct multicast_filter *filter, struct ip_address source) {
    for (unsigned i = 0; i < filter->count; i++)
        if (ip_equal(filter->sources[i], source))
            return true;
    return false;
}

static const struct multicast_membership *member_of(const struct list *link) {
    return container_of(link, struct multicast_membership, group_link);
}

/* By how many members of a group a source is wanted, and not wanted. Told with the first that names it. */
static void print_source(struct procfs_text *text, const struct multicast_group *group,
                         const struct list *first, struct ip_address source) {
    const struct interface *own = &text->interfaces[INTERFACE_OWN];
    struct list *link, *next;
    unsigned long counts[2] = {0};
    bool before = true;
    list_for_each(link, next, &group->members) {
        const struct multicast_filter *filter = &member_of(link)->filter;
        before &= link != first;
        if (!has_source(filter, source))
            continue;
        if (before)
            return;
        counts[!filter->includes]++;
    }
    procfs_print(text, "%3u %6.6s ", own->index, own->name);
    print_address(text, group->address);
    procfs_print(text, " ");
    print_address(text, source);
    procfs_print(text, " %6lu %6lu\n", counts[0], counts[1]);
}

static void write_sources(struct procfs_text *text) {
    struct list *link, *next, *member, *after;
    procfs_print(
        text, "Idx Device                Multicast Address                   Source Address    INC    EXC\n");
    list_for_each(link, next, &shared->stack.multicast.list) {
        const struct multicast_group *group = container_of(link, struct multicast_group, link);
        if (ip_is_v4(group->address))
            continue;
        list_for_each(member, after, &group->members) {
            const struct multicast_filter *filter = &member_of(member)->filter;
            for (unsigned i = 0; i < filter->count; i++)
                print_source(text, group, member, filter->sources[i]);
        }
    }
}

static void write_anycast(struct procfs_text *text) {
    const struct ip_address *places = shared->stack.ip6.anycast.addresses;
    const struct interface *own = &text->interfaces[INTERFACE_OWN];
    print_lines_of_lo(text);
    for (unsigned i = 0; i < IP6_ANYCAST_MAX; i++) {
        if (ip_is_any(places[i]))
            continue;
        procfs_print(text, "%-4u %-15s ", own->index, own->name);
        print_address(text, places[i]);
        procfs_print(text, " %5u\n", ip6_anycast_users(&shared->stack, places[i]));
    }
}

/* Labels of flows that programs have leased. */
static void write_labels(struct procfs_text *text) {
    const struct ip6_label *labels = shared->stack.ip6.labels.entries;
    procfs_print(text, "Label S Owner  Users  Linger Expires  Dst                              Opt\n");
    for (unsigned i = 0; i < IP6_LABELS_MAX; i++) {
        const struct ip6_label *label = &labels[i];
        if (!label->label)
            continue;
        int64_t left_ns = (int64_t)(label->expires_ns - shared->stack.now_ns);
        procfs_print(text, "%05X %-1d %-6u %-6u %-6u %-8d ", label->label, label->share, label->owner,
                     ip6_label_users(&shared->stack, label->label), (unsigned)(label->linger_ns / NS_PER_S),
                     (int)(left_ns / (int64_t)NS_PER_S));
        print_address(text, label->destination);
        procfs_print(text, " %-4d\n", 0);
    }
}

/* Nodes, nodes with routes, routes ever made, routes, exceptions, cached destinations, routes discarded. */
static void write_route_counts(struct procfs_text *text) {
    unsigned routes = shared->stack.ip6.routes.count + shared->stack.ip6.addresses.count;
    procfs_print(text, "%04x %04x %04x %04x %04x %04x %04x\n", routes, routes, routes, routes, 0u, 0u, 0u);
}

static void write_sockstat(struct procfs_text *text) {
    struct procfs_socket_counts counts = {.inet6_alone = true};
    pool_walk(&shared->stack.sockets, procfs_count_socket, &counts);
    procfs_print(
        text, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse %u\nRAW6: inuse %u\nFRAG6: inuse 0 memory 0\n",
        counts.tcp, counts.udp, counts.udplite, counts.raw);
}

const char *procfs_form6(const char *name) {
    return strncmp(name, PER_INTERFACE, sizeof PER_INTERFACE - 1) == 0 ? PER_INTERFACE "lo" : name;
}

bool procfs_write6(const char *name, struct procfs_text *text) {
    const char *own = text->interfaces[INTERFACE_OWN].name;
    if (strcmp(name, "if_inet6") == 0)
        write_if_inet6(text);
    else if (strcmp(name, "ipv6_route") == 0)
        write_routes(text);
    else if (strcmp(name, "snmp6") == 0)
        write_counters(text);
    else if (strncmp(name, PER_INTERFACE, sizeof PER_INTERFACE - 1) == 0 &&
             strcmp(name + sizeof PER_INTERFACE - 1, own) == 0)
        write_counters(text);
    else if (strcmp(name, "igmp6") == 0)
        write_groups(text);
    else if (strcmp(name, "mcfilter6") == 0)
        write_sources(text);
    else if (strcmp(name, "anycast6") == 0)
        write_anycast(text);
    else if (strcmp(name, "ip6_flowlabel") == 0)
        write_labels(text);
    else if (strcmp(name, "rt6_stats") == 0)
        write_route_counts(text);
    else if (strcmp(name, "sockstat6") == 0)
        write_sockstat(text);
    else
        return false;
    return true;
}
