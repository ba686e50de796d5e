/*
 * text.c - a report for a terminal.
 */
#include <stdio.h>

#include "connection.h"
#include <string.h>

static const char *const OWNERS[] = {[WHOSE_NETWORK] = "network",
                                     [WHOSE_SENDER] = "sending program",
                                     [WHOSE_RECEIVER] = "receiving program",
                                     [WHOSE_HOST] = "host",
                                     [WHOSE_NOBODY] = "nobody"};

static void show_side(const struct connection *connection, int number, FILE *to) {
    const struct side *side = &connection->sides[number];
    fprintf(to, "  %-21s %12llu bytes in %llu segments of up to %u; window %u to %u\n", report_place(side),
            (unsigned long long)side->bytes, (unsigned long long)side->segments, side->largest,
            side->least_window, side->most_window);
}

static void show(const struct connection *connection, uint32_t number, FILE *to) {
    double seconds = (double)(connection->end_ns - connection->begin_ns) / 1e9;
    uint64_t bytes = connection->sides[0].bytes + connection->sides[1].bytes;
    fprintf(to, "\n%u. %s > %s %s\n", number, report_place(&connection->sides[0]),
            report_place(&connection->sides[1]), connection->process);
    show_side(connection, 0, to);
    show_side(connection, 1, to);
    fprintf(to, "  %.3f s, %.2f MB/s; handshake %.3f ms", seconds,
            seconds > 0 ? (double)bytes / seconds / 1e6 : 0, (double)connection->handshake_ns / 1e6);
    if (connection->rtt_count)
        fprintf(to, "; round trip %.3f ms at best, %.3f on average", (double)connection->min_rtt_ns / 1e6,
                (double)connection->rtt_sum_ns / connection->rtt_count / 1e6);
    fprintf(to, "; %s\n",
            connection->refused  ? "refused"
            : connection->reset  ? "reset"
            : connection->closed ? "closed by both"
                                 : "not closed");
    if (connection->finding_count == 0)
        fprintf(to, "  nothing is wrong with it\n");
    for (int i = 0; i < connection->finding_count; i++) {
        const struct finding *finding = &connection->findings[i];
        fprintf(to, "  ! %-24s [%s] %s\n      %s\n", finding->name, OWNERS[finding->whose], finding->title,
                finding->text);
    }
}

void report_text(const struct report *report, FILE *to) {
    fprintf(to, "%s: %llu packets, %llu bytes, %.3f s; %u TCP connections", report->path,
            (unsigned long long)report->packets, (unsigned long long)report->bytes,
            (double)(report->end_ns - report->begin_ns) / 1e9, report->count);
    fprintf(to, "; %llu packets of UDP, %llu of ICMP, %llu not of IP\n", (unsigned long long)report->udp,
            (unsigned long long)report->icmp, (unsigned long long)report->not_ip);
    for (uint32_t i = 0; i < report->count; i++)
        show(report->connections[i], i + 1, to);
}
