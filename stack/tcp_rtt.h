/*
 * tcp_rtt.h - round-trip time and retransmission timeout (RFC 6298), with Linux's bounds.
 */
#ifndef STACK_TCP_RTT_H
#define STACK_TCP_RTT_H

#include "tcp.h"

/* Takes a measurement: section 2. RTO = SRTT + max(4 RTTVAR, 200 ms), as Linux has it. */
void tcp_rtt_sample(struct tcp_rtt *rtt, uint64_t measured_ns);

/* Begins to time the segment that ends before sequence number `end`, unless one is being timed. */
void tcp_rtt_start(struct tcp_rtt *rtt, uint32_t end, uint64_t now_ns);

/* An acknowledgment of everything before `acknowledged` arrived. */
void tcp_rtt_acknowledged(struct tcp_rtt *rtt, uint32_t acknowledged, uint64_t now_ns);

/* Something was retransmitted: what is being timed is ambiguous now (Karn). */
void tcp_rtt_retransmitted(struct tcp_rtt *rtt);

/* A timeout: section 5.5. */
void tcp_rtt_backoff(struct tcp_rtt *rtt);

/* Progress after timeouts: the RTO is what was measured again. */
void tcp_rtt_restore(struct tcp_rtt *rtt);

#endif
