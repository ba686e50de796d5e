/*
 * html.c - a report as one HTML page: page.html with the data in it. Nothing is fetched from anywhere, and
 * nothing of a capture is ever taken for markup: it goes in as JSON, and comes out by textContent.
 */
#include <stdio.h>

#include "connection.h"
#include <string.h>

#define SEGMENTS_MAX 20000u /* of a connection: beyond that, those without a mark are thinned out */

/* The page, in two parts: the data goes between them. */
__asm__(".section .rodata\n"
        "report_page:\n"
        ".incbin \"report/page.html\"\n"
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
            "\"idleUs\":%.0f,\"leastWindow\":%u,\"mostWindow\":%u}",
            report_place(side), side->mss, side->has_scale ? side->scale : -1, side->timestamps, side->sack,
            (unsigned long long)side->bytes, (unsigned long long)side->packets,
            (unsigned long long)side->segments, side->largest, side->again, side->needless, side->fills,
            side->out_of_order, side->duplicate_acks, side->zero_windows, (double)side->zero_window_ns / 1e3,
            side->held, (double)side->held_ns / 1e3, (double)side->idle_ns / 1e3, side->least_window,
            side->most_window);
}

static void put_findings(const struct connection *connection, FILE *to) {
    static const char *const owners[] = {"network", "sender", "receiver", "host", "nobody"};
    fprintf(to, "\"findings\":[");
    for (int i = 0; i < connection->finding_count; i++) {
        const struct finding *finding = &connection->findings[i];
        fprintf(to, "%s{\"name\":\"%s\",\"whose\":\"%s\",\"side\":%d,\"count\":%u,\"at\":%.1f,\"title\":",
                i ? "," : "", finding->name, owners[finding->whose], finding->side, finding->count,
                finding->at_ns ? since(connection, finding->at_ns) : -1.0);
        put_string(finding->title, to);
        fprintf(to, ",\"text\":");
        put_string(finding->text, to);
        fprintf(to, "}");
    }
    fprintf(to, "]");
}

/* number, time, side, sequence, length, acknowledgment, window, flags, marks, round trip, frame's bytes, TTL,
 * the sample's number or 0, and the blocks of SACK. */
static void put_segments(const struct connection *connection, FILE *to) {
    uint32_t every = connection->count / SEGMENTS_MAX + 1, left_out = 0;
    bool first = true;
    fprintf(to, "\"segments\":[");
    for (uint32_t i = 0; i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        unsigned telling = segment->marks & ~(unsigned)(MARK_SMALL | MARK_FILLS_WINDOW | MARK_WINDOW_UPDATE);
        if (i % every && !telling && !(segment->flags & (FLAG_SYN | FLAG_FIN | FLAG_RST))) {
            left_out++;
            continue;
        }
        fprintf(to, "%s[%llu,%.1f,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u", first ? "" : ",\n",
                (unsigned long long)segment->number, since(connection, segment->time_ns), segment->side,
                segment->sequence, segment->length, segment->acknowledgment, segment->window, segment->flags,
                segment->marks, segment->rtt_us, segment->frame_bytes, segment->ttl, segment->sample);
        for (int j = 0; j < segment->sack_count; j++)
            fprintf(to, ",%u", segment->sack[j]);
        fprintf(to, "]");
        first = false;
    }
    fprintf(to, "],\"leftOut\":%u", left_out);
}

static void put_samples(const struct connection *connection, FILE *to) {
    fprintf(to, "\"samples\":[");
    for (uint32_t i = 0; i < connection->sample_count; i++) {
        const struct sample *sample = &connection->samples[i];
        fprintf(to, "%s[%u,%lld,%u,%u,%u,%u,%u,%u,%u,%u,", i ? ",\n" : "", sample->cwnd,
                (long long)sample->ssthresh, sample->srtt_us, sample->rto_us, sample->flight, sample->unsent,
                sample->unread, sample->peer_window, sample->own_window, sample->held_us);
        put_string(sample->why, to);
        fputc(',', to);
        put_string(sample->held, to);
        fputc(',', to);
        put_string(sample->state, to);
        fputc(']', to);
    }
    fprintf(to, "]");
}

static void put_connection(const struct connection *connection, FILE *to) {
    fprintf(to, "{\"sides\":[");
    put_side(&connection->sides[0], to);
    fputc(',', to);
    put_side(&connection->sides[1], to);
    fprintf(to, "],\"local\":%d,\"process\":", connection->local);
    put_string(connection->process, to);
    fprintf(to,
            ",\"beginNs\":%llu,\"durationUs\":%.1f,\"handshakeUs\":%.1f,\"minRttUs\":%.1f,\"meanRttUs\":%.1f,"
            "\"recoveringUs\":%.1f,\"end\":\"%s\",",
            (unsigned long long)connection->begin_ns, since(connection, connection->end_ns),
            (double)connection->handshake_ns / 1e3, (double)connection->min_rtt_ns / 1e3,
            connection->rtt_count ? (double)connection->rtt_sum_ns / connection->rtt_count / 1e3 : 0,
            (double)connection->recovering_ns / 1e3,
            connection->refused  ? "refused"
            : connection->reset  ? "reset"
            : connection->closed ? "closed by both"
                                 : "not closed");
    put_findings(connection, to);
    fputc(',', to);
    put_segments(connection, to);
    fputc(',', to);
    put_samples(connection, to);
    fprintf(to, "}");
}

void report_html(const struct report *report, FILE *to) {
    static const char mark[] = "/*DATA*/";
    const char *hole = strstr(report_page, mark);
    fwrite(report_page, 1, (size_t)(hole - report_page), to);
    fprintf(to, "{\"path\":");
    put_string(report->path, to);
    fprintf(to,
            ",\"packets\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"udp\":%llu,\"icmp\":%llu,\"other\":%llu,"
            "\"connections\":[",
            (unsigned long long)report->packets, (unsigned long long)report->bytes,
            (double)(report->end_ns - report->begin_ns) / 1e9, (unsigned long long)report->udp,
            (unsigned long long)report->icmp, (unsigned long long)report->not_ip);
    for (uint32_t i = 0; i < report->count; i++) {
        fprintf(to, i ? ",\n" : "\n");
        put_connection(report->connections[i], to);
    }
    fprintf(to, "]}");
    fputs(hole + sizeof mark - 1, to);
}
