/* SPDX-License-Identifier: MIT */
/*
 * tcp_pacing.c - see tcp_pacing.h.
 */
#include "stack/tcp/tcp_pacing.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_model.h"

#define SECOND_NS UINT64_C(1000000000)
#define CREDIT_NS (2 * TIMER_TICK_NS) /* that a sender which was late may catch up on */
#define HEADERS_BYTES 58u /* of Ethernet, IP and TCP: the rate is the wire's, as Linux's fq has it */

uint64_t tcp_pacing_rate(const struct stack *stack, const struct tcp *tcp) {
    const struct tcp_congestion *congestion = &tcp->congestion;
    uint64_t rate = TCP_PACING_NONE;
    if (congestion->model) {
        rate = congestion->model->pacing_rate;
    } else if (tcp->rtt.srtt_ns) {
        bool slow_start = congestion->cwnd < congestion->ssthresh / 2;
        uint32_t percent = slow_start ? stack->sysctl.tcp_pacing_ss_ratio : stack->sysctl.tcp_pacing_ca_ratio;
        /* Two steps, lest 64 bits be too few. */
        rate = congestion->cwnd * (SECOND_NS / 100) / tcp->rtt.srtt_ns * percent;
    }
    return rate < tcp->options.max_pacing_rate ? rate : tcp->options.max_pacing_rate;
}

static bool paced(const struct tcp *tcp) {
    return tcp->options.max_pacing_rate != TCP_PACING_NONE || tcp_congestion_models(&tcp->congestion);
}

uint32_t tcp_pacing_burst(const struct stack *stack, const struct tcp *tcp) {
    uint64_t bytes = paced(tcp) ? tcp_pacing_rate(stack, tcp) / 1000 : UINT32_MAX;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

bool tcp_pacing_holds(struct stack *stack, struct tcp *tcp) {
    if (!paced(tcp) || tcp->active->pacing_due_ns <= stack->now_ns + TIMER_TICK_NS)
        return false;
    if (!tcp_alarm_is_set(tcp, TCP_ALARM_PACING))
        tcp_alarm_set(stack, tcp, TCP_ALARM_PACING, tcp->active->pacing_due_ns - TIMER_TICK_NS);
    return true;
}

void tcp_pacing_sent(struct stack *stack, struct tcp *tcp, uint32_t bytes) {
    uint64_t rate = paced(tcp) ? tcp_pacing_rate(stack, tcp) : 0;
    if (!rate)
        return;
    uint64_t earliest_ns = stack->now_ns > CREDIT_NS ? stack->now_ns - CREDIT_NS : 0;
    if (tcp->active->pacing_due_ns < earliest_ns)
        tcp->active->pacing_due_ns = stack->now_ns;
    tcp->active->pacing_due_ns += (bytes + HEADERS_BYTES) * SECOND_NS / rate;
}
