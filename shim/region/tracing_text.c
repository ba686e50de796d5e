/* SPDX-License-Identifier: MIT */
/*
 * tracing_text.c - see tracing_text.h.
 *
 * Sequence numbers are told from a connection's beginning, as tcpdump(8) does: the first that was seen of a
 * direction is 0. Which that was is noted for the stack as a whole, since its events are shown by whichever
 * of its processes comes by.
 */
#include "shim/region/tracing_text.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/nd.h"
#include "stack/link/ether.h"
#include "stack/stack.h"
#include <stdarg.h>
#include <stdio.h>

const char *tracing_state_name(uint8_t state) {
    static const char *const names[] = {
        [TCP_ESTABLISHED] = "ESTAB",    [TCP_SYN_SENT] = "SYN-SENT",     [TCP_SYN_RECV] = "SYN-RECV",
        [TCP_FIN_WAIT1] = "FIN-WAIT-1", [TCP_FIN_WAIT2] = "FIN-WAIT-2",  [TCP_TIME_WAIT] = "TIME-WAIT",
        [TCP_CLOSE] = "UNCONN",         [TCP_CLOSE_WAIT] = "CLOSE-WAIT", [TCP_LAST_ACK] = "LAST-ACK",
        [TCP_LISTEN] = "LISTEN",        [TCP_CLOSING] = "CLOSING"};
    return state < sizeof names / sizeof *names && names[state] ? names[state] : "UNKNOWN";
}

const char *tracing_held_name(uint8_t held) {
    static const char *const names[] = {"nothing", "Nagle", "cork", "peer-window", "cwnd", "pacing", "ring"};
    return held < sizeof names / sizeof *names ? names[held] : "?";
}

const char *tracing_why_name(uint8_t why) {
    static const char *const names[] = {"",    "full",   "idle",   "nodelay", "uncorked",
                                        "fin", "record", "window", "again",   "probe"};
    return why < sizeof names / sizeof *names ? names[why] : "?";
}

/* The connection between two ends, the lower one first; *source becomes which of them the segment is from. */
static struct tracing_flow *flow_of(struct tracing_flows *flows, uint64_t from, uint64_t to, int *source) {
    uint64_t ends[] = {from < to ? from : to, from < to ? to : from};
    uint64_t hash = (ends[0] * UINT64_C(0x9e3779b97f4a7c15) ^ ends[1]) * UINT64_C(0xff51afd7ed558ccd);
    struct tracing_flow *set = flows->sets[(hash >> 32) % TRACING_FLOW_SETS];
    struct tracing_flow *flow = &set[(hash >> 56) % TRACING_FLOW_WAYS]; /* that one goes, if none is free */
    *source = from > to;
    for (int i = 0; i < TRACING_FLOW_WAYS; i++) {
        if (set[i].ends[0] == ends[0] && set[i].ends[1] == ends[1])
            return &set[i];
        if (!set[i].ends[1])
            flow = &set[i];
    }
    *flow = (struct tracing_flow){.ends = {ends[0], ends[1]}};
    return flow;
}

/* One end of a connection, as a number: of IPv6 a hash, by which no more than these numbers could go wrong. */
static uint64_t end_of(struct ip_address address, uint16_t port) {
    uint64_t low = ip_to_v4(address);
    if (!ip_is_v4(address))
        low = (ip_high(address) ^ ip_low(address) * UINT64_C(0x9e3779b97f4a7c15)) *
              UINT64_C(0xff51afd7ed558ccd);
    return low << 16 | port;
}

/* Makes a segment's numbers relative to where each direction began. */
static void count_from_beginning(struct tracing_flows *flows, struct ip_address from, struct ip_address to,
                                 struct tcp_segment *segment) {
    int source;
    struct tracing_flow *flow =
        flow_of(flows, end_of(from, segment->source_port), end_of(to, segment->destination_port), &source);
    bool syn = segment->flags & TCP_SYN, ack = segment->flags & TCP_ACK;
    if (syn && !ack)
        flow->known[!source] = false;
    if (syn || !flow->known[source])
        flow->first[source] = segment->sequence;
    flow->known[source] = true;
    segment->sequence -= flow->first[source];
    if (!ack)
        return;
    if (!flow->known[!source])
        flow->first[!source] = segment->acknowledgment - 1;
    flow->known[!source] = true;
    segment->acknowledgment -= flow->first[!source];
    for (int i = 0; i < segment->sack_count; i++) {
        segment->sack[i].start -= flow->first[!source];
        segment->sack[i].end -= flow->first[!source];
    }
}

static const char *place(struct ip_address address, uint16_t port) {
    static __thread char texts[4][IP_ADDRESS_TEXT + 8]; /* [address]:port */
    static __thread unsigned next;
    char *text = texts[next++ % 4], host[IP_ADDRESS_TEXT];
    ip_text(address, host);
    if (!port)
        snprintf(text, sizeof *texts, "%s", host);
    else
        snprintf(text, sizeof *texts, ip_is_v4(address) ? "%s:%u" : "[%s]:%u", host, port);
    return text;
}

static const char *place4(uint32_t host) {
    return place(ip_from_v4(host), 0);
}

static const char *mac(const uint8_t *bytes) {
    static __thread char texts[2][18];
    static __thread unsigned next;
    char *text = texts[next++ % 2];
    snprintf(text, sizeof *texts, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3],
             bytes[4], bytes[5]);
    return text;
}

/* A line is added to the text. */
struct lines {
    char *text;
    size_t used;
    const char *time;
    struct tracing_flows *flows;
};

__attribute__((format(printf, 3, 4))) static void add(struct lines *lines, const char *group,
                                                      const char *format, ...) {
    char *at = lines->text + lines->used;
    va_list arguments;
    int head = snprintf(at, TRACING_LINE_BYTES, "%s %-5s ", lines->time, group);
    va_start(arguments, format);
    int body = vsnprintf(at + head, TRACING_LINE_BYTES - (size_t)head - 1, format, arguments);
    va_end(arguments);
    size_t length = (size_t)head + (size_t)body;
    if (length > TRACING_LINE_BYTES - 2)
        length = TRACING_LINE_BYTES - 2;
    at[length] = '\n';
    lines->used += length + 1;
}

/* A packet's headers of either family, as far as they are here. */
struct headers {
    struct ip_address source, destination;
    uint32_t bytes; /* up to the transport's */
};

static void add_tcp(struct lines *lines, const struct trace_event *event, bool out,
                    const struct headers *headers) {
    struct tcp_segment segment = {0};
    const uint8_t *ip = event->frame.header + ETHER_HEADER_BYTES;
    uint32_t ip_bytes = headers->bytes;
    uint32_t available = event->frame.header_length - ETHER_HEADER_BYTES;
    if (ip_bytes + TCP_HEADER_BYTES > available)
        return;
    int header = tcp_segment_parse(&segment, ip + ip_bytes, available - ip_bytes);
    if (header < 0)
        return;
    uint32_t length = event->frame.length - ETHER_HEADER_BYTES - ip_bytes - (uint32_t)header;
    count_from_beginning(lines->flows, headers->source, headers->destination, &segment);
    char more[200] = "", flags[10], *flag = flags;
    static const char letters[] = "FSRP.UEW";
    for (int i = 0; i < 8; i++)
        if (segment.flags & 1 << i)
            *flag++ = letters[i];
    *flag = 0;
    int used = 0;
    if (segment.flags & TCP_ACK)
        used += snprintf(more + used, sizeof more - (size_t)used, " ack %u", segment.acknowledgment);
    used += snprintf(more + used, sizeof more - (size_t)used, " win %u", segment.window);
    if (segment.mss)
        used += snprintf(more + used, sizeof more - (size_t)used, " mss %u", segment.mss);
    for (int i = 0; i < segment.sack_count; i++)
        used += snprintf(more + used, sizeof more - (size_t)used, " sack %u:%u", segment.sack[i].start,
                         segment.sack[i].end);
    if (event->frame.segment)
        used += snprintf(more + used, sizeof more - (size_t)used, " in segments of %u", event->frame.segment);
    const struct frame_note *note = &event->frame.note;
    if (note->why)
        used += snprintf(more + used, sizeof more - (size_t)used, " (%s", tracing_why_name(note->why));
    if (note->why && note->held)
        used += snprintf(more + used, sizeof more - (size_t)used, ", held %.3f ms by %s",
                         note->held_us / 1000.0, tracing_held_name(note->held));
    if (note->why)
        snprintf(more + used, sizeof more - (size_t)used, ")");
    add(lines, "tcp", "%c %s > %s [%s] seq %u:%u len %u%s", out ? '>' : '<',
        place(headers->source, segment.source_port), place(headers->destination, segment.destination_port),
        flags, segment.sequence, segment.sequence + length, length, more);
}

static const char *protocol_name(uint8_t protocol) {
    return protocol == IP_PROTOCOL_TCP       ? "tcp"
           : protocol == IP_PROTOCOL_UDP     ? "udp"
           : protocol == IP_PROTOCOL_UDPLITE ? "udplite"
           : protocol == IP_PROTOCOL_ICMP    ? "icmp"
           : protocol == IP_PROTOCOL_ICMP6   ? "icmp6"
                                             : "other";
}

static void add_ip(struct lines *lines, const struct trace_event *event, bool out, unsigned groups) {
    const uint8_t *ip = event->frame.header + ETHER_HEADER_BYTES;
    uint32_t available = event->frame.header_length - ETHER_HEADER_BYTES;
    if (available < IP_HEADER_BYTES || (ip[0] & 15u) * 4 < IP_HEADER_BYTES)
        return;
    uint16_t fragment = wire_get16(ip + 6);
    const struct headers headers = {.source = ip_from_v4(wire_get32(ip + 12)),
                                    .destination = ip_from_v4(wire_get32(ip + 16)),
                                    .bytes = (ip[0] & 15u) * 4};
    if (groups & TRACING_IP)
        add(lines, "ip", "%c %s > %s %s, %u bytes, ttl %u, id %u%s%s", out ? '>' : '<',
            place(headers.source, 0), place(headers.destination, 0), protocol_name(ip[9]), wire_get16(ip + 2),
            ip[8], wire_get16(ip + 4), fragment & IP_DONT_FRAGMENT ? ", don't fragment" : "",
            fragment & (IP_MORE_FRAGMENTS | IP_OFFSET_MASK) ? ", a fragment" : "");
    if (groups & TRACING_TCP && ip[9] == IP_PROTOCOL_TCP && !(fragment & IP_OFFSET_MASK))
        add_tcp(lines, event, out, &headers);
}

/* Neighbor Discovery (RFC 4861), of which a message is shown up to its target. */
static void add_nd(struct lines *lines, bool out, const struct headers *headers, const uint8_t *message,
                   uint32_t available) {
    char way = out ? '>' : '<';
    const char *source = place(headers->source, 0);
    struct ip_address target = available >= 24 ? ip_from_bytes(message + 8) : (struct ip_address){0};
    switch (available >= 8 ? message[0] : 0) {
    case ICMP6_ROUTER_SOLICITATION:
        add(lines, "nd", "%c who is a router? tell %s", way, source);
        break;
    case ICMP6_ROUTER_ADVERTISEMENT:
        add(lines, "nd", "%c %s is a router for %u s", way, source, wire_get16(message + 6));
        break;
    case ICMP6_NEIGHBOUR_SOLICITATION:
        if (ip_is_any(headers->source))
            add(lines, "nd", "%c does somebody have %s?", way, place(target, 0));
        else
            add(lines, "nd", "%c who has %s? tell %s", way, place(target, 0), source);
        break;
    case ICMP6_NEIGHBOUR_ADVERTISEMENT:
        if (available >= 32 && message[24] == ND_OPTION_TARGET_MAC)
            add(lines, "nd", "%c %s is at %s", way, place(target, 0), mac(message + 26));
        else
            add(lines, "nd", "%c %s is here", way, place(target, 0));
        break;
    case ICMP6_REDIRECT:
        add(lines, "nd", "%c %s says that %s is better", way, source, place(target, 0));
        break;
    default:
        break;
    }
}

/* What follows IPv6's headers, if that is here: a packet that is cut off, or a fragment, is told of without. */
static void add_ip6(struct lines *lines, const struct trace_event *event, bool out, unsigned groups) {
    const uint8_t *ip = event->frame.header + ETHER_HEADER_BYTES;
    uint32_t available = event->frame.header_length - ETHER_HEADER_BYTES;
    uint8_t protocol = 0;
    if (available < IP6_HEADER_BYTES)
        return;
    struct headers headers = {.source = ip_from_bytes(ip + 8), .destination = ip_from_bytes(ip + 24)};
    bool found = ip6_find_transport(ip, available, &protocol, &headers.bytes);
    bool fragment = ip[6] == IP6_FRAGMENT && available > IP6_HEADER_BYTES;
    if (groups & TRACING_IP)
        add(lines, "ip", "%c %s > %s %s, %u bytes, hop limit %u%s", out ? '>' : '<', place(headers.source, 0),
            place(headers.destination, 0),
            found || fragment ? protocol_name(fragment ? ip[40] : protocol) : "other",
            IP6_HEADER_BYTES + wire_get16(ip + 4), ip[7], fragment ? ", a fragment" : "");
    if (groups & TRACING_TCP && found && protocol == IP_PROTOCOL_TCP)
        add_tcp(lines, event, out, &headers);
    if (groups & TRACING_ARP && found && protocol == IP_PROTOCOL_ICMP6)
        add_nd(lines, out, &headers, ip + headers.bytes, available - headers.bytes);
}

static void add_arp(struct lines *lines, const struct trace_event *event, bool out) {
    const uint8_t *arp = event->frame.header + ETHER_HEADER_BYTES;
    if (event->frame.header_length < ETHER_HEADER_BYTES + 28)
        return;
    uint32_t sender = wire_get32(arp + 14), target = wire_get32(arp + 24);
    if (wire_get16(arp + 6) == 1)
        add(lines, "arp", "%c who has %s? tell %s", out ? '>' : '<', place4(target), place4(sender));
    else
        add(lines, "arp", "%c %s is at %s", out ? '>' : '<', place4(sender), mac(arp + 8));
}

static void add_frame(struct lines *lines, const struct trace_event *event, unsigned groups) {
    const uint8_t *header = event->frame.header;
    bool out = event->kind == TRACE_FRAME_OUT;
    if (event->frame.header_length < ETHER_HEADER_BYTES)
        return;
    uint16_t type = wire_get16(header + 12);
    if (groups & TRACING_FRAME)
        add(lines, "frame", "%c %s > %s, type %04x, %u bytes", out ? '>' : '<', mac(header + 6), mac(header),
            type, event->frame.length);
    if (type == ETHER_TYPE_IP)
        add_ip(lines, event, out, groups);
    else if (type == ETHER_TYPE_IP6)
        add_ip6(lines, event, out, groups);
    else if (type == ETHER_TYPE_ARP && groups & TRACING_ARP)
        add_arp(lines, event, out);
}

static void add_sample(struct lines *lines, const char *flow, const struct trace_event *event) {
    static const char *const states[] = {
        [TCP_OPEN] = "open", [TCP_RECOVERY] = "recovery", [TCP_REDUCING] = "reducing", [TCP_LOSS] = "loss"};
    const struct trace_sample *sample = &event->sample;
    bool known = event->from < sizeof states / sizeof *states && event->to < sizeof states / sizeof *states;
    add(lines, "tcp", "  %s %s -> %s, cwnd %u, ssthresh %d, in flight %u, rto %.1f ms", flow,
        known ? states[event->from] : "?", known ? states[event->to] : "?", sample->cwnd,
        sample->ssthresh == UINT32_MAX ? -1 : (int)sample->ssthresh, sample->flight, sample->rto_us / 1000.0);
}

size_t tracing_text(const struct trace_event *event, unsigned groups, const char *time,
                    struct tracing_flows *flows, char *text) {
    static const char *const timers[] = {"retransmission timeout", "SYN timeout", "tail loss probe",
                                         "zero window probe", "keepalive probe"};
    struct lines lines = {text, 0, time, flows};
    char flow[2 * IP_ADDRESS_TEXT + 20];
    if (event->kind == TRACE_FRAME_IN || event->kind == TRACE_FRAME_OUT) {
        add_frame(&lines, event, groups);
        return lines.used;
    }
    if (!(groups & TRACING_TCP))
        return 0;
    snprintf(flow, sizeof flow, "%s > %s", place(event->local, event->local_port),
             place(event->remote, event->remote_port));
    switch ((enum trace_kind)event->kind) {
    case TRACE_STATE:
        add(&lines, "tcp", "  %s %s -> %s", flow, tracing_state_name(event->from),
            tracing_state_name(event->to));
        break;
    case TRACE_HELD:
        add(&lines, "tcp", "  %s %u bytes are held back by %s", flow, event->values[0],
            tracing_held_name(event->to));
        break;
    case TRACE_TIMER:
        add(&lines, "tcp", "  %s %s, number %u", flow,
            event->to < sizeof timers / sizeof *timers ? timers[event->to] : "timer", event->values[0]);
        break;
    case TRACE_RECOVERY:
        add_sample(&lines, flow, event);
        break;
    case TRACE_WINDOW:
        add(&lines, "tcp", "  %s our window is %s", flow,
            event->to ? "open again" : "closed: the program does not read");
        break;
    default:
        break;
    }
    return lines.used;
}
