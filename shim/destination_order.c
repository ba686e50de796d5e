/*
 * destination_order.c - see destination_order.h.
 *
 * The rules that can tell two addresses apart here: a destination without a source address comes last (1),
 * one of its source's scope or label first (2, 5), then by precedence (6), scope (8), and the longest common
 * prefix (9), which means something for IPv4 only on one subnet. What no rule tells apart stays in order
 * (10).
 */
#include "destination_order.h"
#include "attach.h"
#include "call.h"
#include "memory.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONFIGURATION "/etc/gai.conf"
#define TABLE_MAX 64
#define LINE_BYTES 512

/* A prefix, IPv4 mapped, and what it means. */
struct entry {
    struct in6_addr prefix;
    int bits, value;
};

struct table {
    int count;
    bool given; /* the file's, instead of the default one */
    struct entry entries[TABLE_MAX];
};

struct policy {
    struct table labels, precedences, scopes;
};

#define MAPPED(a, b)                                           \
    {                                                          \
        {                                                      \
            { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b } \
        }                                                      \
    } /* struct in6_addr */
/* glibc's: those of RFC 3484 with three more. */
static const struct policy defaults = {
    .labels = {.count = 8,
               .entries = {{{{{[15] = 1}}}, 128, 0},
                           {{{{0x20, 0x02}}}, 16, 2},
                           {{{{0}}}, 96, 3},
                           {MAPPED(0, 0), 96, 4},
                           {{{{0xfe, 0xc0}}}, 10, 5},
                           {{{{0xfc}}}, 7, 6},
                           {{{{0x20, 0x01}}}, 32, 7},
                           {{{{0}}}, 0, 1}}},
    .precedences = {.count = 5,
                    .entries = {{{{{[15] = 1}}}, 128, 50},
                                {{{{0x20, 0x02}}}, 16, 30},
                                {{{{0}}}, 96, 20},
                                {MAPPED(0, 0), 96, 10},
                                {{{{0}}}, 0, 40}}},
    .scopes = {.count = 3,
               .entries = {{MAPPED(169, 254), 112, 2}, {MAPPED(127, 0), 104, 2}, {MAPPED(0, 0), 96, 14}}},
};

static void take_entry(struct table *table, const char *text, int value) {
    char address[INET6_ADDRSTRLEN + 1];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    struct entry *entry = &table->entries[table->count];
    if (table->count == TABLE_MAX || length >= sizeof address)
        return;
    memcpy(address, text, length);
    address[length] = 0;
    if (inet_pton(AF_INET6, address, &entry->prefix) != 1)
        return;
    entry->bits = slash ? atoi(slash + 1) : 128;
    entry->value = value;
    table->count += entry->bits >= 0 && entry->bits <= 128;
    table->given = true;
}

static void read_policy(struct policy *policy) {
    FILE *file = fopen(CONFIGURATION, "re");
    char line[LINE_BYTES], word[LINE_BYTES], prefix[LINE_BYTES];
    int value;
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "#\n")] = 0;
        if (sscanf(line, "%511s %511s %d", word, prefix, &value) != 3)
            continue;
        if (strcasecmp(word, "label") == 0)
            take_entry(&policy->labels, prefix, value);
        else if (strcasecmp(word, "precedence") == 0)
            take_entry(&policy->precedences, prefix, value);
        else if (strcasecmp(word, "scopev4") == 0)
            take_entry(&policy->scopes, prefix, value);
    }
    if (file)
        fclose(file);
    if (!policy->labels.given)
        policy->labels = defaults.labels;
    if (!policy->precedences.given)
        policy->precedences = defaults.precedences;
    if (!policy->scopes.given)
        policy->scopes = defaults.scopes;
}

static int common_bits(const struct in6_addr *a, const struct in6_addr *b) {
    int bits = 0;
    for (int i = 0; i < 16; i++) {
        uint8_t differ = a->s6_addr[i] ^ b->s6_addr[i];
        if (differ)
            return bits + __builtin_clz(differ) - 24;
        bits += 8;
    }
    return bits;
}

/* What the longest prefix that fits means. */
static int look_up(const struct table *table, const struct in6_addr *address, int otherwise) {
    int best = -1, value = otherwise;
    for (int i = 0; i < table->count; i++) {
        const struct entry *entry = &table->entries[i];
        if (entry->bits > best && common_bits(&entry->prefix, address) >= entry->bits) {
            best = entry->bits;
            value = entry->value;
        }
    }
    return value;
}

/* RFC 6724 section 3.1; a mapped address that a program is told as IPv6 is, for glibc, one of IPv6. */
static int scope_of(const struct policy *policy, const struct in6_addr *address, int family) {
    if (family == AF_INET)
        return look_up(&policy->scopes, address, 14);
    if (IN6_IS_ADDR_MULTICAST(address))
        return address->s6_addr[1] & 15;
    return IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_LOOPBACK(address) ? 2
           : IN6_IS_ADDR_SITELOCAL(address)                                ? 5
                                                                           : 14;
}

struct destination {
    struct resolved_address told;
    struct in6_addr address, source; /* IPv4 mapped */
    bool reached;
    int scope, source_scope, label, source_label, precedence, common;
    int place;
};

static uint32_t host_of(const struct in6_addr *address) {
    uint32_t wire;
    memcpy(&wire, &address->s6_addr[12], sizeof wire);
    return ntohl(wire);
}

static struct in6_addr mapped(uint32_t host) {
    struct in6_addr address = MAPPED(0, 0);
    uint32_t wire = htonl(host);
    memcpy(&address.s6_addr[12], &wire, sizeof wire);
    return address;
}

/* The kernel's, whatever the stack has: 127.0.0.0/8 and ::1; 0.0.0.0 means the same. */
static bool is_loopback(const struct in6_addr *address) {
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) &&
            (ip4_is_loopback(host_of(address)) || host_of(address) == INADDR_ANY));
}

/* What the stack, whose lock is held unless the address is loopback's, would send from. */
static void find_source(struct destination *destination) {
    uint32_t host = host_of(&destination->address), hop;
    destination->source = destination->address;
    if (is_loopback(&destination->address)) {
        destination->reached = true;
        if (IN6_IS_ADDR_V4MAPPED(&destination->address))
            destination->source = mapped(IP_LOOPBACK);
        destination->common = common_bits(&destination->source, &destination->address);
        return;
    }
    if (!IN6_IS_ADDR_V4MAPPED(&destination->address))
        return; /* of IPv6 the stack has none */
    const struct stack_config *config = &shared->stack.config;
    uint32_t mask = config->prefix_length ? UINT32_MAX << (32 - config->prefix_length) : 0;
    destination->reached = ip_is_local(&shared->stack, host) || ip_is_broadcast(&shared->stack, host) ||
                           ip_route_lookup(&shared->stack.routes, host, &hop) == 0;
    destination->source = mapped(config->address);
    if ((host & mask) == (config->address & mask) || destination->told.family == AF_INET6)
        destination->common = common_bits(&destination->source, &destination->address);
}

static int sign(int difference) {
    return difference < 0 ? -1 : difference > 0;
}

static int compare(const void *left, const void *right) {
    const struct destination *a = left, *b = right;
    int by = b->reached - a->reached;
    if (!by && a->reached)
        by = (b->scope == b->source_scope) - (a->scope == a->source_scope);
    if (!by && a->reached)
        by = (b->label == b->source_label) - (a->label == a->source_label);
    if (!by)
        by = sign(b->precedence - a->precedence);
    if (!by)
        by = sign(a->scope - b->scope);
    if (!by && a->reached && a->told.family == b->told.family)
        by = sign(b->common - a->common);
    return by ? by : sign(a->place - b->place);
}

static void note_address(struct destination *destination) {
    uint32_t wire;
    destination->address = destination->told.address;
    if (destination->told.family == AF_INET) {
        memcpy(&wire, &destination->told.address, sizeof wire);
        destination->address = mapped(ntohl(wire));
    }
}

static void fill_in(struct destination *destination, const struct policy *policy) {
    find_source(destination);
    destination->scope = scope_of(policy, &destination->address, destination->told.family);
    destination->source_scope = scope_of(policy, &destination->source, destination->told.family);
    destination->label = look_up(&policy->labels, &destination->address, 1);
    destination->source_label = look_up(&policy->labels, &destination->source, 1);
    destination->precedence = look_up(&policy->precedences, &destination->address, 40);
}

void destination_order(struct resolved_address *addresses, int count) {
    struct {
        struct policy policy;
        struct destination destinations[];
    } * work;
    if (count < 2 || !(work = memory_take(sizeof *work + (size_t)count * sizeof work->destinations[0])))
        return;
    read_policy(&work->policy);
    bool asks_stack = false;
    for (int i = 0; i < count; i++) {
        work->destinations[i].told = addresses[i];
        work->destinations[i].place = i;
        note_address(&work->destinations[i]);
        asks_stack |= !is_loopback(&work->destinations[i].address);
    }
    if (asks_stack && !call_join()) {
        memory_give(work);
        return;
    }
    if (asks_stack)
        shared_lock();
    for (int i = 0; i < count; i++)
        fill_in(&work->destinations[i], &work->policy);
    if (asks_stack)
        shared_unlock();
    qsort(work->destinations, (size_t)count, sizeof work->destinations[0], compare);
    for (int i = 0; i < count; i++)
        addresses[i] = work->destinations[i].told;
    memory_give(work);
}

bool destination_leaves(const struct in6_addr *address) {
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = *address};
    if (IN6_IS_ADDR_LOOPBACK(address))
        return false;
    int fd = LIBC(socket)(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool leaves = fd >= 0 && LIBC(connect)(fd, (const struct sockaddr *)&to, sizeof to) == 0;
    if (fd >= 0)
        LIBC(close)(fd);
    return leaves;
}
