/* SPDX-License-Identifier: MIT */
/*
 * tcp_ack.h - when to acknowledge (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2, RFC 8985 section 3): at
 * once, with the next data, or a little later.
 *
 * As Linux does it: the first segments of a connection, and those after a gap, are acknowledged one by one,
 * so that the sender's window grows ("quick" mode). Two full segments always are. A program that answers what
 * it reads ("ping-pong") has its acknowledgments wait for the answer, for as long as answers took of late.
 */
#ifndef STACK_TCP_TCP_ACK_H
#define STACK_TCP_TCP_ACK_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_ACK_QUICK_MAX 16u                    /* Linux's TCP_MAX_QUICKACKS */
#define TCP_ACK_DELAY_MAX_NS UINT64_C(200000000) /* TCP_DELACK_MAX */

struct stack;
struct tcp;

struct tcp_ack {
    uint64_t delay_ns;     /* how long an acknowledgment may wait; 0: no data has come yet */
    uint64_t last_data_ns; /* when data came last */
    uint16_t segment;      /* the length of a full one of the peer's, as far as we have seen */
    uint8_t quick;         /* so many more are sent at once */
    bool ping_pong;
    bool pushed;        /* a segment came that was not full: the peer waits */
    uint8_t duplicates; /* sent for segments out of order, since rcv_nxt moved */
    uint8_t compressed; /* ... and not sent, but for the timer */
};

/* The connection is open. */
void tcp_ack_begin(const struct stack *stack, struct tcp *tcp);

/* Data of `length` bytes came, in its turn; rcv_nxt is beyond it. */
void tcp_ack_received(struct stack *stack, struct tcp *tcp, uint32_t length);

/* A segment came out of its turn; `news`: it does not just lengthen the block that was told of last. */
void tcp_ack_out_of_order(struct stack *stack, struct tcp *tcp, bool news);

/* The next ones, `count` at most, go out at once: something was lost, or marked. */
void tcp_ack_quickly(struct tcp *tcp, uint8_t count);

/* A segment with an acknowledgment has left; it had data. */
void tcp_ack_sent(struct stack *stack, struct tcp *tcp, bool data);

/* The program has read. */
void tcp_ack_read(struct stack *stack, struct tcp *tcp);

/* The timer has expired. */
void tcp_ack_timeout(struct stack *stack, struct tcp *tcp);

/* TCP_QUICKACK. */
void tcp_ack_set_quick(struct stack *stack, struct tcp *tcp, int value);

#endif
