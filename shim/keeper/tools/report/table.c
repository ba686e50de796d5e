/* SPDX-License-Identifier: MIT */
/*
 * table.c - which connection of a capture a segment belongs to: a hash table with a key of its own, which
 * grows, so that neither a capture of many connections nor one that was made to collide takes long.
 */
#include "shim/keeper/tools/report/table.h"
#include "shim/keeper/tools/report/hash.h"
#include "shim/keeper/tools/report/path.h"
#include <stdlib.h>
#include <string.h>

#define TABLE_FIRST 1024u

static uint64_t hash_of_end(const struct report *report, const struct address *address, uint16_t port) {
    uint64_t high, low;
    memcpy(&high, address->bytes, 8);
    memcpy(&low, address->bytes + 8, 8);
    return hash_mix(hash_mix(high ^ report->key[0], low ^ report->key[1]) ^ port, report->key[0]);
}

/* The same for both directions. */
static uint64_t hash_of(const struct report *report, const struct address *a, uint16_t a_port,
                        const struct address *b, uint16_t b_port) {
    return hash_mix(hash_of_end(report, a, a_port) + hash_of_end(report, b, b_port), report->key[1]);
}

static struct connection **chain_of(const struct report *report, uint64_t hash) {
    return &report->table[hash & (report->table_size - 1)];
}

static bool make_table(struct report *report) {
    report->key[0] = hash_key();
    report->key[1] = hash_key();
    report->table = calloc(TABLE_FIRST, sizeof(struct connection *));
    report->table_size = report->table ? TABLE_FIRST : 0;
    return report->table;
}

static uint64_t hash_of_connection(const struct report *report, const struct connection *connection) {
    const struct side *sides = connection->sides;
    return hash_of(report, &sides[0].address, sides[0].port, &sides[1].address, sides[1].port);
}

/* Twice the chains, once there are as many connections. Without memory the chains get longer. */
static void widen(struct report *report) {
    struct connection **wider =
        report->count >= report->table_size ? calloc((size_t)report->table_size * 2, sizeof *wider) : NULL;
    if (!wider)
        return;
    free(report->table);
    report->table = wider;
    report->table_size *= 2;
    for (uint32_t i = 0; i < report->count; i++) { /* the newest goes in last, to the front */
        struct connection *connection = report->connections[i];
        struct connection **chain = chain_of(report, hash_of_connection(report, connection));
        connection->next_of_hash = *chain;
        *chain = connection;
    }
}

struct connection *report_find(const struct report *report, const struct address *a, uint16_t a_port,
                               const struct address *b, uint16_t b_port, int *side_of_a) {
    struct connection *at = report->table ? *chain_of(report, hash_of(report, a, a_port, b, b_port)) : NULL;
    for (; at; at = at->next_of_hash)
        for (int i = 0; i < 2; i++) {
            const struct side *own = &at->sides[i], *other = &at->sides[1 - i];
            if (own->port == a_port && other->port == b_port && packet_same_address(&own->address, a) &&
                packet_same_address(&other->address, b)) {
                *side_of_a = i;
                return at;
            }
        }
    return NULL;
}

struct connection *table_connection(struct report *report, const struct header *header, int *side) {
    bool opens = (header->flags & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN;
    if (!report->table && !make_table(report))
        return NULL;
    struct connection *connection =
        report_find(report, &header->source, header->from, &header->destination, header->to, side);
    if (connection) {
        const struct side *own = &connection->sides[*side];
        bool anew = opens && own->has_isn && own->isn != header->sequence &&
                    (connection->closed || connection->reset);
        if (!anew)
            return connection;
    }
    widen(report);
    if (!array_grow((void **)&report->connections, report->count, &report->room, sizeof *report->connections))
        return NULL;
    struct connection *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    /* Who answers a SYN, or is heard first on a server's port, is the second side. */
    int first = (header->flags & (FLAG_SYN | FLAG_ACK)) == (FLAG_SYN | FLAG_ACK) ||
                (!opens && header->from < header->to && header->from < 10000);
    made->sides[first].address = header->source;
    made->sides[first].port = header->from;
    made->sides[1 - first].address = header->destination;
    made->sides[1 - first].port = header->to;
    made->local = -1;
    made->recovery_side = -1;
    made->from_start = header->flags & FLAG_SYN;
    report->connections[report->count++] = made;
    struct connection **chain = chain_of(report, hash_of_connection(report, made));
    made->next_of_hash = *chain;
    *chain = made;
    *side = first;
    return made;
}

void report_free(struct report *report) {
    for (uint32_t i = 0; i < report->count; i++) {
        struct connection *connection = report->connections[i];
        path_free(connection);
        free(connection->rates);
        free(connection->repairs.all);
        free(connection->sides[0].holes);
        free(connection->sides[1].holes);
        free(connection->segments);
        free(connection->samples);
        free(connection->blocks);
        free(connection->findings);
        free(connection);
    }
    free(report->connections);
    free(report->table);
    free(report->network);
    flow_free(&report->flows);
    free(report->findings);
    memset(report, 0, sizeof *report);
}

/* Those that lost the most time first; among equals the one with more findings, then the earlier one. */
static int compare_harm(const void *a, const void *b, void *context) {
    const struct report *report = context;
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    const struct connection *one = report->connections[first], *other = report->connections[second];
    if (one->harm_ns != other->harm_ns)
        return one->harm_ns > other->harm_ns ? -1 : 1;
    if (one->finding_count != other->finding_count)
        return one->finding_count > other->finding_count ? -1 : 1;
    return first < second ? -1 : first > second;
}

static int compare_number(const void *a, const void *b) {
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    return first < second ? -1 : first > second;
}

uint32_t *report_worst(const struct report *report, uint32_t most, uint32_t *count) {
    uint32_t *numbers = malloc((report->count ? report->count : 1) * sizeof *numbers);
    *count = 0;
    if (!numbers)
        return NULL;
    for (uint32_t i = 0; i < report->count; i++)
        numbers[i] = i;
    *count = report->count;
    if (report->count > most) {
        qsort_r(numbers, report->count, sizeof *numbers, compare_harm, (void *)report);
        qsort(numbers, most, sizeof *numbers, compare_number);
        *count = most;
    }
    return numbers;
}
