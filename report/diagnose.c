/*
 * diagnose.c - what was wrong with a connection, and whose it is: the network's, or a program's at one of its
 * ends.
 *
 * Each finding stands on marks that segments have (connection.h). A transfer in which nothing went wrong has
 * none: what is usual (a window that opens, a delayed acknowledgment, a tail that is not full) is not told.
 */
#include <stdio.h>

#include "connection.h"
#include <stdarg.h>
#include <string.h>

#define MS UINT64_C(1000000)

static double ms(uint64_t ns) {
    return (double)ns / 1e6;
}

/* When a segment of a side was marked first; 0: none was. */
static uint64_t first_marked(const struct connection *connection, int side, unsigned marks) {
    for (uint32_t i = 0; i < connection->count; i++)
        if (connection->segments[i].side == side && connection->segments[i].marks & marks)
            return connection->segments[i].time_ns;
    return 0;
}

__attribute__((format(printf, 7, 8))) static void find_out(struct connection *connection, const char *name,
                                                           enum whose whose, int side, uint32_t count,
                                                           uint64_t at_ns, const char *format, ...) {
    if (connection->finding_count == FINDINGS_MAX)
        return;
    struct finding *finding = &connection->findings[connection->finding_count++];
    *finding = (struct finding){.name = name, .whose = whose, .side = side, .count = count, .at_ns = at_ns};
    char text[sizeof finding->text + sizeof finding->title];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t title = strcspn(text, "|");
    snprintf(finding->title, sizeof finding->title, "%.*s", (int)title, text);
    snprintf(finding->text, sizeof finding->text, "%s", text[title] ? text + title + 1 : "");
}

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

static uint64_t duration(const struct connection *connection) {
    uint64_t since = connection->established_ns ? connection->established_ns : connection->begin_ns;
    return connection->end_ns > since ? connection->end_ns - since : 1;
}

static void look_at_opening(struct connection *connection) {
    const struct side *client = &connection->sides[0], *server = &connection->sides[1];
    if (connection->refused) {
        find_out(connection, "refused", WHOSE_HOST, 1, 1, first_marked(connection, 0, 0),
                 "Refused|%s answered the SYN with a reset: nothing listens on port %u there, or a firewall "
                 "says so.",
                 report_place(server), server->port);
    } else if (client->syns > 0 && server->syns == 0 && !connection->established_ns) {
        find_out(
            connection, "no-answer", WHOSE_HOST, 1, client->syns, connection->begin_ns,
            "No answer|%u SYN%s to %s, none was answered: the host is down or unreachable, or a firewall "
            "drops it.",
            client->syns, plural(client->syns), report_place(server));
    } else if (first_marked(connection, 0, MARK_SYN_AGAIN) || first_marked(connection, 1, MARK_SYN_AGAIN)) {
        find_out(connection, "syn-loss", WHOSE_NETWORK, -1, client->syns + server->syns - 2,
                 first_marked(connection, 0, MARK_SYN_AGAIN),
                 "The handshake was lost on the way|A SYN or its answer had to be sent again; opening took "
                 "%.1f ms.",
                 ms(connection->handshake_ns));
    }
}

static void look_at_loss(struct connection *connection, int from) {
    const struct side *side = &connection->sides[from], *peer = &connection->sides[1 - from];
    uint32_t again = side->again - side->needless, lost = again + side->fills;
    if (lost > 0) {
        double share = side->segments ? 100.0 * lost / (double)side->segments : 0;
        find_out(
            connection, "loss", WHOSE_NETWORK, from, lost,
            first_marked(connection, from, MARK_AGAIN | MARK_FILLS),
            "Segments were lost on the way from %s to %s|%u of %llu (%.2f %%) had to be sent again: %u seen "
            "twice here, %u that came late into a hole. %u of them waited for a timeout. Repairing took "
            "%.1f ms in all.",
            report_place(side), report_place(peer), lost, (unsigned long long)side->segments, share, again,
            side->fills, side->timeouts, ms(connection->recovering_ns));
        find_out(connection, "retransmission", WHOSE_NETWORK, from, lost,
                 first_marked(connection, from, MARK_AGAIN | MARK_FILLS),
                 "%u retransmission%s by %s|The sender repaired the loss: %s.", lost, plural(lost),
                 report_place(side),
                 side->timeouts ? "some of it only after a timeout, when nothing else told of it"
                                : "at once, since the acknowledgments that came told of it");
    }
    if (side->needless > 0)
        find_out(connection, "needless-retransmission", WHOSE_NETWORK, from, side->needless,
                 first_marked(connection, from, MARK_NEEDLESS),
                 "%u needless retransmission%s by %s|What was sent again had arrived: its acknowledgment was "
                 "lost, or came later than the sender could wait for.",
                 side->needless, plural(side->needless), report_place(side));
    if (side->out_of_order > 0)
        find_out(
            connection, "out-of-order", WHOSE_NETWORK, from, side->out_of_order,
            first_marked(connection, from, MARK_OUT_OF_ORDER),
            "Segments of %s arrived out of order|%u were overtaken by later ones: the network has ways of "
            "different length.",
            report_place(side), side->out_of_order);
    if (peer->duplicate_acks > 0)
        find_out(
            connection, "duplicate-ack", WHOSE_NETWORK, 1 - from, peer->duplicate_acks,
            first_marked(connection, 1 - from, MARK_DUPLICATE_ACK),
            "%u duplicate acknowledgment%s by %s|The receiver complains that something is missing: it was "
            "lost, or comes late.",
            peer->duplicate_acks, plural(peer->duplicate_acks), report_place(peer));
}

static void look_at_windows(struct connection *connection, int reader) {
    struct side *side = &connection->sides[reader], *writer = &connection->sides[1 - reader];
    if (side->zero_since_ns) { /* it never opened again */
        side->zero_window_ns += connection->end_ns - side->zero_since_ns;
        side->zero_since_ns = 0;
    }
    if (side->zero_windows > 0)
        find_out(
            connection, "zero-window", WHOSE_RECEIVER, reader, side->zero_windows,
            first_marked(connection, reader, MARK_ZERO_WINDOW),
            "The program at %s reads too slowly|Its receive buffer was full %u time%s, for %.1f ms in all "
            "(%.0f %% of the connection): the window was closed, and the sender had to stop. The network "
            "is not to blame.",
            report_place(side), side->zero_windows, plural(side->zero_windows), ms(side->zero_window_ns),
            100.0 * (double)side->zero_window_ns / (double)duration(connection));
    if (side->small_windows >= 3)
        find_out(
            connection, "silly-window", WHOSE_RECEIVER, reader, side->small_windows, 0,
            "Silly windows at %s|%u times less than half a segment was offered: the program reads little "
            "by little, and small segments are the answer (RFC 9293, section 3.8.6.2).",
            report_place(side), side->small_windows);
    bool limits = writer->segments >= 100 && writer->full_window > writer->segments / 2 &&
                  !side->zero_windows && connection->min_rtt_ns > MS;
    if (limits)
        find_out(
            connection, "window-limited", WHOSE_RECEIVER, reader, writer->full_window,
            first_marked(connection, 1 - reader, MARK_FILLS_WINDOW),
            "The window of %s limits the rate|%u of %llu segments filled it: with at most %u bytes in %.2f "
            "ms there is no more than %.1f MB/s. A larger receive buffer helps, or a program that reads "
            "sooner.",
            report_place(side), writer->full_window, (unsigned long long)writer->segments, side->most_window,
            ms(connection->min_rtt_ns), side->most_window / ms(connection->min_rtt_ns) / 1e3);
}

static void look_at_writing(struct connection *connection, int from) {
    const struct side *side = &connection->sides[from], *peer = &connection->sides[1 - from];
    uint64_t all_ns = duration(connection);
    if (side->held >= 2 || (side->held == 1 && side->held_ns >= 30 * MS && side->segments <= 6))
        find_out(
            connection, "nagle-delayed-ack", WHOSE_SENDER, from, side->held,
            first_marked(connection, from, MARK_HELD),
            "Nagle's rule and delayed acknowledgments wait for each other|%u times %s held a small segment "
            "until the one before was acknowledged, and %s delayed that: %.1f ms in all. The program "
            "writes what belongs together in several pieces; one write (or writev), or TCP_NODELAY, "
            "cures it.",
            side->held, report_place(side), report_place(peer), ms(side->held_ns));
    uint64_t mean = side->segments ? side->bytes / side->segments : 0;
    bool tiny =
        side->segments >= 50 && side->largest > 0 && mean < 200 && peer->segments < side->segments / 4;
    if (tiny)
        find_out(
            connection, "small-writes", WHOSE_SENDER, from, side->small,
            first_marked(connection, from, MARK_SMALL),
            "The program at %s writes little by little|%llu segments of %llu bytes on average, with some 70 "
            "bytes of headers each. Larger writes, TCP_CORK or leaving Nagle's rule on would fill them.",
            report_place(side), (unsigned long long)side->segments, (unsigned long long)mean);
    if (side->idle_ns > 50 * MS && side->idle_ns > all_ns * 3 / 10)
        find_out(
            connection, "application-limited", WHOSE_SENDER, from, side->idle_count, 0,
            "Waiting for the program at %s|For %.1f ms (%.0f %% of the connection) nothing was on the way "
            "and nothing was held back: TCP had nothing to send. It is the program that takes its time.",
            report_place(side), ms(side->idle_ns), 100.0 * (double)side->idle_ns / (double)all_ns);
}

static void look_at_end(struct connection *connection) {
    for (int side = 0; side < 2; side++)
        if (connection->sides[side].resets > 0 && !connection->refused && !connection->closed)
            find_out(connection, "reset", WHOSE_HOST, side, connection->sides[side].resets, 0,
                     "Reset by %s|It ended the connection at once: its program closed it with data unread, "
                     "died, or never knew of it.",
                     report_place(&connection->sides[side]));
}

void report_diagnose(struct report *report) {
    for (uint32_t i = 0; i < report->count; i++) {
        struct connection *connection = report->connections[i];
        look_at_opening(connection);
        for (int side = 0; side < 2; side++) {
            look_at_loss(connection, side);
            look_at_windows(connection, side);
            look_at_writing(connection, side);
        }
        look_at_end(connection);
    }
}
