/*
 * connection.h - the TCP connections of a capture, followed packet by packet, and what is wrong with each.
 *
 * Theory of operation. A connection has two sides. Of each the analysis keeps what a receiver would: how far
 * data has been seen, which holes there are in it, what was acknowledged, which window is offered. Each
 * segment is judged by that when it comes (enum segment_mark). All numbers are told from the connection's
 * beginning. What was captured at one end shows the loss on the way there as holes, that on the way from
 * there as segments sent twice; both are the network's. diagnose.c makes sentences of it.
 */
#ifndef REPORT_CONNECTION_H
#define REPORT_CONNECTION_H

#include "capture.h"

#define HOLES_MAX 256
#define FINDINGS_MAX 24

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
    uint8_t side, flags, ttl;
    uint16_t marks, identification; /* of its packet */
    uint8_t sack_count;
    uint32_t sack[8];
    uint32_t rtt_us; /* that this acknowledgment shows; 0: none */
    uint32_t sample; /* its number in the connection's samples, from 1; 0: none */
};

struct hole {
    uint32_t start, end;
    uint64_t since_ns;
    uint16_t identification; /* of the packet that showed it */
    uint32_t duplicates;     /* acknowledgments that complained of it */
};

/* One direction: what a side sends, and what it offers to the other. */
struct side {
    uint32_t address;
    uint16_t port;
    bool has_isn, has_scale, has_window, fin, timestamps, sack;
    uint32_t isn;
    uint8_t scale;
    uint16_t mss;
    uint32_t next;         /* after the highest byte that was seen */
    uint32_t acknowledged; /* by the other side */
    uint32_t window, least_window, most_window;
    struct hole holes[HOLES_MAX];
    uint32_t hole_count;

    uint16_t last_identification;
    bool counts; /* its packets are numbered one after the other, as far as was seen */
    bool counted;

    uint64_t packets, segments, bytes; /* segments of data; bytes: once each */
    uint64_t bytes_again;
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
};

enum whose {
    WHOSE_NETWORK,
    WHOSE_SENDER,   /* the program that sends */
    WHOSE_RECEIVER, /* the program that should read */
    WHOSE_HOST,     /* an end's TCP, or nobody there */
    WHOSE_NOBODY,
};

struct finding {
    const char *name; /* a word for filters: loss, zero-window ... */
    enum whose whose;
    int side; /* whose program or host; -1: neither */
    uint32_t count;
    char title[120], text[420];
    uint64_t at_ns; /* when first; 0: never */
};

struct connection {
    struct side sides[2]; /* 0: who opened it, or was heard first */
    int local;            /* which of them the capture was made at; -1: not known */
    char process[120];
    uint64_t begin_ns, end_ns, established_ns, handshake_ns;
    uint64_t min_rtt_ns; /* of the way from the capture to the far end and back; 0: not known */
    uint64_t rtt_sum_ns;
    uint32_t rtt_count;
    bool closed, reset, refused, from_start;
    uint64_t recovering_ns; /* spent on repairing loss */
    uint64_t recovery_since_ns;
    uint32_t recovery_end;
    int recovery_side;

    struct segment *segments;
    uint32_t count, room;
    struct sample *samples;
    uint32_t sample_count, sample_room;

    struct finding findings[FINDINGS_MAX];
    int finding_count;
};

struct report {
    const char *path;
    struct connection **connections;
    uint32_t count, room;
    struct connection *recent[4096]; /* by a hash of both ends: the newest */
    uint64_t packets, bytes, not_ip, udp, icmp, arp_or_other, malformed;
    uint64_t begin_ns, end_ns;
    bool out_of_memory;
};

/* Takes the next packet of a capture. */
void report_packet(const struct capture_packet *packet, void *report);

/* All have come: finds out what is wrong. */
void report_diagnose(struct report *report);

/* Writes it all: for a terminal; as one HTML page. */
void report_text(const struct report *report, FILE *to);
void report_html(const struct report *report, FILE *to);

/* A name for an end: its address and port, in one of several buffers. */
const char *report_place(const struct side *side);

#endif
