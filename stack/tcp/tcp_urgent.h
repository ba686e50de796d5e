/* SPDX-License-Identifier: MIT */
/*
 * tcp_urgent.h - urgent data (RFC 6093, RFC 9293 section 3.8.5) as Linux has it: the last byte of a write
 * with MSG_OOB is urgent. The receiver may read it out of band (MSG_OOB), or in its place (SO_OOBINLINE), and
 * can tell when it has come to that place (SIOCATMARK).
 */
#ifndef STACK_TCP_TCP_URGENT_H
#define STACK_TCP_TCP_URGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stack;
struct tcp;
struct tcp_segment;

enum tcp_urgent_state {
    TCP_URGENT_NONE,
    TCP_URGENT_COMING, /* announced */
    TCP_URGENT_HERE,
    TCP_URGENT_READ, /* out of band */
};

struct tcp_urgent {
    uint8_t state; /* enum tcp_urgent_state: of what is received */
    uint8_t byte;
    bool sending;
    uint32_t at;  /* the number of the peer's urgent byte */
    uint32_t end; /* the number after ours */
};

/* What a segment says of it; its text has been taken, or has not come yet. */
void tcp_urgent_received(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment);

/* The last byte that was written is urgent. */
void tcp_urgent_written(struct tcp *tcp);

/* Sets the flag and pointer of a segment that is to be sent. */
void tcp_urgent_put(struct tcp *tcp, struct tcp_segment *segment);

/* How far a read would get (SIOCINQ): not beyond urgent data that is apart. */
uint32_t tcp_urgent_distance(const struct tcp *tcp, bool in_line);

/* How many of the `length` bytes that wait a read may take at once; drops the urgent byte when that is next
 * and not to be read in its place. */
uint32_t tcp_urgent_readable(struct stack *stack, struct tcp *tcp, bool in_line);

/* recv(2) with MSG_OOB: 1 and the byte, or -EINVAL when there is none, or -EAGAIN when it is on its way. */
ssize_t tcp_urgent_read(struct tcp *tcp, bool in_line, bool peek, uint8_t *byte);

bool tcp_urgent_at_mark(const struct tcp *tcp);

#endif
