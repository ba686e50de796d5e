/* SPDX-License-Identifier: MIT */
/*
 * netlink_route.c - see netlink_route.h. Formats: rtnetlink(7), <linux/rtnetlink.h>.
 */
#include "shim/region/netlink_route.h"
#include "shim/region/netlink_route6.h"
#include "shim/region/netlink_settings.h"
#include "shim/region/region.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPERATIONAL_UNKNOWN 0
#define OPERATIONAL_UP 6 /* RFC 2863 */

/* In the kernel's order (rtnl_fill_ifinfo): programs rely on some of it. */
static void tell_link(struct netlink_answer *answer, const struct interface *interface) {
    bool loopback = interface->flags & IFF_LOOPBACK;
    static const uint8_t nobody[6], everybody[6] = {255, 255, 255, 255, 255, 255};
    struct rtnl_link_stats64 counts;
    struct rtnl_link_stats narrow;
    interfaces_count(loopback ? INTERFACE_LOOPBACK : INTERFACE_OWN, &counts, &narrow);
    struct rtnl_link_ifmap map = {0};
    struct ifinfomsg header = {
        .ifi_type = interface->hardware, .ifi_index = (int)interface->index, .ifi_flags = interface->flags};
    netlink_begin(answer, RTM_NEWLINK, &header, sizeof header);
    netlink_put_text(answer, IFLA_IFNAME, interface->name);
    netlink_put_u32(answer, IFLA_TXQLEN, INTERFACE_QUEUE_LENGTH);
    netlink_put_u8(answer, IFLA_OPERSTATE, loopback ? OPERATIONAL_UNKNOWN : OPERATIONAL_UP);
    netlink_put_u8(answer, IFLA_LINKMODE, 0);
    netlink_put_u32(answer, IFLA_MTU, (uint32_t)interface->mtu);
    netlink_put_u32(answer, IFLA_MIN_MTU, loopback ? 0 : STACK_MTU_MIN);
    netlink_put_u32(answer, IFLA_MAX_MTU, loopback ? 0 : STACK_MTU_MAX);
    netlink_put_u32(answer, IFLA_GROUP, 0);
    netlink_put_u32(answer, IFLA_PROMISCUITY, 0);
    netlink_put_u32(answer, IFLA_ALLMULTI, 0);
    netlink_put_u32(answer, IFLA_NUM_TX_QUEUES, 1);
    netlink_put_u32(answer, IFLA_GSO_MAX_SEGS, UINT16_MAX);
    netlink_put_u32(answer, IFLA_GSO_MAX_SIZE, UINT16_MAX + 1);
    netlink_put_u32(answer, IFLA_NUM_RX_QUEUES, 1);
    netlink_put_u8(answer, IFLA_CARRIER, 1);
    netlink_put_text(answer, IFLA_QDISC, "noqueue");
    netlink_put_u32(answer, IFLA_CARRIER_CHANGES, 0);
    netlink_put_u32(answer, IFLA_CARRIER_UP_COUNT, 0);
    netlink_put_u32(answer, IFLA_CARRIER_DOWN_COUNT, 0);
    netlink_put_u8(answer, IFLA_PROTO_DOWN, 0);
    netlink_put(answer, IFLA_MAP, &map, sizeof map);
    netlink_put(answer, IFLA_ADDRESS, interface->mac, sizeof interface->mac);
    netlink_put(answer, IFLA_BROADCAST, loopback ? nobody : everybody, sizeof nobody);
    netlink_put(answer, IFLA_STATS64, &counts, sizeof counts);
    netlink_put(answer, IFLA_STATS, &narrow, sizeof narrow);
    netlink_end(answer);
}

static int tell_links(struct netlink_answer *answer, const struct interface *all) {
    const struct nlmsghdr *request = answer->request;
    bool dump = request->nlmsg_flags & NLM_F_DUMP, found = false;
    struct ifinfomsg wanted;
    char name[IFNAMSIZ] = "";
    netlink_body(request, &wanted, sizeof wanted);
    bool asked = netlink_text(request, sizeof wanted, IFLA_IFNAME, name, sizeof name) ||
                 netlink_text(request, sizeof wanted, IFLA_ALT_IFNAME, name, sizeof name);
    if (!dump && !wanted.ifi_index && !asked)
        return -EINVAL;
    for (int i = 0; i < INTERFACES; i++) {
        bool this = dump || (wanted.ifi_index ? all[i].index == (unsigned)wanted.ifi_index
                                              : strcmp(name, all[i].name) == 0);
        if (this)
            tell_link(answer, &all[i]);
        found |= this;
    }
    return found ? 0 : -ENODEV;
}

/* How long the stack has an address; that of a lease ends. */
static void tell_address(struct netlink_answer *answer, const struct interface *interface,
                         const struct interface_inet *own) {
    const struct dhcp_lease *lease = &shared->stack.dhcp.lease;
    bool loopback = interface->flags & IFF_LOOPBACK, leased = !loopback && lease->address;
    uint64_t end_ns = shared->stack.dhcp.bound_ns + lease->length_ns, now_ns = shared->stack.now_ns;
    bool ends = leased && lease->length_ns < UINT32_MAX * UINT64_C(1000000000);
    uint32_t left = ends && end_ns > now_ns ? (uint32_t)((end_ns - now_ns) / 1000000000) : UINT32_MAX;
    struct ifa_cacheinfo times = {.ifa_prefered = left, .ifa_valid = left};
    uint32_t flags = (leased ? 0 : IFA_F_PERMANENT) | (own->secondary ? IFA_F_SECONDARY : 0);
    struct ifaddrmsg header = {.ifa_family = AF_INET,
                               .ifa_prefixlen = own->prefix_length,
                               .ifa_flags = (uint8_t)flags,
                               .ifa_scope = loopback ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
                               .ifa_index = interface->index};
    netlink_begin(answer, RTM_NEWADDR, &header, sizeof header);
    netlink_put_address(answer, IFA_ADDRESS, own->address);
    netlink_put_address(answer, IFA_LOCAL, own->address);
    if (own->broadcast)
        netlink_put_address(answer, IFA_BROADCAST, own->broadcast);
    netlink_put_text(answer, IFA_LABEL, interface->name);
    netlink_put_u32(answer, IFA_FLAGS, flags);
    netlink_put(answer, IFA_CACHEINFO, &times, sizeof times);
    netlink_end(answer);
}

static int tell_addresses(struct netlink_answer *answer, const struct interface *all) {
    struct ifaddrmsg wanted;
    netlink_body(answer->request, &wanted, sizeof wanted);
    unsigned only = answer->strict ? wanted.ifa_index : 0;
    answer->filtered = only != 0;
    if (only && only != all[INTERFACE_LOOPBACK].index && only != all[INTERFACE_OWN].index)
        return -ENODEV;
    bool six = all[INTERFACE_LOOPBACK].inet6 && wanted.ifa_family != AF_INET;
    if (wanted.ifa_family == AF_INET6) {
        if (six)
            netlink_tell_addresses6(answer, all, only);
        return 0; /* a family that nobody knows means all */
    }
    for (int i = 0; i < INTERFACES; i++) {
        for (uint32_t j = 0; j < all[i].inet_count; j++)
            if (!only || only == all[i].index)
                tell_address(answer, &all[i], &all[i].inet[j]);
    }
    if (six)
        netlink_tell_addresses6(answer, all, only);
    return 0;
}

struct route {
    uint32_t table;
    uint32_t destination, gateway, source; /* 0: none */
    uint8_t prefix_length, protocol, scope, type;
    unsigned interface;
};

/* What a dump's request wants; 0: any. */
struct route_filter {
    uint32_t table;
    uint8_t protocol, type;
    uint32_t interface;
};

/* In the kernel's order for an entry of a table (fib_dump_info). */
static void tell_route(struct netlink_answer *answer, const struct route *route) {
    struct rtmsg header = {.rtm_family = AF_INET,
                           .rtm_dst_len = route->prefix_length,
                           .rtm_table = (uint8_t)route->table,
                           .rtm_protocol = route->protocol,
                           .rtm_scope = route->scope,
                           .rtm_type = route->type};
    netlink_begin(answer, RTM_NEWROUTE, &header, sizeof header);
    netlink_put_u32(answer, RTA_TABLE, route->table);
    if (route->prefix_length)
        netlink_put_address(answer, RTA_DST, route->destination);
    if (route->source)
        netlink_put_address(answer, RTA_PREFSRC, route->source);
    if (route->gateway)
        netlink_put_address(answer, RTA_GATEWAY, route->gateway);
    netlink_put_u32(answer, RTA_OIF, route->interface);
    netlink_end(answer);
}

#define ROUTES_MAX (IP_ROUTES_MAX + 4 * INTERFACES * IP4_ADDRESSES_MAX)

/* The address of an interface that its network's routes name: its first there. */
static uint32_t primary_of(const struct interface *interface, uint32_t network, uint32_t mask) {
    for (uint32_t i = 0; i < interface->inet_count; i++)
        if (interface->inet[i].mask == mask && (interface->inet[i].address & mask) == (network & mask))
            return interface->inet[i].address;
    return 0;
}

/* What the kernel keeps in its table "local" for an address of an interface. Returns how many. */
static size_t list_local_routes(struct route *to, const struct interface *interface,
                                const struct interface_inet *own) {
    struct route route = {.table = RT_TABLE_LOCAL,
                          .destination = own->address,
                          .source = primary_of(interface, own->address, own->mask),
                          .prefix_length = 32,
                          .protocol = RTPROT_KERNEL,
                          .scope = RT_SCOPE_HOST,
                          .type = RTN_LOCAL,
                          .interface = interface->index};
    size_t count = 0;
    if (interface->flags & IFF_LOOPBACK) {
        to[count] = route;
        to[count].destination &= own->mask;
        to[count++].prefix_length = own->prefix_length;
    }
    to[count++] = route;
    route.destination = own->address | ~own->mask;
    route.scope = RT_SCOPE_LINK;
    route.type = RTN_BROADCAST;
    if (own->prefix_length < 31 && !own->secondary)
        to[count++] = route;
    return count;
}

static struct route main_route(const struct ip_route *from, const struct interface *own) {
    uint32_t connected = from->gateway ? 0 : primary_of(own, from->destination, from->mask);
    bool leased = shared->stack.dhcp.lease.address;
    return (struct route){.table = RT_TABLE_MAIN,
                          .destination = from->destination,
                          .gateway = from->gateway,
                          .prefix_length = (uint8_t)__builtin_popcount(from->mask),
                          .protocol = connected ? RTPROT_KERNEL
                                      : leased  ? RTPROT_DHCP
                                                : RTPROT_STATIC,
                          .scope = from->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                          .type = RTN_UNICAST,
                          .source = connected,
                          .interface = own->index};
}

/* The kernel's tables are tries: addresses in order, and of one address the longest prefix first. */
static bool comes_before(const struct route *a, const struct route *b) {
    if (a->table != b->table)
        return a->table < b->table;
    if (a->destination != b->destination)
        return a->destination < b->destination;
    return a->prefix_length > b->prefix_length;
}

static size_t list_routes(struct route *to, const struct interface *all) {
    const struct ip_routes *routes = &shared->stack.routes;
    size_t count = 0;
    for (uint32_t i = 0; i < routes->count && i < IP_ROUTES_MAX; i++)
        to[count++] = main_route(&routes->routes[i], &all[INTERFACE_OWN]);
    for (int i = 0; i < INTERFACES; i++)
        for (uint32_t j = 0; j < all[i].inet_count; j++)
            count += list_local_routes(to + count, &all[i], &all[i].inet[j]);
    for (size_t i = 1; i < count; i++) {
        struct route moved = to[i];
        size_t at = i;
        for (; at > 0 && comes_before(&moved, &to[at - 1]); at--)
            to[at] = to[at - 1];
        to[at] = moved;
    }
    return count;
}

static bool passes(const struct route_filter *filter, const struct route *route) {
    return (!filter->table || filter->table == route->table) &&
           (!filter->protocol || filter->protocol == route->protocol) &&
           (!filter->type || filter->type == route->type) &&
           (!filter->interface || filter->interface == route->interface);
}

static int tell_all_routes(struct netlink_answer *answer, const struct interface *all,
                           const struct rtmsg *wanted) {
    struct route routes[ROUTES_MAX];
    struct route_filter filter = {0};
    if (answer->strict) {
        const void *table =
            netlink_attribute(answer->request, sizeof *wanted, RTA_TABLE, sizeof filter.table);
        const void *interface =
            netlink_attribute(answer->request, sizeof *wanted, RTA_OIF, sizeof filter.interface);
        filter = (struct route_filter){
            .table = wanted->rtm_table, .protocol = wanted->rtm_protocol, .type = wanted->rtm_type};
        if (table)
            memcpy(&filter.table, table, sizeof filter.table);
        if (interface)
            memcpy(&filter.interface, interface, sizeof filter.interface);
        answer->filtered = filter.table || filter.protocol || filter.type || filter.interface ||
                           wanted->rtm_flags & RTM_F_CLONED;
        if (wanted->rtm_flags & RTM_F_CLONED)
            return 0; /* there is no cache */
        if (filter.table && filter.table != RT_TABLE_MAIN && filter.table != RT_TABLE_LOCAL)
            return filter.table == RT_TABLE_DEFAULT ? 0 : -ENOENT;
    }
    size_t count = list_routes(routes, all);
    for (size_t i = 0; i < count; i++)
        if (passes(&filter, &routes[i]))
            tell_route(answer, &routes[i]);
    return 0;
}

/* How a packet to `destination` would go. */
struct route_lookup {
    uint32_t destination, source, gateway, flags;
    uint8_t type;
    unsigned interface;
    bool source_given;
};

/* RTCF_*, of <linux/in_route.h>, which does not go with <netinet/in.h>. */
#define ROUTE_BROADCAST 0x10000000u
#define ROUTE_MULTICAST 0x20000000u
#define ROUTE_LOCAL 0x80000000u

static int look_up_route(struct route_lookup *lookup, const struct interface *all) {
    const struct stack *stack = &shared->stack;
    uint32_t destination = lookup->destination, next_hop = 0;
    bool loopback = ip4_is_loopback(destination) || destination == INADDR_ANY;
    lookup->interface = all[INTERFACE_OWN].index;
    if (!lookup->source_given)
        lookup->source = !loopback                   ? ip4_source(stack, destination)
                         : destination == INADDR_ANY ? INADDR_LOOPBACK
                                                     : destination;
    if (loopback || ip_is_local(stack, ip_from_v4(destination))) {
        lookup->type = RTN_LOCAL;
        lookup->flags = ROUTE_LOCAL;
        lookup->interface = all[INTERFACE_LOOPBACK].index;
    } else if (ip_is_broadcast(stack, ip_from_v4(destination))) {
        lookup->type = RTN_BROADCAST;
        lookup->flags = ROUTE_LOCAL | ROUTE_BROADCAST;
    } else if (ip4_is_multicast(destination)) {
        lookup->type = RTN_MULTICAST;
        lookup->flags = ROUTE_MULTICAST | (destination == IP_ALL_HOSTS ? ROUTE_LOCAL : 0);
    } else {
        lookup->type = RTN_UNICAST;
        if (ip_route_lookup(&stack->routes, destination, &next_hop) < 0)
            return -ENETUNREACH;
        lookup->gateway = next_hop == destination ? 0 : next_hop;
    }
    return 0;
}

/* In the kernel's order for one that was looked up (rt_fill_info): nmap takes what is last for nothing. The
 * table is "main" even for what is local, since the kernel keeps both as one until rules are added. */
static void tell_looked_up(struct netlink_answer *answer, const struct route_lookup *lookup) {
    struct rta_cacheinfo cache = {.rta_clntref = 1};
    struct rtmsg header = {.rtm_family = AF_INET,
                           .rtm_dst_len = 32,
                           .rtm_src_len = lookup->source_given ? 32 : 0,
                           .rtm_table = RT_TABLE_MAIN,
                           .rtm_type = lookup->type,
                           .rtm_flags = lookup->flags | RTM_F_CLONED};
    netlink_begin(answer, RTM_NEWROUTE, &header, sizeof header);
    netlink_put_u32(answer, RTA_TABLE, RT_TABLE_MAIN);
    netlink_put_address(answer, RTA_DST, lookup->destination);
    if (lookup->source_given)
        netlink_put_address(answer, RTA_SRC, lookup->source);
    netlink_put_u32(answer, RTA_OIF, lookup->interface);
    if (!lookup->source_given)
        netlink_put_address(answer, RTA_PREFSRC, lookup->source);
    if (lookup->gateway)
        netlink_put_address(answer, RTA_GATEWAY, lookup->gateway);
    netlink_put_u32(answer, RTA_UID, getuid());
    netlink_put(answer, RTA_CACHEINFO, &cache, sizeof cache);
    netlink_end(answer);
}

/* RTM_F_FIB_MATCH asks for the table's entry itself. */
static int tell_match(struct netlink_answer *answer, const struct interface *all, uint32_t destination) {
    struct route routes[ROUTES_MAX];
    const struct route *best = NULL;
    size_t count = list_routes(routes, all);
    for (size_t i = 0; i < count; i++) {
        const struct route *route = &routes[i];
        uint32_t mask = route->prefix_length ? UINT32_MAX << (32 - route->prefix_length) : 0;
        bool better = !best || route->table == best->table
                          ? !best || route->prefix_length > best->prefix_length
                          : route->table == RT_TABLE_LOCAL;
        if ((destination & mask) == route->destination && better)
            best = route;
    }
    if (!best)
        return -ENETUNREACH;
    tell_route(answer, best);
    return 0;
}

static uint32_t address_of(const struct nlmsghdr *request, uint16_t type, bool *given) {
    uint32_t wire = 0;
    const void *asked = netlink_attribute(request, sizeof(struct rtmsg), type, sizeof wire);
    if (asked)
        memcpy(&wire, asked, sizeof wire);
    *given = asked && wire;
    return ntohl(wire);
}

static int tell_routes(struct netlink_answer *answer, const struct interface *all) {
    const struct nlmsghdr *request = answer->request;
    struct rtmsg wanted;
    netlink_body(request, &wanted, sizeof wanted);
    bool six = shared->stack.config.ip6.on && wanted.rtm_family != AF_INET;
    bool multicast = wanted.rtm_family == RTNL_FAMILY_IPMR || wanted.rtm_family == RTNL_FAMILY_IP6MR;
    if (request->nlmsg_flags & NLM_F_DUMP && multicast)
        return 0; /* a host forwards none */
    if (request->nlmsg_flags & NLM_F_DUMP) {
        int error = wanted.rtm_family == AF_INET6 ? 0 : tell_all_routes(answer, all, &wanted);
        if (six && !error)
            netlink_tell_routes6(answer, all, answer->strict ? wanted.rtm_table : RT_TABLE_UNSPEC);
        return error;
    }
    if (six && wanted.rtm_family == AF_INET6)
        return netlink_look_up_route6(answer, all);
    if (wanted.rtm_family != AF_UNSPEC && wanted.rtm_family != AF_INET)
        return -ENETUNREACH;
    if (!netlink_attributes_make_sense(request, sizeof wanted))
        return -EINVAL;
    struct route_lookup lookup = {0};
    bool given;
    lookup.destination = address_of(request, RTA_DST, &given);
    lookup.source = address_of(request, RTA_SRC, &lookup.source_given);
    if (lookup.source_given && !ip_is_local(&shared->stack, ip_from_v4(lookup.source)) &&
        !ip4_is_loopback(lookup.source))
        return -ENETUNREACH;
    int error = look_up_route(&lookup, all);
    if (error)
        return error;
    if (wanted.rtm_flags & RTM_F_FIB_MATCH)
        return tell_match(answer, all, lookup.destination);
    tell_looked_up(answer, &lookup);
    return 0;
}

static uint16_t neighbour_state(enum neighbour_state state) {
    static const uint16_t states[] = {[NEIGHBOUR_INCOMPLETE] = NUD_INCOMPLETE,
                                      [NEIGHBOUR_REACHABLE] = NUD_REACHABLE,
                                      [NEIGHBOUR_STALE] = NUD_STALE,
                                      [NEIGHBOUR_DELAY] = NUD_DELAY,
                                      [NEIGHBOUR_PROBE] = NUD_PROBE};
    return states[state];
}

static void tell_neighbour(struct netlink_answer *answer, const struct neighbour *entry, unsigned interface) {
    struct nda_cacheinfo times = {.ndm_refcnt = 1};
    bool v4 = ip_is_v4(entry->address);
    struct ndmsg header = {.ndm_family = v4 ? AF_INET : AF_INET6,
                           .ndm_flags = entry->is_router ? NTF_ROUTER : 0,
                           .ndm_ifindex = (int)interface,
                           .ndm_state = neighbour_state(entry->state),
                           .ndm_type = RTN_UNICAST};
    netlink_begin(answer, RTM_NEWNEIGH, &header, sizeof header);
    if (v4)
        netlink_put_address(answer, NDA_DST, ip_to_v4(entry->address));
    else
        netlink_put(answer, NDA_DST, entry->address.bytes, sizeof entry->address.bytes);
    if (entry->state != NEIGHBOUR_INCOMPLETE)
        netlink_put(answer, NDA_LLADDR, entry->mac, sizeof entry->mac);
    netlink_put_u32(answer, NDA_PROBES, entry->probes);
    netlink_put(answer, NDA_CACHEINFO, &times, sizeof times);
    netlink_end(answer);
}

/* Those of a list, of one family (AF_UNSPEC: of both), or the one of an address that is asked for. */
static bool tell_some_neighbours(struct netlink_answer *answer, const struct list *list, uint8_t family,
                                 const struct ip_address *address, unsigned interface) {
    struct list *link, *next;
    bool found = false;
    list_for_each(link, next, list) {
        const struct neighbour *entry = container_of(link, struct neighbour, age);
        if ((family && ip_is_v4(entry->address) != (family == AF_INET)) ||
            (address && !ip_equal(entry->address, *address)))
            continue;
        tell_neighbour(answer, entry, interface);
        found = true;
    }
    return found;
}

static int tell_neighbours(struct netlink_answer *answer, const struct interface *all) {
    const struct nlmsghdr *request = answer->request;
    struct ndmsg wanted;
    netlink_body(request, &wanted, sizeof wanted);
    bool dump = request->nlmsg_flags & NLM_F_DUMP;
    if (!dump && wanted.ndm_family != AF_UNSPEC && wanted.ndm_family != AF_INET &&
        wanted.ndm_family != AF_INET6)
        return -ENOENT;
    const void *filter = netlink_attribute(request, sizeof wanted, NDA_IFINDEX, sizeof(uint32_t));
    uint32_t only = all[INTERFACE_OWN].index;
    if (dump && filter)
        memcpy(&only, filter, sizeof only);
    if (dump && (only != all[INTERFACE_OWN].index || wanted.ndm_flags & NTF_PROXY))
        return 0;
    answer->filtered = dump && filter;
    bool six = wanted.ndm_family == AF_INET6;
    const void *asked =
        netlink_attribute(request, sizeof wanted, NDA_DST, six ? IP_ADDRESS_BYTES : sizeof(uint32_t));
    struct ip_address address = {0};
    if (asked && six)
        address = ip_from_bytes(asked);
    else if (asked)
        address = ip_from_v4(wire_get32(asked));
    const struct neighbours *cache = &shared->stack.neighbours;
    bool found = dump;
    uint8_t family = wanted.ndm_family == AF_INET || six ? wanted.ndm_family : AF_UNSPEC;
    const struct ip_address *one = asked ? &address : NULL;
    found |= tell_some_neighbours(answer, &cache->known, family, one, all[INTERFACE_OWN].index);
    found |= tell_some_neighbours(answer, &cache->asked, family, one, all[INTERFACE_OWN].index);
    answer->filtered = false; /* its end is not marked so */
    return found ? 0 : -ENOENT;
}

static void tell_rule(struct netlink_answer *answer, uint8_t family, uint32_t priority, uint32_t table) {
    struct fib_rule_hdr header = {.family = family, .table = (uint8_t)table, .action = FR_ACT_TO_TBL};
    netlink_begin(answer, RTM_NEWRULE, &header, sizeof header);
    netlink_put_u32(answer, FRA_TABLE, table);
    netlink_put_u32(answer, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX); /* none */
    netlink_put_u8(answer, FRA_PROTOCOL, RTPROT_KERNEL);
    if (priority)
        netlink_put_u32(answer, FRA_PRIORITY, priority);
    netlink_end(answer);
}

/* Those that every machine begins with: three of IPv4, two of IPv6. */
static int tell_rules(struct netlink_answer *answer) {
    struct rtmsg wanted;
    netlink_body(answer->request, &wanted, sizeof wanted);
    if (!(answer->request->nlmsg_flags & NLM_F_DUMP))
        return -EOPNOTSUPP;
    for (int six = 0; six < 2; six++) {
        uint8_t family = six ? AF_INET6 : AF_INET;
        bool has = !six || shared->stack.config.ip6.on;
        if (!has || (wanted.rtm_family != family && wanted.rtm_family != AF_UNSPEC))
            continue;
        tell_rule(answer, family, 0, RT_TABLE_LOCAL);
        tell_rule(answer, family, 32766, RT_TABLE_MAIN);
        if (!six)
            tell_rule(answer, family, 32767, RT_TABLE_DEFAULT);
    }
    return 0;
}

int netlink_route(struct netlink_answer *answer, const struct interface all[INTERFACES]) {
    switch (answer->request->nlmsg_type) {
    case RTM_GETLINK:
        return tell_links(answer, all);
    case RTM_GETADDR:
        return answer->request->nlmsg_flags & NLM_F_DUMP ? tell_addresses(answer, all) : -EOPNOTSUPP;
    case RTM_GETROUTE:
        return tell_routes(answer, all);
    case RTM_GETNEIGH:
        return tell_neighbours(answer, all);
    case RTM_GETRULE:
        return tell_rules(answer);
    case RTM_GETADDRLABEL:
        return netlink_tell_labels(answer);
    case RTM_GETNETCONF:
        return netlink_tell_configuration(answer, all);
    case RTM_GETNEIGHTBL:
        return netlink_tell_neighbour_tables(answer, all);
    case RTM_GETNEXTHOP: /* there are none but routes' own */
        return answer->request->nlmsg_flags & NLM_F_DUMP ? 0 : -EINVAL;
    default: /* types come in fours: new, delete, get, set */
        return (answer->request->nlmsg_type - RTM_BASE) % 4 == 2 ? -EOPNOTSUPP : -EPERM;
    }
}
