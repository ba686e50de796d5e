/*
 * tcp_reno.h - congestion control: slow start, congestion avoidance, fast recovery (RFC 5681, RFC 6582
 * NewReno).
 *
 * Works on byte counts only; what is to be sent again is the caller's to send.
 */
#ifndef STACK_TCP_RENO_H
#define STACK_TCP_RENO_H

#include "tcp.h"

/* iss: RFC 6582 begins with recover there, so that the first duplicates count. */
void tcp_reno_init(struct tcp_congestion *congestion, uint32_t mss, uint32_t iss);

/* New data was acknowledged outside recovery. Slow start counts every byte (RFC 3465 without its limit, as
 * Linux). */
void tcp_reno_acknowledged(struct tcp_congestion *congestion, uint32_t bytes, uint32_t mss);

/* The third duplicate acknowledgment: enters recovery until snd_max at this time is acknowledged. */
void tcp_reno_enter_recovery(struct tcp_congestion *congestion, uint32_t in_flight, uint32_t snd_max,
                             uint32_t mss);

/* A further duplicate: a segment has left the network. */
void tcp_reno_inflate(struct tcp_congestion *congestion, uint32_t mss);

/* New data was acknowledged in recovery, up to snd_una. Returns whether recovery goes on (a partial
 * acknowledgment: the first unacknowledged segment is to be sent again). */
bool tcp_reno_partial(struct tcp_congestion *congestion, uint32_t snd_una, uint32_t bytes, uint32_t in_flight,
                      uint32_t mss);

/* A retransmission timeout; `first` of a row of them. */
void tcp_reno_timeout(struct tcp_congestion *congestion, uint32_t in_flight, uint32_t mss, bool first);

#endif
