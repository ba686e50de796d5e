/* SPDX-License-Identifier: MIT */
/*
 * tcp_info.h - what a connection did and does, for those who ask: TCP_INFO (tcp(7)), in the layout of Linux's
 * <linux/tcp.h> with all that was ever added to its end.
 */
#ifndef STACK_TCP_TCP_INFO_H
#define STACK_TCP_TCP_INFO_H

#include "stack/ip/ip_address.h"
#include <stdbool.h>
#include <stdint.h>

struct stack;
struct tcp;

/* What keeps a connection from sending. */
enum tcp_limit {
    TCP_LIMIT_IDLE,   /* nothing to send, and nothing in flight */
    TCP_LIMIT_BUSY,   /* the network: what is in flight */
    TCP_LIMIT_WINDOW, /* the peer's window */
    TCP_LIMIT_BUFFER, /* our send buffer: the program would write more */
    TCP_LIMITS,
};

/* What a connection did. */
struct tcp_history {
    uint64_t opened_ns, established_ns;
    uint64_t bytes_sent, bytes_received, bytes_acked;
    uint64_t limit_since_ns, limited_ns[TCP_LIMITS - 1]; /* ... by what, but for TCP_LIMIT_IDLE */
    uint64_t last_ack_received_ns;
    uint32_t bytes_retransmitted;
    uint32_t segments_sent, segments_received;
    uint32_t data_segments_sent, data_segments_received;
    uint16_t largest_sent, largest_received, smallest_received;
    uint32_t retransmitted;
    uint32_t delivered, delivered_ce; /* segments that the peer has */
    uint32_t received_ce;
    uint32_t duplicates;         /* that the peer told of (DSACK) */
    uint32_t reorderings;        /* seen */
    uint32_t out_of_order;       /* received */
    struct ip_address icmp_from; /* who has told of the error that ended it: a router, the peer, or this
                           stack, which found no neighbour; "::": nobody has */
    uint16_t timeouts;
    uint16_t failed; /* the errno with which it ended before it was established; 0: it did not */
    uint8_t limit;   /* enum tcp_limit */
};

/* Linux's struct tcp_info. */
struct tcp_information {
    uint8_t state, ca_state, retransmits, probes, backoff, options;
    uint8_t snd_wscale : 4, rcv_wscale : 4;
    uint8_t delivery_rate_app_limited : 1, fastopen_client_fail : 2;
    uint32_t rto, ato, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
    uint16_t total_rto, total_rto_recoveries;
    uint32_t total_rto_time;
    uint32_t received_ce;
    uint32_t delivered_e1_bytes, delivered_e0_bytes, delivered_ce_bytes;
    uint32_t received_e1_bytes, received_e0_bytes, received_ce_bytes;
    uint32_t accurate_ecn;
};

/* Notes what limits the connection now. */
void tcp_info_note(const struct stack *stack, struct tcp *tcp);

void tcp_info_get(struct stack *stack, struct tcp *tcp, struct tcp_information *info);

#endif
