/* SPDX-License-Identifier: MIT */
/*
 * text.c - a report for a terminal.
 */
#include "shim/keeper/tools/report/verdict.h"
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 100u /* connections: of more than that the worst are shown */
#define NAMES_MAX 40
#define FLOWS_SHOWN 10u

static void show_side(const struct connection *connection, int number, FILE *to) {
    const struct side *side = &connection->sides[number];
    fprintf(to, "  %-21s %12llu bytes in %llu segments of up to %u; window %u to %u\n", report_place(side),
            (unsigned long long)side->bytes, (unsigned long long)side->segments, side->largest,
            side->least_window, side->most_window);
}

static void show_findings(const struct finding *findings, uint32_t count, FILE *to) {
    for (uint32_t i = 0; i < count; i++)
        fprintf(to, "  ! %-24s [%s] %s\n      %s\n", findings[i].name, finding_owner(findings[i].whose),
                findings[i].title, findings[i].text);
}

/* A program's name comes out of a file that anybody may have made: nothing of it moves the terminal's cursor.
 * Good until the next call. */
static const char *printable(const char *text) {
    static char shown[200];
    size_t length = 0;
    for (; length < sizeof shown - 1 && text[length]; length++)
        shown[length] = text[length] < ' ' || text[length] > '~' ? '?' : text[length];
    shown[length] = 0;
    return shown;
}

static void show(const struct connection *connection, uint32_t number, FILE *to) {
    double seconds = (double)(connection->end_ns - connection->begin_ns) / 1e9;
    uint64_t bytes = connection->sides[0].bytes + connection->sides[1].bytes;
    fprintf(to, "\n%u. %s > %s %s\n", number, report_place(&connection->sides[0]),
            report_place(&connection->sides[1]), printable(connection->process));
    show_side(connection, 0, to);
    show_side(connection, 1, to);
    fprintf(to, "  %.3f s, %.2f MB/s; ", seconds, seconds > 0 ? (double)bytes / seconds / 1e6 : 0);
    if (connection->handshake_ns)
        fprintf(to, "handshake %.3f ms", (double)connection->handshake_ns / 1e6);
    else
        fprintf(to, "handshake not seen");
    uint64_t mean_ns = connection_mean_rtt(connection);
    if (mean_ns)
        fprintf(to, "; round trip %.3f ms at best, %.3f on average", (double)connection_rtt(connection) / 1e6,
                (double)mean_ns / 1e6);
    fprintf(to, "; %s\n",
            connection->refused  ? "refused"
            : connection->reset  ? "reset"
            : connection->closed ? "closed by both"
                                 : "not closed");
    char uses[300];
    verdict_uses(connection, uses, sizeof uses);
    if (*uses)
        fprintf(to, "  its time: %s\n", uses);
    if (connection->finding_count == 0)
        fprintf(to, "  nothing is wrong with it\n");
    show_findings(connection->findings, connection->finding_count, to);
}

/* How many connections each finding is about. */
static void show_summary(const struct report *report, FILE *to) {
    const char *names[NAMES_MAX];
    uint32_t counts[NAMES_MAX], name_count = 0, clean = 0;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct connection *connection = report->connections[i];
        clean += connection->finding_count == 0;
        for (uint32_t j = 0; j < connection->finding_count; j++) {
            uint32_t at = 0;
            while (at < name_count && strcmp(names[at], connection->findings[j].name) != 0)
                at++;
            if (at == NAMES_MAX)
                continue;
            if (at == name_count) {
                names[name_count] = connection->findings[j].name;
                counts[name_count++] = 0;
            }
            counts[at]++;
        }
    }
    fprintf(to, "\n%u of %u connections have nothing wrong with them\n", clean, report->count);
    for (uint32_t i = 0; i < name_count; i++)
        fprintf(to, "  %-24s %u time%s\n", names[i], counts[i], counts[i] == 1 ? "" : "s");
}

static void show_verdict(const struct report *report, FILE *to) {
    struct verdict verdict;
    verdict_of(report, &verdict);
    fprintf(to, "\n%s\n", verdict.sentence);
    if (*verdict.sure)
        fprintf(to, "  This is %s: %s.\n", verdict.sure, verdict.sure_why);
    if (*verdict.advice)
        fprintf(to, "  To try: %s\n", verdict.advice);
}

/* The flows of UDP that carried most. */
static void show_flows(const struct flows *flows, FILE *to) {
    bool shown[FLOWS_MAX] = {false};
    for (uint32_t n = 0; n < FLOWS_SHOWN && n < flows->count; n++) {
        const struct flow *most = NULL;
        for (uint32_t i = 0; i < flows->count; i++) {
            const struct flow *flow = &flows->all[i];
            if (!shown[i] && (!most || flow->bytes[0] + flow->bytes[1] > most->bytes[0] + most->bytes[1]))
                most = flow;
        }
        shown[most - flows->all] = true;
        fprintf(to, "%sUDP %s > %s %s: %llu datagrams of %llu bytes, %llu back of %llu, in %.3f s%s\n",
                n ? "" : "\n", report_place_of(&most->addresses[0], most->ports[0]),
                report_place_of(&most->addresses[1], most->ports[1]), flow_kind(most),
                (unsigned long long)most->packets[0], (unsigned long long)most->bytes[0],
                (unsigned long long)most->packets[1], (unsigned long long)most->bytes[1],
                (double)(most->end_ns - most->begin_ns) / 1e9,
                most->unreachable ? "; unreachable, says ICMP" : "");
    }
    if (flows->count > FLOWS_SHOWN)
        fprintf(to, "%u more flows of UDP carried less.\n", flows->count - FLOWS_SHOWN);
}

void report_text(const struct report *report, FILE *to) {
    uint32_t count, *numbers = report_worst(report, SHOWN_MAX, &count);
    fprintf(to, "%s: %llu packets, %llu bytes, %.3f s; %u TCP connection%s", report->path,
            (unsigned long long)report->packets, (unsigned long long)report->bytes,
            (double)(report->end_ns - report->begin_ns) / 1e9, report->count, report->count == 1 ? "" : "s");
    fprintf(to, "; %llu packets of UDP, %llu of ICMP, %llu of ARP, %llu not of IP\n",
            (unsigned long long)report->udp, (unsigned long long)report->icmp,
            (unsigned long long)report->arp, (unsigned long long)report->not_ip);
    if (report->malformed)
        fprintf(to, "%llu packets are damaged, or too short to be read\n",
                (unsigned long long)report->malformed);
    show_verdict(report, to);
    show_findings(report->findings, report->finding_count, to);
    if (report->count > 10)
        show_summary(report, to);
    for (uint32_t i = 0; numbers && i < count; i++)
        show(report->connections[numbers[i]], numbers[i] + 1, to);
    show_flows(&report->flows, to);
    if (count < report->count)
        fprintf(to,
                "\nThese are the %u connections that lost the most time, of %u; the page (-o report.html) "
                "has more.\n",
                count, report->count);
    free(numbers);
}
