/* SPDX-License-Identifier: MIT */
/*
 * tcp_timer.c - the timers of a connection: retransmission and persist, delayed acknowledgment, and one for
 * the state (keepalive, FIN_WAIT_2 of an orphan, TIME_WAIT).
 */
#include "stack/tcp/tcp_timer.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_handshake.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_pmtu.h"
#include "stack/tcp/tcp_rtt.h"
#include <errno.h>

#define SECOND_NS UINT64_C(1000000000)

/* Linux sends the first SYNs at a steady pace before it backs off (tcp_syn_linear_timeouts). */
static uint64_t syn_timeout_ns(const struct stack *stack, const struct tcp *tcp) {
    uint32_t linear = tcp->state == TCP_SYN_SENT ? stack->sysctl.tcp_syn_linear_timeouts : 0;
    uint32_t doublings = tcp->retransmits > linear ? tcp->retransmits - linear : 0;
    uint64_t timeout = TCP_RTO_INITIAL_NS << (doublings < 7 ? doublings : 7);
    return timeout < TCP_RTO_MAX_NS ? timeout : TCP_RTO_MAX_NS;
}

/* TCP_USER_TIMEOUT ends a connection when it is over, not at the timeout after that, as in Linux. */
static uint64_t timeout_ns(const struct stack *stack, const struct tcp *tcp) {
    uint64_t end_ns = tcp->active->stalled_since_ns + tcp->options.user_timeout_ms * UINT64_C(1000000);
    bool limited =
        tcp->options.user_timeout_ms && tcp->retransmits > 0 && tcp->socket && end_ns > stack->now_ns;
    return limited && end_ns - stack->now_ns < tcp->rtt.rto_ns ? end_ns - stack->now_ns : tcp->rtt.rto_ns;
}

void tcp_arm_retransmit(struct stack *stack, struct tcp *tcp) {
    bool opening = tcp_is_opening(tcp);
    uint64_t probe_ns = opening ? 0 : tcp_recovery_probe_ns(stack, tcp);
    tcp->timer_mode = probe_ns ? TCP_TIMER_PROBE : TCP_TIMER_RTO;
    tcp_alarm_set(stack, tcp, TCP_ALARM_RETRANSMIT,
                  stack->now_ns + (opening    ? syn_timeout_ns(stack, tcp)
                                   : probe_ns ? probe_ns
                                              : timeout_ns(stack, tcp)));
}

void tcp_arm_keepalive(struct stack *stack, struct tcp *tcp) {
    bool open = tcp->state == TCP_ESTABLISHED || tcp->state == TCP_CLOSE_WAIT;
    if (!open || !tcp->socket)
        return;
    if (tcp->options.keepalive)
        tcp_alarm_set(stack, tcp, TCP_ALARM_STATE, stack->now_ns + tcp->options.keepalive_idle_s * SECOND_NS);
    else
        tcp_alarm_stop(tcp, TCP_ALARM_STATE);
}

/* Gives up on a peer that does not answer. */
static void give_up(struct stack *stack, struct tcp *tcp) {
    stack->mib.TcpExtTCPAbortOnTimeout++;
    tcp_end(stack, tcp, tcp->soft_error ? tcp->soft_error : ETIMEDOUT);
}

/* So many retries last as long as they would if each timeout were twice the one before, however many SYNs the
 * steady pace of the first has sent by then. */
static bool syn_out_of_patience(const struct stack *stack, const struct tcp *tcp) {
    const struct sysctl *sysctl = &stack->sysctl;
    uint32_t retries = tcp->options.syn_retries;
    uint64_t elapsed_ns = stack->now_ns - tcp->history.opened_ns;
    if (tcp->state != TCP_SYN_SENT)
        return tcp->retransmits >= (retries ? retries : sysctl->tcp_synack_retries);
    if (tcp->options.user_timeout_ms && elapsed_ns >= tcp->options.user_timeout_ms * UINT64_C(1000000))
        return true;
    retries = retries ? retries : sysctl->tcp_syn_retries;
    uint64_t seconds = retries < 6 ? (UINT64_C(2) << retries) - 1 : 127 + (retries - 6) * UINT64_C(120);
    return elapsed_ns >= seconds * SECOND_NS;
}

static void syn_timeout(struct stack *stack, struct tcp *tcp) {
    if (syn_out_of_patience(stack, tcp)) {
        stack->mib.TcpAttemptFails++;
        give_up(stack, tcp);
        return;
    }
    tcp->retransmits++;
    trace_timer(stack, tcp, TRACE_TIMER_SYN, tcp->retransmits);
    /* A client that TCP_DEFER_ACCEPT keeps waiting has got ours; the last one makes it speak up. */
    if (tcp->handshake_acknowledged && tcp->retransmits < tcp->options.defer_accept)
        tcp_arm_retransmit(stack, tcp);
    else
        tcp_send_syn(stack, tcp);
}

static uint32_t orphan_retries(const struct stack *stack) {
    uint32_t retries = stack->sysctl.tcp_orphan_retries;
    return retries ? retries : TCP_ORPHAN_RETRIES;
}

static bool out_of_patience(const struct stack *stack, const struct tcp *tcp) {
    if (tcp->options.user_timeout_ms && tcp->socket)
        return stack->now_ns - tcp->active->stalled_since_ns >=
               tcp->options.user_timeout_ms * UINT64_C(1000000);
    return tcp->retransmits >=
           (tcp->socket || tcp->listener ? stack->sysctl.tcp_retries2 : orphan_retries(stack));
}

static void data_timeout(struct stack *stack, struct tcp *tcp) {
    if (tcp->retransmits == 0)
        tcp->active->stalled_since_ns = stack->now_ns;
    if (out_of_patience(stack, tcp)) {
        give_up(stack, tcp);
        return;
    }
    trace_timer(stack, tcp, TRACE_TIMER_RETRANSMIT, tcp->retransmits + 1u);
    stack->mib.TcpExtTCPTimeouts++;
    tcp->history.timeouts++;
    tcp_choose_flow(stack, tcp);
    tcp_path_timeout(stack, tcp);
    tcp_recovery_timeout(stack, tcp);
    tcp->retransmits++;
    tcp_rtt_backoff(&tcp->rtt);
    tcp_arm_retransmit(stack, tcp);
    tcp_output(stack, tcp);
}

static void persist_timeout(struct stack *stack, struct tcp *tcp) {
    tcp->timer_mode = TCP_TIMER_RTO;
    if (tcp->send.length == 0)
        return;
    if (tcp->probes == 0)
        tcp->active->stalled_since_ns = stack->now_ns;
    bool orphan = !tcp->socket && !tcp->listener;
    if (orphan && tcp->probes >= orphan_retries(stack)) {
        give_up(stack, tcp);
        return;
    }
    /* A peer that answers may keep its window closed for ever; one that does not answer is gone. */
    if (tcp->probes >= stack->sysctl.tcp_retries2) {
        give_up(stack, tcp);
        return;
    }
    tcp->probes++;
    trace_timer(stack, tcp, TRACE_TIMER_PERSIST, tcp->probes);
    stack->mib.TcpExtTCPWinProbe++;
    uint32_t doublings = tcp->probes < 10 ? tcp->probes : 10;
    uint64_t wait = tcp->rtt.rto_ns << doublings;
    tcp->timer_mode = TCP_TIMER_PERSIST;
    tcp_alarm_set(stack, tcp, TCP_ALARM_RETRANSMIT,
                  stack->now_ns + (wait < TCP_RTO_MAX_NS ? wait : TCP_RTO_MAX_NS));
    if (tcp->snd_wnd > 0)
        tcp_send_beyond(stack, tcp);
    else
        tcp_send_probe(stack, tcp);
}

void tcp_retransmit_timer(struct stack *stack, struct tcp *tcp) {
    if (tcp_is_opening(tcp)) {
        syn_timeout(stack, tcp);
        return;
    }
    if (tcp->timer_mode == TCP_TIMER_PERSIST) {
        persist_timeout(stack, tcp);
        return;
    }
    if (tcp->snd_nxt == tcp->snd_una) {
        tcp_output(stack, tcp); /* there was no memory to send it */
        return;
    }
    switch (tcp->timer_mode) {
    case TCP_TIMER_PROBE:
        trace_timer(stack, tcp, TRACE_TIMER_PROBE, 1);
        tcp_recovery_probe_timeout(stack, tcp);
        break;
    case TCP_TIMER_REORDER:
        tcp_recovery_reorder_timeout(stack, tcp);
        break;
    default:
        data_timeout(stack, tcp);
        break;
    }
}

static void keepalive_timeout(struct stack *stack, struct tcp *tcp) {
    uint64_t idle_ns = stack->now_ns - tcp->last_received_ns;
    uint64_t allowed_ns = tcp->options.keepalive_idle_s * SECOND_NS;
    if (!tcp->options.keepalive)
        return;
    if (tcp->snd_nxt != tcp->snd_una || tcp->send.length > 0 || idle_ns < allowed_ns) {
        /* Data in flight is retransmitted anyway; a peer that was heard is alive. */
        tcp->probes = 0;
        uint64_t wait = idle_ns < allowed_ns ? allowed_ns - idle_ns : allowed_ns;
        tcp_alarm_set(stack, tcp, TCP_ALARM_STATE, stack->now_ns + wait);
        return;
    }
    if (tcp->probes >= tcp->options.keepalive_probes) {
        tcp_send_reset(stack, tcp);
        give_up(stack, tcp);
        return;
    }
    tcp->probes++;
    trace_timer(stack, tcp, TRACE_TIMER_KEEPALIVE, tcp->probes);
    stack->mib.TcpExtTCPKeepAlive++;
    tcp_send_probe(stack, tcp);
    tcp_alarm_set(stack, tcp, TCP_ALARM_STATE, stack->now_ns + tcp->options.keepalive_interval_s * SECOND_NS);
}

void tcp_state_timer(struct stack *stack, struct tcp *tcp) {
    switch (tcp->state) {
    case TCP_TIME_WAIT:
    case TCP_FIN_WAIT2:
        tcp_end(stack, tcp, 0);
        break;
    case TCP_ESTABLISHED:
    case TCP_CLOSE_WAIT:
        keepalive_timeout(stack, tcp);
        break;
    default:
        break;
    }
}
