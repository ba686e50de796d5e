/* SPDX-License-Identifier: MIT */
/*
 * icmp_limit.c - see icmp_limit.h.
 */
#include "stack/ip/icmp_limit.h"
#include "stack/stack.h"

/* Linux's icmp_global_allow. */
bool icmp_limit_allows(struct stack *stack, uint64_t *refused) {
    struct icmp_limiter *limiter = &stack->icmp_limiter;
    uint64_t elapsed_ns = stack->now_ns - limiter->refilled_ns;
    uint64_t earned =
        elapsed_ns > 1000000000 ? ICMP_ERRORS_BURST : elapsed_ns * ICMP_ERRORS_PER_SECOND / 1000000000;
    if (earned > 0) {
        limiter->refilled_ns = stack->now_ns;
        limiter->tokens += (int32_t)earned;
        if (limiter->tokens > (int32_t)ICMP_ERRORS_BURST)
            limiter->tokens = (int32_t)ICMP_ERRORS_BURST;
    }
    if (limiter->tokens <= 0)
        ++*refused;
    return limiter->tokens > 0;
}

/* Linux's icmp_global_consume: by counting errors of one's own nobody is to find out how many others got, for
 * that would tell which ports are open (CVE-2020-25705). */
void icmp_limit_take(struct stack *stack) {
    stack->icmp_limiter.tokens -= (int32_t)random_below(&stack->random, 3);
}

/* Linux's inet_peer_xrlim_allow. */
bool icmp_limit_allows_host(struct stack *stack, struct ip_address host, uint64_t each_ns) {
    uint64_t hash = random_hash(&stack->random, &host, sizeof host);
    uint64_t *tokens_ns = &stack->icmp_limiter.hosts[hash % ICMP_HOSTS].tokens_ns;
    uint64_t *last_ns = &stack->icmp_limiter.hosts[hash % ICMP_HOSTS].last_ns;
    *tokens_ns += stack->now_ns - *last_ns;
    *last_ns = stack->now_ns;
    if (*tokens_ns > ICMP_HOST_BURST * each_ns)
        *tokens_ns = ICMP_HOST_BURST * each_ns;
    if (*tokens_ns < each_ns)
        return false;
    *tokens_ns -= each_ns;
    return true;
}
