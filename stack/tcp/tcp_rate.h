/* SPDX-License-Identifier: MIT */
/*
 * tcp_rate.h - how fast data arrives at the peer (draft-cheng-iccrg-delivery-rate-estimation; Linux's
 * tcp_rate.c).
 *
 * Each segment remembers, when it is sent, how much had been delivered by then. When it is acknowledged, what
 * was delivered since, over the longer of the time in which that was sent and the time in which it was
 * acknowledged, is a sample of the path's rate: too low when the sender had nothing more to send, never too
 * high.
 */
#ifndef STACK_TCP_TCP_RATE_H
#define STACK_TCP_TCP_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct stack;
struct tcp;
struct tcp_delivery;
struct tcp_rtx;

/* Of a connection. Counts of bytes wrap: only their differences mean something. */
struct tcp_rate {
    uint64_t delivered_ns;    /* when `delivered` last grew */
    uint64_t first_sent_ns;   /* of the segment that the next sample's time of sending begins with */
    uint32_t delivered, lost; /* bytes */
    uint32_t app_limited;     /* samples are the program's rate until so much is delivered; 0: they are not */
    uint32_t latest_bytes, latest_us; /* the last sample that counts, for TCP_INFO */
    bool latest_limited;
};

/* Of a segment in flight, as it was when it left. */
struct tcp_rate_mark {
    uint32_t delivered, lost;
    uint32_t in_flight;    /* with it */
    uint32_t sending_us;   /* since first_sent_ns */
    uint32_t delivered_us; /* since delivered_ns */
};

/* What an acknowledgment says. */
struct tcp_rate_sample {
    bool any; /* there is one */
    bool app_limited;
    uint32_t prior_delivered, prior_lost;
    uint32_t in_flight; /* when the segment left of which this comes */
    uint32_t sending_us;
    uint64_t prior_ns;    /* when prior_delivered was reached */
    uint32_t delivered;   /* bytes, over ... */
    uint32_t interval_us; /* ... so long; 0: it does not say a rate */
    uint32_t lost;        /* bytes since the segment left */
};

void tcp_rate_sent(const struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent);

/* A segment has arrived; `bytes` of one have. */
void tcp_rate_delivered(const struct stack *stack, struct tcp *tcp, const struct tcp_rtx *sent,
                        struct tcp_rate_sample *sample);
void tcp_rate_delivered_part(const struct stack *stack, struct tcp *tcp, uint32_t bytes);

/* The acknowledgment has been read: completes its sample. */
void tcp_rate_sampled(const struct stack *stack, struct tcp *tcp, struct tcp_rate_sample *sample);

/* It is not the path that limits what is sent: the samples of what is in flight do not say its rate. */
void tcp_rate_limit(struct tcp *tcp);

/* The program is about to write. If all that it wrote before has left, and more might have, the samples of
 * what is in flight say how fast it writes. */
void tcp_rate_check_program(struct tcp *tcp);

/* Bytes a second; 0: none. */
uint64_t tcp_rate_of(uint32_t bytes, uint32_t interval_us);

#endif
