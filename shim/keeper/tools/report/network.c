/* SPDX-License-Identifier: MIT */
/*
 * network.c - see network.h.
 *
 * Each thing that is asked for is kept once, with how often it was asked and what came of it; the tables have
 * a bound, and what does not fit is not told of. ARP: RFC 826, probes and announcements RFC 5227. Neighbour
 * discovery: RFC 4861. DNS: RFC 1035. DHCP: RFC 2131. ICMP's errors quote the packet that they are about (RFC
 * 792, RFC 4443).
 */
#include "shim/keeper/tools/report/network.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASKED_MAX 512u
#define QUERIES_MAX 1024u
#define ERRORS_MAX 64u
#define FINDINGS_OF_A_KIND_MAX 10u
#define SLOW_DNS_NS UINT64_C(1000000000)
#define DNS 53
#define DHCP_SERVER 67
#define DHCP_CLIENT 68

/* An address that was asked for. */
struct asked {
    struct address target, by;
    uint32_t times;
    bool answered;
    uint64_t first_ns, last_ns;
};

/* A name that was asked for. */
struct query {
    struct address server, client;
    uint16_t port, id, type;
    uint32_t times;
    bool answered, unreachable;
    uint8_t code; /* RCODE of the answer */
    uint64_t first_ns, answer_ns;
    char name[80];
};

/* An error that ICMP told of. */
struct icmp_error {
    struct address from, destination;
    uint8_t protocol;
    uint16_t port;
    const char *what;
    uint32_t times;
    uint64_t first_ns;
};

struct network {
    struct asked asked[ASKED_MAX];
    struct query queries[QUERIES_MAX];
    struct icmp_error errors[ERRORS_MAX];
    uint32_t asked_count, query_count, error_count;
    uint32_t discovers, offers;
    uint64_t discover_ns;
};

static struct network *network_of(struct report *report) {
    if (!report->network && !(report->network = calloc(1, sizeof *report->network)))
        report->out_of_memory = true;
    return report->network;
}

static struct asked *find_asked(struct network *network, const struct address *target) {
    for (uint32_t i = 0; i < network->asked_count; i++)
        if (packet_same_address(&network->asked[i].target, target))
            return &network->asked[i];
    return NULL;
}

static void note_question(struct network *network, const struct address *target, const struct address *by,
                          uint64_t now_ns) {
    struct asked *asked = find_asked(network, target);
    if (!asked && network->asked_count < ASKED_MAX) {
        asked = &network->asked[network->asked_count++];
        *asked = (struct asked){.target = *target, .by = *by, .first_ns = now_ns};
    }
    if (!asked)
        return;
    asked->times++;
    asked->last_ns = now_ns;
}

static void answer(struct network *network, const struct address *target) {
    struct asked *asked = find_asked(network, target);
    if (asked)
        asked->answered = true;
}

void network_arp(struct report *report, const struct capture_packet *packet) {
    static const uint8_t zero[4];
    const uint8_t *arp = packet->payload;
    struct network *network = network_of(report);
    if (!network || packet->captured < 28 || packet_get16(arp) != 1 || packet_get16(arp + 2) != 0x0800)
        return;
    struct address sender = packet_map(arp + 14), target = packet_map(arp + 24);
    bool probe = memcmp(arp + 14, zero, 4) == 0, announcement = memcmp(arp + 14, arp + 24, 4) == 0;
    if (packet_get16(arp + 6) == 1 && !probe && !announcement)
        note_question(network, &target, &sender, packet->time_ns);
    if (!probe)
        answer(network, &sender); /* whoever speaks is there */
}

/* A name of DNS as text; what could be markup or a control character is left out of it. */
static const uint8_t *read_name(const uint8_t *at, const uint8_t *end, char *name, size_t room) {
    size_t used = 0;
    while (at < end && *at) {
        uint8_t length = *at++;
        if (length > 63 || length > end - at)
            return NULL;
        for (uint8_t i = 0; i < length && used + 2 < room; i++)
            name[used++] = (char)(isalnum(at[i]) || at[i] == '-' || at[i] == '_' ? at[i] : '?');
        at += length;
        if (used + 2 < room)
            name[used++] = '.';
    }
    name[used > 1 ? used - 1 : used] = 0;
    return at < end ? at + 1 : NULL;
}

static void take_dns(struct network *network, const struct capture_packet *packet,
                     const struct captured_ip *ip) {
    const uint8_t *udp = ip->payload, *end = udp + ip->captured;
    uint16_t from = (uint16_t)packet_get16(udp), to = (uint16_t)packet_get16(udp + 2);
    struct query query = {.first_ns = packet->time_ns, .times = 1};
    if (ip->captured < 8 + 12 || packet_get16(udp + 8 + 4) < 1)
        return;
    bool response = udp[8 + 2] & 0x80;
    const uint8_t *after = read_name(udp + 8 + 12, end, query.name, sizeof query.name);
    if (!after || after + 2 > end || (response ? from : to) != DNS)
        return;
    query.server = response ? ip->source : ip->destination;
    query.client = response ? ip->destination : ip->source;
    query.port = response ? to : from;
    query.id = (uint16_t)packet_get16(udp + 8);
    query.type = (uint16_t)packet_get16(after);
    for (uint32_t i = network->query_count; i-- > 0;) {
        struct query *known = &network->queries[i];
        bool same = packet_same_address(&known->server, &query.server) && known->type == query.type &&
                    strcasecmp(known->name, query.name) == 0;
        if (response && same && known->id == query.id && known->port == query.port) {
            known->answered = true;
            known->code = udp[8 + 3] & 15;
            known->answer_ns = packet->time_ns;
            return;
        }
        if (!response && same && !known->answered) {
            known->times++;
            known->id = query.id;
            known->port = query.port;
            return;
        }
    }
    if (!response && network->query_count < QUERIES_MAX)
        network->queries[network->query_count++] = query;
}

static void take_dhcp(struct network *network, const struct capture_packet *packet,
                      const struct captured_ip *ip) {
    const uint8_t *at = ip->payload + 8 + 240, *end = ip->payload + ip->captured;
    while (at + 3 <= end && *at != 255) {
        if (*at == 0) {
            at++;
            continue;
        }
        if (*at == 53 && at[1] == 1) {
            if (at[2] == 1 && !network->discovers++)
                network->discover_ns = packet->time_ns;
            network->offers += at[2] == 2 || at[2] == 5;
            return;
        }
        at += 2 + at[1];
    }
}

static const char *name_error(bool six, uint8_t type, uint8_t code) {
    static const char *const four_codes[] = {
        "no route to the network",      "no route to the host", "no such protocol there",
        "nothing listens on that port", NULL /* too big */,     "the source route failed",
        "the network is unknown",       "the host is unknown",  "the host is isolated",
        "the network is forbidden",     "the host is forbidden"};
    static const char *const six_codes[] = {"no route", "forbidden", "beyond the scope of the source address",
                                            "the host does not answer", "nothing listens on that port"};
    if (six)
        return type == 1 && code < 5 ? six_codes[code]
               : type == 3           ? "it went in circles (time exceeded)"
                                     : NULL;
    if (type == 11 && code == 0)
        return "it went in circles, or too far (time exceeded)";
    if (type != 3)
        return NULL;
    return code == 13 ? "forbidden by a filter" : code < 11 ? four_codes[code] : NULL;
}

/* Whose packet an error quotes: a query's is noted with it, another one's by itself. */
static void take_error(struct report *report, struct network *network, const struct capture_packet *packet,
                       const struct captured_ip *ip, const char *what) {
    struct capture_packet quoted = {.type = ip->protocol == PROTOCOL_ICMPV6 ? CAPTURE_IPV6 : CAPTURE_IPV4,
                                    .payload = ip->payload + 8,
                                    .captured = ip->captured - 8,
                                    .frame_bytes = ip->captured - 8,
                                    .length = ip->captured - 8};
    struct captured_ip about;
    if (!packet_read_ip(&quoted, &about) || about.captured < 4)
        return;
    uint16_t from = (uint16_t)packet_get16(about.payload), to = (uint16_t)packet_get16(about.payload + 2);
    bool ports = about.protocol == PROTOCOL_TCP || about.protocol == PROTOCOL_UDP;
    int side;
    struct connection *connection =
        about.protocol == PROTOCOL_TCP
            ? report_find(report, &about.source, from, &about.destination, to, &side)
            : NULL;
    bool exceeded = ip->payload[0] == (ip->protocol == PROTOCOL_ICMPV6 ? 3 : 11);
    if (exceeded && about.protocol != PROTOCOL_TCP)
        return; /* traceroute(8) asks for it */
    if (connection)
        connection->unreachable = true;
    struct flow *flow = about.protocol == PROTOCOL_UDP
                            ? flow_find(&report->flows, &about.source, from, &about.destination, to, &side)
                            : NULL;
    if (flow)
        flow->unreachable = true;
    for (uint32_t i = 0; about.protocol == PROTOCOL_UDP && to == DNS && i < network->query_count; i++) {
        struct query *query = &network->queries[i];
        if (query->port == from && packet_same_address(&query->server, &about.destination)) {
            query->unreachable = true;
            return;
        }
    }
    for (uint32_t i = 0; i < network->error_count; i++) {
        struct icmp_error *known = &network->errors[i];
        if (known->what == what && known->protocol == about.protocol && (!ports || known->port == to) &&
            packet_same_address(&known->destination, &about.destination)) {
            known->times++;
            return;
        }
    }
    if (network->error_count < ERRORS_MAX)
        network->errors[network->error_count++] = (struct icmp_error){
            ip->source, about.destination, about.protocol, ports ? to : 0, what, 1, packet->time_ns};
}

static void take_icmp(struct report *report, struct network *network, const struct capture_packet *packet,
                      const struct captured_ip *ip) {
    bool six = ip->protocol == PROTOCOL_ICMPV6;
    if (ip->captured < 8)
        return;
    uint8_t type = ip->payload[0], code = ip->payload[1];
    if (six && (type == 135 || type == 136) && ip->captured >= 24) {
        static const struct address unspecified;
        struct address target;
        memcpy(&target, ip->payload + 8, sizeof target);
        if (type == 136)
            answer(network, &target);
        else if (!packet_same_address(&ip->source, &unspecified)) /* which looks for duplicates */
            note_question(network, &target, &ip->source, packet->time_ns);
        return;
    }
    const char *what = name_error(six, type, code);
    if (what)
        take_error(report, network, packet, ip, what);
}

void network_packet(struct report *report, const struct capture_packet *packet,
                    const struct captured_ip *ip) {
    struct network *network = network_of(report);
    if (!network || ip->fragment)
        return;
    if (ip->protocol == PROTOCOL_ICMP || ip->protocol == PROTOCOL_ICMPV6) {
        take_icmp(report, network, packet, ip);
    } else if (ip->protocol == PROTOCOL_UDP && ip->captured >= 8) {
        uint32_t from = packet_get16(ip->payload), to = packet_get16(ip->payload + 2);
        if (from == DNS || to == DNS)
            take_dns(network, packet, ip);
        else if ((from == DHCP_CLIENT && to == DHCP_SERVER) || from == DHCP_SERVER)
            take_dhcp(network, packet, ip);
    }
}

#define FIND(report, name, whose, times, at_ns, ...)                                                        \
    finding_add(&(report)->findings, &(report)->finding_count, &(report)->finding_room, name, whose, times, \
                at_ns, __VA_ARGS__)

static void look_at_neighbours(struct report *report, const struct network *network) {
    uint32_t told = 0;
    for (uint32_t i = 0; i < network->asked_count && told < FINDINGS_OF_A_KIND_MAX; i++) {
        const struct asked *asked = &network->asked[i];
        bool waited = asked->times > 1 || report->end_ns - asked->last_ns >= SLOW_DNS_NS;
        if (asked->answered || !waited)
            continue;
        bool six = strchr(packet_address(&asked->target), ':');
        told++;
        FIND(report, "no-such-neighbour", WHOSE_HOST, asked->times, asked->first_ns,
             "Nobody on the link has the address %s|%s asked for it %u time%s by %s, and no answer came: the "
             "host is "
             "down, its address is another one, or it is on another network.",
             packet_address(&asked->target), packet_address(&asked->by), asked->times,
             asked->times == 1 ? "" : "s", six ? "neighbour discovery" : "ARP");
    }
}

static const char *name_code(uint8_t code) {
    static const char *const codes[] = {"",
                                        "it can't read the question",
                                        "it failed (SERVFAIL)",
                                        "there is no such name (NXDOMAIN)",
                                        "it can't do that",
                                        "it refuses (REFUSED)"};
    return code < sizeof codes / sizeof *codes ? codes[code] : "it reports an error";
}

/* The same name without a domain that the resolver had appended, or of another type, has an address. */
static bool found_otherwise(const struct network *network, const struct query *query) {
    for (uint32_t i = 0; i < network->query_count; i++) {
        const struct query *other = &network->queries[i];
        size_t length = strlen(other->name);
        if (other != query && strncasecmp(other->name, query->name, length) == 0 &&
            (query->name[length] == 0 || query->name[length] == '.') &&
            ((other->answered && !other->code) || (other < query && query->name[length] == 0)))
            return true;
    }
    return false;
}

static void look_at_query(struct report *report, const struct query *query) {
    const char *server = packet_address(&query->server), *client = packet_address(&query->client);
    const char *plural = query->times == 1 ? "" : "s";
    if (query->answered && query->code && found_otherwise(report->network, query))
        return;
    if (query->answered && query->code)
        FIND(report, query->code == 3 ? "dns-no-such-name" : "dns-failure", WHOSE_HOST, query->times,
             query->first_ns, "The name server %s has no address for %s|To %s it says: %s.", server,
             query->name, client, name_code(query->code));
    else if (!query->answered && query->unreachable)
        FIND(report, "dns-refused", WHOSE_HOST, query->times, query->first_ns,
             "No name server at %s|%s asked for %s %u time%s, and ICMP says that it can't be reached there.",
             server, client, query->name, query->times, plural);
    else if (!query->answered && (query->times > 1 || report->end_ns - query->first_ns >= SLOW_DNS_NS))
        FIND(report, "dns-no-answer", WHOSE_HOST, query->times, query->first_ns,
             "The name server %s does not answer|%s asked for %s %u time%s.", server, client, query->name,
             query->times, plural);
    else if (query->answered && query->answer_ns - query->first_ns >= SLOW_DNS_NS)
        FIND(report, "dns-slow", WHOSE_HOST, query->times, query->first_ns,
             "The name server %s is slow|%s waited %.1f s for the address of %s, asked %u time%s.", server,
             client, (double)(query->answer_ns - query->first_ns) / 1e9, query->name, query->times, plural);
}

void network_diagnose(struct report *report) {
    const struct network *network = report->network;
    if (!network)
        return;
    look_at_neighbours(report, network);
    uint32_t before = report->finding_count;
    for (uint32_t i = 0; i < network->query_count; i++)
        if (report->finding_count - before < FINDINGS_OF_A_KIND_MAX)
            look_at_query(report, &network->queries[i]);
    if (network->discovers > 1 && !network->offers)
        FIND(report, "dhcp-no-answer", WHOSE_HOST, network->discovers, network->discover_ns,
             "No DHCP server answers|%u times one was looked for on this link.", network->discovers);
    for (uint32_t i = 0; i < network->error_count && i < FINDINGS_OF_A_KIND_MAX; i++) {
        const struct icmp_error *error = &network->errors[i];
        char port[16] = "";
        if (error->port)
            snprintf(port, sizeof port, ", port %u", error->port);
        FIND(report, "unreachable", WHOSE_HOST, error->times, error->first_ns,
             "%s%s can't be reached|%s says so by ICMP, %u time%s: %s.", packet_address(&error->destination),
             port, packet_address(&error->from), error->times, error->times == 1 ? "" : "s", error->what);
    }
}
