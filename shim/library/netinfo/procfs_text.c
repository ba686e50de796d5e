/* SPDX-License-Identifier: MIT */
/*
 * procfs_text.c - see procfs_text.h. Formats: proc(5), and what Linux prints: programs count columns.
 *
 * lo stays the kernel's, so its sockets with an address of 127.0.0.0/8 are told beside the stack's.
 */
#include "shim/library/netinfo/procfs_text.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/netinfo/procfs_text6.h"
#include "shim/region/lock.h"
#include "shim/region/region.h"
#include "stack/tcp/tcp_time_wait.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICKS_PER_S 100u /* USER_HZ */
#define NS_PER_TICK (UINT64_C(1000000000) / TICKS_PER_S)
#define TCP_WIDTH 149
#define UDP_WIDTH 127
#define TCP_INITIAL_CWND 10 /* RFC 6928 */

void procfs_print(struct procfs_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->bytes + text->used, text->room - text->used, format, arguments);
    va_end(arguments);
    size_t left = text->room - text->used - 1;
    text->used += length < 0 ? 0 : (size_t)length < left ? (size_t)length : left;
}

/* Fills a line up to a width, and ends it. */
static void pad(struct procfs_text *text, size_t from, size_t width) {
    size_t length = text->used - from;
    procfs_print(text, "%*s\n", length < width ? (int)(width - length) : 0, "");
}

/* A walk over sockets, each a line. */
struct listing {
    struct procfs_text *text;
    int lines;
    bool inet6;
    bool listeners;   /* of connections: these, or all others */
    uint8_t protocol; /* of datagrams: IP_PROTOCOL_UDP, IP_PROTOCOL_ICMP, or 0 for raw sockets */
};

/* As the kernel prints an address: its bytes as one number of this machine's. */
static void print_place(struct procfs_text *text, bool inet6, struct ip_address address, uint16_t port) {
    if (inet6)
        procfs_print(text, "%08X%08X%08X%08X:%04X", address.words[0], address.words[1], address.words[2],
                     address.words[3], port);
    else
        procfs_print(text, "%08X:%04X", address.words[3], port);
}

static void print_places(struct procfs_text *text, bool inet6, const struct binding *local,
                         struct ip_address remote, uint16_t remote_port) {
    print_place(text, inet6, local->address, local->port);
    procfs_print(text, " ");
    print_place(text, inet6, remote, remote_port);
}

/* Which timer runs, by the numbers of the column "tr", and for how long. */
static int timer_of(const struct tcp *tcp, uint64_t *left) {
    uint64_t now_ns = shared->stack.now_ns, due_ns = tcp->alarms.due_ns[TCP_ALARM_RETRANSMIT];
    int kind = due_ns ? (tcp->snd_wnd == 0 && tcp->snd_una == tcp->snd_nxt ? 4 : 1) : 0;
    if (!kind && (due_ns = tcp->alarms.due_ns[TCP_ALARM_STATE]))
        kind = tcp->state == TCP_TIME_WAIT ? 3 : 2;
    *left = kind && due_ns > now_ns ? (due_ns - now_ns) / NS_PER_TICK : 0;
    return kind;
}

static void print_tcp(void *object, void *context) {
    struct listing *listing = context;
    struct tcp *tcp = object;
    struct procfs_text *text = listing->text;
    const struct socket *socket = tcp->socket;
    bool listens = tcp->state == TCP_LISTEN;
    bool inet6 = socket ? socket->options.inet6 : !ip_is_v4(tcp->remote_address); /* nobody's any more */
    if (tcp->state == TCP_CLOSE || inet6 != listing->inet6 || listens != listing->listeners)
        return;
    struct tcp_information info;
    uint64_t left;
    size_t from = text->used;
    int timer = timer_of(tcp, &left);
    tcp_info_get(&shared->stack, tcp, &info);
    procfs_print(text, "%4d: ", listing->lines++);
    print_places(text, inet6, &tcp->binding, listens ? (struct ip_address){0} : tcp->remote_address,
                 listens ? 0 : tcp->remote_port);
    if (tcp->state == TCP_TIME_WAIT) {
        procfs_print(text, " %02X %08X:%08X %02X:%08" PRIX64 " %08X %5d %8d %d %d %016x", TCP_TIME_WAIT, 0, 0,
                     3, left, 0, 0, 0, 0, 3, 0);
    } else {
        procfs_print(text,
                     " %02X %08X:%08X %02X:%08" PRIX64 " %08X %5u %8d %" PRIu64 " %d %016x %u %u %u %u %d",
                     tcp->state, listens ? 0 : tcp->send.length,
                     listens ? socket ? socket->accept_count : 0 : tcp->receive.length, timer, left,
                     tcp->retransmits, socket ? getuid() : 0, tcp->probes, socket ? socket->name : 0,
                     listens ? 1 : 2, 0, info.rto / (1000000 / TICKS_PER_S),
                     info.ato / (1000000 / TICKS_PER_S), 0, listens ? TCP_INITIAL_CWND : info.snd_cwnd,
                     listens || info.snd_ssthresh >= INT32_MAX ? (listens ? 0 : -1) : (int)info.snd_ssthresh);
    }
    if (inet6)
        procfs_print(text, "\n");
    else
        pad(text, from, TCP_WIDTH);
}

static void print_datagram(void *object, void *context) {
    struct listing *listing = context;
    const struct socket *socket = object;
    const struct datagram_state *state = socket->datagram;
    struct procfs_text *text = listing->text;
    bool raw = socket->type == SOCK_RAW, inet6 = socket->options.inet6;
    if (!state || inet6 != listing->inet6 ||
        (listing->protocol ? raw || state->binding.protocol != listing->protocol : !raw) ||
        (!raw && !state->binding.port))
        return;
    size_t from = text->used;
    struct binding local = state->binding;
    if (raw)
        local.port = state->binding.protocol; /* what it is for, as the kernel has it */
    int number = raw ? local.port : (int)local.port;
    listing->lines++;
    procfs_print(text, raw ? "%4d: " : "%5d: ", number);
    print_places(text, inet6, &local, socket->connected ? state->remote_address : (struct ip_address){0},
                 socket->connected ? state->remote_port : 0);
    procfs_print(text, " %02X %08X:%08X %02X:%08lX %08X %5u %8d %" PRIu64 " %d %016x %u",
                 socket->connected ? TCP_ESTABLISHED : TCP_CLOSE, 0, socket->datagram_bytes, 0, 0L, 0,
                 getuid(), 0, socket->name, 2, 0, state->drops);
    if (raw || inet6)
        procfs_print(text, "\n");
    else
        pad(text, from, UDP_WIDTH);
}

/* Whether a line of the kernel's, from its local address on, is of loopback, or of IPv6 that the stack has not. */
static bool stays_the_kernels(const char *local, bool inet6) {
    static const char mapped[] = "0000000000000000FFFF0000", loopback[] = "00000000000000000000000001000000:";
    if (inet6 && memcmp(local, mapped, sizeof mapped - 1) != 0)
        return !shared->stack.config.ip6.on || memcmp(local, loopback, sizeof loopback - 1) == 0;
    return memcmp(local + (inet6 ? sizeof mapped - 1 : 0) + 6, "7F:", 3) == 0;
}

#define INODE_FIELD 8 /* of a line, after its local address */

/* Whether a line of the kernel's is of the object of a socket of ours (udp_loopback.h), which has a line. */
static bool is_object(const char *field) {
    for (int i = 0; i < INODE_FIELD && field; i++) {
        field = strchr(field, ' ');
        field += field ? strspn(field, " ") : 0;
    }
    return field && descriptor_socket_named(strtoull(field, NULL, 10));
}

/* The lines of the kernel's file, with numbers of ours. */
static void print_kernels(struct listing *listing, int width) {
    struct procfs_text *text = listing->text;
    const char *line = strchr(text->kernels, '\n');
    if (!shared->kernel_loopback && (!listing->inet6 || shared->stack.config.ip6.on))
        return;
    while (line && *++line) {
        const char *end = strchr(line, '\n'), *local = strstr(line, ": ");
        if (!end)
            return;
        if (local && end - local > 40 && stays_the_kernels(local + 2, listing->inet6) &&
            !is_object(local + 2)) {
            procfs_print(text, "%*d: ", width, listing->lines++);
            procfs_print(text, "%.*s\n", (int)(end - local - 2), local + 2);
        }
        line = end;
    }
}

static void write_tcp(struct procfs_text *text, bool inet6) {
    struct listing listing = {.text = text, .inet6 = inet6};
    size_t from = text->used;
    if (inet6) {
        procfs_print(text,
                     "  sl  local_address                         remote_address                        st"
                     " tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
    } else {
        procfs_print(text, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
                           "  timeout inode");
        pad(text, from, TCP_WIDTH);
    }
    listing.listeners = true;
    tcp_walk(&shared->stack, print_tcp, &listing);
    listing.listeners = false;
    tcp_walk(&shared->stack, print_tcp, &listing);
    print_kernels(&listing, 4);
}

static void write_datagrams(struct procfs_text *text, bool inet6, uint8_t protocol) {
    struct listing listing = {.text = text, .inet6 = inet6, .protocol = protocol};
    size_t from = text->used;
    if (inet6) {
        procfs_print(text,
                     "  sl  local_address                         remote_address                        st"
                     " tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
    } else {
        procfs_print(text,
                     "%s  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
                     "  timeout inode ref pointer drops",
                     protocol == IP_PROTOCOL_UDP || protocol == IP_PROTOCOL_UDPLITE ? "   sl" : "  sl");
        pad(text, from, protocol ? UDP_WIDTH : 0);
    }
    pool_walk(&shared->stack.sockets, print_datagram, &listing);
    print_kernels(&listing, protocol ? 5 : 4);
}

static void write_dev(struct procfs_text *text) {
    procfs_print(text,
                 "Inter-|   Receive                                                |  Transmit\n"
                 " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs"
                 " drop fifo colls carrier compressed\n");
    for (int i = 0; i < INTERFACES; i++) {
        struct rtnl_link_stats64 counts;
        struct rtnl_link_stats narrow;
        interfaces_count((enum interface_place)i, &counts, &narrow);
        procfs_print(
            text, "%6s: %7llu %7llu %4d %4llu %4d %5d %10d %9llu %8llu %7llu %4d %4llu %4d %5d %7d %10d\n",
            text->interfaces[i].name, counts.rx_bytes, counts.rx_packets, 0, counts.rx_dropped, 0, 0, 0,
            counts.multicast, counts.tx_bytes, counts.tx_packets, 0, counts.tx_dropped, 0, 0, 0, 0);
    }
}

/* Of the table main, in the order of addresses. */
static void write_route(struct procfs_text *text) {
    const struct ip_routes *routes = &shared->stack.routes;
    bool done[IP_ROUTES_MAX] = {0};
    procfs_print(text, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
    pad(text, 0, UDP_WIDTH);
    for (uint32_t count = 0; count < routes->count; count++) {
        uint32_t next = routes->count;
        for (uint32_t i = 0; i < routes->count; i++)
            if (!done[i] &&
                (next == routes->count || routes->routes[i].destination < routes->routes[next].destination))
                next = i;
        const struct ip_route *route = &routes->routes[next];
        unsigned flags =
            RTF_UP | (route->gateway ? RTF_GATEWAY : 0) | (route->mask == UINT32_MAX ? RTF_HOST : 0);
        size_t from = text->used;
        done[next] = true;
        procfs_print(text, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%d\t%08X\t%d\t%u\t%u",
                     text->interfaces[INTERFACE_OWN].name, htonl(route->destination), htonl(route->gateway),
                     flags, 0, 0, 0, htonl(route->mask), 0, 0, 0);
        pad(text, from, UDP_WIDTH);
    }
}

static void print_neighbours(struct procfs_text *text, struct list *neighbours) {
    struct list *link, *next;
    list_for_each(link, next, neighbours) {
        const struct neighbour *entry = container_of(link, struct neighbour, age);
        const uint8_t *mac = entry->mac;
        bool complete = entry->state != NEIGHBOUR_INCOMPLETE;
        struct in_addr address = {htonl(ip_to_v4(entry->address))};
        char host[INET_ADDRSTRLEN], hardware[18] = "00:00:00:00:00:00";
        if (!ip_is_v4(entry->address))
            continue;
        inet_ntop(AF_INET, &address, host, sizeof host);
        if (complete)
            snprintf(hardware, sizeof hardware, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                     mac[3], mac[4], mac[5]);
        procfs_print(text, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n", host, ARPHRD_ETHER,
                     complete ? ATF_COM : 0, hardware, text->interfaces[INTERFACE_OWN].name);
    }
}

static void write_arp(struct procfs_text *text) {
    procfs_print(text, "IP address       HW type     Flags       HW address            Mask     Device\n");
    print_neighbours(text, &shared->stack.neighbours.known);
    print_neighbours(text, &shared->stack.neighbours.asked);
}

static void write_igmp(struct procfs_text *text) {
    const struct igmp *igmp = &shared->stack.igmp;
    const struct interface *own = &text->interfaces[INTERFACE_OWN],
                           *lo = &text->interfaces[INTERFACE_LOOPBACK];
    struct list *link, *next;
    int count = 1;
    list_for_each(link, next, &shared->stack.multicast.list) {
        count += ip_is_v4(container_of(link, struct multicast_group, link)->address);
    }
    procfs_print(text, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
    procfs_print(text, "%u\t%-10s: %5d %7s\n\t\t\t\t%08X %5d %d:%08X\t\t%d\n", lo->index, lo->name, 1, "V3",
                 htonl(IP_ALL_HOSTS), 1, 0, 0, 0);
    procfs_print(text, "%u\t%-10s: %5d %7s\n", own->index, own->name, count,
                 igmp->v1_until_ns > shared->stack.now_ns   ? "V1"
                 : igmp->v2_until_ns > shared->stack.now_ns ? "V2"
                                                            : "V3");
    list_for_each(link, next, &shared->stack.multicast.list) {
        const struct multicast_group *group = container_of(link, struct multicast_group, link);
        struct list *member, *after;
        int users = 0;
        if (!ip_is_v4(group->address))
            continue;
        list_for_each(member, after, &group->members)
            users++;
        procfs_print(text, "\t\t\t\t%08X %5d %d:%08X\t\t%d\n", htonl(ip_to_v4(group->address)), users, 0, 0,
                     0);
    }
    procfs_print(text, "\t\t\t\t%08X %5d %d:%08X\t\t%d\n", htonl(IP_ALL_HOSTS), 1, 0, 0, 0);
}

static void count_tcp(void *object, void *context) {
    uint32_t *counts = context; /* by state */
    counts[((const struct tcp *)object)->state & 15]++;
}

/* A counter by its names in the file; those that the stack has not are 0. */
static int64_t counter(const char *group, const char *name, const uint32_t *states) {
    static const struct {
        const char *group, *name;
        int64_t value;
    } fixed[] = {{"Ip", "Forwarding", 2},
                 {"Tcp", "RtoAlgorithm", 1},
                 {"Tcp", "RtoMin", 200},
                 {"Tcp", "RtoMax", 120000},
                 {"Tcp", "MaxConn", -1}};
    const struct mib *mib = &shared->stack.mib;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (strcmp(group, fixed[i].group) == 0 && strcmp(name, fixed[i].name) == 0)
            return fixed[i].value;
    if (strcmp(name, "DefaultTTL") == 0)
        return shared->stack.sysctl.ip_default_ttl;
    if (strcmp(name, "CurrEstab") == 0)
        return states[TCP_ESTABLISHED] + states[TCP_CLOSE_WAIT];
#define LOOK_UP(of, counter)                                    \
    if (strcmp(name, #counter) == 0 && strcmp(group, #of) == 0) \
        return (int64_t)mib->of##counter;
    MIB_COUNTERS(LOOK_UP)
#undef LOOK_UP
    return 0;
}

/* /proc/net/snmp and netstat: a line of names and one of values, group by group. The names are the kernel's.
 */
static void write_counters(struct procfs_text *text) {
    uint32_t states[16] = {0};
    const char *line = text->kernels;
    pool_walk(&shared->stack.connections, count_tcp, states);
    while (*line) {
        const char *end = strchr(line, '\n'), *values = end ? strchr(end + 1, '\n') : NULL;
        char group[32], name[64];
        int used;
        if (!values || sscanf(line, "%31[^:]:%n", group, &used) != 1)
            return;
        procfs_print(text, "%.*s\n%s:", (int)(end - line), line, group);
        const char *extended = strcmp(group, "TcpExt") == 0 ? "TcpExt" : group;
        for (const char *at = line + used; at < end && sscanf(at, " %63[^ \n]%n", name, &used) == 1;
             at += used)
            procfs_print(text, " %" PRId64, counter(extended, name, states));
        procfs_print(text, "\n");
        line = values + 1;
    }
}

void procfs_count_socket(void *object, void *context) {
    const struct socket *socket = object;
    struct procfs_socket_counts *counts = context;
    if (counts->inet6_alone && !socket->options.inet6)
        return;
    counts->all++;
    counts->tcp += socket->tcp && socket->tcp->state != TCP_CLOSE;
    counts->raw += socket->type == SOCK_RAW;
    bool bound = socket->datagram && socket->type == SOCK_DGRAM && socket->datagram->binding.port;
    counts->udp += bound && socket->datagram->binding.protocol == IP_PROTOCOL_UDP;
    counts->udplite += bound && socket->datagram->binding.protocol == IP_PROTOCOL_UDPLITE;
}

static void write_sockstat(struct procfs_text *text) {
    struct procfs_socket_counts counts = {0};
    uint32_t states[16] = {0}, connections = 0;
    pool_walk(&shared->stack.sockets, procfs_count_socket, &counts);
    pool_walk(&shared->stack.connections, count_tcp, states);
    for (int i = 0; i < 16; i++)
        connections += states[i];
    procfs_print(text,
                 "sockets: used %u\nTCP: inuse %u orphan %u tw %u alloc %u mem %u\nUDP: inuse %u mem %u\n"
                 "UDPLITE: inuse %u\nRAW: inuse %u\nFRAG: inuse 0 memory 0\n",
                 counts.all, counts.tcp, shared->stack.orphan_count, shared->stack.time_wait_count,
                 connections - states[TCP_TIME_WAIT], 0u, counts.udp, 0u, counts.udplite, counts.raw);
}

bool procfs_write(const char *name, struct procfs_text *text) {
    if (strcmp(name, "tcp") == 0)
        write_tcp(text, false);
    else if (strcmp(name, "tcp6") == 0)
        write_tcp(text, true);
    else if (strcmp(name, "udp") == 0)
        write_datagrams(text, false, IP_PROTOCOL_UDP);
    else if (strcmp(name, "udp6") == 0)
        write_datagrams(text, true, IP_PROTOCOL_UDP);
    else if (strcmp(name, "udplite") == 0)
        write_datagrams(text, false, IP_PROTOCOL_UDPLITE);
    else if (strcmp(name, "udplite6") == 0)
        write_datagrams(text, true, IP_PROTOCOL_UDPLITE);
    else if (strcmp(name, "icmp") == 0)
        write_datagrams(text, false, IP_PROTOCOL_ICMP);
    else if (strcmp(name, "icmp6") == 0)
        write_datagrams(text, true, IP_PROTOCOL_ICMP6);
    else if (strcmp(name, "raw") == 0)
        write_datagrams(text, false, 0);
    else if (strcmp(name, "raw6") == 0)
        write_datagrams(text, true, 0);
    else if (strcmp(name, "dev") == 0)
        write_dev(text);
    else if (strcmp(name, "route") == 0)
        write_route(text);
    else if (strcmp(name, "arp") == 0)
        write_arp(text);
    else if (strcmp(name, "igmp") == 0)
        write_igmp(text);
    else if (strcmp(name, "snmp") == 0 || strcmp(name, "netstat") == 0)
        write_counters(text);
    else if (strcmp(name, "sockstat") == 0)
        write_sockstat(text);
    else
        return procfs_write6(name, text);
    return true;
}
