/* SPDX-License-Identifier: MIT */
/*
 * tcp_metrics.c - see tcp_metrics.h. What is saved in which state is Linux's tcp_update_metrics.
 */
#include "stack/tcp/tcp_metrics.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include <string.h>

#define RTO_UNMEASURED_NS \
    UINT64_C(3000000000) /* RFC 6298 (5.7): the SYN was sent again, nobody knows how long it took */

static struct tcp_metrics *set_of(struct stack *stack, struct ip_address address) {
    return stack->metrics.entries[ip_hash(&stack->random, address) % TCP_METRICS_SETS];
}

struct tcp_metrics *tcp_metrics_find(struct stack *stack, struct ip_address address) {
    if (ip_is_any(address))
        return NULL;
    struct tcp_metrics *set = set_of(stack, address);
    for (unsigned i = 0; i < TCP_METRICS_WAYS; i++) {
        struct tcp_metrics *entry = &set[i];
        if (!ip_equal(entry->address, address))
            continue;
        entry->used_ns = stack->now_ns;
        if (stack->now_ns - entry->saved_ns > TCP_METRICS_VALID_NS)
            entry->srtt_ns = entry->rttvar_ns = entry->ssthresh = entry->reordering = 0;
        return entry;
    }
    return NULL;
}

struct tcp_metrics *tcp_metrics_make(struct stack *stack, struct ip_address address) {
    struct tcp_metrics *found = tcp_metrics_find(stack, address), *set = set_of(stack, address);
    if (found)
        return found;
    found = set;
    for (unsigned i = 1; i < TCP_METRICS_WAYS; i++)
        if (set[i].used_ns < found->used_ns)
            found = &set[i];
    *found = (struct tcp_metrics){.address = address, .used_ns = stack->now_ns, .saved_ns = stack->now_ns};
    return found;
}

void tcp_metrics_forget(struct stack *stack) {
    memset(&stack->metrics, 0, sizeof stack->metrics);
}

void tcp_metrics_begin(struct stack *stack, struct tcp *tcp) {
    const struct tcp_metrics *known = tcp_metrics_find(stack, tcp->remote_address);
    uint64_t srtt_ns = known ? known->srtt_ns : 0;
    if (srtt_ns > tcp->rtt.srtt_ns)
        tcp->rtt.rto_ns = srtt_ns + max_u64(2 * srtt_ns, TCP_RTO_MIN_NS);
    else if (!tcp->rtt.srtt_ns)
        tcp->rtt.rto_ns = RTO_UNMEASURED_NS;
    if (!known)
        return;
    if (known->ssthresh && !stack->sysctl.tcp_no_ssthresh_metrics_save)
        tcp->congestion.ssthresh = (uint32_t)min_u64((uint64_t)known->ssthresh * tcp->mss, TCP_CWND_MAX);
    if (known->reordering)
        tcp->reordering.distance = known->reordering;
}

/* Up at once, since a timeout that comes too late costs less than one that comes too early. */
static void save_rtt(struct tcp_metrics *entry, const struct tcp_rtt *rtt) {
    uint64_t before = entry->srtt_ns, now = rtt->srtt_ns;
    uint64_t difference = before > now ? before - now : now - before;
    uint64_t deviation = max_u64(difference / 2, rtt->rttvar_ns);
    entry->srtt_ns = before > now ? before - difference / 8 : now;
    entry->rttvar_ns =
        deviation >= entry->rttvar_ns ? deviation : entry->rttvar_ns - (entry->rttvar_ns - deviation) / 4;
}

static void save_congestion(const struct stack *stack, struct tcp_metrics *entry, const struct tcp *tcp) {
    uint32_t cwnd = tcp->congestion.cwnd / tcp->mss, ssthresh = tcp->congestion.ssthresh / tcp->mss;
    bool no_ssthresh = stack->sysctl.tcp_no_ssthresh_metrics_save;
    bool slow_start = tcp->congestion.cwnd < tcp->congestion.ssthresh;
    if (tcp->congestion.ssthresh >= TCP_CWND_MAX) { /* slow start, and never anything else */
        if (entry->ssthresh && cwnd / 2 > entry->ssthresh && !no_ssthresh)
            entry->ssthresh = cwnd / 2;
    } else if (!slow_start && tcp->active->recovery.state == TCP_OPEN) {
        if (!no_ssthresh)
            entry->ssthresh = max_u32(cwnd / 2, ssthresh);
    } else {
        if (entry->ssthresh && ssthresh > entry->ssthresh && !no_ssthresh)
            entry->ssthresh = ssthresh;
        if (tcp->reordering.distance > max_u32(entry->reordering, stack->sysctl.tcp_reordering))
            entry->reordering = tcp->reordering.distance;
    }
}

void tcp_metrics_save(struct stack *stack, const struct tcp *tcp) {
    if (stack->sysctl.tcp_no_metrics_save)
        return;
    if (tcp->retransmits > 0 || !tcp->rtt.srtt_ns) { /* what was known does not seem to be right */
        struct tcp_metrics *entry = tcp_metrics_find(stack, tcp->remote_address);
        if (entry)
            entry->srtt_ns = 0;
        return;
    }
    struct tcp_metrics *entry = tcp_metrics_make(stack, tcp->remote_address);
    save_rtt(entry, &tcp->rtt);
    save_congestion(stack, entry, tcp);
    entry->saved_ns = stack->now_ns;
}
