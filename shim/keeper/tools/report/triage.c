/* SPDX-License-Identifier: MIT */
/*
 * triage.c - see triage.h.
 *
 * The time between two packets that follow each other is one gap; what was known when it began, and who speaks
 * when it ends, says what it went for. What is surest comes first: the handshake, a repair (connection.c knows
 * from when to when), a window that was closed or full, nothing in flight, a queue (path.c), and else the way.
 */
#include "shim/keeper/tools/report/triage.h"
#include "shim/keeper/tools/report/path.h"
#include <string.h>

#define WIDTH_FIRST_NS UINT64_C(1000)

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

const char *triage_word(enum use use) {
    static const char *const words[] = {"handshake",    "transfer",      "queue",      "repair",     "nagle",
                                        "first-window", "second-window", "first-idle", "second-idle"};
    return words[use];
}

const char *triage_name(enum use use) {
    static const char *const names[] = {
        "the handshake",       "data on the way",      "a queue on the way",
        "repairing loss",      "Nagle's rule",         "the client's window",
        "the server's window", "the client's program", "the server's program"};
    return names[use];
}

/* Two slots become one when time goes beyond the last, as in series.c. */
static void widen(struct walk *walk) {
    for (uint32_t i = 0; i < TRIAGE_SLOTS; i++)
        for (uint32_t use = 0; use < USE_COUNT; use++)
            walk->slots[i][use] =
                2 * i < TRIAGE_SLOTS ? walk->slots[2 * i][use] + walk->slots[2 * i + 1][use] : 0;
    walk->width_ns *= 2;
}

/* The slot of a time since the connection's beginning, and how much of it is left behind that time. */
static uint32_t slot_of(struct walk *walk, uint64_t since_ns, uint64_t *left_ns) {
    while (since_ns / walk->width_ns >= TRIAGE_SLOTS)
        widen(walk);
    *left_ns = walk->width_ns - since_ns % walk->width_ns;
    return (uint32_t)(since_ns / walk->width_ns);
}

static void give(const struct connection *connection, struct walk *walk, uint64_t from_ns, uint64_t to_ns,
                 enum use use) {
    walk->ns[use] += to_ns - from_ns;
    while (from_ns < to_ns) {
        uint64_t left_ns;
        uint32_t slot = slot_of(walk, from_ns - connection->begin_ns, &left_ns);
        left_ns = least(left_ns, to_ns - from_ns);
        walk->slots[slot][use] += left_ns;
        from_ns += left_ns;
    }
}

/* What was taken for the way turns out to have been Nagle's rule. */
static void give_to_nagle(const struct connection *connection, struct walk *walk, uint64_t from_ns,
                          uint64_t to_ns) {
    while (from_ns < to_ns) {
        uint64_t left_ns;
        uint32_t slot = slot_of(walk, from_ns - connection->begin_ns, &left_ns);
        left_ns = least(left_ns, to_ns - from_ns);
        uint64_t moved_ns = least(walk->slots[slot][USE_TRANSFER], left_ns);
        walk->slots[slot][USE_TRANSFER] -= moved_ns;
        walk->slots[slot][USE_NAGLE] += moved_ns;
        walk->ns[USE_TRANSFER] -= moved_ns;
        walk->ns[USE_NAGLE] += moved_ns;
        from_ns += left_ns;
    }
}

static bool flies(const struct walk *walk, int sender) {
    return sequence_before(walk->acknowledged[sender], walk->next[sender]);
}

/* All that a reader's window takes is in flight to it; or, where the capture was made at the reader, it takes less than
 * half of what it took before. */
static bool is_full(const struct connection *connection, const struct walk *walk, int reader,
                    const struct segment *next) {
    uint32_t largest = connection->sides[1 - reader].largest;
    uint32_t flight = walk->next[1 - reader] - walk->acknowledged[1 - reader];
    if (walk->closed[reader])
        return true;
    if (!connection_scale_known(connection) || !walk->widest[reader])
        return false;
    bool narrow = connection->local == reader && next->side != reader && next->length > 0 &&
                  walk->window[reader] < walk->widest[reader] / 2;
    return narrow || (flies(walk, 1 - reader) && flight + (largest ? largest : 1) > walk->window[reader]);
}

/* Data, an acknowledgment or what they cause is on the way: perhaps in a queue there. */
static void give_way(const struct connection *connection, struct walk *walk, uint64_t from_ns,
                     uint64_t to_ns) {
    uint64_t queued_ns[2];
    for (int i = 0; i < 2; i++)
        queued_ns[i] = stretches_within(connection->sides[i].queue, &walk->queue_cursor[i], from_ns, to_ns);
    uint64_t queue_ns = queued_ns[queued_ns[1] > queued_ns[0]];
    give(connection, walk, from_ns, to_ns - queue_ns, USE_TRANSFER);
    give(connection, walk, to_ns - queue_ns, to_ns, USE_QUEUE);
}

/* A gap in which nothing is wrong with windows: the way, or a program. */
static void give_rest(const struct connection *connection, struct walk *walk, const struct segment *next,
                      uint64_t from_ns) {
    int own = next->side, other = 1 - own;
    bool speaks = next->length > 0 || next->flags & (FLAG_FIN | FLAG_RST);
    /* An answer may come with the acknowledgment of what it answers. */
    bool answers = !flies(walk, own) && connection->local == own &&
                   sequence_before(walk->acknowledged[other], next->acknowledgment);
    bool quiet = !flies(walk, 0) && !flies(walk, 1);
    uint64_t way_ns = next->time_ns - from_ns;
    if (quiet || (speaks && answers))
        way_ns = least(connection->sides[own].answer_ns, way_ns);
    give_way(connection, walk, from_ns, from_ns + way_ns);
    give(connection, walk, from_ns + way_ns, next->time_ns, own ? USE_SECOND_IDLE : USE_FIRST_IDLE);
}

static void give_gap(const struct connection *connection, struct walk *walk, const struct segment *next) {
    uint64_t from_ns = walk->last_ns, to_ns = next->time_ns;
    if (!walk->opened) {
        give(connection, walk, from_ns, to_ns, USE_HANDSHAKE);
        return;
    }
    uint64_t repair_ns = stretches_within(&connection->repairs, &walk->repair_cursor, from_ns, to_ns);
    give(connection, walk, from_ns, from_ns + repair_ns, USE_REPAIR);
    from_ns += repair_ns;
    for (int reader = 0; reader < 2 && from_ns < to_ns; reader++)
        if (is_full(connection, walk, reader, next)) {
            give(connection, walk, from_ns, to_ns, reader ? USE_SECOND_WINDOW : USE_FIRST_WINDOW);
            from_ns = to_ns;
        }
    if (from_ns < to_ns)
        give_rest(connection, walk, next, from_ns);
}

static void take(const struct connection *connection, struct walk *walk, const struct segment *segment) {
    int own = segment->side, other = 1 - own;
    uint32_t end = segment->sequence + segment->length + ((segment->flags & FLAG_FIN) != 0);
    if (segment->flags & (FLAG_SYN | FLAG_RST))
        return;
    walk->opened = true;
    if (segment->length > 0 || segment->flags & FLAG_FIN) {
        if (segment->marks & MARK_HELD && walk->last_data_ns[own])
            give_to_nagle(connection, walk, walk->last_data_ns[own], segment->time_ns);
        walk->last_data_ns[own] = segment->time_ns;
        walk->next[own] = sequence_before(walk->next[own], end) ? end : walk->next[own];
    }
    if (segment->flags & FLAG_ACK) {
        walk->window[own] = segment->window;
        walk->closed[own] = segment->window == 0;
        walk->widest[own] = segment->window > walk->widest[own] ? segment->window : walk->widest[own];
        if (sequence_before(walk->acknowledged[other], segment->acknowledgment))
            walk->acknowledged[other] = segment->acknowledgment;
        if (sequence_before(walk->next[other], walk->acknowledged[other]))
            walk->next[other] = walk->acknowledged[other];
    }
}

static uint8_t most_used(const uint64_t uses[USE_COUNT], uint8_t otherwise) {
    int most = otherwise;
    for (int i = 0; i < USE_COUNT; i++)
        if (uses[i] > uses[most])
            most = i;
    return (uint8_t)most;
}

void triage_continue(const struct connection *connection, struct path *path) {
    struct walk *walk = &path->walk;
    if (!walk->begun) {
        walk->begun = true;
        walk->opened = !connection->from_start;
        walk->width_ns = WIDTH_FIRST_NS;
        walk->last_ns = connection->begin_ns;
        for (int i = 0; i < 2; i++) {
            walk->next[i] = walk->acknowledged[i] = 1;
            walk->window[i] = UINT32_MAX;
        }
    }
    walk->queue_cursor[0] = walk->queue_cursor[1] = 0; /* the longer of two lists may be another one now */
    for (uint32_t i = connection->measured; i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        give_gap(connection, walk, segment);
        take(connection, walk, segment);
        walk->last_ns = segment->time_ns;
    }
}

void triage_blame_window(struct triage *triage, int reader) {
    enum use window = reader ? USE_SECOND_WINDOW : USE_FIRST_WINDOW;
    triage->ns[window] += triage->ns[USE_TRANSFER];
    triage->ns[USE_TRANSFER] = 0;
    for (uint32_t i = 0; i < triage->count; i++)
        if (triage->slots[i] == USE_TRANSFER)
            triage->slots[i] = (uint8_t)window;
}

void triage_end(const struct connection *connection, const struct walk *walk, struct triage *triage) {
    memcpy(triage->ns, walk->ns, sizeof triage->ns);
    triage->width_ns = walk->width_ns;
    triage->count =
        (uint32_t)((connection->end_ns - connection->begin_ns + walk->width_ns - 1) / walk->width_ns);
    if (triage->count > TRIAGE_SLOTS)
        triage->count = TRIAGE_SLOTS;
    for (uint32_t i = 0; i < triage->count; i++)
        triage->slots[i] = most_used(walk->slots[i], i ? triage->slots[i - 1] : USE_HANDSHAKE);
}
