/* SPDX-License-Identifier: MIT */
/*
 * path.c - the way to both ends from where a capture was made, and what waited on it.
 *
 * Theory of operation. A capture stands somewhere between the two ends: at one of them, or on the way. The
 * time from there to an end and back is the time in which that end answers what was seen going to it: an
 * acknowledgment answers data (connection.c), and data that a sender of a download sends answers the
 * acknowledgment whose timestamp it echoes (RFC 7323). Both ends' least times together are the round trip,
 * wherever the capture was made; the end that answers at once is the one at which it was made.
 *
 * A queue on the way shows as an answer that takes longer than the least, all the time, while data flows
 * without a break. A sender that pauses answers late as well, and so does a receiver that delays its
 * acknowledgment: so an echo counts only if data came without a gap meanwhile, and an acknowledgment only if
 * more was in flight than a receiver waits for.
 *
 * A long connection is measured in pieces (report_thin of thin.c): what one piece leaves to the next is in struct path.
 */
#include "shim/keeper/tools/report/path.h"
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define BUCKET_LEAST_NS (50 * MS)
#define BUCKET_SAMPLES 4u        /* so many make a bucket tell something */
#define QUEUE_LEAST_NS (20 * MS) /* what waits less is what hosts and links do anyway */
#define FLIGHT_SEGMENTS 4u       /* a receiver acknowledges every second one at the latest */

/* A time, and a number that goes with it. */
struct note {
    uint64_t time_ns, value;
};

struct notes {
    struct note *all;
    uint32_t first, count, room;
};

static void add(struct notes *notes, uint64_t time_ns, uint64_t value) {
    if (array_grow((void **)&notes->all, notes->count, &notes->room, sizeof *notes->all))
        notes->all[notes->count++] = (struct note){time_ns, value};
}

/* What one pass over a connection's segments knows of each side. */
struct way {
    struct notes stamps; /* its timestamps, and when each was first seen */
    struct notes gaps; /* the longest pauses in its data, longest first, none older than a later longer one */
    uint64_t last_data_ns;
    uint32_t last_echo;
};

static void note_stamp(struct way *way, const struct segment *segment) {
    const struct notes *stamps = &way->stamps;
    if (segment->timestamp &&
        (!stamps->count ||
         sequence_before((uint32_t)stamps->all[stamps->count - 1].value, segment->timestamp)))
        add(&way->stamps, segment->time_ns, segment->timestamp);
}

static void note_gap(struct way *way, uint64_t now_ns) {
    struct notes *gaps = &way->gaps;
    uint64_t gap_ns = way->last_data_ns ? now_ns - way->last_data_ns : 0;
    while (gaps->count > gaps->first && gaps->all[gaps->count - 1].value <= gap_ns)
        gaps->count--;
    add(gaps, now_ns, gap_ns);
    way->last_data_ns = now_ns;
}

/* The longest pause in a side's data since a time; times must not go back. */
static uint64_t longest_gap(struct way *way, uint64_t since_ns) {
    struct notes *gaps = &way->gaps;
    while (gaps->first < gaps->count && gaps->all[gaps->first].time_ns < since_ns)
        gaps->first++;
    return gaps->first < gaps->count ? gaps->all[gaps->first].value : 0;
}

/* How long ago the timestamp was seen that a segment echoes, if this is the first segment that does; 0: not
 * known. */
static uint64_t echo_age(struct way *way, struct way *peer, const struct segment *segment) {
    struct notes *stamps = &peer->stamps;
    if (!segment->echo || segment->echo == way->last_echo)
        return 0;
    way->last_echo = segment->echo;
    while (stamps->first + 1 < stamps->count &&
           !sequence_before(segment->echo, (uint32_t)stamps->all[stamps->first + 1].value))
        stamps->first++;
    if (stamps->first >= stamps->count || (uint32_t)stamps->all[stamps->first].value != segment->echo)
        return 0;
    uint64_t seen_ns = stamps->all[stamps->first].time_ns;
    return segment->time_ns > seen_ns ? segment->time_ns - seen_ns : 1;
}

static void measure_echoes(struct connection *connection, struct way ways[2]) {
    for (uint32_t i = connection->measured; i < connection->count; i++) {
        struct segment *segment = &connection->segments[i];
        struct side *side = &connection->sides[segment->side];
        struct way *way = &ways[segment->side], *peer = &ways[1 - segment->side];
        note_stamp(way, segment);
        if (!segment->length)
            continue;
        note_gap(way, segment->time_ns);
        uint64_t age_ns = echo_age(way, peer, segment);
        if (!age_ns || segment->rtt_us || longest_gap(way, segment->time_ns - age_ns) > age_ns / 4 ||
            segment->marks & (MARK_AGAIN | MARK_FILLS | MARK_OUT_OF_ORDER | MARK_PROBE))
            continue;
        segment->rtt_us = age_ns >= 1000 ? (uint32_t)(age_ns / 1000) : 1;
        side->answer_sum_ns += age_ns;
        side->answer_count++;
        if (!side->answer_ns || age_ns < side->answer_ns)
            side->answer_ns = age_ns;
    }
}

/* Whoever answers at once while the other one takes a while is where the capture was made. */
static void guess_place(struct connection *connection) {
    uint64_t first_ns = connection->sides[0].answer_ns, second_ns = connection->sides[1].answer_ns;
    if (connection->local >= 0 || !first_ns || !second_ns)
        return;
    if (first_ns < second_ns / 4)
        connection->local = 0;
    else if (second_ns < first_ns / 4)
        connection->local = 1;
}

static void close_bucket(struct queue *queue, uint64_t answer_ns, uint64_t rtt_ns, uint64_t width_ns) {
    const struct bucket *bucket = &queue->bucket;
    uint64_t excess_ns = bucket->least_ns > answer_ns ? bucket->least_ns - answer_ns : 0;
    if (bucket->samples < BUCKET_SAMPLES || excess_ns < QUEUE_LEAST_NS || excess_ns < rtt_ns / 2)
        return;
    queue->at_ns = queue->ns ? queue->at_ns : bucket->begin_ns;
    stretches_add(&queue->stretches, bucket->begin_ns, bucket->begin_ns + width_ns);
    queue->ns += width_ns;
    queue->bytes += bucket->bytes;
    if (excess_ns > queue->delay_ns)
        queue->delay_ns = excess_ns;
}

static void take_sample(struct queue *queue, const struct segment *segment, uint32_t bytes, bool valid,
                        uint64_t answer_ns, uint64_t rtt_ns, uint64_t width_ns) {
    struct bucket *bucket = &queue->bucket;
    if (segment->time_ns - bucket->begin_ns >= width_ns) {
        close_bucket(queue, answer_ns, rtt_ns, width_ns);
        *bucket = (struct bucket){.begin_ns = segment->time_ns};
    }
    bucket->bytes += bytes;
    if (!valid)
        return;
    uint64_t answered_ns = segment->rtt_us * UINT64_C(1000);
    if (!bucket->samples++ || answered_ns < bucket->least_ns)
        bucket->least_ns = answered_ns;
}

/* Looks for a queue that data of a side stood in: behind the capture's place, as the receiver's
 * acknowledgments show it, and before it, as the sender's echoes do. */
static void find_queue(struct connection *connection, struct path *path, int sender) {
    struct side *side = &connection->sides[sender], *peer = &connection->sides[1 - sender];
    uint64_t rtt_ns = connection_rtt(connection);
    uint64_t width_ns = 2 * rtt_ns > BUCKET_LEAST_NS ? 2 * rtt_ns : BUCKET_LEAST_NS;
    struct queue *behind = &path->behind[sender], *ahead = &path->ahead[sender];
    uint32_t next = path->queue_next[sender], acknowledged = path->queue_acknowledged[sender];
    for (uint32_t i = connection->measured; i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        uint32_t end = segment->sequence + segment->length;
        if (segment->flags & (FLAG_SYN | FLAG_RST))
            continue;
        if (segment->side == sender && segment->length > 0) {
            uint32_t fresh = sequence_before(next, end) ? end - next : 0;
            next += fresh;
            take_sample(ahead, segment, fresh, segment->rtt_us, side->answer_ns, rtt_ns, width_ns);
        } else if (segment->side != sender && segment->flags & FLAG_ACK) {
            uint32_t flight = sequence_before(acknowledged, next) ? next - acknowledged : 0;
            uint32_t fresh = sequence_before(acknowledged, segment->acknowledgment)
                                 ? segment->acknowledgment - acknowledged
                                 : 0;
            acknowledged += fresh;
            bool telling = fresh > 0 && segment->rtt_us && flight >= FLIGHT_SEGMENTS * side->largest;
            take_sample(behind, segment, fresh, telling, peer->answer_ns, rtt_ns, width_ns);
        }
    }
    close_bucket(behind, peer->answer_ns, rtt_ns, width_ns);
    close_bucket(ahead, side->answer_ns, rtt_ns, width_ns);
    behind->bucket = ahead->bucket = (struct bucket){.begin_ns = connection->end_ns};
    path->queue_next[sender] = next;
    path->queue_acknowledged[sender] = acknowledged;
    const struct queue *longer = ahead->ns > behind->ns ? ahead : behind;
    side->queue = &longer->stretches;
    side->queued_ns = longer->ns;
    side->queued_bytes = longer->bytes;
    side->queue_delay_ns = longer->delay_ns;
    side->queue_at_ns = longer->at_ns;
}

/* Where the numbers of a sender's packets count up: some before this one did not come here. A long segment is
 * cut into packets of which each has a number; how many, is known within one. */
static bool some_were_lost(const struct side *side, const struct segment *last,
                           const struct segment *segment) {
    uint32_t largest = side->largest ? side->largest : 1;
    uint32_t packets = last && last->length > largest ? (last->length + largest - 1) / largest + 1 : 1;
    return side->counts && last && (uint16_t)(segment->identification - last->identification) > packets;
}

/* Nothing was in flight, and then a side speaks: it has kept the other one waiting, but for the time that the
 * way to it and back takes. */
static void find_pauses(struct connection *connection, struct path *path) {
    uint32_t *next = path->pause_next, *acknowledged = path->pause_acknowledged;
    const struct segment *last_of[2] = {NULL, NULL};
    for (uint32_t i = connection->measured; i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        int own = segment->side, other = 1 - own;
        struct side *side = &connection->sides[own];
        bool flows = !(segment->flags & (FLAG_SYN | FLAG_RST));
        if (flows && segment->length > 0 && i > 0 && connection->established_ns &&
            segment->time_ns > connection->established_ns) {
            uint64_t gap_ns = segment->time_ns - connection->segments[i - 1].time_ns;
            bool quiet = acknowledged[own] == next[own] && acknowledged[other] == next[other];
            /* An answer may come with the acknowledgment of what it answers. */
            bool answers = acknowledged[own] == next[own] && connection->local == own &&
                           sequence_before(acknowledged[other], segment->acknowledgment);
            if ((quiet || answers) && gap_ns > 2 * side->answer_ns + MS / 2 &&
                !(segment->marks & (MARK_AGAIN | MARK_FILLS | MARK_PROBE | MARK_GAP)) &&
                !some_were_lost(side, last_of[own], segment)) {
                side->idle_ns += gap_ns - side->answer_ns;
                side->idle_count++;
            }
        }
        uint32_t end = segment->sequence + segment->length + (segment->flags & FLAG_FIN);
        if (flows && (segment->length > 0 || segment->flags & FLAG_FIN) && sequence_before(next[own], end))
            next[own] = end;
        if (flows && segment->flags & FLAG_ACK &&
            sequence_before(acknowledged[other], segment->acknowledgment)) {
            acknowledged[other] = segment->acknowledgment;
            if (sequence_before(next[other], acknowledged[other]))
                next[other] = acknowledged[other];
        }
        last_of[own] = segment;
    }
}

/* What the program has not read, over time, as barewire's own captures say. */
static void find_unread(struct connection *connection) {
    struct side *side = connection->local >= 0 ? &connection->sides[connection->local] : NULL;
    const struct segment *last = NULL;
    for (uint32_t i = connection->measured; side && i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        if (!segment->sample)
            continue;
        if (last) {
            uint32_t unread = connection->samples[last->sample - 1].unread;
            side->unread_byte_seconds += (double)unread * (double)(segment->time_ns - last->time_ns) / 1e9;
            if (unread > side->most_unread) {
                side->most_unread = unread;
                side->unread_at_ns = last->time_ns;
            }
        }
        last = segment;
    }
}

/* For how long all that a sender may have in flight, by its peer's window, was in flight behind the capture's
 * place. */
static void find_full_windows(struct connection *connection, struct path *path, int sender) {
    struct side *side = &connection->sides[sender];
    uint32_t next = path->full_next[sender], acknowledged = path->full_acknowledged[sender],
             window = UINT32_MAX;
    uint32_t widest = connection->sides[1 - sender].most_window;
    uint64_t since_ns = 0;
    for (uint32_t i = connection->measured; connection_scale_known(connection) && i < connection->count;
         i++) {
        const struct segment *segment = &connection->segments[i];
        uint32_t end = segment->sequence + segment->length;
        if (segment->flags & (FLAG_SYN | FLAG_RST))
            continue;
        if (since_ns)
            side->window_full_ns += segment->time_ns - since_ns;
        if (segment->side == sender && segment->length > 0 && sequence_before(next, end))
            next = end;
        if (segment->side != sender && segment->flags & FLAG_ACK) {
            window = segment->window;
            if (sequence_before(acknowledged, segment->acknowledgment))
                acknowledged = segment->acknowledgment;
        }
        bool flies = sequence_before(acknowledged, next) && window >= widest / 2;
        since_ns = flies && next - acknowledged + (side->largest ? side->largest : 1) > window
                       ? segment->time_ns
                       : 0;
    }
    path->full_next[sender] = next;
    path->full_acknowledged[sender] = acknowledged;
}

/* How wide a side's window was on average, and for how long a side's receive buffer was more than half full:
 * so much less than before does its window take. A reader that keeps up leaves it as wide as it has been. */
static void find_windows(struct connection *connection, struct path *path, int reader) {
    struct side *side = &connection->sides[reader];
    struct windows *windows = &path->windows[reader];
    for (uint32_t i = connection->measured; connection_scale_known(connection) && i < connection->count;
         i++) {
        const struct segment *segment = &connection->segments[i];
        if (segment->side != reader || segment->flags & (FLAG_SYN | FLAG_RST))
            continue;
        if (!windows->begin_ns)
            windows->begin_ns = segment->time_ns;
        else
            windows->sum += (double)windows->last * (double)(segment->time_ns - windows->last_ns);
        windows->last = segment->window;
        windows->last_ns = segment->time_ns;
        if (windows->since_ns)
            side->shrunken_ns += segment->time_ns - windows->since_ns;
        windows->most = segment->window > windows->most ? segment->window : windows->most;
        windows->since_ns = segment->window < windows->most / 2 ? segment->time_ns : 0;
        if (windows->since_ns && !side->shrunken_at_ns)
            side->shrunken_at_ns = windows->since_ns;
    }
    if (windows->last_ns > windows->begin_ns)
        side->mean_window = (uint32_t)(windows->sum / (double)(windows->last_ns - windows->begin_ns));
}

/* What was acknowledged and is still missing was not captured. */
static void count_unseen(struct side *side) {
    for (uint32_t i = 0; i < side->hole_count; i++)
        if (!sequence_before(side->acknowledged, side->holes[i].end))
            side->unseen += side->holes[i].end - side->holes[i].start;
}

static struct path *path_of(struct connection *connection) {
    struct path *path = connection->path;
    if (path || !(path = connection->path = calloc(1, sizeof *path)))
        return path;
    for (int i = 0; i < 2; i++) {
        path->pause_next[i] = path->pause_acknowledged[i] = 1;
        path->full_next[i] = path->full_acknowledged[i] = 1;
        path->behind[i].bucket.begin_ns = path->ahead[i].bucket.begin_ns = connection->begin_ns;
    }
    return path;
}

void path_measure(struct connection *connection) {
    struct way ways[2] = {0};
    struct path *path = path_of(connection);
    if (!path)
        return;
    measure_echoes(connection, ways);
    for (int i = 0; i < 2; i++) {
        free(ways[i].stamps.all);
        free(ways[i].gaps.all);
    }
    guess_place(connection);
    for (int i = 0; i < 2; i++) {
        find_queue(connection, path, i);
        find_windows(connection, path, i);
        find_full_windows(connection, path, i);
    }
    find_pauses(connection, path);
    find_unread(connection);
    triage_continue(connection, path);
    connection->measured = connection->count;
}

void path_end(struct connection *connection) {
    path_measure(connection);
    if (connection->path)
        triage_end(connection, &connection->path->walk, &connection->triage);
    for (int i = 0; i < 2; i++)
        count_unseen(&connection->sides[i]);
    path_free(connection);
}

void path_free(struct connection *connection) {
    struct path *path = connection->path;
    for (int i = 0; path && i < 2; i++) {
        free(path->behind[i].stretches.all);
        free(path->ahead[i].stretches.all);
        connection->sides[i].queue = NULL;
    }
    free(path);
    connection->path = NULL;
}
