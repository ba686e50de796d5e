/* SPDX-License-Identifier: MIT */
/*
 * tcp_output.h - segments that leave, and what a program may write.
 */
#ifndef STACK_TCP_TCP_OUTPUT_H
#define STACK_TCP_TCP_OUTPUT_H

#include "stack/tcp/tcp.h"

void tcp_output(struct stack *stack, struct tcp *tcp);
void tcp_output_uncorked(struct stack *stack,
                         struct tcp *tcp); /* whatever holds it back: TCP_NODELAY has been set */
void tcp_send_ack(struct stack *stack, struct tcp *tcp);
void tcp_send_probe(struct stack *stack,
                    struct tcp *tcp); /* an old sequence number, to be answered with an ACK */
void tcp_send_reset(struct stack *stack, struct tcp *tcp);
/* Sends a segment of a connection, and accounts for the acknowledgment in it. False: no room, nothing
 * happened. */
bool tcp_transmit(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                  struct byte_cursor payload);
void tcp_reply_reset(struct stack *stack, const struct ip_packet *packet, const struct tcp_segment *segment);
void tcp_reply_reset_to(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment);
/* Sends one segment of new data as far as the peer's window has room, whatever the congestion window, Nagle
 * and silly window avoidance say: a tail loss probe, or the persist timer's way out. False: there is no room,
 * or nothing to send. */
bool tcp_send_beyond(struct stack *stack, struct tcp *tcp);
/* Moves snd_nxt past what is sent for the first time, at this place of the send queue. */
void tcp_advance_next(struct tcp *tcp, struct byte_cursor place, uint32_t length, bool fin);
/* Sends what was sent last again. */
void tcp_resend_last(struct stack *stack, struct tcp *tcp);
/* Chooses the flow by which IPv6's routers know a connection, another than the one before: when it begins,
 * and when it times out, in case the way of the one before is broken. */
void tcp_choose_flow(struct stack *stack, struct tcp *tcp);
uint32_t tcp_send_end(const struct tcp *tcp); /* the number after the last byte of the send queue */
uint32_t tcp_unsent(const struct tcp *tcp);   /* bytes that have not left yet */
bool tcp_writable(struct stack *stack, const struct tcp *tcp); /* poll(2)'s POLLOUT */
/* Queues a write with these flags (MSG_*), of whose way these stamps (SOF_TIMESTAMPING_*) are to be told. Returns how
 * much there was room for, -EAGAIN or -ENOBUFS. */
ssize_t tcp_send(struct stack *stack, struct tcp *tcp, const struct iovec *from, int count, int flags,
                 uint32_t stamps);

/* How much may be queued before the limits are looked at again; 0: the send buffer is full. */
uint32_t tcp_send_room(struct stack *stack, const struct tcp *tcp);

/* The same as tcp_send in parts, for a caller who has copied them to buffers himself: begins (false: memory
 * is out); adds a chain that byte_queue_join takes, of at most tcp_send_room, which it `fills` or not, and of
 * which there is `more` to come at once, or not; and ends a write of which that was the `whole` rest, or for
 * which there is no more room. */
bool tcp_send_begin(struct stack *stack, struct tcp *tcp);
void tcp_send_part(struct stack *stack, struct tcp *tcp, struct buffer *chain, uint32_t length, bool fills,
                   bool more);
void tcp_send_written(struct stack *stack, struct tcp *tcp, int flags, uint32_t stamps, bool whole);

#endif
