/* SPDX-License-Identifier: MIT */
/*
 * verbose.c - `barewire -v`: what a connection did, told on stderr when the program closes it.
 */
#include "shim/library/calls/call.h"
#include "shim/library/output/messages.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LONG_NS UINT64_C(1000000000) /* a transfer that has lasted so long is followed */
#define PERIOD_NS UINT64_C(200000000)
#define CLEAR "\r\033[K"

/* What has no route counts as on the link. */
static struct ip_address next_hop_of(struct ip_address remote, struct ip_address source) {
    struct ip_address hop6;
    uint32_t hop;
    if (ip_is_v4(remote))
        return ip_route_lookup(&shared->stack.routes, ip_to_v4(remote), &hop) ? remote : ip_from_v4(hop);
    return ip6_route_lookup(&shared->stack, remote, source, &hop6) ? remote : hop6;
}

void verbose_note(struct verbose_summary *summary, int fd) {
    struct fd_entry *entry = descriptor_find(fd);
    summary->worth_telling = false;
    if (!attach_config.verbose || !entry || entry->kind != FILE_REF_SOCKET || entry->descriptors > 1)
        return;
    const struct socket *socket = entry->socket;
    if (!socket->tcp || !socket->tcp->remote_port || socket->holders > 1)
        return;
    summary->worth_telling = true;
    summary->fd = fd;
    summary->tcp = *socket->tcp;
    summary->mtu = shared->stack.config.mtu;
    summary->now_ns = clock_now();
    struct ip_address remote = summary->tcp.remote_address;
    summary->next_hop = next_hop_of(remote, summary->tcp.binding.address);
    summary->on_link = ip_equal(remote, summary->next_hop);
    const struct neighbour *hop =
        neighbour_lookup(&shared->stack, summary->on_link ? remote : summary->next_hop);
    summary->neighbour_silent = hop && hop->state == NEIGHBOUR_INCOMPLETE;
}

#define PLACE_TEXT (IP_ADDRESS_TEXT + 8) /* [address]:port */

static const char *place_text(struct ip_address host, uint16_t port, char text[PLACE_TEXT]) {
    char address[IP_ADDRESS_TEXT];
    snprintf(text, PLACE_TEXT, ip_is_v4(host) ? "%s:%u" : "[%s]:%u", ip_text(host, address), port);
    return text;
}

static double milliseconds(uint64_t ns) {
    return (double)ns / 1e6;
}

static const char *ending(const struct tcp *tcp) {
    switch (tcp->state) {
    case TCP_CLOSE_WAIT:
        return "the peer sent its FIN first; now ours follows";
    case TCP_ESTABLISHED:
        return tcp->receive.length > 0
                   ? "data is left unread, so a RST ends the connection"
                   : "our FIN goes first; the keeper waits for the peer's and out the TIME_WAIT";
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
        return "our FIN went first; the keeper waits for the peer's and out the TIME_WAIT";
    case TCP_TIME_WAIT:
        return "both FINs have crossed; the keeper waits out the TIME_WAIT";
    case TCP_CLOSE:
        return "it had ended already";
    default:
        return "the keeper sees it to its end";
    }
}

/* The line: which connection it is about, and what that had done when it was last noted. */
static struct {
    _Atomic uint64_t next_ns; /* nothing is noted before */
    const struct tcp *tcp;
    uint64_t bytes, then_ns;
    char text[160];
    _Atomic bool noted, shown;
} line;

static bool on_terminal(void) {
    static int known = -1;
    if (known < 0)
        known = isatty(STDERR_FILENO);
    return known;
}

void verbose_follow(const struct socket *socket) {
    const struct tcp *tcp = socket->tcp;
    uint64_t now_ns = attach_config.verbose && tcp && on_terminal() ? clock_now() : 0;
    if (now_ns < line.next_ns || !now_ns || !tcp->history.established_ns ||
        now_ns - tcp->history.established_ns < LONG_NS)
        return;
    char remote[PLACE_TEXT];
    uint64_t bytes = tcp->history.bytes_sent + tcp->history.bytes_received;
    double rate = line.tcp == tcp && now_ns > line.then_ns
                      ? (double)(bytes - line.bytes) / (double)(now_ns - line.then_ns) * 1e3
                      : (double)bytes / (double)(now_ns - tcp->history.established_ns) * 1e3;
    snprintf(line.text, sizeof line.text,
             CLEAR "barewire: %s  %.1f MB  %.1f MB/s  RTT %.3f ms  cwnd %u  %u retransmitted",
             place_text(tcp->remote_address, tcp->remote_port, remote), (double)bytes / 1e6, rate,
             milliseconds(tcp->rtt.srtt_ns), tcp->congestion.cwnd / tcp->mss, tcp->history.retransmitted);
    line.tcp = tcp;
    line.bytes = bytes;
    line.then_ns = now_ns;
    line.next_ns = now_ns + PERIOD_NS;
    line.noted = true;
}

static void say(const char *text) {
    messages_write(text, strlen(text));
}

void verbose_show(void) {
    if (!line.noted || !atomic_exchange(&line.noted, false))
        return;
    line.shown = true;
    say(line.text);
}

/* Why a connection was not established: who has said so, or that nobody has. */
static void say_why(const struct verbose_summary *summary, char *text, size_t room) {
    const struct tcp *tcp = &summary->tcp;
    const struct tcp_history *history = &tcp->history;
    bool v4 = ip_is_v4(tcp->remote_address);
    bool no_neighbour = (v4 ? ip4_address_find(&shared->stack, ip_to_v4(history->icmp_from)) != NULL
                            : ip_equal(history->icmp_from, tcp->binding.address)) ||
                        (summary->neighbour_silent && !history->failed);
    double seconds = (double)(summary->now_ns - history->opened_ns) / 1e9;
    char host[IP_ADDRESS_TEXT];
    if (no_neighbour && summary->on_link)
        snprintf(text, room, "nobody on the link answers %s for %s", v4 ? "ARP" : "Neighbor Solicitations",
                 ip_text(tcp->remote_address, host));
    else if (no_neighbour)
        snprintf(text, room, "nobody answers %s for the %s, %s", v4 ? "ARP" : "Neighbor Solicitations",
                 v4 ? "gateway" : "router", ip_text(summary->next_hop, host));
    else if (!ip_is_any(history->icmp_from))
        snprintf(text, room, "%s says by ICMP: %s", ip_text(history->icmp_from, host),
                 strerror(history->failed));
    else if (history->failed == ECONNREFUSED)
        snprintf(text, room, "refused by a reset: nothing listens on port %u there, or a firewall says so",
                 tcp->remote_port);
    else if (history->failed && history->failed != ETIMEDOUT)
        snprintf(text, room, "%s", strerror(history->failed));
    else
        snprintf(text, room, "no answer to %u SYN%s in %.1f s%s", history->segments_sent,
                 history->segments_sent == 1 ? "" : "s", seconds,
                 history->failed ? "" : ", when it was closed");
}

void verbose_no_route(int fd, struct ip_address host, uint16_t port) {
    const struct socket *socket = attach_config.verbose ? descriptor_socket(fd) : NULL;
    char place[PLACE_TEXT];
    if (!socket || (socket->tcp && !ip_is_any(socket->tcp->history.icmp_from)))
        return; /* it was a router that said so: see say_why */
    attach_say("no route leads to %s: %s", place_text(host, port, place),
               !ip_is_v4(host) ? "no router has told of one"
               : shared->stack.config.gateway
                   ? "not even by the gateway"
                   : "there is no gateway (--gateway, or a DHCP server names one)");
}

void verbose_tell(const struct verbose_summary *summary) {
    const struct tcp *tcp = &summary->tcp;
    const struct tcp_history *history = &tcp->history;
    char local[PLACE_TEXT], remote[PLACE_TEXT];
    if (!summary->worth_telling)
        return;
    if (atomic_exchange(&line.shown, false))
        say(CLEAR);
    place_text(!ip_is_any(tcp->binding.address) ? tcp->binding.address
                                                : ip_source(&shared->stack, tcp->remote_address, 0),
               tcp->binding.port ? tcp->binding.port : tcp->last_port, local);
    place_text(tcp->remote_address, tcp->remote_port, remote);
    if (!history->established_ns) {
        char why[200];
        say_why(summary, why, sizeof why);
        attach_say("socket %d: %s > %s was never established: %s", summary->fd, local, remote, why);
        return;
    }
    attach_say("socket %d: %s > %s", summary->fd, local, remote);
    attach_say("  handshake  %.3f ms: SYN, SYN-ACK, ACK; segments of up to %u bytes in packets of %u, window "
               "scale %u",
               milliseconds(history->established_ns - history->opened_ns), tcp->mss, summary->mtu,
               tcp->snd_scale);
    attach_say("  sent       %lu bytes in %u segments of up to %u; %u retransmitted",
               (unsigned long)history->bytes_sent, history->data_segments_sent, history->largest_sent,
               history->retransmitted);
    attach_say("  received   %lu bytes in %u segments of %u to %u, answered by %lu acknowledgments",
               (unsigned long)history->bytes_received, history->data_segments_received,
               history->smallest_received, history->largest_received,
               (unsigned long)(history->segments_sent - history->data_segments_sent));
    attach_say(
        "  RTT        %.3f ms smoothed, %.3f ms at best; retransmission after %.0f ms; cwnd %u segments",
        milliseconds(tcp->rtt.srtt_ns), milliseconds(tcp->rtt.min_ns), milliseconds(tcp->rtt.rto_ns),
        tcp->congestion.cwnd / tcp->mss);
    attach_say("  close      after %.3f ms: %s", milliseconds(summary->now_ns - history->opened_ns),
               ending(tcp));
}

/* As it was when this process joined. */
static struct impair_counters joined[2];

void verbose_begin(void) {
    if (attach_config.verbose)
        on_terminal(); /* before it is asked for with the lock held */
    for (int way = 0; way < 2; way++)
        joined[way] = shared->impairment[way];
}

static void tell_way(const char *way, const struct impair_counters *then,
                     const struct impair_counters *counters) {
    attach_say("--impair: of %llu frames %s %llu were lost, %llu more by a full queue, %llu doubled, %llu "
               "held back, "
               "%llu damaged",
               (unsigned long long)(counters->frames - then->frames), way,
               (unsigned long long)(counters->lost - then->lost),
               (unsigned long long)(counters->overflowed - then->overflowed),
               (unsigned long long)(counters->duplicated - then->duplicated),
               (unsigned long long)(counters->reordered - then->reordered),
               (unsigned long long)(counters->corrupted - then->corrupted));
}

void verbose_end(void) {
    const struct impair_counters *out = &shared->impairment[0], *in = &shared->impairment[1];
    if (!shared->impaired || !messages_heard())
        return;
    uint64_t overflowed = out->overflowed - joined[0].overflowed + in->overflowed - joined[1].overflowed;
    if (attach_config.verbose) {
        tell_way("sent", &joined[0], out);
        tell_way("received", &joined[1], in);
    } else if (overflowed && !atomic_exchange(&shared->overflow_told, true)) {
        attach_say(
            "--impair: the queue overflowed, and %llu frames were lost; queue=TIME makes it longer (barewire "
            "stats counts them)",
            (unsigned long long)overflowed);
    }
}
