/* SPDX-License-Identifier: MIT */
/*
 * thin.c - see thin.h.
 */
#include "shim/keeper/tools/report/thin.h"
#include "shim/keeper/tools/report/path.h"
#include <stdlib.h>
#include <string.h>

#define KEPT_MOST 20000u  /* segments of a connection, beside the newest */
#define KEPT_LEAST 100u   /* ... when there are very many connections */
#define NEWEST_KEPT 4096u /* connection.c looks back so far */

/* It tells something, rather than being one more in a row. */
static bool is_telling(const struct segment *segment) {
    unsigned telling = segment->marks & ~(unsigned)(MARK_SMALL | MARK_FILLS_WINDOW | MARK_WINDOW_UPDATE);
    return telling || segment->flags & (FLAG_SYN | FLAG_FIN | FLAG_RST);
}

/* The least power of two that divides `all` into no more than `most`. */
static uint64_t share(uint64_t all, uint64_t most) {
    uint64_t every = 1;
    while (all / every > most && every < UINT64_C(1) << 40)
        every *= 2;
    return every;
}

struct choice thin_choose(const struct connection *connection, uint32_t most) {
    uint64_t telling = connection->telling, others = connection->others;
    uint64_t for_telling = telling < most / 2 ? telling : most - (others < most / 2 ? others : most / 2);
    uint64_t left = most > for_telling ? most - for_telling : 1;
    return (struct choice){.every = share(others, left),
                           .every_telling = share(telling, for_telling ? for_telling : 1)};
}

/* By its number, mixed, so that neither direction nor any rhythm of the traffic is preferred. */
bool thin_is_chosen(const struct choice *choice, const struct segment *segment) {
    uint64_t mixed = segment->number * UINT64_C(0x9e3779b97f4a7c15) >> 20;
    return (mixed & ((is_telling(segment) ? choice->every_telling : choice->every) - 1)) == 0;
}

static void count_rates(const struct connection *connection, struct series *rates, uint32_t from) {
    for (uint32_t i = from; i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        if (segment->length > 0 && !(segment->marks & (MARK_AGAIN | MARK_PROBE)))
            series_add(&rates[segment->side], segment->time_ns, segment->length);
    }
}

void thin_rates(const struct connection *connection, struct series *rates) {
    memset(rates, 0, 2 * sizeof *rates);
    if (connection->rates)
        memcpy(rates, connection->rates, 2 * sizeof *rates);
    else
        count_rates(connection, rates, 0);
}

void thin_end(struct connection *connection) {
    if (connection->rates)
        count_rates(connection, connection->rates, connection->measured);
    for (uint32_t i = connection->measured; i < connection->count; i++) {
        connection->telling += is_telling(&connection->segments[i]);
        connection->others += !is_telling(&connection->segments[i]);
    }
}

/* Keeps one: its sample and its blocks of SACK move along. Places only come down. */
static void keep(struct connection *connection, struct segment segment, uint32_t *count, uint32_t *samples,
                 uint32_t *blocks) {
    if (segment.sample) {
        connection->samples[*samples] = connection->samples[segment.sample - 1];
        segment.sample = ++*samples;
    }
    if (segment.sack_count)
        memmove(connection->blocks + *blocks, connection->blocks + segment.sack_at,
                segment.sack_count * sizeof *connection->blocks);
    segment.sack_at = *blocks;
    *blocks += segment.sack_count;
    connection->segments[(*count)++] = segment;
}

/* Gives back what an array has more than half as much room again for. */
static void shrink(void **array, uint32_t count, uint32_t *room, size_t size) {
    uint32_t enough = count + count / 2 + 1;
    void *less = enough < *room ? realloc(*array, enough * size) : NULL;
    if (!less)
        return;
    *array = less;
    *room = enough;
}

static void thin(struct connection *connection, uint32_t most, uint32_t newest) {
    uint32_t count = 0, samples = 0, blocks = 0;
    newest = connection->closed || connection->reset ? 0 : newest;
    if (connection->count <= 2 * most + newest)
        return;
    if (!connection->rates && !(connection->rates = calloc(2, sizeof *connection->rates)))
        return; /* no memory for less memory */
    thin_end(connection);
    path_measure(connection);
    struct choice choice = thin_choose(connection, most);
    for (uint32_t i = 0; i < connection->count; i++)
        if (i + newest >= connection->count || thin_is_chosen(&choice, &connection->segments[i]))
            keep(connection, connection->segments[i], &count, &samples, &blocks);
    connection->dropped += connection->count - count;
    connection->count = connection->measured = count;
    connection->sample_count = samples;
    connection->block_count = blocks;
    shrink((void **)&connection->segments, count, &connection->room, sizeof *connection->segments);
    shrink((void **)&connection->samples, samples, &connection->sample_room, sizeof *connection->samples);
    shrink((void **)&connection->blocks, blocks, &connection->block_room, sizeof *connection->blocks);
}

void thin_note(struct report *report) {
    uint32_t limit = report->held_max ? report->held_max : HELD_MAX;
    if (++report->held < report->thin_at || report->held < limit)
        return;
    uint32_t most = KEPT_MOST;
    do {
        report->held = 0;
        for (uint32_t i = 0; i < report->count; i++) {
            thin(report->connections[i], most, most < NEWEST_KEPT ? most : NEWEST_KEPT);
            report->held += report->connections[i]->count;
        }
    } while (report->held > limit / 2 && (most /= 4) >= KEPT_LEAST);
    report->thin_at =
        report->held + limit / 4; /* where nothing can be left out, the next look must be worth it */
}
