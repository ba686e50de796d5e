/* SPDX-License-Identifier: MIT */
/*
 * html.c - a report as one HTML page: page.html with the data in it. Nothing is fetched from anywhere, and
 * nothing of a capture is ever taken for markup: it goes in as JSON, and comes out by textContent.
 */
#include "shim/keeper/tools/report/connection.h"
#include <stdlib.h>
#include <string.h>

/* A page is for a browser: of more connections the worst are in it, and of longer ones segments are left out,
 * those without a mark first. */
#define CONNECTIONS_MAX 2000u
#define SEGMENTS_MAX 20000u /* of a connection */
#define SEGMENTS_IN_ALL 120000u
#define SEGMENTS_LEAST 60u

/* The page, in two parts: the data goes between them. */
__asm__(".section .rodata\n"
        "report_page:\n"
        ".incbin \"shim/keeper/tools/report/page.html\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char report_page[];

static void put_string(const char *text, FILE *to) {
    fputc('"', to);
    for (; *text; text++) {
        unsigned char letter = (unsigned char)*text;
        if (letter < 32 || letter == '"' || letter == '\\' || letter == '<' || letter == '>' || letter > 126)
            fprintf(to, "\\u%04x", letter);
        else
            fputc(letter, to);
    }
    fputc('"', to);
}

static double since(const struct connection *connection, uint64_t time_ns) {
    return time_ns > connection->begin_ns ? (double)(time_ns - connection->begin_ns) / 1e3 : 0;
}

static void put_side(const struct side *side, FILE *to) {
    fprintf(to,
            "{\"place\":\"%s\",\"mss\":%u,\"scale\":%d,\"timestamps\":%d,\"sack\":%d,\"bytes\":%llu,"
            "\"packets\":%llu,"
            "\"segments\":%llu,\"largest\":%u,\"again\":%u,\"needless\":%u,\"fills\":%u,\"outOfOrder\":%u,"
            "\"duplicateAcks\":%u,\"zeroWindows\":%u,\"zeroWindowUs\":%.0f,\"held\":%u,\"heldUs\":%.0f,"
            "\"idleUs\":%.0f,\"leastWindow\":%u,\"mostWindow\":%u,\"unseen\":%llu}",
            report_place(side), side->mss, side->has_scale ? side->scale : -1, side->timestamps, side->sack,
            (unsigned long long)side->bytes, (unsigned long long)side->packets,
            (unsigned long long)side->segments, side->largest, side->again, side->needless, side->fills,
            side->out_of_order, side->duplicate_acks, side->zero_windows, (double)side->zero_window_ns / 1e3,
            side->held, (double)side->held_ns / 1e3, (double)side->idle_ns / 1e3, side->least_window,
            side->most_window, (unsigned long long)side->unseen);
}

static void put_findings(const struct finding *findings, uint32_t count, uint64_t begin_ns, FILE *to) {
    static const char *const owners[] = {"network", "sender", "receiver", "host", "capture"};
    fprintf(to, "\"findings\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct finding *finding = &findings[i];
        double at_us = finding->at_ns < begin_ns ? -1 : (double)(finding->at_ns - begin_ns) / 1e3;
        fprintf(to, "%s{\"name\":\"%s\",\"whose\":\"%s\",\"side\":%d,\"count\":%u,\"at\":%.1f,\"title\":",
                i ? "," : "", finding->name, owners[finding->whose], finding->side, finding->count, at_us);
        put_string(finding->title, to);
        fprintf(to, ",\"text\":");
        put_string(finding->text, to);
        fprintf(to, "}");
    }
    fprintf(to, "]");
}

static bool is_telling(const struct segment *segment) {
    unsigned telling = segment->marks & ~(unsigned)(MARK_SMALL | MARK_FILLS_WINDOW | MARK_WINDOW_UPDATE);
    return telling || segment->flags & (FLAG_SYN | FLAG_FIN | FLAG_RST);
}

/* Which segments are shown: all that tell something, if they are not too many, and of the others every so
 * many-th. */
struct choice {
    uint32_t every, every_telling, seen, telling_seen;
};

static struct choice choose(const struct connection *connection, uint32_t most) {
    uint32_t telling = 0;
    for (uint32_t i = 0; i < connection->count; i++)
        telling += is_telling(&connection->segments[i]);
    uint32_t others = connection->count - telling;
    uint32_t for_telling = telling < most / 2 ? telling : most - (others < most / 2 ? others : most / 2);
    struct choice choice = {.every = 1, .every_telling = 1};
    if (telling > for_telling)
        choice.every_telling = (telling + for_telling - 1) / for_telling;
    uint32_t left = most > for_telling ? most - for_telling : 1;
    if (others > left)
        choice.every = (others + left - 1) / left;
    return choice;
}

static bool is_chosen(struct choice *choice, const struct segment *segment) {
    return is_telling(segment) ? choice->telling_seen++ % choice->every_telling == 0
                               : choice->seen++ % choice->every == 0;
}

/* number, time, side, sequence, length, acknowledgment, window, flags, marks, round trip, frame's bytes, TTL,
 * the sample's number or 0, and the blocks of SACK. */
static void put_segments(const struct connection *connection, uint32_t most, FILE *to) {
    struct choice choice = choose(connection, most);
    uint32_t left_out = 0, samples = 0;
    bool first = true;
    fprintf(to, "\"segments\":[");
    for (uint32_t i = 0; i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        if (!is_chosen(&choice, segment)) {
            left_out++;
            continue;
        }
        fprintf(to, "%s[%llu,%.1f,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u", first ? "" : ",\n",
                (unsigned long long)segment->number, since(connection, segment->time_ns), segment->side,
                segment->sequence, segment->length, segment->acknowledgment, segment->window, segment->flags,
                segment->marks, segment->rtt_us, segment->frame_bytes, segment->ttl,
                segment->sample ? ++samples : 0);
        for (int j = 0; j < segment->sack_count; j++)
            fprintf(to, ",%u", connection->blocks[segment->sack_at + (uint32_t)j]);
        fprintf(to, "]");
        first = false;
    }
    fprintf(to, "],\"leftOut\":%u", left_out);
}

/* Those of the segments that are shown, in the same order. */
static void put_samples(const struct connection *connection, uint32_t most, FILE *to) {
    struct choice choice = choose(connection, most);
    bool first = true;
    fprintf(to, "\"samples\":[");
    for (uint32_t i = 0; i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        if (!is_chosen(&choice, segment) || !segment->sample)
            continue;
        const struct sample *sample = &connection->samples[segment->sample - 1];
        fprintf(to, "%s[%u,%lld,%u,%u,%u,%u,%u,%u,%u,%u,", first ? "" : ",\n", sample->cwnd,
                (long long)sample->ssthresh, sample->srtt_us, sample->rto_us, sample->flight, sample->unsent,
                sample->unread, sample->peer_window, sample->own_window, sample->held_us);
        put_string(sample->why, to);
        fputc(',', to);
        put_string(sample->held, to);
        fputc(',', to);
        put_string(sample->state, to);
        fputc(']', to);
        first = false;
    }
    fprintf(to, "]");
}

static void put_connection(const struct connection *connection, uint32_t number, uint32_t most, FILE *to) {
    fprintf(to, "{\"number\":%u,\"sides\":[", number);
    put_side(&connection->sides[0], to);
    fputc(',', to);
    put_side(&connection->sides[1], to);
    fprintf(to, "],\"local\":%d,\"process\":", connection->local);
    put_string(connection->process, to);
    fprintf(to,
            ",\"beginNs\":%llu,\"durationUs\":%.1f,\"handshakeUs\":%.1f,\"minRttUs\":%.1f,\"meanRttUs\":%.1f,"
            "\"recoveringUs\":%.1f,\"harmUs\":%.0f,\"scaleKnown\":%d,\"end\":\"%s\",",
            (unsigned long long)connection->begin_ns, since(connection, connection->end_ns),
            (double)connection->handshake_ns / 1e3, (double)connection_rtt(connection) / 1e3,
            (double)connection_mean_rtt(connection) / 1e3, (double)connection->recovering_ns / 1e3,
            (double)connection->harm_ns / 1e3, connection_scale_known(connection),
            connection->refused  ? "refused"
            : connection->reset  ? "reset"
            : connection->closed ? "closed by both"
                                 : "not closed");
    put_findings(connection->findings, connection->finding_count, connection->begin_ns, to);
    fputc(',', to);
    put_segments(connection, most, to);
    fputc(',', to);
    put_samples(connection, most, to);
    fprintf(to, "}");
}

/* So many segments of each connection that they are not too many in all. */
static uint32_t share_of_each(const struct report *report, const uint32_t *numbers, uint32_t count) {
    uint32_t low = SEGMENTS_LEAST, high = SEGMENTS_MAX;
    while (low < high) {
        uint32_t most = (low + high + 1) / 2;
        uint64_t all = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t segments = report->connections[numbers[i]]->count;
            all += segments < most ? segments : most;
        }
        if (all <= SEGMENTS_IN_ALL)
            low = most;
        else
            high = most - 1;
    }
    return low;
}

void report_html(const struct report *report, FILE *to) {
    static const char mark[] = "/*DATA*/";
    const char *hole = strstr(report_page, mark);
    uint32_t count, *numbers = report_worst(report, CONNECTIONS_MAX, &count);
    uint32_t most = share_of_each(report, numbers, count);
    fwrite(report_page, 1, (size_t)(hole - report_page), to);
    fprintf(to, "{\"path\":");
    put_string(report->path, to);
    fprintf(to,
            ",\"packets\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"udp\":%llu,\"icmp\":%llu,\"arp\":%llu,"
            "\"other\":%llu,"
            "\"count\":%u,",
            (unsigned long long)report->packets, (unsigned long long)report->bytes,
            (double)(report->end_ns - report->begin_ns) / 1e9, (unsigned long long)report->udp,
            (unsigned long long)report->icmp, (unsigned long long)report->arp,
            (unsigned long long)report->not_ip, report->count);
    put_findings(report->findings, report->finding_count, report->begin_ns, to);
    fprintf(to, ",\"connections\":[");
    for (uint32_t i = 0; i < count; i++) {
        fprintf(to, i ? ",\n" : "\n");
        put_connection(report->connections[numbers[i]], numbers[i] + 1, most, to);
    }
    fprintf(to, "]}");
    fputs(hole + sizeof mark - 1, to);
    free(numbers);
}
