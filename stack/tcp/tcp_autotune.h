/* SPDX-License-Identifier: MIT */
/*
 * tcp_autotune.h - how large a connection's buffers are, when the program did not say (SO_RCVBUF, SO_SNDBUF).
 *
 * The receive buffer follows what the program reads in a round trip, so that the window is never what limits
 * the sender (Linux's dynamic right-sizing); the send buffer follows the congestion window. Both stay within
 * tcp_rmem and tcp_wmem.
 */
#ifndef STACK_TCP_TCP_AUTOTUNE_H
#define STACK_TCP_TCP_AUTOTUNE_H

#include <stdbool.h>
#include <stdint.h>

struct socket;
struct stack;
struct tcp;

struct tcp_tuning {
    bool receive_fixed; /* the program has said */
    uint32_t offered;   /* of the window: it opens as data comes (Linux's rcv_ssthresh) */
    uint64_t rtt_ns;    /* as the receiver sees it; 0: not known yet */
    uint32_t space;     /* the most that the program read in a round trip */
};

/* What is measured while data comes. */
struct tcp_reading {
    uint64_t rtt_started_ns; /* without timestamps: when a window was opened */
    uint32_t rtt_end;        /* ... and its edge */
    uint32_t echo;           /* the last timestamp echo that was measured */
    uint64_t started_ns;     /* since when the program's reading is measured */
    uint32_t start;          /* ... and from which sequence number on */
};

/* Takes the sizes that a socket says, or those it has by default; again when it is accepted. */
void tcp_tuning_begin(struct tcp *tcp, const struct socket *socket);

/* The handshake is complete. */
void tcp_tuning_established(struct stack *stack, struct tcp *tcp);

/* The connection goes on after a rest: what is measured begins here. */
void tcp_tuning_resume(const struct stack *stack, struct tcp *tcp);

/* Data of `length` bytes has arrived in its turn; `echo` is its timestamp echo, when has_echo. */
void tcp_tuning_received(struct stack *stack, struct tcp *tcp, uint32_t length, bool has_echo, uint32_t echo);

/* Data of `length` bytes came out of its turn, and is held. */
void tcp_tuning_held(struct stack *stack, struct tcp *tcp, uint32_t length);

/* The program has read. */
void tcp_tuning_read(struct stack *stack, struct tcp *tcp);

/* The congestion window may have grown. */
void tcp_tuning_send(struct stack *stack, struct tcp *tcp);

#endif
