/* SPDX-License-Identifier: MIT */
/*
 * flow.h - what a capture has of UDP: who spoke with whom, how much, when, and how evenly.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_FLOW_H
#define SHIM_KEEPER_TOOLS_REPORT_FLOW_H

#include "shim/keeper/tools/report/packet.h"
#include "shim/keeper/tools/report/series.h"

#define FLOWS_MAX 2048u

/* Two ends that speak by UDP or UDP-Lite; 0: who was heard first. */
struct flow {
    struct address addresses[2];
    uint16_t ports[2];
    uint8_t protocol;
    uint64_t packets[2], bytes[2]; /* of the datagrams, headers apart */
    uint64_t begin_ns, end_ns;
    uint64_t answer_ns; /* from the first datagram to the first one back; 0: there was none */
    uint64_t last_ns[2], longest_pause_ns; /* between two datagrams the same way */
    bool unreachable;                      /* ICMP said so */
    struct series series[2];
};

struct flows {
    struct flow *all;
    uint64_t key; /* of the hash: who makes a capture can't choose what collides; 0: none yet */
    uint32_t count, room;
    uint64_t left_out;         /* datagrams of flows beyond FLOWS_MAX */
    uint32_t heads[FLOWS_MAX]; /* numbers in `all`, from 1, by a hash of both ends */
    uint32_t *next;            /* of the same hash */
    uint32_t next_room;
};

/* Takes a datagram whose header is there. */
void flow_packet(struct flows *flows, const struct captured_ip *ip, uint64_t now_ns);

/* The flow of a datagram, either way; NULL: it is not known. */
struct flow *flow_find(const struct flows *flows, const struct address *from, uint16_t from_port,
                       const struct address *to, uint16_t to_port, int *side_of_from);

/* What the port that is known says that the flow is: DNS, QUIC ...; "" where none does. */
const char *flow_kind(const struct flow *flow);

void flow_free(struct flows *flows);

#endif
