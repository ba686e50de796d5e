/* SPDX-License-Identifier: MIT */
/*
 * connection.c - see connection.h: packets into connections, and each segment's marks.
 */
#include "shim/keeper/tools/report/connection.h"
#include "shim/keeper/tools/report/network.h"
#include "shim/keeper/tools/report/table.h"
#include "shim/keeper/tools/report/thin.h"
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define OVERTAKEN_NS (3 * MS)    /* what comes late by less was overtaken, not lost */
#define DELAYED_ACK_NS (30 * MS) /* an acknowledgment that came so late was delayed on purpose */
#define DELAYED_ACK_MAX_NS (300 * MS)
#define TIMEOUT_NS (180 * MS)
#define TIMESTAMP_NS (2 * MS) /* what is sent again later than that has a later timestamp */
#define UNSEEN_MAX (1u << 28) /* an acknowledgment of more than that is none of this connection's */

const char *report_place_of(const struct address *end, uint16_t port) {
    static char texts[4][64];
    static int next;
    char *text = texts[next++ % 4];
    const char *address = packet_address(end);
    snprintf(text, sizeof *texts, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
    return text;
}

const char *report_place(const struct side *side) {
    return report_place_of(&side->address, side->port);
}

uint64_t connection_rtt(const struct connection *connection) {
    return connection->sides[0].answer_ns + connection->sides[1].answer_ns;
}

uint64_t connection_mean_rtt(const struct connection *connection) {
    const struct side *one = &connection->sides[0], *other = &connection->sides[1];
    const struct side *far = one->answer_ns > other->answer_ns ? one : other,
                      *near = far == one ? other : one;
    return far->answer_count ? far->answer_sum_ns / far->answer_count + near->answer_ns : 0;
}

bool connection_scale_known(const struct connection *connection) {
    return connection->sides[0].syns > 0 && connection->sides[1].syns > 0;
}

static struct segment *add(struct connection *connection) {
    if (!array_grow((void **)&connection->segments, connection->count, &connection->room,
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
    if (!array_grow((void **)&connection->samples, connection->sample_count, &connection->sample_room,
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
    side->last_syn_ns = segment->time_ns;
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

static void add_hole(struct side *side, const struct hole *hole) {
    if (side->hole_count == HOLES_MAX) { /* the first gives way */
        if (!sequence_before(side->acknowledged, side->holes[0].end))
            side->unseen += side->holes[0].end - side->holes[0].start;
        side->holes[0] = *hole;
    } else if (array_grow((void **)&side->holes, side->hole_count, &side->hole_room, sizeof *side->holes)) {
        side->holes[side->hole_count++] = *hole;
    }
}

/* Makes a hole smaller, or two of it, where [start, end) has come. Returns how many bytes were in it that had
 * not come before, and the hole as it was; 0: there is no hole there. */
static uint32_t fill(struct side *side, uint32_t start, uint32_t end, struct hole *was) {
    for (uint32_t i = 0; i < side->hole_count; i++) {
        struct hole *hole = &side->holes[i];
        if (!sequence_before(start, hole->end) || !sequence_before(hole->start, end))
            continue;
        *was = *hole;
        bool head = sequence_before(hole->start, start), tail = sequence_before(end, hole->end);
        uint32_t from = head ? start : hole->start, to = tail ? end : hole->end;
        if (head && tail) {
            struct hole rest = *hole;
            rest.start = end;
            hole->end = start;
            add_hole(side, &rest);
        } else if (head) {
            hole->end = start;
        } else if (tail) {
            hole->start = end;
        } else {
            *hole = side->holes[--side->hole_count];
        }
        return to - from;
    }
    return 0;
}

static bool was_sacked(const struct connection *connection, int sender, uint32_t start, uint32_t end) {
    for (uint32_t i = connection->count - 1, looks = 0; i-- > 0 && looks < 64; looks++) {
        const struct segment *segment = &connection->segments[i];
        if (segment->side == sender || segment->sack_count < 2)
            continue;
        const uint32_t *sack = connection->blocks + segment->sack_at;
        for (int j = 0; j + 1 < segment->sack_count; j += 2)
            if (!sequence_before(start, sack[j]) && !sequence_before(sack[j + 1], end))
                return true;
    }
    return false;
}

/* When the data at `start` was sent last, before the newest segment. */
static uint64_t sent_before(const struct connection *connection, int sender, uint32_t start) {
    for (uint32_t i = connection->count - 1, looks = 0; i-- > 0 && looks < 4096; looks++) {
        const struct segment *segment = &connection->segments[i];
        if (segment->side == sender && segment->length > 0 && !sequence_before(start, segment->sequence) &&
            sequence_before(start, segment->sequence + segment->length))
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
    if (connection->recovery_side == sender && sequence_before(connection->recovery_end, side->next))
        connection->recovery_end = side->next;
}

/* Time that repair takes counts once, whatever else is being repaired meanwhile. */
static void note_recovery(struct connection *connection, uint64_t since_ns, uint64_t until_ns) {
    if (since_ns < connection->recovered_ns)
        since_ns = connection->recovered_ns;
    if (until_ns <= since_ns)
        return;
    connection->recovering_ns += until_ns - since_ns;
    stretches_add(&connection->repairs, since_ns, until_ns);
    connection->recovered_ns = until_ns;
}

/* Data that comes late into a hole: it was overtaken, or it was lost before it came here, and is sent again.
 */
static void judge_late(struct connection *connection, int sender, struct segment *segment,
                       const struct hole *hole) {
    struct side *side = &connection->sides[sender], *peer = &connection->sides[1 - sender];
    if (!sequence_before(side->acknowledged, hole->end))
        return; /* the acknowledgment was captured first: nothing was missing */
    uint64_t late_ns = segment->time_ns - hole->since_ns;
    uint64_t rtt_ns = connection_rtt(connection);
    uint32_t duplicates = peer->duplicate_acks - hole->duplicates;
    bool overtaken = late_ns < OVERTAKEN_NS && (duplicates < 3 || late_ns < rtt_ns * 8 / 10);
    overtaken |= rtt_ns > 0 && late_ns < rtt_ns * 8 / 10;
    int32_t later = (int32_t)(segment->timestamp - hole->timestamp);
    if (side->counts) /* its packets' numbers say when it left */
        overtaken = (int16_t)(segment->identification - hole->identification) < 0;
    else if (segment->timestamp && hole->timestamp &&
             (later || late_ns > TIMESTAMP_NS)) /* or its timestamp */
        overtaken = later <= 0;
    segment->marks |= overtaken ? MARK_OUT_OF_ORDER : MARK_FILLS;
    side->out_of_order += overtaken;
    side->fills += !overtaken;
    if (!overtaken)
        note_recovery(connection, hole->since_ns, segment->time_ns);
}

static void judge_old_data(struct connection *connection, int sender, struct segment *segment) {
    struct side *side = &connection->sides[sender], *peer = &connection->sides[1 - sender];
    uint32_t start = segment->sequence, end = start + segment->length, filled;
    struct hole hole;
    if (segment->length <= 1 && end == side->next && sequence_before(start, side->acknowledged)) {
        segment->marks |= MARK_PROBE;
        side->probes++;
        return;
    }
    if ((filled = fill(side, start, end, &hole))) {
        judge_late(connection, sender, segment, &hole);
        do
            side->bytes += filled;
        while ((filled = fill(side, start, end, &hole)));
        return;
    }
    /* Nothing else may be sent, and no acknowledgment comes: the end is sent again, to ask. */
    if (end == side->next && peer->has_window && connection_scale_known(connection) &&
        side->next - side->acknowledged + (side->largest ? side->largest : 1) > peer->window) {
        segment->marks |= MARK_PROBE;
        side->probes++;
        return;
    }
    bool needless = !sequence_before(side->acknowledged, end) || was_sacked(connection, sender, start, end);
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
    bool held =
        side->small_acked_ns && small && segment->time_ns - side->small_acked_ns < 2 * MS + side->answer_ns;
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
    bool fresh = !sequence_before(start, side->next);
    side->segments++;
    if (segment->length > side->largest && segment->length <= 65535)
        side->largest = side->mss && segment->length > side->mss ? side->mss : segment->length;
    if (!fresh && !sequence_before(side->next, end)) {
        judge_old_data(connection, sender, segment);
        return;
    }
    if (sequence_before(side->next, start) && (side->segments > 1 || connection->from_start)) {
        segment->marks |= MARK_GAP;
        add_hole(side, &(struct hole){.start = side->next,
                                      .end = start,
                                      .since_ns = segment->time_ns,
                                      .duplicates = peer->duplicate_acks,
                                      .timestamp = segment->timestamp,
                                      .identification = segment->identification});
    }
    struct hole hole;
    for (uint32_t filled; !fresh && (filled = fill(side, start, side->next, &hole));)
        side->bytes += filled;
    if (peer->zero_since_ns && segment->length <= 1) {
        segment->marks |= MARK_PROBE;
        side->probes++;
    }
    judge_small(connection, sender, segment);
    side->bytes += fresh ? segment->length : end - side->next;
    side->next = end;
    if (peer->has_window && connection_scale_known(connection) &&
        side->next - side->acknowledged + (side->largest ? side->largest : 1) > peer->window &&
        sequence_before(side->acknowledged, side->next)) {
        segment->marks |= MARK_FILLS_WINDOW;
        side->full_window++;
    }
}

/* A side has answered what was seen of the other one `ns` ago. */
static void note_answer(struct side *side, struct segment *answer, uint64_t ns) {
    answer->rtt_us = ns >= 1000 ? (uint32_t)(ns / 1000) : 1;
    if (!side->answer_ns || ns < side->answer_ns)
        side->answer_ns = ns ? ns : 1;
    side->answer_sum_ns += ns;
    side->answer_count++;
}

/* The way to the acknowledging side and back, as an acknowledgment shows it: of the newest data that it
 * covers, if that was sent once. */
static void measure(struct connection *connection, int acker, struct segment *acknowledgment) {
    for (uint32_t i = connection->count - 1, looks = 0; i-- > 0 && looks < 512; looks++) {
        const struct segment *segment = &connection->segments[i];
        if (segment->side == acker || (segment->length == 0 && !(segment->flags & (FLAG_SYN | FLAG_FIN))))
            continue;
        uint32_t end = segment->sequence + segment->length;
        if (sequence_before(acknowledgment->acknowledgment, end))
            continue;
        bool syn_again = segment->flags & FLAG_SYN && connection->sides[1 - acker].syns > 1;
        if (!syn_again &&
            !(segment->marks & (MARK_AGAIN | MARK_FILLS | MARK_OUT_OF_ORDER | MARK_PROBE | MARK_SYN_AGAIN)))
            note_answer(&connection->sides[acker], acknowledgment,
                        acknowledgment->time_ns - segment->time_ns);
        return;
    }
}

/* RFC 2883: a first block below the acknowledgment, or within the second, says what came twice. */
static void take_duplicate(struct connection *connection, int acker, const struct segment *acknowledgment) {
    struct side *peer = &connection->sides[1 - acker];
    if (acknowledgment->sack_count < 2)
        return;
    const uint32_t *sack = connection->blocks + acknowledgment->sack_at;
    bool below = sequence_before(sack[0], acknowledgment->acknowledgment);
    bool within = acknowledgment->sack_count >= 4 && !sequence_before(sack[0], sack[2]) &&
                  !sequence_before(sack[3], sack[1]);
    if (!below && !within)
        return;
    for (uint32_t i = connection->count - 1, looks = 0; i-- > 0 && looks < 4096; looks++) {
        struct segment *segment = &connection->segments[i];
        if (segment->side == acker || !(segment->marks & MARK_AGAIN) ||
            sequence_before(segment->sequence, sack[0]) || !sequence_before(segment->sequence, sack[1]))
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
    bool waiting = sequence_before(segment->acknowledgment, peer->next);
    if (bare && same && waiting && (segment->window == side->last_window || segment->sack_count > 0)) {
        segment->marks |= MARK_DUPLICATE_ACK;
        side->duplicate_acks++;
        side->duplicates_now++;
    } else if (bare && same && segment->window != side->last_window) {
        segment->marks |= MARK_WINDOW_UPDATE;
        side->window_updates++;
    }
    take_duplicate(connection, acker, segment);
    if (sequence_before(peer->acknowledged, segment->acknowledgment)) {
        if (bare && peer->last_small_end && !sequence_before(segment->acknowledgment, peer->last_small_end)) {
            uint64_t late_ns = segment->time_ns - peer->last_small_ns;
            uint64_t rtt_ns = connection_rtt(connection);
            bool delayed = late_ns >= DELAYED_ACK_NS && late_ns <= DELAYED_ACK_MAX_NS && rtt_ns < late_ns / 2;
            peer->small_acked_ns = delayed ? segment->time_ns : 0;
            peer->last_small_end = 0;
        }
        peer->acknowledged = segment->acknowledgment;
        if (sequence_before(peer->next, segment->acknowledgment)) {    /* of data that was not captured */
            bool begun = connection->from_start || peer->segments > 0; /* ... though the capture had begun */
            bool sane = segment->acknowledgment - peer->next < UNSEEN_MAX;
            if (begun && sane)
                add_hole(peer, &(struct hole){.start = peer->next,
                                              .end = segment->acknowledgment,
                                              .since_ns = segment->time_ns,
                                              .duplicates = side->duplicate_acks});
            peer->next = sane ? segment->acknowledgment : peer->next;
        }
        side->duplicates_now = 0;
        measure(connection, acker, segment);
        if (connection->recovery_side == 1 - acker &&
            !sequence_before(segment->acknowledgment, connection->recovery_end)) {
            note_recovery(connection, connection->recovery_since_ns, segment->time_ns);
            connection->recovery_side = -1;
        }
    }
    side->last_acknowledgment = segment->acknowledgment;
}

static void take_window(struct side *side, const struct side *peer, bool scale_known,
                        struct segment *segment) {
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
    side->small_windows += !syn && scale_known && segment->window > 0 && segment->window < mss / 2 &&
                           side->most_window >= 2 * mss;
    side->last_window = segment->window;
}

/* A bare segment with the number before the next: a keepalive, or Linux's way to ask for a window. */
static bool bare_probe(const struct side *side, const struct segment *segment) {
    return segment->sequence + 1 == side->next && side->next == side->acknowledged &&
           segment->flags == FLAG_ACK && side->next > 1;
}

static void take_blocks(struct connection *connection, const struct header *header, uint32_t isn,
                        struct segment *segment) {
    segment->sack_at = connection->block_count;
    for (int i = 0; i < header->sack_count; i++) {
        if (!array_grow((void **)&connection->blocks, connection->block_count, &connection->block_room,
                        sizeof *connection->blocks))
            return;
        connection->blocks[connection->block_count++] = header->sack[i] - isn;
        segment->sack_count++;
    }
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
    bool scaled = !(header->flags & FLAG_SYN) && side->has_scale && peer->has_scale;
    segment->window = scaled ? header->window << side->scale : header->window;
    segment->length = header->length;
    segment->flags = header->flags;
    segment->ttl = header->ttl;
    segment->timestamp = header->timestamp;
    segment->echo = header->flags & FLAG_ACK ? header->echo : 0;
    take_blocks(connection, header, peer->isn, segment);
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
    if (header->flags & FLAG_ACK)
        take_acknowledgment(connection, sender, segment);
    take_window(side, peer, connection_scale_known(connection), segment);
    if (header->flags & FLAG_SYN) {
        if (sequence_before(side->next, 1) || side->next == 0)
            side->next = 1;
    } else if (segment->length > 0) {
        take_data(connection, sender, segment);
    } else if (sequence_before(segment->sequence, side->next) && bare_probe(side, segment)) {
        segment->marks |= MARK_PROBE;
        side->probes++;
    }
    if (header->flags & FLAG_FIN) {
        side->fin = true;
        if (!sequence_before(segment->sequence + segment->length + 1, side->next))
            side->next = segment->sequence + segment->length + 1;
        connection->closed = side->fin && peer->fin;
    }
}

void report_packet(const struct capture_packet *packet, void *context) {
    struct report *report = context;
    struct header header;
    int side;
    if (!report->packets++ || packet->time_ns < report->begin_ns)
        report->begin_ns = packet->time_ns;
    if (packet->time_ns > report->end_ns)
        report->end_ns = packet->time_ns;
    report->bytes += packet->length;
    series_add(&report->rate, packet->time_ns, packet->length);
    struct captured_ip ip;
    if (packet->type == CAPTURE_ARP) {
        report->arp++;
        network_arp(report, packet);
        return;
    }
    if (packet->type != CAPTURE_IPV4 && packet->type != CAPTURE_IPV6) {
        report->not_ip++;
        return;
    }
    if (!packet_read_ip(packet, &ip)) {
        report->malformed++;
        return;
    }
    if (ip.protocol != PROTOCOL_TCP) {
        bool udp = ip.protocol == PROTOCOL_UDP || ip.protocol == PROTOCOL_UDPLITE;
        report->udp += udp;
        if (udp && !ip.fragment)
            flow_packet(&report->flows, &ip, packet->time_ns);
        report->icmp += ip.protocol == PROTOCOL_ICMP || ip.protocol == PROTOCOL_ICMPV6;
        network_packet(report, packet, &ip);
        return;
    }
    if (!packet_read_tcp(&ip, &header)) {
        report->malformed += !ip.fragment;
        return;
    }
    struct connection *connection = table_connection(report, &header, &side);
    struct segment *segment = connection ? add(connection) : NULL;
    if (!segment) {
        report->out_of_memory = true;
        return;
    }
    if (connection->count == 1 && !connection->dropped)
        connection->begin_ns = packet->time_ns;
    if (packet->time_ns > connection->end_ns) /* what stands earlier in time is taken to be of now */
        connection->end_ns = packet->time_ns;
    if (packet->direction != CAPTURE_UNKNOWN)
        connection->local = packet->direction == CAPTURE_OUT ? side : 1 - side;
    segment->number = packet->number;
    segment->time_ns = connection->end_ns;
    segment->frame_bytes = packet->length;
    segment->side = (uint8_t)side;
    if (packet->comment)
        take_comment(connection, segment, packet->comment);
    take_segment(connection, side, &header, segment);
    thin_note(report);
}
