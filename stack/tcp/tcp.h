/* SPDX-License-Identifier: MIT */
/*
 * tcp.h - a TCP connection (RFC 9293), and what the files tcp_*.c share.
 *
 * Theory of operation. A struct tcp is the RFC's transmission control block; the state names are Linux's,
 * from <netinet/tcp.h>. Segments come in through tcp_input, are checked in the order of RFC 9293
 * section 3.10.7, and change the block; what is to be sent is never sent from within, but asked for by
 * tcp_want_output, so that a batch of segments is answered once. (Duplicate acknowledgments are the
 * exception: each one counts.) tcp_output decides what may leave: MSS, Nagle, congestion window, peer's
 * window, in one place for new data and retransmissions.
 *
 * A block belongs to a socket, or waits in a listener's queues, or is an orphan whose program has closed it
 * and that ends by itself; in TIME_WAIT an orphan is no block any more (tcp_time_wait.h). Each block has a bound on what it holds in either direction.
 *
 * Invariants: snd_una <= snd_nxt; what is between them is recorded in `sent`; the send queue's first byte has
 * number snd_una, but for a lone SYN that is not acknowledged (snd_una == iss). With Fast Open, data may be
 * in flight beside the SYN, and snd_una is beyond it before it is acknowledged; the receive queue's last byte
 * has number rcv_nxt - 1 (less one after a FIN); rcv_nxt <= rcv_adv.
 */
#ifndef STACK_TCP_TCP_H
#define STACK_TCP_TCP_H

#include "stack/ip/ip.h"
#include "stack/ip/port.h"
#include "stack/socket.h"
#include "stack/tcp/tcp_ack.h"
#include "stack/tcp/tcp_active.h"
#include "stack/tcp/tcp_alarm.h"
#include "stack/tcp/tcp_autotune.h"
#include "stack/tcp/tcp_congestion.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_fastopen.h"
#include "stack/tcp/tcp_info.h"
#include "stack/tcp/tcp_md5.h"
#include "stack/tcp/tcp_pacing.h"
#include "stack/tcp/tcp_rate.h"
#include "stack/tcp/tcp_recovery.h"
#include "stack/tcp/tcp_repair.h"
#include "stack/tcp/tcp_rtx.h"
#include "stack/tcp/tcp_segment.h"
#include "stack/tcp/tcp_timestamp.h"
#include "stack/tcp/tcp_urgent.h"
#include "stack/tcp/tcp_write_mark.h"
#include <netinet/tcp.h>

#define TCP_BUCKETS 524288u /* a table that is mostly never touched */
#define TCP_LISTEN_BUCKETS 1024u
#define TCP_TIME_WAIT_BUCKETS 65536u
#define TCP_WINDOW_SCALE_MAX 14u /* RFC 7323 section 2.3 */
#define TCP_MSS_DEFAULT6 1220u   /* by IPv6: the least that links carry, less headers */
#define TCP_INITIAL_SEGMENTS 10u /* RFC 6928 */
#define TCP_RTO_INITIAL_NS UINT64_C(1000000000)
#define TCP_SYN_AGAIN_NS UINT64_C(2000000) /* Linux's TCP_TIMEOUT_MIN */
#define TCP_RTO_MIN_NS UINT64_C(200000000) /* Linux's TCP_RTO_MIN */
#define TCP_RTO_MAX_NS UINT64_C(120000000000)
#define TCP_TIME_WAIT_NS UINT64_C(60000000000)
#define TCP_CHALLENGES_UNLIMITED \
    INT32_MAX                       /* of tcp_challenge_ack_limit: the limit for each connection is enough */
#define TCP_ORPHAN_RETRIES 8u       /* when tcp_orphan_retries is 0 */
#define TCP_OUT_OF_ORDER_MIN 512u   /* blocks that a connection may hold, if they fit */
#define TCP_OUT_OF_ORDER_MAX 16384u /* ... with the largest */

/* Options of a connection that a listener hands on. */
struct tcp_options {
    uint64_t max_pacing_rate; /* SO_MAX_PACING_RATE, bytes a second; TCP_PACING_NONE: none */
    uint32_t keepalive_idle_s, keepalive_interval_s;
    uint32_t user_timeout_ms;
    uint32_t window_clamp;     /* TCP_WINDOW_CLAMP; 0: none */
    uint32_t notsent_lowat;    /* TCP_NOTSENT_LOWAT; 0: as the sysctl says */
    uint32_t fastopen_backlog; /* TCP_FASTOPEN */
    uint16_t mss_limit;        /* TCP_MAXSEG; 0: none */
    int16_t linger2;           /* TCP_LINGER2, s; 0: as the sysctl says; -1: not at all */
    uint8_t keepalive_probes;
    uint8_t syn_retries;              /* TCP_SYNCNT */
    uint8_t ttl, tos;                 /* by IPv4 */
    uint8_t hop_limit, traffic_class; /* by IPv6; hop limit 0: the network's */
    uint8_t min_hop_limit;            /* IPV6_MINHOPCOUNT: what min_ttl is to IPv4 */
    uint8_t congestion;               /* enum tcp_algorithm */
    uint8_t defer_accept;             /* TCP_DEFER_ACCEPT, in retransmissions of a SYN-ACK */
    uint8_t min_ttl;                  /* IP_MINTTL: what comes with less has not come from near */
    bool nodelay : 1, cork : 1, keepalive : 1, fastopen_no_cookie : 1, fastopen_connect : 1;
};

/* RFC 6298. */
struct tcp_rtt {
    uint64_t srtt_ns, rttvar_ns; /* srtt 0: no sample yet */
    uint64_t min_ns, rto_ns;
};

/* RFC 1191 and 4821. */
struct tcp_path {
    uint16_t mss_peer;     /* what the peer takes and our link carries; 0: not known yet */
    uint16_t mss_full;     /* ... and routers have not forbidden */
    uint16_t generation;   /* of what is known of paths: ip_paths.generation */
    bool may_fragment;     /* routers may cut our packets: see ip_path.locked */
    bool mss_reduced;      /* the MSS is less than mss_full, on suspicion */
    uint64_t probe_due_ns; /* not before this */
};

struct tcp {
    struct hash_link tuple_link; /* by addresses and ports; in no chain for a listener */
    struct tcp_active *active;   /* its own, or the stack's: see tcp_active.h */
    struct socket *socket;       /* NULL: an orphan, or in a listener's queue */
    struct list output_link;     /* in stack->output or stack->corked, or in no list */

    struct ip_address remote_address;
    uint16_t remote_port;
    uint16_t mss; /* payload of the largest segment we may send */
    uint8_t state;
    uint8_t snd_scale, rcv_scale;
    uint8_t ecn; /* enum tcp_ecn_flag */
    struct tcp_ecn_told ecn_told;
    uint8_t fastopen;                         /* enum tcp_fastopen_flag */
    uint8_t timer_mode;                       /* enum tcp_timer_mode: what TCP_ALARM_RETRANSMIT is for */
    uint8_t retransmits;                      /* timeouts without progress */
    uint8_t probes;                           /* zero-window or keepalive probes without an answer */
    bool scaling, sack_permitted, timestamps; /* both sides have them */
    bool corked;                              /* output_link is in stack->corked */
    bool orphan;                              /* its program has closed it; counted in stack->orphan_count */
    bool in_accept_queue;                     /* it is in the listener's accept queue */
    bool
        handshake_acknowledged; /* SYN_RECV: the handshake is complete, but TCP_DEFER_ACCEPT waits for data */
    bool fastopen_experimental; /* our SYN had the old option */
    bool fin_queued : 1;        /* the program has finished sending */
    bool fin_received : 1;
    bool more; /* the last write said MSG_MORE */
    bool ack_now;
    bool has_duplicate;
    uint8_t verdict;     /* enum tcp_verdict: what a repair has found */
    int16_t soft_error;  /* what an ICMP error said; 0: none since the last acknowledgment */
    int16_t final_error; /* it has ended, with this, before it was accepted */
    uint16_t flow;       /* of which the flow label is made, by IPv6; 0: there is none */

    /* Sending. */
    uint32_t iss, snd_una, snd_nxt;
    uint32_t snd_wnd, snd_wl1, snd_wl2, snd_wnd_largest;
    uint32_t timestamp_offset;
    struct byte_queue send;
    struct tcp_congestion congestion;
    struct tcp_rtt rtt;
    uint64_t last_sent_ns; /* data */

    /* Receiving. */
    uint32_t irs, rcv_nxt, rcv_adv;
    uint32_t receive_window; /* bytes that may wait to be read: half of SO_RCVBUF */
    struct byte_queue receive;
    uint64_t last_received_ns;
    uint32_t last_ack_sent;
    uint32_t timestamp_recent;
    struct tcp_sack_block duplicate; /* what came twice, to be told with the next acknowledgment */
    uint64_t timestamp_recent_ns;
    struct tcp_ack ack;
    struct tcp_tuning tuning;

    struct tcp_alarms alarms;
    struct tcp_path path;
    struct tcp_reordering reordering;
    struct tcp_urgent urgent;
    struct binding binding; /* local address and port */
    struct tcp_options options;
    struct tcp_history history;

    struct list queue_link;                /* in a listener's queue, or in none */
    struct socket *listener;               /* ... which is this one's */
    struct tcp *fastopen_listener;         /* whose count a pending child is in */
    struct tcp_fastopen_key *fastopen_key; /* a listener's, or NULL */
    struct tcp_md5_key *md5_keys;          /* the first, or NULL */
    uint32_t fastopen_count;               /* a listener's: pending children */
    uint16_t ip_identification;            /* of its next packet */
    uint16_t last_port;                    /* that it had, for who asks; 0: it has never lost one */
};

struct tcp_table {
    struct hash_link *by_tuple[TCP_BUCKETS];
    struct hash_link *listeners[TCP_LISTEN_BUCKETS];     /* of struct tcp, by tuple_link */
    struct hash_link *time_waits[TCP_TIME_WAIT_BUCKETS]; /* of struct tcp_time_wait */
};

/* tcp.c: blocks and where they are found. */
struct tcp *tcp_create(struct stack *stack);
void tcp_destroy(struct stack *stack, struct tcp *tcp);
/* Makes the closed block of a socket as new, but for its options and a port that bind(2) chose. */
void tcp_renew(struct stack *stack, struct tcp *tcp);
void tcp_enter(struct stack *stack, struct tcp *tcp); /* into the table, all four of the tuple known */
void tcp_enter_listener(struct stack *stack, struct tcp *tcp);
struct tcp *tcp_lookup(struct stack *stack, struct ip_address local, uint16_t local_port,
                       struct ip_address remote, uint16_t remote_port);
struct hash_link **tcp_time_wait_bucket(struct stack *stack, struct ip_address local, uint16_t local_port,
                                        struct ip_address remote, uint16_t remote_port);
/* Of listeners that share the port, who comes from one place gets one and the same, or the one that a program
 * chooses by the view, if there is one. */
struct tcp *tcp_lookup_listener(struct stack *stack, struct ip_address local, uint16_t local_port,
                                struct ip_address remote, uint16_t remote_port, struct filter_view *view);
void tcp_set_orphan(struct stack *stack, struct tcp *tcp, bool orphan);
void tcp_set_state(struct stack *stack, struct tcp *tcp, uint8_t state);
/* Ends a connection, with an error for its socket (a positive errno, or 0); an orphan is destroyed. */
void tcp_end(struct stack *stack, struct tcp *tcp, int error);
/* Whether the connection is over for its socket, which is closed to Linux: TIME_WAIT is none of a socket's. */
static inline bool tcp_is_over(const struct tcp *tcp) {
    return tcp->state == TCP_CLOSE || tcp->state == TCP_TIME_WAIT;
}
/* Whether it is in TIME_WAIT and nobody's, and so is to become compact: see tcp_time_wait.h. */
static inline bool tcp_may_settle(const struct tcp *tcp) {
    return tcp->state == TCP_TIME_WAIT && !tcp->socket && !tcp->listener;
}
/* Whether our SYN is not acknowledged. */
bool tcp_is_opening(const struct tcp *tcp);
bool tcp_is_lone_syn(const struct tcp *tcp); /* ... and there is nothing in flight beside it */
void tcp_want_output(struct stack *stack, struct tcp *tcp);
void tcp_want_ack(struct stack *stack, struct tcp *tcp);

#endif
