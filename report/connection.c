/*
 * connection.c - see connection.h: packets into connections, and each segment's marks.
 */
#include <stdio.h>

#include "connection.h"
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define TCP 6
#define UDP 17
#define ICMP 1
#define OVERTAKEN_NS (3 * MS)    /* what comes late by less was overtaken, not lost */
#define DELAYED_ACK_NS (30 * MS) /* an acknowledgment that came so late was delayed on purpose */
#define DELAYED_ACK_MAX_NS (300 * MS)
#define TIMEOUT_NS (180 * MS)

static uint32_t get16(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at) {
    return get16(at) << 16 | get16(at + 2);
}

static bool before(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) < 0;
}

const char *report_place(const struct side *side) {
    static char texts[4][24];
    static int next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof *texts, "%u.%u.%u.%u:%u", side->address >> 24, side->address >> 16 & 255,
             side->address >> 8 & 255, side->address & 255, side->port);
    return text;
}

/* A header as it is read. */
struct header {
    uint32_t source, destination, sequence, acknowledgment, window, length;
    uint16_t from, to, mss;
    int scale; /* -1: not said */
    uint16_t identification;
    uint8_t flags, ttl, sack_count;
    bool timestamps, sack_permitted;
    uint32_t sack[8];
};

static void read_options(struct header *header, const uint8_t *at, const uint8_t *end) {
    while (at < end && *at) {
        if (*at == 1) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return;
        if (at[0] == 2 && at[1] == 4)
            header->mss = (uint16_t)get16(at + 2);
        else if (at[0] == 3 && at[1] == 3)
            header->scale = at[2] > 14 ? 14 : at[2];
        else if (at[0] == 4)
            header->sack_permitted = true;
        else if (at[0] == 8)
            header->timestamps = true;
        else if (at[0] == 5)
            for (int i = 2; i + 8 <= at[1] && header->sack_count < 8; i += 8) {
                header->sack[header->sack_count++] = get32(at + i);
                header->sack[header->sack_count++] = get32(at + i + 4);
            }
        at += at[1];
    }
}

static bool read_header(const struct capture_packet *packet, struct header *header) {
    const uint8_t *ip = packet->ip;
    uint32_t ip_bytes = (ip[0] & 15u) * 4, total = get16(ip + 2);
    if (ip_bytes < 20 || packet->captured < ip_bytes + 20 || get16(ip + 6) & 0x1fff)
        return false;
    const uint8_t *tcp = ip + ip_bytes;
    uint32_t tcp_bytes = (tcp[12] >> 4) * 4u;
    uint32_t there = packet->captured - ip_bytes;
    if (tcp_bytes < 20)
        return false;
    if (total == 0) /* a segment that offload made too long to say */
        total = packet->length - (packet->frame_bytes - packet->captured);
    if (total < ip_bytes + tcp_bytes)
        return false;
    *header = (struct header){.source = get32(ip + 12),
                              .destination = get32(ip + 16),
                              .from = (uint16_t)get16(tcp),
                              .to = (uint16_t)get16(tcp + 2),
                              .sequence = get32(tcp + 4),
                              .acknowledgment = get32(tcp + 8),
                              .flags = tcp[13],
                              .window = get16(tcp + 14),
                              .length = total - ip_bytes - tcp_bytes,
                              .ttl = ip[8],
                              .identification = (uint16_t)get16(ip + 4),
                              .scale = -1};
    read_options(header, tcp + 20, tcp + (tcp_bytes < there ? tcp_bytes : there));
    return true;
}

static bool is_of(const struct connection *connection, const struct header *header, int *side) {
    const struct side *sides = connection->sides;
    for (int i = 0; i < 2; i++)
        if (sides[i].address == header->source && sides[i].port == header->from &&
            sides[1 - i].address == header->destination && sides[1 - i].port == header->to) {
            *side = i;
            return true;
        }
    return false;
}

/* The same for both directions. */
static uint32_t hash_of(const struct header *header) {
    return (header->source ^ header->destination ^ (uint32_t)(header->from ^ header->to) * 2654435761u ^
            (uint32_t)(header->from + header->to) * 40503u) %
           4096;
}

/* The newest connection between two ends; those that share a hash with a newer one are looked for. */
static struct connection *newest(struct report *report, const struct header *header, int *side) {
    struct connection *recent = report->recent[hash_of(header)];
    if (recent && is_of(recent, header, side))
        return recent;
    for (uint32_t i = recent ? report->count : 0; i-- > 0;)
        if (is_of(report->connections[i], header, side))
            return report->connections[i];
    return NULL;
}

/* Makes room for one more in an array. False: there is no memory. */
static bool grow(void **array, uint32_t count, uint32_t *room, size_t size) {
    if (count < *room)
        return true;
    uint32_t more = *room ? *room * 2 : 64;
    void *grown = realloc(*array, more * size);
    if (!grown)
        return false;
    *array = grown;
    *room = more;
    return true;
}

static struct connection *find(struct report *report, const struct header *header, int *side) {
    bool opens = (header->flags & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN;
    struct connection *connection = newest(report, header, side);
    if (connection) {
        const struct side *own = &connection->sides[*side];
        bool anew = opens && own->has_isn && own->isn != header->sequence &&
                    (connection->closed || connection->reset);
        if (!anew)
            return connection;
    }
    if (!grow((void **)&report->connections, report->count, &report->room, sizeof *report->connections))
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
    report->recent[hash_of(header)] = made;
    *side = first;
    return made;
}

static struct segment *add(struct connection *connection) {
    if (!grow((void **)&connection->segments, connection->count, &connection->room,
              sizeof *connection->segments))
        return NULL;
    struct segment *segment = &connection->segments[connection->count++];
    memset(segment, 0, sizeof *segment);
    return segment;
}

/* The words "name=value" that barewire's captures have in their comments. */
static bool read_word(const char *comment, const char *name, char *value, size_t room) {
    size_t length = strlen(name);
    for (const char *at = comment; (at = strstr(at, name)); at += length)
        if ((at == comment || at[-1] == ' ') && at[length] == '=') {
            size_t end = strcspn(at + length + 1, " ");
            snprintf(value, room, "%.*s", (int)end, at + length + 1);
            return true;
        }
    value[0] = 0;
    return false;
}

static uint32_t read_number(const char *comment, const char *name) {
    char value[24];
    return read_word(comment, name, value, sizeof value) ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

static void take_comment(struct connection *connection, struct segment *segment, const char *comment) {
    char value[24];
    const char *process = strstr(comment, "(\""), *pid = process ? strstr(process, "pid=") : NULL;
    if (pid && !connection->process[0])
        snprintf(connection->process, sizeof connection->process, "%.*s, process %d",
                 (int)strcspn(process + 2, "\""), process + 2, atoi(pid + 4));
    if (!read_word(comment, "cwnd", value, sizeof value))
        return;
    if (!grow((void **)&connection->samples, connection->sample_count, &connection->sample_room,
              sizeof *connection->samples))
        return;
    struct sample *sample = &connection->samples[connection->sample_count++];
    *sample = (struct sample){.cwnd = read_number(comment, "cwnd"),
                              .srtt_us = read_number(comment, "srtt_us"),
                              .rto_us = read_number(comment, "rto_us"),
                              .flight = read_number(comment, "flight"),
                              .unsent = read_number(comment, "unsent"),
                              .unread = read_number(comment, "unread"),
                              .peer_window = read_number(comment, "peer_window"),
                              .own_window = read_number(comment, "own_window"),
                              .held_us = read_number(comment, "held_us")};
    read_word(comment, "ssthresh", value, sizeof value);
    sample->ssthresh = value[0] ? strtoll(value, NULL, 10) : -1;
    read_word(comment, "why", sample->why, sizeof sample->why);
    read_word(comment, "held", sample->held, sizeof sample->held);
    read_word(comment, "recovery", sample->state, sizeof sample->state);
    segment->sample = connection->sample_count;
}

static void take_syn(struct connection *connection, struct side *side, struct side *peer,
                     const struct header *header, struct segment *segment) {
    side->syns++;
    if (side->has_isn && side->isn == header->sequence && side->syns > 1)
        segment->marks |= MARK_SYN_AGAIN;
    side->isn = header->sequence;
    side->has_isn = true;
    side->mss = header->mss ? header->mss : 536;
    side->timestamps = header->timestamps;
    side->sack = header->sack_permitted;
    if (header->scale >= 0) {
        side->has_scale = true;
        side->scale = (uint8_t)header->scale;
    }
    if (header->flags & FLAG_ACK && peer->has_isn && !connection->handshake_ns)
        connection->handshake_ns = segment->time_ns - connection->begin_ns;
}

/* Makes a hole smaller, or two of it, where [start, end) has come. Returns the hole as it was. */
static bool fill(struct side *side, uint32_t start, uint32_t end, struct hole *was) {
    for (uint32_t i = 0; i < side->hole_count; i++) {
        struct hole *hole = &side->holes[i];
        if (!before(start, hole->end) || !before(hole->start, end))
            continue;
        *was = *hole;
        struct hole rest = *hole;
        bool head = before(hole->start, start), tail = before(end, hole->end);
        if (head && tail && side->hole_count < HOLES_MAX) {
            rest.start = end;
            hole->end = start;
            side->holes[side->hole_count++] = rest;
        } else if (head) {
            hole->end = start;
        } else if (tail) {
            hole->start = end;
        } else {
            *hole = side->holes[--side->hole_count];
        }
        return true;
    }
    return false;
}

static bool was_sacked(const struct connection *connection, int sender, uint32_t start, uint32_t end) {
    for (uint32_t i = connection->count - 1, looks = 0; i-- > 0 && looks < 64; looks++) {
        const struct segment *segment = &connection->segments[i];
        if (segment->side == sender)
            continue;
        for (int j = 0; j + 1 < segment->sack_count; j += 2)
            if (!before(start, segment->sack[j]) && !before(segment->sack[j + 1], end))
                return true;
    }
    return false;
}

/* When the data at `start` was sent last, before the newest segment. */
static uint64_t sent_before(const struct connection *connection, int sender, uint32_t start) {
    for (uint32_t i = connection->count - 1, looks = 0; i-- > 0 && looks < 4096; looks++) {
        const struct segment *segment = &connection->segments[i];
        if (segment->side == sender && segment->length > 0 && !before(start, segment->sequence) &&
            before(start, segment->sequence + segment->length))
            return segment->time_ns;
    }
    return 0;
}

static void begin_recovery(struct connection *connection, int sender, uint64_t now_ns) {
    const struct side *side = &connection->sides[sender];
    if (connection->recovery_side < 0) {
        connection->recovery_side = sender;
        connection->recovery_since_ns = now_ns;
    }
    if (connection->recovery_side == sender && before(connection->recovery_end, side->next))
        connection->recovery_end = side->next;
}

static void judge_old_data(struct connection *connection, int sender, struct segment *segment) {
    struct side *side = &connection->sides[sender], *peer = &connection->sides[1 - sender];
    uint32_t start = segment->sequence, end = start + segment->length;
    struct hole hole;
    if (segment->length <= 1 && end == side->next && before(start, side->acknowledged)) {
        segment->marks |= MARK_PROBE;
        side->probes++;
        return;
    }
    if (fill(side, start, end, &hole)) {
        uint64_t late_ns = segment->time_ns - hole.since_ns;
        uint64_t rtt_ns = connection->min_rtt_ns ? connection->min_rtt_ns : connection->handshake_ns;
        bool overtaken = late_ns < OVERTAKEN_NS && (hole.duplicates < 3 || late_ns < rtt_ns * 8 / 10);
        overtaken |= rtt_ns > 0 && late_ns < rtt_ns * 8 / 10;
        if (side->counts) /* its packets' numbers say when it left */
            overtaken = (int16_t)(segment->identification - hole.identification) < 0;
        segment->marks |= overtaken ? MARK_OUT_OF_ORDER : MARK_FILLS;
        side->out_of_order += overtaken;
        side->fills += !overtaken;
        if (!overtaken && connection->recovery_side < 0) {
            connection->recovering_ns += late_ns;
        }
        return;
    }
    /* Nothing else may be sent, and no acknowledgment comes: the end is sent again, to ask. */
    if (end == side->next && peer->has_window &&
        side->next - side->acknowledged + (side->largest ? side->largest : 1) > peer->window) {
        segment->marks |= MARK_PROBE;
        side->probes++;
        return;
    }
    bool needless = !before(side->acknowledged, end) || was_sacked(connection, sender, start, end);
    uint64_t sent_ns = sent_before(connection, sender, start);
    bool timeout = sent_ns && segment->time_ns - sent_ns >= TIMEOUT_NS && peer->duplicates_now < 3;
    segment->marks |=
        (uint16_t)(MARK_AGAIN | (needless ? MARK_NEEDLESS : 0) | (timeout && !needless ? MARK_TIMEOUT : 0));
    side->again++;
    side->needless += needless;
    side->timeouts += timeout && !needless;
    side->bytes_again += segment->length;
    if (!needless)
        begin_recovery(connection, sender, sent_ns ? sent_ns : segment->time_ns);
}

static void judge_small(struct connection *connection, int sender, struct segment *segment) {
    struct side *side = &connection->sides[sender];
    uint32_t full = side->largest > 536 ? side->largest : 536;
    const struct sample *sample = segment->sample ? &connection->samples[segment->sample - 1] : NULL;
    bool small = segment->length < full;
    if (small) {
        segment->marks |= MARK_SMALL;
        side->small++;
    }
    /* It left as soon as what was not full before was acknowledged, and that took long: Nagle's rule at this
     * end, a delayed acknowledgment at the other. */
    bool held = side->small_acked_ns && small && segment->time_ns - side->small_acked_ns < 2 * MS;
    uint64_t held_ns = held ? side->small_acked_ns - side->last_small_ns : 0;
    if (sample && sample->why[0]) {
        held = strcmp(sample->held, "Nagle") == 0 && sample->held_us >= DELAYED_ACK_NS / 1000;
        held_ns = sample->held_us * UINT64_C(1000);
    }
    if (held) {
        segment->marks |= MARK_HELD;
        side->held++;
        side->held_ns += held_ns;
    }
    side->small_acked_ns = 0;
    side->last_small_end = small ? segment->sequence + segment->length : 0;
    side->last_small_ns = segment->time_ns;
}

static void take_data(struct connection *connection, int sender, struct segment *segment) {
    struct side *side = &connection->sides[sender], *peer = &connection->sides[1 - sender];
    uint32_t start = segment->sequence, end = start + segment->length;
    bool fresh = !before(start, side->next);
    side->segments++;
    if (segment->length > side->largest && segment->length <= 65535)
        side->largest = side->mss && segment->length > side->mss ? side->mss : segment->length;
    if (!fresh && !before(side->next, end)) {
        judge_old_data(connection, sender, segment);
        return;
    }
    if (before(side->next, start) && (side->next > 1 || connection->from_start)) {
        segment->marks |= MARK_GAP;
        if (side->hole_count < HOLES_MAX)
            side->holes[side->hole_count++] =
                (struct hole){side->next, start, segment->time_ns, segment->identification, 0};
    }
    if (peer->zero_since_ns && segment->length <= 1) {
        segment->marks |= MARK_PROBE;
        side->probes++;
    }
    judge_small(connection, sender, segment);
    side->bytes += fresh ? segment->length : end - side->next;
    side->next = end;
    if (peer->has_window &&
        side->next - side->acknowledged + (side->largest ? side->largest : 1) > peer->window &&
        before(side->acknowledged, side->next)) {
        segment->marks |= MARK_FILLS_WINDOW;
        side->full_window++;
    }
}

/* The round trip that an acknowledgment shows: of the newest data that it covers, if that was sent once. */
static void measure(struct connection *connection, int acker, struct segment *acknowledgment) {
    for (uint32_t i = connection->count - 1, looks = 0; i-- > 0 && looks < 512; looks++) {
        const struct segment *segment = &connection->segments[i];
        if (segment->side == acker || (segment->length == 0 && !(segment->flags & (FLAG_SYN | FLAG_FIN))))
            continue;
        uint32_t end = segment->sequence + segment->length;
        if (before(acknowledgment->acknowledgment, end))
            continue;
        if (segment->marks & (MARK_AGAIN | MARK_FILLS | MARK_OUT_OF_ORDER | MARK_PROBE))
            return;
        uint64_t rtt_ns = acknowledgment->time_ns - segment->time_ns;
        acknowledgment->rtt_us = (uint32_t)(rtt_ns / 1000);
        if (!acknowledgment->rtt_us)
            acknowledgment->rtt_us = 1;
        /* Captured at this side it is the network's and the peer's; at the other it is our own. */
        if (connection->local == acker)
            return;
        if (!connection->min_rtt_ns || rtt_ns < connection->min_rtt_ns)
            connection->min_rtt_ns = rtt_ns ? rtt_ns : 1;
        connection->rtt_sum_ns += rtt_ns;
        connection->rtt_count++;
        return;
    }
}

/* RFC 2883: a first block below the acknowledgment, or within the second, says what came twice. */
static void take_duplicate(struct connection *connection, int acker, const struct segment *acknowledgment) {
    struct side *peer = &connection->sides[1 - acker];
    const uint32_t *sack = acknowledgment->sack;
    bool below = acknowledgment->sack_count >= 2 && before(sack[0], acknowledgment->acknowledgment);
    bool within = acknowledgment->sack_count >= 4 && !before(sack[0], sack[2]) && !before(sack[3], sack[1]);
    if (!below && !within)
        return;
    for (uint32_t i = connection->count - 1, looks = 0; i-- > 0 && looks < 4096; looks++) {
        struct segment *segment = &connection->segments[i];
        if (segment->side == acker || !(segment->marks & MARK_AGAIN) || before(segment->sequence, sack[0]) ||
            !before(segment->sequence, sack[1]))
            continue;
        if (!(segment->marks & MARK_NEEDLESS)) {
            peer->needless++;
            peer->timeouts -= (segment->marks & MARK_TIMEOUT) != 0;
            segment->marks = (uint16_t)((segment->marks | MARK_NEEDLESS) & ~MARK_TIMEOUT);
        }
        return;
    }
}

static void take_acknowledgment(struct connection *connection, int acker, struct segment *segment) {
    struct side *side = &connection->sides[acker], *peer = &connection->sides[1 - acker];
    bool bare = segment->length == 0 && !(segment->flags & (FLAG_SYN | FLAG_FIN | FLAG_RST));
    bool same = segment->acknowledgment == side->last_acknowledgment;
    bool waiting = before(segment->acknowledgment, peer->next);
    if (bare && same && waiting && (segment->window == side->last_window || segment->sack_count > 0)) {
        segment->marks |= MARK_DUPLICATE_ACK;
        side->duplicate_acks++;
        side->duplicates_now++;
        for (uint32_t i = 0; i < peer->hole_count; i++)
            peer->holes[i].duplicates++;
    } else if (bare && same && segment->window != side->last_window) {
        segment->marks |= MARK_WINDOW_UPDATE;
        side->window_updates++;
    }
    take_duplicate(connection, acker, segment);
    if (before(peer->acknowledged, segment->acknowledgment)) {
        if (bare && peer->last_small_end && !before(segment->acknowledgment, peer->last_small_end)) {
            uint64_t late_ns = segment->time_ns - peer->last_small_ns;
            uint64_t rtt_ns = connection->min_rtt_ns;
            bool delayed = late_ns >= DELAYED_ACK_NS && late_ns <= DELAYED_ACK_MAX_NS && rtt_ns < late_ns / 2;
            peer->small_acked_ns = delayed ? segment->time_ns : 0;
            peer->last_small_end = 0;
        }
        peer->acknowledged = segment->acknowledgment;
        side->duplicates_now = 0;
        measure(connection, acker, segment);
        if (connection->recovery_side == 1 - acker &&
            !before(segment->acknowledgment, connection->recovery_end)) {
            connection->recovering_ns += segment->time_ns - connection->recovery_since_ns;
            connection->recovery_side = -1;
        }
    }
    side->last_acknowledgment = segment->acknowledgment;
}

static void take_window(struct side *side, const struct side *peer, struct segment *segment) {
    bool syn = segment->flags & FLAG_SYN;
    side->window = segment->window;
    if (!side->has_window || segment->window < side->least_window)
        side->least_window = segment->window;
    if (segment->window > side->most_window)
        side->most_window = segment->window;
    side->has_window = true;
    if (segment->window == 0 && !syn) {
        if (!side->zero_since_ns) {
            side->zero_since_ns = segment->time_ns;
            side->zero_windows++;
        }
        segment->marks |= MARK_ZERO_WINDOW;
    } else if (side->zero_since_ns) {
        side->zero_window_ns += segment->time_ns - side->zero_since_ns;
        side->zero_since_ns = 0;
    }
    uint32_t mss = peer->mss ? peer->mss : 1460;
    side->small_windows +=
        !syn && segment->window > 0 && segment->window < mss / 2 && side->most_window >= 2 * mss;
    side->last_window = segment->window;
}

/* Nothing was in flight until now: whoever speaks has kept the other waiting. */
static void note_idle(struct connection *connection, int sender, const struct segment *segment) {
    if (connection->count < 2 || !connection->established_ns)
        return;
    struct side *side = &connection->sides[sender], *peer = &connection->sides[1 - sender];
    const struct segment *last = &connection->segments[connection->count - 2];
    uint64_t gap_ns = segment->time_ns - last->time_ns;
    bool quiet = side->acknowledged == side->next && peer->acknowledged == peer->next;
    /* An answer may come with the acknowledgment of what it answers. */
    bool answers = peer->acknowledged != peer->next && before(peer->acknowledged, segment->acknowledgment) &&
                   side->acknowledged == side->next && connection->local == sender;
    if (!quiet && !answers)
        return;
    if (gap_ns > connection->min_rtt_ns * 2 && gap_ns > MS / 2) {
        side->idle_ns += gap_ns;
        side->idle_count++;
    }
}

/* A bare segment with the number before the next: a keepalive, or Linux's way to ask for a window. */
static bool bare_probe(const struct side *side, const struct segment *segment) {
    return segment->sequence + 1 == side->next && side->next == side->acknowledged &&
           segment->flags == FLAG_ACK && side->next > 1;
}

static void take_segment(struct connection *connection, int sender, const struct header *header,
                         struct segment *segment) {
    struct side *side = &connection->sides[sender], *peer = &connection->sides[1 - sender];
    if (header->flags & FLAG_SYN)
        take_syn(connection, side, peer, header, segment);
    if (!side->has_isn) { /* the beginning was missed */
        side->isn = header->sequence - 1;
        side->has_isn = true;
        side->next = side->acknowledged = 1;
    }
    if (header->flags & FLAG_ACK && !peer->has_isn) {
        peer->isn = header->acknowledgment - 1;
        peer->has_isn = true;
        peer->next = peer->acknowledged = 1;
    }
    segment->sequence = header->sequence - side->isn;
    segment->acknowledgment = header->flags & FLAG_ACK ? header->acknowledgment - peer->isn : 0;
    bool scaled =
        !(header->flags & FLAG_SYN) && (!connection->from_start || (side->has_scale && peer->has_scale));
    segment->window = scaled ? header->window << side->scale : header->window;
    segment->length = header->length;
    segment->flags = header->flags;
    segment->ttl = header->ttl;
    segment->sack_count = header->sack_count;
    for (int i = 0; i < header->sack_count; i++)
        segment->sack[i] = header->sack[i] - peer->isn;
    segment->identification = header->identification;
    if (side->packets++ > 1) {
        int16_t step = (int16_t)(header->identification - side->last_identification);
        side->counts =
            header->identification && step && step > -2000 && step < 2000 && (side->counts || !side->counted);
        side->counted = true;
    }
    side->last_identification = header->identification;
    if (header->flags & FLAG_RST) {
        side->resets++;
        connection->reset = true;
        connection->refused |= peer->syns > 0 && !connection->established_ns;
        return;
    }
    if (header->flags & FLAG_ACK && !(header->flags & FLAG_SYN) && !connection->established_ns)
        connection->established_ns = segment->time_ns;
    if (segment->length > 0)
        note_idle(connection, sender, segment);
    if (header->flags & FLAG_ACK)
        take_acknowledgment(connection, sender, segment);
    take_window(side, peer, segment);
    if (header->flags & FLAG_SYN) {
        if (before(side->next, 1) || side->next == 0)
            side->next = 1;
    } else if (segment->length > 0) {
        take_data(connection, sender, segment);
    } else if (before(segment->sequence, side->next) && bare_probe(side, segment)) {
        segment->marks |= MARK_PROBE;
        side->probes++;
    }
    if (header->flags & FLAG_FIN) {
        side->fin = true;
        if (!before(segment->sequence + segment->length + 1, side->next))
            side->next = segment->sequence + segment->length + 1;
        connection->closed = side->fin && peer->fin;
    }
}

void report_packet(const struct capture_packet *packet, void *context) {
    struct report *report = context;
    struct header header;
    int side;
    if (!report->packets++)
        report->begin_ns = packet->time_ns;
    if (packet->time_ns > report->end_ns)
        report->end_ns = packet->time_ns;
    report->bytes += packet->length;
    if (!packet->ip) {
        report->not_ip++;
        return;
    }
    if (packet->ip[9] != TCP) {
        report->udp += packet->ip[9] == UDP;
        report->icmp += packet->ip[9] == ICMP;
        return;
    }
    if (!read_header(packet, &header)) {
        report->malformed++;
        return;
    }
    struct connection *connection = find(report, &header, &side);
    struct segment *segment = connection ? add(connection) : NULL;
    if (!segment) {
        report->out_of_memory = true;
        return;
    }
    if (connection->count == 1)
        connection->begin_ns = packet->time_ns;
    connection->end_ns = packet->time_ns;
    if (packet->direction != CAPTURE_UNKNOWN)
        connection->local = packet->direction == CAPTURE_OUT ? side : 1 - side;
    segment->number = packet->number;
    segment->time_ns = packet->time_ns;
    segment->frame_bytes = packet->length;
    segment->side = (uint8_t)side;
    if (packet->comment)
        take_comment(connection, segment, packet->comment);
    take_segment(connection, side, &header, segment);
}
