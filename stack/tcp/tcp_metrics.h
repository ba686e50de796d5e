/* SPDX-License-Identifier: MIT */
/*
 * tcp_metrics.h - what connections learn of a destination and leave to those that follow (RFC 9040), as
 * Linux's tcp_metrics: the round trip, how far it reorders, the slow start threshold, and what Fast Open
 * needs.
 *
 * Theory of operation. A connection that ends in an orderly way, its FIN acknowledged, saves what it has
 * measured: of the round trip a moving average that goes up at once and down slowly. The next one to the same
 * address begins its retransmission timeout with that, if the handshake was quicker: the path's queues may
 * have been empty then. The table is bounded: of the few entries of its hash that which was used longest ago
 * makes room. What is older than an hour counts no more, but for Fast Open's cookies.
 */
#ifndef STACK_TCP_TCP_METRICS_H
#define STACK_TCP_TCP_METRICS_H

#include "stack/ip/ip_address.h"
#include "stack/tcp/tcp_fastopen.h"

#define TCP_METRICS_SETS 256u
#define TCP_METRICS_WAYS 5u /* Linux's TCP_METRICS_RECLAIM_DEPTH */
#define TCP_METRICS_VALID_NS UINT64_C(3600000000000)

struct tcp_metrics {
    struct ip_address address;   /* of the destination; "::": there is no entry here */
    uint64_t used_ns;            /* last */
    uint64_t saved_ns;           /* ... of these */
    uint64_t srtt_ns, rttvar_ns; /* 0: not known */
    uint32_t ssthresh;           /* segments; 0: not known */
    uint16_t reordering;         /* segments; 0: not known */
    struct tcp_fastopen_peer fastopen;
};

struct tcp_metrics_table {
    struct tcp_metrics entries[TCP_METRICS_SETS][TCP_METRICS_WAYS];
};

/* The entry of a destination, or NULL; one that is made if there is none. */
struct tcp_metrics *tcp_metrics_find(struct stack *stack, struct ip_address address);
struct tcp_metrics *tcp_metrics_make(struct stack *stack, struct ip_address address);

/* The handshake is complete: begins with what is known. */
void tcp_metrics_begin(struct stack *stack, struct tcp *tcp);

/* The connection has ended in an orderly way (net.ipv4.tcp_no_metrics_save). */
void tcp_metrics_save(struct stack *stack, const struct tcp *tcp);

/* Forgets all: the stack has another address. */
void tcp_metrics_forget(struct stack *stack);

#endif
