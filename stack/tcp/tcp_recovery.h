/* SPDX-License-Identifier: MIT */
/*
 * tcp_recovery.h - what an acknowledgment means for what is in flight: recovery from loss with SACK and
 * RACK-TLP (RFC 6675, 8985), without them (RFC 6582); the rate of it (PRR, RFC 6937); timeouts; and taking
 * back what was needless (RFC 4015, 2883).
 */
#ifndef STACK_TCP_TCP_RECOVERY_H
#define STACK_TCP_TCP_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

struct stack;
struct tcp;
struct tcp_delivery;

enum tcp_recovery_state {
    TCP_OPEN,     /* nothing is known to be lost; TCP_CA_Open, and Disorder */
    TCP_REDUCING, /* ... but a router has marked packets; TCP_CA_CWR */
    TCP_RECOVERY, /* ... something is, and the peer's acknowledgments said so; TCP_CA_Recovery */
    TCP_LOSS,     /* ... a timeout did; TCP_CA_Loss */
};

/* What the retransmission timer is for. */
enum tcp_timer_mode {
    TCP_TIMER_RTO,
    TCP_TIMER_PROBE,   /* tail loss probe: RFC 8985 section 7 */
    TCP_TIMER_REORDER, /* what may be late, or lost: section 6.2 */
    TCP_TIMER_PERSIST, /* the peer's window is closed */
};

struct tcp_recovery {
    uint8_t state;    /* enum tcp_recovery_state */
    uint32_t recover; /* snd_nxt when it began: its end */
    /* PRR. */
    uint32_t delivered, sent; /* bytes, since it began */
    uint32_t flight;          /* ... when it began */
    /* What can be taken back. */
    bool can_undo;
    uint32_t prior_cwnd, prior_ssthresh;
    uint32_t resend_time;   /* by the timestamp clock: of the first that was sent again; 0: none was */
    int32_t resends_unseen; /* sent again, and not yet said to have come twice */
    /* F-RTO (RFC 5682): after a timeout, whether what arrives was sent before it. */
    bool suspicious; /* nothing has told yet */
    bool new_first;  /* new data goes before what is lost: its acknowledgments will tell */
    /* Tail loss probe. */
    bool probing, probe_was_resend;
    uint32_t probe_end;
};

/* An acknowledgment has been taken: `acked` bytes of it new (0: none); `delivery` what else it told. */
void tcp_recovery_acknowledged(struct stack *stack, struct tcp *tcp, uint32_t acked,
                               const struct tcp_delivery *delivery);

/* A duplicate acknowledgment of a peer without SACK. */
void tcp_recovery_duplicate(struct tcp *tcp, struct tcp_delivery *delivery);

/* The peer says that packets of ours were marked (ECN). */
void tcp_recovery_marked(struct stack *stack, struct tcp *tcp);

/* The retransmission timer has expired. */
void tcp_recovery_timeout(struct stack *stack, struct tcp *tcp);
void tcp_recovery_reorder_timeout(struct stack *stack, struct tcp *tcp);
void tcp_recovery_probe_timeout(struct stack *stack, struct tcp *tcp);

/* Whether, and how long after now, a tail loss probe is due; 0: not. */
uint64_t tcp_recovery_probe_ns(const struct stack *stack, const struct tcp *tcp);

/* Data was sent, first time or again. */
void tcp_recovery_sent(struct stack *stack, struct tcp *tcp, uint32_t bytes, bool again);

#endif
