/* SPDX-License-Identifier: MIT */
/*
 * html.c - a report as one HTML page: the pieces of page/, with the data in their midst. Nothing is fetched from anywhere, and
 * nothing of a capture is ever taken for markup: it goes in as JSON, and comes out by textContent.
 */
#include "shim/keeper/tools/report/thin.h"
#include "shim/keeper/tools/report/verdict.h"
#include <stdlib.h>
#include <string.h>

/* A page is for a browser, which opens some 5 MB at once: the worst connections are in it with their segments, as
 * many as there is room for, those that tell something first; of more connections there is a line each. */
#define CONNECTIONS_MAX 400u
#define LINES_MAX 6000u
#define FLOWS_MAX_SHOWN 200u
#define SEGMENTS_MAX 20000u /* of a connection */
#define SEGMENTS_LEAST 30u
#define SEGMENT_BYTES 62u /* of the page, about */
#define SAMPLE_BYTES 75u
#define SEGMENTS_BYTES_MAX 3200000u /* for all segments */

/* The page; the data goes in its midst. */
#define PIECE(name) ".incbin \"shim/keeper/tools/report/page/" name "\"\n"
__asm__(".section .rodata\n"
        "report_page:\n" PIECE("head.html") PIECE("style.css") PIECE("body.html") PIECE("base.js")
            PIECE("chart.js") PIECE("timeline.js") PIECE("connection.js") PIECE("views.js")
                PIECE("journey.js") PIECE("main.js") PIECE("tail.html") ".byte 0\n"
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

static const char *owner_word(enum whose whose) {
    static const char *const owners[] = {"network", "sender", "receiver", "host", "capture"};
    return owners[whose];
}

static void put_findings(const struct finding *findings, uint32_t count, uint64_t begin_ns, FILE *to) {
    fprintf(to, "\"findings\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct finding *finding = &findings[i];
        double at_us = finding->at_ns < begin_ns ? -1 : (double)(finding->at_ns - begin_ns) / 1e3;
        fprintf(to, "%s{\"name\":\"%s\",\"whose\":\"%s\",\"side\":%d,\"count\":%u,\"at\":%.1f,\"title\":",
                i ? "," : "", finding->name, owner_word(finding->whose), finding->side, finding->count,
                at_us);
        put_string(finding->title, to);
        fprintf(to, ",\"text\":");
        put_string(finding->text, to);
        fprintf(to, ",\"advice\":");
        put_string(verdict_advice(finding->name), to);
        fprintf(to, "}");
    }
    fprintf(to, "]");
}

/* [bytes of each slot], without the empty ones behind the last that has any. */
static void put_slots(const struct series *series, FILE *to) {
    uint32_t count = SERIES_SLOTS;
    while (count > 0 && !series->bytes[count - 1])
        count--;
    fputc('[', to);
    for (uint32_t i = 0; i < count; i++)
        fprintf(to, i ? ",%llu" : "%llu", (unsigned long long)series->bytes[i]);
    fputc(']', to);
}

/* {"from": its beginning since a time, "width": of a slot, "bytes": [...]}, in microseconds. */
static void put_series(const struct series *series, uint64_t since_ns, FILE *to) {
    fprintf(to, "{\"from\":%.1f,\"width\":%.1f,\"bytes\":",
            series->begin_ns > since_ns ? (double)(series->begin_ns - since_ns) / 1e3 : 0,
            (double)series->width_ns / 1e3);
    put_slots(series, to);
    fputc('}', to);
}

/* Where not all segments are there to sum up. */
static void put_rates(const struct connection *connection, FILE *to) {
    struct series rates[2];
    thin_rates(connection, rates);
    fprintf(to, ",\"rates\":[");
    put_series(&rates[0], connection->begin_ns, to);
    fputc(',', to);
    put_series(&rates[1], connection->begin_ns, to);
    fputc(']', to);
}

/* What its time went for: microseconds by use, and the use of each slot as a digit. */
static void put_triage(const struct triage *triage, FILE *to) {
    fprintf(to, "\"uses\":[");
    for (int i = 0; i < USE_COUNT; i++)
        fprintf(to, i ? ",%.1f" : "%.1f", (double)triage->ns[i] / 1e3);
    fprintf(to, "],\"slotUs\":%.3f,\"slots\":\"", (double)triage->width_ns / 1e3);
    for (uint32_t i = 0; i < triage->count; i++)
        fputc('0' + triage->slots[i], to);
    fprintf(to, "\",");
}

/* A 32-bit number of a side as a running one: numbers go on beyond 4 GiB, and what lies before the first byte that was
 * seen is negative. */
static long long unwrap(int64_t *last, uint32_t number) {
    int64_t value = *last + (int32_t)(number - (uint32_t)*last);
    if (value > *last)
        *last = value;
    return value;
}

/* number, time, side, sequence, length, acknowledgment, window, flags, marks, round trip, frame's bytes, TTL,
 * the sample's number or 0, and the blocks of SACK. */
static void put_segments(const struct connection *connection, uint32_t most, FILE *to) {
    struct choice choice = thin_choose(connection, most);
    uint64_t left_out = connection->dropped;
    uint32_t samples = 0;
    int64_t last[2] = {0, 0};
    bool first = true;
    fprintf(to, "\"segments\":[");
    for (uint32_t i = 0; i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        if (!thin_is_chosen(&choice, segment)) {
            left_out++;
            continue;
        }
        int own = segment->side, other = 1 - own;
        long long sequence = unwrap(&last[own], segment->sequence),
                  acknowledgment = unwrap(&last[other], segment->acknowledgment);
        fprintf(to, "%s[%llu,%.1f,%u,%lld,%u,%lld,%u,%u,%u,%u,%u,%u,%u", first ? "" : ",\n",
                (unsigned long long)segment->number, since(connection, segment->time_ns), segment->side,
                sequence, segment->length, acknowledgment, segment->window, segment->flags, segment->marks,
                segment->rtt_us, segment->frame_bytes, segment->ttl, segment->sample ? ++samples : 0);
        for (int j = 0; j < segment->sack_count; j++)
            fprintf(to, ",%lld", unwrap(&last[other], connection->blocks[segment->sack_at + (uint32_t)j]));
        fprintf(to, "]");
        first = false;
    }
    fprintf(to, "],\"leftOut\":%llu", (unsigned long long)left_out);
    if (left_out > 0)
        put_rates(connection, to);
}

/* Those of the segments that are shown, in the same order. */
static void put_samples(const struct connection *connection, uint32_t most, FILE *to) {
    struct choice choice = thin_choose(connection, most);
    bool first = true;
    fprintf(to, "\"samples\":[");
    for (uint32_t i = 0; i < connection->count; i++) {
        const struct segment *segment = &connection->segments[i];
        if (!thin_is_chosen(&choice, segment) || !segment->sample)
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

static const char *end_of(const struct connection *connection) {
    return connection->refused  ? "refused"
           : connection->reset  ? "reset"
           : connection->closed ? "closed by both"
                                : "not closed";
}

static void put_connection(const struct report *report, const struct connection *connection, uint32_t number,
                           uint32_t most, FILE *to) {
    fprintf(to, "{\"number\":%u,\"sides\":[", number);
    put_side(&connection->sides[0], to);
    fputc(',', to);
    put_side(&connection->sides[1], to);
    fprintf(to, "],\"local\":%d,\"process\":", connection->local);
    put_string(connection->process, to);
    fprintf(to,
            ",\"beginUs\":%.1f,\"durationUs\":%.1f,\"handshakeUs\":%.1f,\"minRttUs\":%.1f,\"meanRttUs\":%.1f,"
            "\"recoveringUs\":%.1f,\"harmUs\":%.0f,\"scaleKnown\":%d,\"incomplete\":%d,\"end\":\"%s\",",
            (double)(connection->begin_ns - report->begin_ns) / 1e3, since(connection, connection->end_ns),
            (double)connection->handshake_ns / 1e3, (double)connection_rtt(connection) / 1e3,
            (double)connection_mean_rtt(connection) / 1e3, (double)connection->recovering_ns / 1e3,
            (double)connection->harm_ns / 1e3, connection_scale_known(connection),
            connection_is_incomplete(connection), end_of(connection));
    put_triage(&connection->triage, to);
    put_findings(connection->findings, connection->finding_count, connection->begin_ns, to);
    fputc(',', to);
    put_segments(connection, most, to);
    fputc(',', to);
    put_samples(connection, most, to);
    fprintf(to, "}");
}

/* How much of the page so many segments of each connection take. */
static uint64_t bytes_of_segments(const struct report *report, const uint32_t *numbers, uint32_t count,
                                  uint32_t most) {
    uint64_t all = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct connection *connection = report->connections[numbers[i]];
        uint32_t segments = connection->count < most ? connection->count : most;
        uint64_t samples =
            connection->count ? (uint64_t)segments * connection->sample_count / connection->count : 0;
        all += (uint64_t)segments * SEGMENT_BYTES + samples * SAMPLE_BYTES;
    }
    return all;
}

/* So many segments of each connection that they are not too many in all. */
static uint32_t share_of_each(const struct report *report, const uint32_t *numbers, uint32_t count) {
    uint32_t low = SEGMENTS_LEAST, high = SEGMENTS_MAX;
    while (low < high) {
        uint32_t most = (low + high + 1) / 2;
        if (bytes_of_segments(report, numbers, count, most) <= SEGMENTS_BYTES_MAX)
            low = most;
        else
            high = most - 1;
    }
    return low;
}

/* A line each of the connections that have no place of their own: number, both ends, begin, duration, bytes, end, and
 * the use that took the most of its time (-1: not known), and whether anything is wrong. */
static void put_lines(const struct report *report, const uint32_t *numbers, uint32_t count, FILE *to) {
    uint32_t next = 0, lines = 0;
    fprintf(to, "\"lines\":[");
    for (uint32_t i = 0; i < report->count && lines < LINES_MAX; i++) {
        if (next < count && numbers[next] == i) {
            next++;
            continue;
        }
        const struct connection *connection = report->connections[i];
        const struct side *sides = connection->sides;
        int most = connection_is_incomplete(connection) ? -1 : 0;
        for (int use = 1; most >= 0 && use < USE_COUNT; use++)
            if (connection->triage.ns[use] > connection->triage.ns[most])
                most = use;
        fprintf(to, "%s[%u,\"%s\",\"%s\",%.0f,%.0f,%llu,%llu,\"%s\",%d,%d]", lines++ ? ",\n" : "", i + 1,
                report_place(&sides[0]), report_place(&sides[1]),
                (double)(connection->begin_ns - report->begin_ns) / 1e3,
                since(connection, connection->end_ns), (unsigned long long)sides[0].bytes,
                (unsigned long long)sides[1].bytes, end_of(connection), most, connection->finding_count > 0);
    }
    fprintf(to, "],");
}

static int compare_flows(const void *a, const void *b, void *context) {
    const struct flow *all = context, *one = &all[*(const uint32_t *)a], *other = &all[*(const uint32_t *)b];
    uint64_t bytes = one->bytes[0] + one->bytes[1], others = other->bytes[0] + other->bytes[1];
    return bytes > others ? -1 : bytes < others;
}

/* The flows of UDP that carried most. */
static void put_flows(const struct report *report, FILE *to) {
    static uint32_t numbers[FLOWS_MAX];
    const struct flows *flows = &report->flows;
    for (uint32_t i = 0; i < flows->count; i++)
        numbers[i] = i;
    if (flows->count)
        qsort_r(numbers, flows->count, sizeof *numbers, compare_flows, flows->all);
    uint32_t shown = flows->count < FLOWS_MAX_SHOWN ? flows->count : FLOWS_MAX_SHOWN;
    fprintf(to, "\"flowCount\":%u,\"flowsLeftOut\":%llu,\"flows\":[", flows->count,
            (unsigned long long)flows->left_out);
    for (uint32_t i = 0; i < shown; i++) {
        const struct flow *flow = &flows->all[numbers[i]];
        fprintf(to,
                "%s{\"places\":[\"%s\",\"%s\"],\"kind\":\"%s\",\"packets\":[%llu,%llu],\"bytes\":[%llu,%llu],"
                "\"beginUs\":%.1f,\"durationUs\":%.1f,\"answerUs\":%.1f,\"pauseUs\":%.1f,\"unreachable\":%d,"
                "\"rates\":[",
                i ? ",\n" : "", report_place_of(&flow->addresses[0], flow->ports[0]),
                report_place_of(&flow->addresses[1], flow->ports[1]), flow_kind(flow),
                (unsigned long long)flow->packets[0], (unsigned long long)flow->packets[1],
                (unsigned long long)flow->bytes[0], (unsigned long long)flow->bytes[1],
                (double)(flow->begin_ns - report->begin_ns) / 1e3,
                (double)(flow->end_ns - flow->begin_ns) / 1e3, (double)flow->answer_ns / 1e3,
                (double)flow->longest_pause_ns / 1e3, flow->unreachable);
        put_series(&flow->series[0], flow->begin_ns, to);
        fputc(',', to);
        put_series(&flow->series[1], flow->begin_ns, to);
        fprintf(to, "]}");
    }
    fprintf(to, "],");
}

static void put_verdict(const struct report *report, const uint32_t *numbers, uint32_t count, FILE *to) {
    struct verdict verdict;
    bool first = true;
    verdict_of(report, &verdict);
    fprintf(to, "\"verdict\":{\"name\":\"%s\",\"whose\":\"%s\",\"sure\":\"%s\",\"sureWhy\":", verdict.name,
            *verdict.name ? owner_word(verdict.whose) : "fine", verdict.sure);
    put_string(verdict.sure_why, to);
    fprintf(to, ",\"sentence\":");
    put_string(verdict.sentence, to);
    fprintf(to, ",\"advice\":");
    put_string(verdict.advice, to);
    fprintf(to, ",\"moments\":[");
    for (uint32_t i = 0; i < verdict.moment_count; i++)
        for (uint32_t j = 0; j < count; j++)
            if (numbers[j] == verdict.moments[i].connection) {
                fprintf(to, "%s[%u,%.1f]", first ? "" : ",", j,
                        since(report->connections[numbers[j]], verdict.moments[i].at_ns));
                first = false;
            }
    fprintf(to, "]},");
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
            "\"other\":%llu,\"count\":%u,\"refresh\":%u,\"rate\":",
            (unsigned long long)report->packets, (unsigned long long)report->bytes,
            (double)(report->end_ns - report->begin_ns) / 1e9, (unsigned long long)report->udp,
            (unsigned long long)report->icmp, (unsigned long long)report->arp,
            (unsigned long long)report->not_ip, report->count, report->refresh_s);
    put_series(&report->rate, report->begin_ns, to);
    fprintf(to, ",\"uses\":[");
    for (int i = 0; i < USE_COUNT; i++)
        fprintf(to, i ? ",\"%s\"" : "\"%s\"", triage_name((enum use)i));
    fprintf(to, "],");
    put_verdict(report, numbers, count, to);
    put_findings(report->findings, report->finding_count, report->begin_ns, to);
    fputc(',', to);
    put_lines(report, numbers, count, to);
    put_flows(report, to);
    fprintf(to, "\"connections\":[");
    for (uint32_t i = 0; i < count; i++) {
        fprintf(to, i ? ",\n" : "\n");
        put_connection(report, report->connections[numbers[i]], numbers[i] + 1, most, to);
    }
    fprintf(to, "]}");
    fputs(hole + sizeof mark - 1, to);
    free(numbers);
}
