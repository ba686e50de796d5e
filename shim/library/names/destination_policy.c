/* SPDX-License-Identifier: MIT */
/*
 * destination_policy.c - see destination_policy.h.
 */
#include "shim/library/names/destination_policy.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONFIGURATION "/etc/gai.conf"
#define LINE_BYTES 512

#define MAPPED(a, b)                                           \
    {                                                          \
        {                                                      \
            { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b } \
        }                                                      \
    } /* struct in6_addr */
/* glibc's: those of RFC 3484 with three more. */
static const struct destination_policy defaults = {
    .labels = {.count = 8,
               .prefixes = {{{{{[15] = 1}}}, 128, 0},
                            {{{{0x20, 0x02}}}, 16, 2},
                            {{{{0}}}, 96, 3},
                            {MAPPED(0, 0), 96, 4},
                            {{{{0xfe, 0xc0}}}, 10, 5},
                            {{{{0xfc}}}, 7, 6},
                            {{{{0x20, 0x01}}}, 32, 7},
                            {{{{0}}}, 0, 1}}},
    .precedences = {.count = 5,
                    .prefixes = {{{{{[15] = 1}}}, 128, 50},
                                 {{{{0x20, 0x02}}}, 16, 30},
                                 {{{{0}}}, 96, 20},
                                 {MAPPED(0, 0), 96, 10},
                                 {{{{0}}}, 0, 40}}},
    .scopes = {.count = 3,
               .prefixes = {{MAPPED(169, 254), 112, 2}, {MAPPED(127, 0), 104, 2}, {MAPPED(0, 0), 96, 14}}},
};

static void take_entry(struct destination_table *table, const char *text, int value) {
    char address[INET6_ADDRSTRLEN + 1];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    struct destination_prefix *entry = &table->prefixes[table->count];
    if (table->count == DESTINATION_TABLE_MAX || length >= sizeof address)
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

void destination_policy_line(struct destination_policy *policy, const char *line) {
    char word[LINE_BYTES], prefix[LINE_BYTES];
    int value;
    if (sscanf(line, "%511s %511s %d", word, prefix, &value) != 3)
        return;
    if (strcasecmp(word, "label") == 0)
        take_entry(&policy->labels, prefix, value);
    else if (strcasecmp(word, "precedence") == 0)
        take_entry(&policy->precedences, prefix, value);
    else if (strcasecmp(word, "scopev4") == 0)
        take_entry(&policy->scopes, prefix, value);
}

void destination_policy_read(struct destination_policy *policy) {
    FILE *file = fopen(CONFIGURATION, "re");
    char line[LINE_BYTES];
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "#\n")] = 0;
        destination_policy_line(policy, line);
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

int destination_common_bits(const struct in6_addr *a, const struct in6_addr *b) {
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
static int look_up(const struct destination_table *table, const struct in6_addr *address, int otherwise) {
    int best = -1, value = otherwise;
    for (int i = 0; i < table->count; i++) {
        const struct destination_prefix *entry = &table->prefixes[i];
        if (entry->bits > best && destination_common_bits(&entry->prefix, address) >= entry->bits) {
            best = entry->bits;
            value = entry->value;
        }
    }
    return value;
}

int destination_label(const struct destination_policy *policy, const struct in6_addr *address) {
    return look_up(&policy->labels, address, 1);
}

int destination_precedence(const struct destination_policy *policy, const struct in6_addr *address) {
    return look_up(&policy->precedences, address, 40);
}

int destination_scope(const struct destination_policy *policy, const struct in6_addr *address, int family) {
    if (family == AF_INET)
        return look_up(&policy->scopes, address, 14);
    if (IN6_IS_ADDR_MULTICAST(address))
        return address->s6_addr[1] & 15;
    return IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_LOOPBACK(address) ? 2
           : IN6_IS_ADDR_SITELOCAL(address)                                ? 5
                                                                           : 14;
}
