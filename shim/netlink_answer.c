/*
 * netlink_answer.c - see netlink_answer.h. Formats: netlink(7), rtnetlink(7), <linux/rtnetlink.h>.
 */
#include "netlink_answer.h"
#include "interfaces.h"
#include "lock.h"
#include "memory.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_BYTES 262144 /* ARP_CACHE_MAX neighbours, and some */
#define END_BYTES 65600     /* of them kept for how it ends: an error quotes the request */
#define DATAGRAM_BYTES 8192 /* what the kernel puts into one, and programs have room for */
#define OPERATIONAL_UNKNOWN 0
#define OPERATIONAL_UP 6 /* RFC 2863 */

struct answer {
    uint8_t *bytes;
    size_t used, room;
    const struct nlmsghdr *request;
    uint32_t port;
    size_t message; /* where the message begins that is being made */
    bool full;
};

static void *append(struct answer *answer, size_t length) {
    size_t aligned = NLMSG_ALIGN(length);
    if (answer->used + aligned > answer->room) {
        answer->full = true;
        return NULL;
    }
    void *at = answer->bytes + answer->used; /* zero: it is fresh */
    answer->used += aligned;
    return at;
}

static void begin(struct answer *answer, uint16_t type, const void *header, size_t length) {
    bool dump = answer->request->nlmsg_flags & NLM_F_DUMP;
    answer->message = answer->used;
    struct nlmsghdr *message = append(answer, NLMSG_HDRLEN);
    void *body = append(answer, length);
    if (!message || !body)
        return;
    *message = (struct nlmsghdr){.nlmsg_type = type,
                                 .nlmsg_flags = dump ? NLM_F_MULTI : 0,
                                 .nlmsg_seq = answer->request->nlmsg_seq,
                                 .nlmsg_pid = answer->port};
    memcpy(body, header, length);
}

static void put(struct answer *answer, uint16_t type, const void *value, size_t length) {
    struct rtattr *attribute = append(answer, RTA_LENGTH(length));
    if (!attribute)
        return;
    *attribute = (struct rtattr){.rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(length)};
    memcpy(RTA_DATA(attribute), value, length);
}

static void put_u8(struct answer *answer, uint16_t type, uint8_t value) {
    put(answer, type, &value, sizeof value);
}

static void put_u32(struct answer *answer, uint16_t type, uint32_t value) {
    put(answer, type, &value, sizeof value);
}

static void put_address(struct answer *answer, uint16_t type, uint32_t host) {
    put_u32(answer, type, htonl(host));
}

static void put_text(struct answer *answer, uint16_t type, const char *text) {
    put(answer, type, text, strlen(text) + 1);
}

/* A message that does not fit is left away, whole. */
static void end(struct answer *answer) {
    if (answer->full) {
        answer->used = answer->message;
        return;
    }
    struct nlmsghdr *message = (struct nlmsghdr *)(answer->bytes + answer->message);
    message->nlmsg_len = (uint32_t)(answer->used - answer->message);
}

static void tell_error(struct answer *answer, int error) {
    const struct nlmsghdr *request = answer->request;
    struct nlmsgerr body = {.error = error, .msg = *request};
    begin(answer, NLMSG_ERROR, &body, sizeof body);
    if (answer->full)
        return;
    ((struct nlmsghdr *)(answer->bytes + answer->message))->nlmsg_flags = error ? 0 : NLM_F_CAPPED;
    size_t rest = request->nlmsg_len - NLMSG_HDRLEN;
    void *copy = error && rest > 0 ? append(answer, rest) : NULL;
    if (copy)
        memcpy(copy, request + 1, rest);
    end(answer);
}

static void tell_done(struct answer *answer) {
    int result = 0;
    begin(answer, NLMSG_DONE, &result, sizeof result);
    end(answer);
}

/* A request's attribute, if it is there and at least so long. */
static const void *attribute_of(const struct nlmsghdr *request, size_t header, uint16_t type, size_t least) {
    if (request->nlmsg_len < NLMSG_SPACE(header))
        return NULL;
    size_t left = request->nlmsg_len - NLMSG_SPACE(header);
    const struct rtattr *at = (const void *)((const uint8_t *)request + NLMSG_SPACE(header));
    while (left >= sizeof *at && at->rta_len >= sizeof *at && at->rta_len <= left) {
        if ((at->rta_type & NLA_TYPE_MASK) == type && RTA_PAYLOAD(at) >= least)
            return RTA_DATA(at);
        size_t step = RTA_ALIGN(at->rta_len);
        if (step > left)
            break;
        left -= step;
        at = (const void *)((const uint8_t *)at + step);
    }
    return NULL;
}

/* A request's body, of which a short one has what it has. */
static void body_of(const struct nlmsghdr *request, void *body, size_t size) {
    size_t there = request->nlmsg_len - NLMSG_HDRLEN;
    memset(body, 0, size);
    memcpy(body, request + 1, there < size ? there : size);
}

static void tell_link(struct answer *answer, const struct interface *interface) {
    bool loopback = interface->flags & IFF_LOOPBACK;
    static const uint8_t nobody[6], everybody[6] = {255, 255, 255, 255, 255, 255};
    struct ifinfomsg header = {
        .ifi_type = interface->hardware, .ifi_index = (int)interface->index, .ifi_flags = interface->flags};
    begin(answer, RTM_NEWLINK, &header, sizeof header);
    put_text(answer, IFLA_IFNAME, interface->name);
    put_u32(answer, IFLA_TXQLEN, INTERFACE_QUEUE_LENGTH);
    put_u8(answer, IFLA_OPERSTATE, loopback ? OPERATIONAL_UNKNOWN : OPERATIONAL_UP);
    put_u8(answer, IFLA_LINKMODE, 0);
    put_u32(answer, IFLA_MTU, (uint32_t)interface->mtu);
    put_u32(answer, IFLA_GROUP, 0);
    put_u32(answer, IFLA_PROMISCUITY, 0);
    put_u32(answer, IFLA_NUM_TX_QUEUES, 1);
    put_u32(answer, IFLA_NUM_RX_QUEUES, 1);
    put_u8(answer, IFLA_CARRIER, 1);
    put_text(answer, IFLA_QDISC, "noqueue");
    put(answer, IFLA_ADDRESS, interface->mac, sizeof interface->mac);
    put(answer, IFLA_BROADCAST, loopback ? nobody : everybody, sizeof nobody);
    end(answer);
}

static int tell_links(struct answer *answer, const struct interface *all) {
    const struct nlmsghdr *request = answer->request;
    bool dump = request->nlmsg_flags & NLM_F_DUMP, found = false;
    struct ifinfomsg wanted;
    char name[IFNAMSIZ] = "";
    body_of(request, &wanted, sizeof wanted);
    const char *asked = attribute_of(request, sizeof wanted, IFLA_IFNAME, 1);
    if (!asked)
        asked = attribute_of(request, sizeof wanted, IFLA_ALT_IFNAME, 1);
    if (asked)
        strncpy(name, asked, strnlen(asked, IFNAMSIZ - 1)); /* the request ends in a zero */
    for (int i = 0; i < INTERFACES; i++) {
        bool this = dump || (wanted.ifi_index ? all[i].index == (unsigned)wanted.ifi_index
                                              : strcmp(name, all[i].name) == 0);
        if (this)
            tell_link(answer, &all[i]);
        found |= this;
    }
    return found ? 0 : -ENODEV;
}

static int tell_addresses(struct answer *answer, const struct interface *all) {
    const struct dhcp_lease *lease = &shared->stack.dhcp.lease;
    struct ifaddrmsg wanted;
    body_of(answer->request, &wanted, sizeof wanted);
    for (int i = 0; i < INTERFACES && (wanted.ifa_family == AF_UNSPEC || wanted.ifa_family == AF_INET); i++) {
        bool leased = i == INTERFACE_OWN && lease->address;
        uint64_t end_ns = shared->stack.dhcp.bound_ns + lease->length_ns, now_ns = shared->stack.now_ns;
        bool ends = leased && lease->length_ns < UINT32_MAX * UINT64_C(1000000000);
        uint32_t left = ends && end_ns > now_ns ? (uint32_t)((end_ns - now_ns) / 1000000000) : UINT32_MAX;
        struct ifa_cacheinfo times = {.ifa_prefered = left, .ifa_valid = left};
        uint32_t flags = leased ? 0 : IFA_F_PERMANENT;
        struct ifaddrmsg header = {.ifa_family = AF_INET,
                                   .ifa_prefixlen = all[i].prefix_length,
                                   .ifa_flags = (uint8_t)flags,
                                   .ifa_scope = i == INTERFACE_OWN ? RT_SCOPE_UNIVERSE : RT_SCOPE_HOST,
                                   .ifa_index = all[i].index};
        if (!all[i].address)
            continue; /* none yet */
        begin(answer, RTM_NEWADDR, &header, sizeof header);
        put_address(answer, IFA_ADDRESS, all[i].address);
        put_address(answer, IFA_LOCAL, all[i].address);
        if (all[i].broadcast)
            put_address(answer, IFA_BROADCAST, all[i].broadcast);
        put_text(answer, IFA_LABEL, all[i].name);
        put_u32(answer, IFA_FLAGS, flags);
        put(answer, IFA_CACHEINFO, &times, sizeof times);
        end(answer);
    }
    return 0;
}

struct route {
    uint32_t table;
    uint32_t destination, gateway, source; /* 0: none */
    uint8_t prefix_length, protocol, scope, type;
    unsigned interface;
    unsigned flags;
};

static void tell_route(struct answer *answer, const struct route *route) {
    struct rtmsg header = {.rtm_family = AF_INET,
                           .rtm_dst_len = route->prefix_length,
                           .rtm_table = (uint8_t)route->table,
                           .rtm_protocol = route->protocol,
                           .rtm_scope = route->scope,
                           .rtm_type = route->type,
                           .rtm_flags = route->flags};
    begin(answer, RTM_NEWROUTE, &header, sizeof header);
    put_u32(answer, RTA_TABLE, route->table);
    if (route->prefix_length)
        put_address(answer, RTA_DST, route->destination);
    if (route->source)
        put_address(answer, RTA_PREFSRC, route->source);
    if (route->gateway)
        put_address(answer, RTA_GATEWAY, route->gateway);
    put_u32(answer, RTA_OIF, route->interface);
    end(answer);
}

/* What the kernel keeps in its table "local", for the addresses of an interface. */
static void tell_local_routes(struct answer *answer, const struct interface *interface) {
    struct route route = {.table = RT_TABLE_LOCAL,
                          .destination = interface->address,
                          .source = interface->address,
                          .prefix_length = 32,
                          .protocol = RTPROT_KERNEL,
                          .scope = RT_SCOPE_HOST,
                          .type = RTN_LOCAL,
                          .interface = interface->index};
    if (!interface->address)
        return;
    if (interface->flags & IFF_LOOPBACK) {
        struct route network = route;
        network.destination &= interface->mask;
        network.prefix_length = interface->prefix_length;
        tell_route(answer, &network);
    }
    tell_route(answer, &route);
    route.destination = interface->address | ~interface->mask;
    route.scope = RT_SCOPE_LINK;
    route.type = RTN_BROADCAST;
    if (interface->prefix_length < 31)
        tell_route(answer, &route);
}

static int tell_all_routes(struct answer *answer, const struct interface *all) {
    const struct interface *own = &all[INTERFACE_OWN];
    const struct ip_routes *routes = &shared->stack.routes;
    for (uint32_t i = 0; i < 33 * routes->count; i++) { /* the longest prefix last, as the kernel's */
        const struct ip_route *from = &routes->routes[i % routes->count];
        if ((uint32_t)__builtin_popcount(from->mask) != i / routes->count)
            continue;
        bool connected = !from->gateway && from->mask == own->mask;
        bool leased = shared->stack.dhcp.lease.address;
        struct route route = {.table = RT_TABLE_MAIN,
                              .destination = from->destination,
                              .gateway = from->gateway,
                              .prefix_length = (uint8_t)__builtin_popcount(from->mask),
                              .protocol = connected ? RTPROT_KERNEL
                                          : leased  ? RTPROT_DHCP
                                                    : RTPROT_STATIC,
                              .scope = from->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                              .type = RTN_UNICAST,
                              .source = connected ? own->address : 0,
                              .interface = own->index};
        tell_route(answer, &route);
    }
    for (int i = 0; i < INTERFACES; i++)
        tell_local_routes(answer, &all[i]);
    return 0;
}

static int tell_routes(struct answer *answer, const struct interface *all) {
    const struct nlmsghdr *request = answer->request;
    const struct stack *stack = &shared->stack;
    struct rtmsg wanted;
    body_of(request, &wanted, sizeof wanted);
    if (wanted.rtm_family != AF_UNSPEC && wanted.rtm_family != AF_INET)
        return request->nlmsg_flags & NLM_F_DUMP ? 0 : -ENETUNREACH;
    if (request->nlmsg_flags & NLM_F_DUMP)
        return wanted.rtm_flags & RTM_F_CLONED ? 0 : tell_all_routes(answer, all); /* there is no cache */
    uint32_t destination = 0, next_hop = 0;
    const void *asked = attribute_of(request, sizeof wanted, RTA_DST, sizeof destination);
    if (!asked)
        return -EINVAL;
    memcpy(&destination, asked, sizeof destination);
    destination = ntohl(destination);
    bool loopback = ip_is_loopback(destination), local = loopback || ip_is_local(stack, destination);
    bool broadcast = ip_is_broadcast(stack, destination), multicast = ip_is_multicast(destination);
    if (!local && !broadcast && !multicast && ip_route_lookup(&stack->routes, destination, &next_hop) < 0)
        return -ENETUNREACH;
    struct route route = {.table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
                          .destination = destination,
                          .prefix_length = 32,
                          .gateway = next_hop == destination ? 0 : next_hop,
                          .source = loopback ? destination : all[INTERFACE_OWN].address,
                          .type = local       ? RTN_LOCAL
                                  : broadcast ? RTN_BROADCAST
                                  : multicast ? RTN_MULTICAST
                                              : RTN_UNICAST,
                          .interface = all[local ? INTERFACE_LOOPBACK : INTERFACE_OWN].index,
                          .flags = RTM_F_CLONED};
    tell_route(answer, &route);
    return 0;
}

static uint16_t neighbour_state(enum arp_state state) {
    static const uint16_t states[] = {[ARP_INCOMPLETE] = NUD_INCOMPLETE,
                                      [ARP_REACHABLE] = NUD_REACHABLE,
                                      [ARP_STALE] = NUD_STALE,
                                      [ARP_DELAY] = NUD_DELAY,
                                      [ARP_PROBE] = NUD_PROBE};
    return states[state];
}

static void tell_neighbour(struct answer *answer, const struct arp_entry *entry, unsigned interface) {
    struct ndmsg header = {.ndm_family = AF_INET,
                           .ndm_ifindex = (int)interface,
                           .ndm_state = neighbour_state(entry->state),
                           .ndm_type = RTN_UNICAST};
    begin(answer, RTM_NEWNEIGH, &header, sizeof header);
    put_address(answer, NDA_DST, entry->address);
    if (entry->state != ARP_INCOMPLETE)
        put(answer, NDA_LLADDR, entry->mac, sizeof entry->mac);
    put_u32(answer, NDA_PROBES, entry->probes);
    end(answer);
}

/* Those of a list, or the one of an address that is asked for, if that is not 0. */
static bool tell_some_neighbours(struct answer *answer, const struct list *list, uint32_t address,
                                 unsigned interface) {
    struct list *link, *next;
    bool found = false;
    list_for_each(link, next, list) {
        const struct arp_entry *entry = container_of(link, struct arp_entry, age);
        if (address && entry->address != address)
            continue;
        tell_neighbour(answer, entry, interface);
        found = true;
    }
    return found;
}

static int tell_neighbours(struct answer *answer, const struct interface *all) {
    const struct nlmsghdr *request = answer->request;
    struct ndmsg wanted;
    body_of(request, &wanted, sizeof wanted);
    if (wanted.ndm_family != AF_UNSPEC && wanted.ndm_family != AF_INET)
        return request->nlmsg_flags & NLM_F_DUMP ? 0 : -ENOENT;
    const void *asked = attribute_of(request, sizeof wanted, NDA_DST, sizeof(uint32_t));
    uint32_t address = 0;
    if (asked)
        memcpy(&address, asked, sizeof address);
    const struct arp_cache *cache = &shared->stack.arp;
    bool found = request->nlmsg_flags & NLM_F_DUMP;
    found |= tell_some_neighbours(answer, &cache->known, ntohl(address), all[INTERFACE_OWN].index);
    found |= tell_some_neighbours(answer, &cache->asked, ntohl(address), all[INTERFACE_OWN].index);
    return found ? 0 : -ENOENT;
}

/* The three that every machine begins with. */
static int tell_rules(struct answer *answer, const struct interface *all) {
    static const struct {
        uint32_t priority, table;
    } rules[] = {{0, RT_TABLE_LOCAL}, {32766, RT_TABLE_MAIN}, {32767, RT_TABLE_DEFAULT}};
    struct rtmsg wanted;
    (void)all;
    body_of(answer->request, &wanted, sizeof wanted);
    if (!(answer->request->nlmsg_flags & NLM_F_DUMP))
        return -EOPNOTSUPP;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && wanted.rtm_family != AF_INET6; i++) {
        struct fib_rule_hdr header = {
            .family = AF_INET, .table = (uint8_t)rules[i].table, .action = FR_ACT_TO_TBL};
        begin(answer, RTM_NEWRULE, &header, sizeof header);
        put_u32(answer, FRA_TABLE, rules[i].table);
        if (rules[i].priority)
            put_u32(answer, FRA_PRIORITY, rules[i].priority);
        end(answer);
    }
    return 0;
}

static int answer_request(struct answer *answer, const struct interface *all) {
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
        return tell_rules(answer, all);
    default: /* types come in fours: new, delete, get, set */
        return (answer->request->nlmsg_type - RTM_BASE) % 4 == 2 ? -EOPNOTSUPP : -EPERM;
    }
}

/* In datagrams of whole messages. */
static void hand_over(const struct answer *answer,
                      void (*deliver)(void *context, const void *bytes, size_t length), void *context) {
    size_t first = 0, next = 0;
    while (first < answer->used) {
        while (next < answer->used) {
            size_t length = NLMSG_ALIGN(((const struct nlmsghdr *)(answer->bytes + next))->nlmsg_len);
            if (next > first && next + length - first > DATAGRAM_BYTES)
                break;
            next += length;
        }
        deliver(context, answer->bytes + first, next - first);
        first = next;
    }
}

bool netlink_answer(const uint8_t *request, size_t length, uint32_t port,
                    void (*deliver)(void *context, const void *bytes, size_t length), void *context) {
    struct interface all[INTERFACES];
    const struct nlmsghdr *message = (const struct nlmsghdr *)request;
    for (size_t left = length; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
        struct answer answer = {.request = message, .port = port, .room = ANSWER_BYTES - END_BYTES};
        if (message->nlmsg_type < NLMSG_MIN_TYPE || !(message->nlmsg_flags & NLM_F_REQUEST))
            continue;
        answer.bytes = memory_take(ANSWER_BYTES);
        if (!answer.bytes)
            return false;
        shared_lock();
        interfaces_describe(all);
        int error = shared->broken ? -ENETDOWN : answer_request(&answer, all);
        shared_unlock();
        answer.full = false;
        answer.room = ANSWER_BYTES;
        if (error || (message->nlmsg_flags & NLM_F_ACK && !(message->nlmsg_flags & NLM_F_DUMP)))
            tell_error(&answer, error);
        else if (message->nlmsg_flags & NLM_F_DUMP)
            tell_done(&answer);
        hand_over(&answer, deliver, context);
        memory_give(answer.bytes);
    }
    return true;
}
