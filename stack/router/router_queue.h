/* SPDX-License-Identifier: MIT */
/*
 * router_queue.h - what waits for a port's line: at a rate, within a limit, under active queue management.
 *
 * Drop-tail refuses what the limit has no room for. CoDel (RFC 8289) looks how long a packet has waited when
 * it leaves, and drops more and more often while that stays above a target. RED (Floyd and Jacobson, 1993;
 * RFC 7567) drops by chance, by the average length, when a packet comes. With ECN (RFC 3168) both mark
 * packets whose transport can be told, instead of dropping them.
 */
#ifndef STACK_ROUTER_ROUTER_QUEUE_H
#define STACK_ROUTER_ROUTER_QUEUE_H

#include "stack/base/random.h"
#include "stack/router/router_packet.h"

#define ROUTER_QUEUE_PACKETS_MAX 4096u /* of one queue, whatever its limit: others have packets, too */
#define ROUTER_QUEUE_DEFAULT_NS UINT64_C(100000000)
#define ROUTER_NEVER UINT64_MAX

enum router_aqm { ROUTER_DROP_TAIL, ROUTER_CODEL, ROUTER_RED };

struct router_queue_config {
    uint64_t rate;     /* bits a second; 0: as fast as packets are taken */
    uint64_t limit_ns; /* what may wait, by the time it takes to send; 0: ROUTER_QUEUE_DEFAULT_NS */
    uint32_t packets;  /* ... or by number, if not 0 */
    enum router_aqm aqm;
    bool ecn;
};

struct router_queue_counters {
    uint64_t packets, bytes;  /* that have left */
    uint64_t overflowed;      /* the limit had no room */
    uint64_t dropped, marked; /* by the AQM */
    uint64_t delay_ns_most;   /* that one has waited */
};

struct router_codel {
    uint64_t first_above_ns, drop_next_ns; /* 0: the delay is below the target */
    uint32_t count, last_count;
    bool dropping;
};

struct router_red {
    double average;   /* bytes */
    int64_t since;    /* packets since the last mark */
    uint64_t idle_ns; /* when it became empty; 0: it is not */
};

struct router_queue {
    struct router_queue_config config;
    struct router_packet *first, *last;
    uint32_t count;
    uint64_t bytes;
    uint64_t line_free_ns;
    struct router_codel codel;
    struct router_red red;
    struct router_queue_counters counters;
};

/* Takes the packet: it waits, or is dropped. */
void router_queue_put(struct router_queue *queue, struct router_packets *packets, struct random *random,
                      uint64_t now_ns, struct router_packet *packet);

/* The next packet whose turn on the line has come by now, which is the caller's then; NULL: none. */
struct router_packet *router_queue_take(struct router_queue *queue, struct router_packets *packets,
                                        uint64_t now_ns);

/* When the next packet's turn comes; ROUTER_NEVER: none waits. */
uint64_t router_queue_next(const struct router_queue *queue);

/* Sets Congestion Experienced in a packet of either family. False: its transport is not capable of ECN. */
bool router_mark_congestion(uint8_t *ip);

#endif
