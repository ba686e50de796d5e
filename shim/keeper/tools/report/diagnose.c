/* SPDX-License-Identifier: MIT */
/*
 * diagnose.c - what was wrong with a connection, and whose it is: the network's, or a program's at one of its
 * ends.
 *
 * Each finding stands on marks that segments have (connection.h). A transfer in which nothing went wrong has
 * none: what is usual (a window that opens, a delayed acknowledgment, a tail that is not full) is not told.
 */
#include "shim/keeper/tools/report/network.h"
#include "shim/keeper/tools/report/path.h"
#include "shim/keeper/tools/report/thin.h"

#define MS UINT64_C(1000000)
#define UNKNOWN_WINDOW_MAX (UINT64_C(64) << 20)
#define QUEUED_LEAST_NS (200 * MS)
#define SHRUNKEN_LEAST_NS (100 * MS)
#define READ_LATE_S 0.05 /* what waits so long for the program, on average, waits for it */

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

/* Adds a finding to a connection; what follows is a format, which gives title and text with a bar between. */
#define find_out(connection, name, whose, of, count, at_ns, ...)                                        \
    do {                                                                                                \
        uint32_t found = (connection)->finding_count;                                                   \
        finding_add(&(connection)->findings, &(connection)->finding_count, &(connection)->finding_room, \
                    name, whose, count, at_ns, __VA_ARGS__);                                            \
        if ((connection)->finding_count > found)                                                        \
            (connection)->findings[found].side = of;                                                    \
    } while (0)

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

static uint64_t duration(const struct connection *connection) {
    uint64_t since = connection->established_ns ? connection->established_ns : connection->begin_ns;
    return connection->end_ns > since ? connection->end_ns - since : 1;
}

/* More is in flight than the other side's window ever took: its acknowledgments are not in the capture. */
static bool lacks_acknowledgments(const struct connection *connection, int from) {
    const struct side *side = &connection->sides[from], *peer = &connection->sides[1 - from];
    uint32_t flight = side->next - side->acknowledged;
    uint64_t most = connection_scale_known(connection) ? peer->most_window * UINT64_C(2) : UNKNOWN_WINDOW_MAX;
    return side->bytes > 0 && flight > side->largest && flight > most;
}

bool connection_is_incomplete(const struct connection *connection) {
    return connection->sides[0].unseen + connection->sides[1].unseen > 0 ||
           lacks_acknowledgments(connection, 0) || lacks_acknowledgments(connection, 1);
}

static void look_at_capture(struct connection *connection) {
    for (int i = 0; i < 2; i++) {
        const struct side *side = &connection->sides[i];
        if (side->unseen > 0)
            find_out(connection, "incomplete-capture", WHOSE_CAPTURE, i, 1, 0,
                     "This capture is incomplete|%llu of %llu bytes that %s sent, and that arrived, are not "
                     "in it: the "
                     "capture lost packets, or saw one way only. What else is said of this connection may be "
                     "wrong, "
                     "and nothing is said of pauses.",
                     (unsigned long long)side->unseen, (unsigned long long)(side->bytes + side->unseen),
                     report_place(side));
        else if (lacks_acknowledgments(connection, i))
            find_out(connection, "incomplete-capture", WHOSE_CAPTURE, i, 1, 0,
                     "This capture is incomplete|Acknowledgments of what %s sent are not in it, though it "
                     "sent more "
                     "than the window takes: the capture saw one way only. What else is said of this "
                     "connection may "
                     "be wrong, and nothing is said of pauses.",
                     report_place(side));
    }
}

static void look_at_opening(struct connection *connection) {
    const struct side *client = &connection->sides[0], *server = &connection->sides[1];
    if (connection->refused) {
        find_out(connection, "refused", WHOSE_HOST, 1, 1, connection->begin_ns,
                 "Refused|%s answered the SYN with a reset: nothing listens on port %u there, or a firewall "
                 "says so.",
                 report_place(server), server->port);
    } else if (client->syns > 0 && server->syns == 0 && !connection->established_ns &&
               connection->unreachable) {
        find_out(connection, "unreachable", WHOSE_HOST, 1, client->syns, connection->begin_ns,
                 "Unreachable|%u SYN%s to %s, none was answered, and ICMP says that it can't be reached.",
                 client->syns, plural(client->syns), report_place(server));
    } else if (client->syns > 0 && server->syns == 0 && !connection->established_ns) {
        find_out(
            connection, "no-answer", WHOSE_HOST, 1, client->syns, connection->begin_ns,
            "No answer|%u SYN%s to %s, none was answered: the host is down or unreachable, or a firewall "
            "drops it.",
            client->syns, plural(client->syns), report_place(server));
    } else if (first_marked(connection, 0, MARK_SYN_AGAIN) || first_marked(connection, 1, MARK_SYN_AGAIN)) {
        uint32_t again =
            (client->syns > 1 ? client->syns - 1 : 0) + (server->syns > 1 ? server->syns - 1 : 0);
        find_out(connection, "syn-loss", WHOSE_NETWORK, -1, again,
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

/* What its own capture says of the bytes that a program has not read yet: by Little's law each of them waited
 * for their sum over time, divided by their number. Other captures have the window alone. */
static void look_at_reading(struct connection *connection, int reader) {
    const struct side *side = &connection->sides[reader], *writer = &connection->sides[1 - reader];
    double wait_s = writer->bytes ? side->unread_byte_seconds / (double)writer->bytes : 0;
    uint64_t all_ns = duration(connection);
    if (side->zero_windows > 0)
        return;
    if (wait_s >= READ_LATE_S && wait_s > 3e-9 * (double)connection_rtt(connection))
        find_out(connection, "slow-reader", WHOSE_RECEIVER, reader, 1, side->unread_at_ns,
                 "The program at %s reads slowly|What had arrived waited %.0f ms on average until it was "
                 "read, up to "
                 "%u bytes at a time. The network is not to blame.",
                 report_place(side), wait_s * 1e3, side->most_unread);
    else if (side->shrunken_ns > SHRUNKEN_LEAST_NS && side->shrunken_ns > all_ns * 3 / 10)
        find_out(
            connection, "slow-reader", WHOSE_RECEIVER, reader, 1, side->shrunken_at_ns,
            "The program at %s reads slowly|For %.1f ms (%.0f %% of the connection) its receive buffer was "
            "more "
            "than half full: the window was less than half as wide as before. The network is not to blame.",
            report_place(side), ms(side->shrunken_ns), 100.0 * (double)side->shrunken_ns / (double)all_ns);
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
    look_at_reading(connection, reader);
    uint64_t rtt_ns = connection_rtt(connection);
    /* Captured at the receiver nothing is in flight for long: what comes in a round trip is what the window
     * takes. */
    double in_a_round = (double)writer->bytes * (double)rtt_ns / (double)duration(connection);
    bool wide = side->mean_window >= side->most_window / 2; /* and does not grow any more */
    bool a_window_each = connection->local == reader && wide && in_a_round > 0.75 * side->mean_window;
    bool limits =
        writer->segments >= 100 && (writer->window_full_ns > duration(connection) / 2 || a_window_each) &&
        !side->zero_windows && side->shrunken_ns < duration(connection) / 4 && rtt_ns > MS &&
        connection_scale_known(connection) && !connection_is_incomplete(connection) && writer->queued_ns == 0;
    if (limits && a_window_each)
        triage_blame_window(&connection->triage, reader);
    if (limits)
        find_out(connection, "window-limited", WHOSE_RECEIVER, reader, writer->full_window,
                 first_marked(connection, 1 - reader, MARK_FILLS_WINDOW),
                 "The window of %s limits the rate|All that it takes, some %u bytes, is in the network: in a "
                 "round trip of %.2f ms there "
                 "is no more than %.1f MB/s. A larger receive buffer helps, or a program that reads sooner.",
                 report_place(side), side->mean_window, ms(rtt_ns), side->mean_window / ms(rtt_ns) / 1e3);
}

/* A queue on the way that is never empty: the link behind it is full, and the queue is longer than that
 * takes. */
static void look_at_queue(struct connection *connection, int from) {
    const struct side *side = &connection->sides[from], *peer = &connection->sides[1 - from];
    uint64_t rtt_ns = connection_rtt(connection);
    if (side->queued_ns < duration(connection) / 5 || side->queued_ns < QUEUED_LEAST_NS)
        return;
    find_out(connection, "bufferbloat", WHOSE_NETWORK, from, 1, side->queue_at_ns,
             "A full queue on the way from %s to %s|The round trip grew from %.1f ms to as much as %.1f, and "
             "for %.0f ms "
             "(%.0f %% of the connection) it did not come down: a link on the way carries %.1f Mbit/s, and "
             "what is "
             "sent beyond that waits before it. The link is the limit, not a program; a shorter queue there "
             "(AQM), or "
             "BBR at the sender, keeps the delay down.",
             report_place(side), report_place(peer), ms(rtt_ns), ms(rtt_ns + side->queue_delay_ns),
             ms(side->queued_ns), 100.0 * (double)side->queued_ns / (double)duration(connection),
             (double)side->queued_bytes * 8e3 / (double)side->queued_ns);
}

static void look_at_writing(struct connection *connection, int from, bool capture_is_whole) {
    const struct side *side = &connection->sides[from], *peer = &connection->sides[1 - from];
    uint64_t all_ns = duration(connection);
    bool ended = connection->closed || connection->reset;
    if (connection_is_incomplete(connection) || (!capture_is_whole && !ended))
        return; /* what is not seen may have been sent meanwhile */
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

/* Time that was lost, so that the worst connection is told of first. One that failed has lost all. */
static uint64_t harm_of(const struct connection *connection) {
    uint64_t harm_ns = connection->recovering_ns;
    for (int i = 0; i < 2; i++) {
        const struct side *side = &connection->sides[i];
        harm_ns += side->zero_window_ns + side->held_ns + side->queued_ns +
                   (connection_is_incomplete(connection) ? 0 : side->idle_ns);
    }
    bool failed = connection->refused || connection->reset || !connection->established_ns;
    return connection->finding_count ? harm_ns + (failed ? 1000 * MS : 0) : 0;
}

void report_diagnose(struct report *report) {
    bool whole = true;
    network_diagnose(report);
    for (uint32_t i = 0; i < report->count; i++) {
        thin_end(report->connections[i]);
        path_end(report->connections[i]);
        whole &= !connection_is_incomplete(report->connections[i]);
    }
    for (uint32_t i = 0; i < report->count; i++) {
        struct connection *connection = report->connections[i];
        look_at_capture(connection);
        look_at_opening(connection);
        for (int side = 0; side < 2; side++) {
            look_at_loss(connection, side);
            look_at_queue(connection, side);
            look_at_windows(connection, side);
            look_at_writing(connection, side, whole);
        }
        look_at_end(connection);
        connection->harm_ns = harm_of(connection);
    }
}
