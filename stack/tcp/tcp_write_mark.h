/* SPDX-License-Identifier: MIT */
/*
 * tcp_write_mark.h - places in what a program writes to which something is tied: the end of a record
 * (MSG_EOR), of a write whose memory it wants back (MSG_ZEROCOPY), or of one whose way it wants to know
 * (SO_TIMESTAMPING).
 *
 * A mark lies behind a write's last byte. What is told of one goes to the socket's queue of errors
 * (MSG_ERRQUEUE), as in Linux.
 */
#ifndef STACK_TCP_TCP_WRITE_MARK_H
#define STACK_TCP_TCP_WRITE_MARK_H

#include "stack/memory/list.h"
#include <stdbool.h>
#include <stdint.h>

#define TCP_WRITE_MARKS_MAX 1024u /* of a connection; more are not made */

struct socket;
struct stack;
struct tcp;

enum tcp_write_mark_kind {
    TCP_WRITE_MARK_RECORD = 1,   /* no segment goes across it */
    TCP_WRITE_MARK_ZEROCOPY = 2, /* tells when all before it is acknowledged */
    /* Tell times: when it was queued for the network, when it left, when it was acknowledged. */
    TCP_WRITE_MARK_QUEUED = 4,
    TCP_WRITE_MARK_SENT = 8,
    TCP_WRITE_MARK_ACKNOWLEDGED = 16,
};

struct tcp_write_mark {
    struct list link; /* in tcp->marks, by sequence */
    uint32_t sequence;
    uint32_t id;  /* of MSG_ZEROCOPY */
    uint32_t key; /* of SO_TIMESTAMPING */
    uint8_t kind; /* enum tcp_write_mark_kind, any of them */
    bool sent;
};

/* A write with these flags (MSG_*) and stamps (SOF_TIMESTAMPING_*) has been queued. */
void tcp_write_mark_write(struct stack *stack, struct tcp *tcp, int flags, uint32_t stamps);

/* How much of [sequence, sequence + length) one segment may have. */
uint32_t tcp_write_mark_cut(const struct tcp *tcp, uint32_t sequence, uint32_t length);

/* snd_nxt has moved; snd_una has. */
void tcp_write_mark_sent(struct stack *stack, struct tcp *tcp);
void tcp_write_mark_acknowledged(struct stack *stack, struct tcp *tcp);

/* The connection is at its end: memory is given back. */
void tcp_write_mark_purge(struct stack *stack, struct tcp *tcp);

#endif
