/* SPDX-License-Identifier: MIT */
/*
 * tcp_rtt.h - round-trip time and retransmission timeout (RFC 6298), with Linux's bounds.
 */
#ifndef STACK_TCP_TCP_RTT_H
#define STACK_TCP_TCP_RTT_H

#include "stack/tcp/tcp.h"

/* Takes a measurement: section 2. RTO = SRTT + max(4 RTTVAR, 200 ms), as Linux has it. */
void tcp_rtt_sample(struct tcp_rtt *rtt, uint64_t measured_ns);

/* A timeout: section 5.5. */
void tcp_rtt_backoff(struct tcp_rtt *rtt);

/* Progress after timeouts: the RTO is what was measured again. */
void tcp_rtt_restore(struct tcp_rtt *rtt);

#endif
