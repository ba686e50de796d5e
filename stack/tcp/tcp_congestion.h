/* SPDX-License-Identifier: MIT */
/*
 * tcp_congestion.h - how much may be in the network: a choice of algorithms, by Linux's names
 * (TCP_CONGESTION).
 *
 * An algorithm answers two questions: how the window grows when data is acknowledged, and what is left of it
 * after a loss. What is lost, and what happens during recovery, is tcp_recovery.c's. BBR is of
 * another kind: it sets the window and the rate by its model of the path (tcp_model.h).
 */
#ifndef STACK_TCP_TCP_CONGESTION_H
#define STACK_TCP_TCP_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

struct stack;
struct tcp;
struct tcp_model;
struct tcp_rtx;

#define TCP_CWND_MAX (UINT32_C(1) << 30)
#define TCP_CONGESTION_NAME_BYTES 16 /* TCP_CA_NAME_MAX */

enum tcp_algorithm {
    TCP_CUBIC, /* the default, as Linux's */
    TCP_RENO,
    TCP_BBR,   /* version 1, as Linux's */
    TCP_BBR3,  /* version 3 */
    TCP_DCTCP, /* tcp_dctcp.h */
    TCP_ALGORITHMS,
};

/* RFC 9438. */
struct tcp_cubic {
    uint64_t epoch_ns; /* when congestion avoidance began; 0: it has not */
    double origin;     /* segments */
    double k;          /* seconds until the curve is at the origin */
    double w_est;      /* what Reno would have */
    double gained;     /* a part of a segment */
};

/* RFC 9406: HyStart++ leaves slow start when round trips get longer, before something is lost. */
struct tcp_hystart {
    bool in_round;
    uint32_t round_end;
    uint64_t last_round_min_ns, round_min_ns, slow_min_ns;
    uint32_t samples, slow_rounds; /* of the round; rounds of conservative slow start, 0: not in it */
};

/* How the window grows: what begins anew after a rest. */
struct tcp_growth {
    struct tcp_cubic cubic;
    struct tcp_hystart hystart;
};

struct tcp_congestion {
    uint8_t algorithm;       /* enum tcp_algorithm */
    uint16_t alpha;          /* DCTCP's */
    uint32_t cwnd, ssthresh; /* bytes */
    uint32_t acked;          /* bytes counted towards the next increase, in Reno's congestion avoidance */
    float w_max;             /* CUBIC's, in segments: the window at the last loss */
    struct tcp_model *model; /* of stack->models; NULL: the algorithm has none */
};

/* What an algorithm may want to know of an acknowledgment. */
struct tcp_progress {
    uint32_t bytes; /* newly acknowledged */
    uint32_t mss;
    uint64_t now_ns, srtt_ns;
    uint64_t rtt_ns;   /* measured by this one; 0: not */
    uint32_t una, nxt; /* sequence numbers */
};

/* Begins a connection, or goes on with another algorithm when it has begun (cwnd > 0). When there is no
 * memory for a model it is CUBIC. */
void tcp_congestion_begin(struct stack *stack, struct tcp *tcp, enum tcp_algorithm algorithm);

/* The connection is at its end: memory is given back. */
void tcp_congestion_end(struct stack *stack, struct tcp *tcp);

/* What tcp_congestion_begin does of it that needs no memory. */
void tcp_congestion_init(struct tcp_congestion *congestion, enum tcp_algorithm algorithm, uint32_t mss);

/* Whether a model says how much may be in flight, rather than what is acknowledged and lost. */
static inline bool tcp_congestion_models(const struct tcp_congestion *congestion) {
    return congestion->model;
}

/* Data was acknowledged outside recovery, and the window was what limited the sender. */
void tcp_congestion_acknowledged(struct tcp_congestion *congestion, struct tcp_growth *growth,
                                 const struct tcp_progress *progress);

/* Something was lost with so much in flight, or `marked` by a router: what ssthresh is to be. */
uint32_t tcp_congestion_threshold(struct tcp_congestion *congestion, struct tcp_growth *growth,
                                  uint32_t in_flight, uint32_t mss, bool marked);

/* A segment is taken for lost. */
void tcp_congestion_lost(struct tcp *tcp, const struct tcp_rtx *sent);

const char *tcp_congestion_name(enum tcp_algorithm algorithm);

/* By its name, of `length` bytes at most. Returns the algorithm, or -1. */
int tcp_congestion_find(const char *name, uint32_t length);

#endif
