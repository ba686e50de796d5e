/* SPDX-License-Identifier: MIT */
/*
 * icmp_limit.h - how many ICMP errors leave, of both families: in all, and to one destination.
 *
 * Linux's icmp_msgs_per_sec and icmp_msgs_burst are the bound in all; icmp_ratelimit that for one
 * destination: one in so long, after a burst of six.
 */
#ifndef STACK_IP_ICMP_LIMIT_H
#define STACK_IP_ICMP_LIMIT_H

#include "stack/ip/ip_address.h"

#define ICMP_ERRORS_PER_SECOND 1000u
#define ICMP_ERRORS_BURST 50u
#define ICMP_HOST_NS UINT64_C(1000000000)
#define ICMP_HOST_BURST 6u
#define ICMP_HOSTS 256u

struct stack;

struct icmp_limiter {
    uint64_t refilled_ns;
    int32_t tokens; /* for all destinations; what an error takes of them is left to chance */
    struct {
        uint64_t tokens_ns, last_ns;
    } hosts[ICMP_HOSTS]; /* by a hash of the destination */
};

/* Whether an error may leave at all; if not, it is counted in *refused. */
bool icmp_limit_allows(struct stack *stack, uint64_t *refused);

/* Whether it may leave to that host, which gets one in so many ns. */
bool icmp_limit_allows_host(struct stack *stack, struct ip_address host, uint64_t each_ns);

/* It leaves. */
void icmp_limit_take(struct stack *stack);

#endif
