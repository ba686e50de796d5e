/* SPDX-License-Identifier: MIT */
/*
 * connection.h - the TCP connections of a capture, followed packet by packet, and what is wrong with each.
 *
 * Theory of operation. A connection has two sides. Of each the analysis keeps what a receiver would: how far
 * data has been seen, which holes there are in it, what was acknowledged, which window is offered. Each
 * segment is judged by that when it comes (enum segment_mark). All numbers are told from the connection's
 * beginning. What was captured at one end shows the loss on the way there as holes, that on the way from
 * there as segments sent twice; both are the network's. When all has come, path.c measures the way to both
 * ends from where the capture was made, and what waited there. diagnose.c makes sentences of it.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_CONNECTION_H
#define SHIM_KEEPER_TOOLS_REPORT_CONNECTION_H

#include "shim/keeper/tools/report/finding.h"
#include "shim/keeper/tools/report/flow.h"
#include "shim/keeper/tools/report/packet.h"
#include "shim/keeper/tools/report/series.h"
#include "shim/keeper/tools/report/stretch.h"
#include "shim/keeper/tools/report/triage.h"
#include <stdio.h>

#define HOLES_MAX 4096u

enum segment_flag { /* as on the wire */
                    FLAG_FIN = 1,
                    FLAG_SYN = 2,
                    FLAG_RST = 4,
                    FLAG_PSH = 8,
                    FLAG_ACK = 16,
                    FLAG_URG = 32,
};

enum segment_mark {
    MARK_AGAIN = 1,         /* data that was sent before */
    MARK_NEEDLESS = 2,      /* ... and had arrived */
    MARK_TIMEOUT = 4,       /* ... since nothing was heard for long */
    MARK_FILLS = 8,         /* data that was lost before it came here, sent again */
    MARK_OUT_OF_ORDER = 16, /* data that was overtaken */
    MARK_DUPLICATE_ACK = 32,
    MARK_ZERO_WINDOW = 64,
    MARK_WINDOW_UPDATE = 128,
    MARK_PROBE = 256, /* of a closed window, or a keepalive */
    MARK_SMALL = 512, /* data, less than a full segment, and not the end of what was to be said */
    MARK_HELD = 1024, /* Nagle's rule held it until an acknowledgment came */
    MARK_GAP = 2048,  /* something before it has not come */
    MARK_SYN_AGAIN = 4096,
    MARK_FILLS_WINDOW = 8192, /* what is in flight is all that the peer's window takes */
};

/* What barewire's own captures say beside. */
struct sample {
    uint32_t cwnd, srtt_us, rto_us, flight, unsent, unread, peer_window, own_window;
    int64_t ssthresh; /* -1: none */
    uint32_t held_us;
    char why[12], held[16], state[12];
};

struct segment {
    uint64_t number, time_ns;
    uint32_t sequence, acknowledgment, length, window; /* window in bytes */
    uint32_t frame_bytes;
    uint32_t timestamp, echo;       /* TSval and TSecr; 0: none */
    uint32_t rtt_us;                /* from here to the segment's sender and back; 0: it shows none */
    uint32_t sample;                /* its number in the connection's samples, from 1; 0: none */
    uint32_t sack_at;               /* its first block in the connection's blocks */
    uint16_t marks, identification; /* of its packet */
    uint8_t side, flags, ttl, sack_count;
};

struct hole {
    uint32_t start, end;
    uint64_t since_ns;
    uint32_t duplicates;     /* of the receiver's acknowledgments, when it was seen */
    uint32_t timestamp;      /* of the packet that showed it; 0: it has none */
    uint16_t identification; /* and its number */
};

/* One direction: what a side sends, and what it offers to the other. */
struct side {
    struct address address;
    uint16_t port;
    bool has_isn, has_scale, has_window, fin, timestamps, sack;
    uint32_t isn;
    uint8_t scale;
    uint16_t mss;
    uint32_t next;                                           /* after the highest byte that was seen */
    uint32_t acknowledged;                                   /* by the other side */
    uint32_t window, least_window, most_window, mean_window; /* the last one over time, by path.c */
    struct hole *holes;
    uint32_t hole_count, hole_room;

    uint16_t last_identification;
    bool counts; /* its packets are numbered one after the other, as far as was seen */
    bool counted;

    uint64_t packets, segments, bytes; /* segments of data; bytes: once each */
    uint64_t bytes_again;
    uint64_t unseen; /* bytes that the other side acknowledged and that are not in the capture */
    uint32_t again, needless, timeouts, fills, out_of_order, duplicate_acks, zero_windows, probes, small,
        held, resets, syns, full_window, window_updates, small_windows;
    uint64_t zero_window_ns, held_ns, idle_ns;
    uint64_t zero_since_ns; /* 0: its window is open */
    uint64_t last_small_ns;
    uint32_t last_small_end; /* of a segment that was not full; 0: the last one was */
    uint64_t small_acked_ns; /* when that was acknowledged, late; 0: it was not */
    uint32_t idle_count;
    uint32_t largest;
    uint32_t last_acknowledgment, last_window, duplicates_now;
    uint64_t last_syn_ns;
    uint64_t answer_ns; /* the least time from the capture to this side and back; 0: not known */
    uint64_t answer_sum_ns;
    uint32_t answer_count;

    /* What path.c finds: data of this side that stood in a queue on the way. */
    uint64_t queued_ns, queued_bytes; /* for how long there was one, and what got through meanwhile */
    uint64_t queue_delay_ns;          /* the most that it added to the round trip */
    uint64_t queue_at_ns;
    const struct stretches *queue;        /* when; NULL once all has been measured */
    uint64_t window_full_ns;              /* all that the other one's window takes was in flight */
    uint64_t shrunken_ns, shrunken_at_ns; /* its window was less than half as wide as before */
    /* ... and data that stood in this side's receive buffer (only where the capture says). */
    double unread_byte_seconds;
    uint32_t most_unread;
    uint64_t unread_at_ns;
};

struct connection {
    struct side sides[2]; /* 0: who opened it, or was heard first */
    int local;            /* which of them the capture was made at; -1: not known */
    char process[120];
    uint64_t begin_ns, end_ns, established_ns, handshake_ns;
    bool closed, reset, refused, unreachable, from_start;
    uint64_t recovering_ns;   /* spent on repairing loss */
    struct stretches repairs; /* when */
    uint64_t recovery_since_ns, recovered_ns;
    uint32_t recovery_end;
    int recovery_side;
    uint64_t harm_ns; /* time that was lost by all that is wrong, to put the worst first */

    struct triage triage;
    struct path *path; /* what path.c knows while it measures; NULL before and afterwards */

    struct segment *segments; /* the last ones, and those of the others that thin.c has kept */
    uint32_t count, room;
    uint32_t measured;        /* of them, by path.c */
    uint64_t dropped;         /* segments that are not kept */
    uint64_t telling, others; /* segments in all, by thin.c */
    struct series *rates;     /* of both sides: new bytes; NULL while all segments are there */
    struct sample *samples;
    uint32_t sample_count, sample_room;
    uint32_t *blocks; /* of SACK: first and end, in turn */
    uint32_t block_count, block_room;

    struct finding *findings;
    uint32_t finding_count, finding_room;
    struct connection *next_of_hash; /* older ones */
};

struct report {
    const char *path;
    struct connection **connections;
    uint32_t count, room;
    struct connection **table; /* by a hash of both ends, the newest first */
    uint32_t table_size;       /* a power of 2 */
    uint64_t key[2];           /* of that hash: who makes a capture can't choose what collides */
    uint64_t held, thin_at;    /* segments in memory; at so many they are thinned */
    uint32_t held_max;         /* 0: HELD_MAX of thin.h */
    struct network *network;   /* what is not TCP: network.h */
    struct flows flows;        /* of UDP */
    struct series rate;        /* of the whole capture */
    struct finding *findings;  /* of no connection in particular */
    uint32_t finding_count, finding_room;
    uint64_t packets, bytes, not_ip, udp, icmp, arp, malformed;
    unsigned refresh_s; /* the page is written anew every so often; 0: it is not */
    uint64_t begin_ns, end_ns;
    bool out_of_memory;
};

/* Takes the next packet of a capture. */
void report_packet(const struct capture_packet *packet, void *report);

/* All have come: measures the way (path.c), and finds out what is wrong. */
void report_diagnose(struct report *report);

/* The time to both ends and back, as far as it was seen; 0: not at all. */
uint64_t connection_rtt(const struct connection *connection);

/* ... and on average, from what the far end has answered. */
uint64_t connection_mean_rtt(const struct connection *connection);

/* Both handshake segments were seen: what a window's number means is known. */
bool connection_scale_known(const struct connection *connection);

/* Packets of it that arrived are not in the capture: of pauses nothing can be said. */
bool connection_is_incomplete(const struct connection *connection);

/* Writes it all: for a terminal; as one HTML page. */
void report_text(const struct report *report, FILE *to);
void report_html(const struct report *report, FILE *to);

/* Frees all that it holds. */
void report_free(struct report *report);

/* The numbers of the `most` worst connections, in the file's order, in memory to be freed; all of them if
 * there are no more. NULL: no memory. */
uint32_t *report_worst(const struct report *report, uint32_t most, uint32_t *count);

/* A name for an end: its address and port, in one of several buffers. */
const char *report_place(const struct side *side);
const char *report_place_of(const struct address *address, uint16_t port);

/* The newest connection between two ends, either way round; NULL: none. */
struct connection *report_find(const struct report *report, const struct address *a, uint16_t a_port,
                               const struct address *b, uint16_t b_port, int *side_of_a);

#endif
