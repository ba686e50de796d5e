/* SPDX-License-Identifier: MIT */
/*
 * tcp_model.h - congestion control by a model of the path: algorithms that set the window and the rate with every
 * acknowledgment, whatever the state of recovery (Linux's cong_control), and what they share.
 */
#ifndef STACK_TCP_TCP_MODEL_H
#define STACK_TCP_TCP_MODEL_H

#include "stack/tcp/tcp_bbr.h"
#include "stack/tcp/tcp_bbr3.h"
#include "stack/tcp/tcp_congestion.h"

struct stack;
struct tcp;
struct tcp_delivery;
struct tcp_rtx;

/* Of a connection, in stack->models. */
struct tcp_model {
    uint64_t pacing_rate; /* bytes a second */
    union {
        struct tcp_bbr bbr;
        struct tcp_bbr3 bbr3;
    };
};

/* What TCP_CC_INFO tells: Linux's struct tcp_bbr_info. */
struct tcp_bbr_information {
    uint32_t bw_low, bw_high; /* bytes a second */
    uint32_t min_rtt_us;
    uint32_t pacing_gain, cwnd_gain; /* of 256 */
};

struct tcp_model_operations {
    /* In a new struct tcp_model: begins; the connection may be open for long already. */
    void (*begin)(struct stack *stack, struct tcp *tcp);

    /* An acknowledgment has been taken, and losses have been judged by it: sets the window and the rate. */
    void (*acknowledged)(struct stack *stack, struct tcp *tcp, const struct tcp_delivery *delivery);

    /* A segment is taken for lost; rate.lost counts it. */
    void (*lost)(struct tcp *tcp, const struct tcp_rtx *sent);

    /* A recovery begins, by acknowledgments or by a timeout; it was needless. */
    void (*recovery)(struct stack *stack, struct tcp *tcp, bool timeout);
    void (*undo)(struct stack *stack, struct tcp *tcp);

    /* Something was lost, or marked, nobody knows what. */
    void (*congested)(struct tcp *tcp);

    /* Something is about to be sent while nothing is in flight. */
    void (*restart)(struct stack *stack, struct tcp *tcp);

    void (*info)(const struct tcp *tcp, struct tcp_bbr_information *told);
};

/* The operations of a connection's algorithm; NULL: it has no model. */
const struct tcp_model_operations *tcp_model(const struct tcp *tcp);

/* Those of an algorithm. */
const struct tcp_model_operations *tcp_model_of(enum tcp_algorithm algorithm);

#endif
