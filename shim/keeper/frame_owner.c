/* SPDX-License-Identifier: MIT */
/*
 * frame_owner.c - whose a frame is, for the comments of --pcap.
 */
#include "shim/keeper/keeper.h"
#include "shim/keeper/tools/tool.h"
#include "shim/region/lock.h"
#include "shim/region/tracing_text.h"
#include "stack/base/wire.h"
#include "stack/link/ether.h"
#include <stdio.h>
#include <string.h>

#define FLOWS 1024
#define PLACE_TEXT (IP_ADDRESS_TEXT + 8)
#define ETHERNET 14u
#define TCP 6
#define UDP 17

/* What was found out about a flow; asked again after a while, since sockets are handed on. */
struct flow {
    struct ip_address local, remote;
    uint16_t local_port, remote_port;
    uint8_t protocol;
    uint64_t asked_ns;
    char text[NIC_COMMENT_BYTES];
};

#define KEEP_NS UINT64_C(500000000)

static struct flow flows[FLOWS];

static const void *socket_of(const struct flow *flow) {
    struct stack *stack = &shared->stack;
    const struct tcp *tcp;
    const void *socket = NULL;
    region_enter();
    if (!shared->broken && flow->protocol == TCP) {
        tcp = tcp_lookup(stack, flow->local, flow->local_port, flow->remote, flow->remote_port);
        if (!tcp)
            tcp = tcp_lookup_listener(stack, flow->local, flow->local_port, flow->remote, flow->remote_port,
                                      NULL);
        socket = tcp ? tcp->socket : NULL;
    } else if (!shared->broken) {
        socket =
            datagram_lookup(stack, UDP, flow->remote, flow->remote_port, flow->local, flow->local_port, NULL);
    }
    region_let_go();
    return socket;
}

/* How its connection stands now. */
static bool find_sample(const struct flow *flow, struct trace_sample *sample) {
    region_enter();
    struct tcp *tcp = shared->broken ? NULL
                                     : tcp_lookup(&shared->stack, flow->local, flow->local_port, flow->remote,
                                                  flow->remote_port);
    if (tcp)
        trace_sample_of(tcp, sample);
    region_let_go();
    return tcp;
}

void capture_put_sample(char *comment, const struct trace_sample *sample) {
    static const char *const states[] = {
        [TCP_OPEN] = "open", [TCP_RECOVERY] = "recovery", [TCP_REDUCING] = "reducing", [TCP_LOSS] = "loss"};
    size_t used = strlen(comment);
    snprintf(comment + used, NIC_COMMENT_BYTES - used,
             " cwnd=%u ssthresh=%lld srtt_us=%u rto_us=%u flight=%u unsent=%u unread=%u peer_window=%u "
             "own_window=%u recovery=%s",
             sample->cwnd, sample->ssthresh >= INT32_MAX ? -1LL : (long long)sample->ssthresh,
             sample->srtt_us, sample->rto_us, sample->flight, sample->unsent, sample->unread,
             sample->peer_window, sample->own_window,
             sample->recovery < sizeof states / sizeof *states && states[sample->recovery]
                 ? states[sample->recovery]
                 : "?");
}

void capture_put_note(char *comment, const struct frame_note *note) {
    size_t used = strlen(comment);
    snprintf(comment + used, NIC_COMMENT_BYTES - used, " why=%s held=%s held_us=%u",
             tracing_why_name(note->why), tracing_held_name(note->held), note->held_us);
}

/* address:port, or [address]:port. */
static const char *place(struct ip_address address, uint16_t port, char to[PLACE_TEXT]) {
    char host[IP_ADDRESS_TEXT];
    snprintf(to, PLACE_TEXT, ip_is_v4(address) ? "%s:%u" : "[%s]:%u", ip_text(address, host), port);
    return to;
}

static void find_out(struct flow *flow) {
    char holders[NIC_COMMENT_BYTES - 2 * PLACE_TEXT - 10] = "", local[PLACE_TEXT], remote[PLACE_TEXT];
    const void *socket = socket_of(flow);
    if (socket)
        tool_name_holders(socket, holders, sizeof holders);
    flow->asked_ns = clock_now();
    snprintf(flow->text, sizeof flow->text, "%s %s > %s %s", flow->protocol == TCP ? "tcp" : "udp",
             place(flow->local, flow->local_port, local), place(flow->remote, flow->remote_port, remote),
             holders[0] ? holders : "(nobody's)");
}

static bool same(const struct flow *a, const struct flow *b) {
    return ip_equal(a->local, b->local) && ip_equal(a->remote, b->remote) && a->local_port == b->local_port &&
           a->remote_port == b->remote_port && a->protocol == b->protocol;
}

/* Reads where a packet is from and to, and finds the ports: false where they are not in it. */
static bool read_packet(const uint8_t *frame, uint32_t length, struct ip_address *source,
                        struct ip_address *destination, uint8_t *protocol, const uint8_t **ports) {
    const uint8_t *ip = frame + ETHERNET;
    uint32_t at, left = length - ETHERNET;
    if (length < ETHERNET + 28)
        return false;
    if (wire_get16(frame + 12) == ETHER_TYPE_IP) {
        at = (ip[0] & 15u) * 4;
        *protocol = ip[9];
        *source = ip_from_v4(wire_get32(ip + 12));
        *destination = ip_from_v4(wire_get32(ip + 16));
        if (wire_get16(ip + 6) & IP_OFFSET_MASK)
            return false;
    } else if (wire_get16(frame + 12) == ETHER_TYPE_IP6 && ip6_find_transport(ip, left, protocol, &at)) {
        *source = ip_from_bytes(ip + 8);
        *destination = ip_from_bytes(ip + 24);
    } else {
        return false;
    }
    *ports = ip + at;
    return (*protocol == TCP || *protocol == UDP) && left >= at + 4;
}

void keeper_describe(const uint8_t *frame, uint32_t length, bool sent, uint64_t note, char *comment) {
    struct ip_address source, destination;
    const uint8_t *ports;
    uint8_t protocol;
    if (!read_packet(frame, length, &source, &destination, &protocol, &ports))
        return;
    uint16_t from = wire_get16(ports), to = wire_get16(ports + 2);
    struct flow asked = {.local = sent ? source : destination,
                         .remote = sent ? destination : source,
                         .local_port = sent ? from : to,
                         .remote_port = sent ? to : from,
                         .protocol = protocol};
    uint32_t hash = asked.local_port * 31u + asked.remote_port * 17u + asked.remote.words[3];
    struct flow *flow = &flows[hash % FLOWS];
    if (!same(flow, &asked) || clock_now() - flow->asked_ns > KEEP_NS) {
        find_out(&asked);
        *flow = asked;
    }
    snprintf(comment, NIC_COMMENT_BYTES, "%s", flow->text);
    struct trace_sample sample;
    if (asked.protocol == TCP && find_sample(&asked, &sample))
        capture_put_sample(comment, &sample);
    struct frame_note why;
    memcpy(&why, &note, sizeof why);
    if (sent && why.why)
        capture_put_note(comment, &why);
}
