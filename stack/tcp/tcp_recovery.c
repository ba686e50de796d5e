/* SPDX-License-Identifier: MIT */
/*
 * tcp_recovery.c - see tcp_recovery.h.
 */
#include "stack/tcp/tcp_recovery.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_model.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_rtt.h"
#include "stack/tcp/tcp_timer.h"

#define PROBE_MARGIN_NS UINT64_C(2000000) /* Linux's TCP_TIMEOUT_MIN */

static void remember_for_undo(struct stack *stack, struct tcp *tcp, bool timeout) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    recovery->can_undo = true;
    recovery->prior_cwnd =
        max_u32(tcp->congestion.cwnd, recovery->state == TCP_OPEN ? 0 : recovery->prior_cwnd);
    recovery->prior_ssthresh = tcp->congestion.ssthresh;
    recovery->resend_time = 0;
    recovery->resends_unseen = 0;
    if (tcp_congestion_models(&tcp->congestion))
        tcp_model(tcp)->recovery(stack, tcp, timeout);
}

/* How much may be in flight from here on, when so much was and something is lost, or marked. */
static void choose_threshold(struct tcp *tcp, uint32_t flight, bool marked) {
    if (!tcp_congestion_models(&tcp->congestion))
        tcp->congestion.ssthresh =
            tcp_congestion_threshold(&tcp->congestion, &tcp->active->growth, flight, tcp->mss, marked);
}

/* RFC 6937: from here on the window shrinks in step with what arrives. */
static void begin_reduction(struct tcp *tcp, uint32_t flight, bool marked) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    recovery->delivered = recovery->sent = 0;
    recovery->flight = max_u32(flight, tcp->mss);
    choose_threshold(tcp, flight, marked);
}

static void enter_recovery(struct stack *stack, struct tcp *tcp) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    bool reduced = recovery->state == TCP_REDUCING;
    stack->mib.TcpExtTCPFastRetrans++;
    remember_for_undo(stack, tcp, false);
    recovery->state = TCP_RECOVERY;
    recovery->recover = tcp->snd_nxt;
    recovery->probing = false;
    if (!reduced)
        begin_reduction(tcp, tcp->snd_nxt - tcp->snd_una, false);
}

void tcp_recovery_marked(struct stack *stack, struct tcp *tcp) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    if (recovery->state != TCP_OPEN)
        return;
    stack->mib.TcpExtTCPECNReductions++;
    recovery->state = TCP_REDUCING;
    recovery->recover = tcp->snd_nxt;
    recovery->can_undo = false;
    begin_reduction(tcp, tcp->congestion.cwnd, true);
    if (tcp_congestion_models(&tcp->congestion))
        tcp_model(tcp)->congested(tcp);
    tcp->ecn |= TCP_ECN_REDUCED;
}

static void leave_recovery(struct tcp *tcp) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    bool models = tcp_congestion_models(&tcp->congestion);
    if (models && recovery->state == TCP_LOSS)
        tcp->congestion.cwnd = max_u32(tcp->congestion.cwnd, recovery->prior_cwnd);
    else if (!models && recovery->state != TCP_LOSS)
        tcp->congestion.cwnd = tcp->congestion.ssthresh;
    recovery->state = TCP_OPEN;
    tcp->active->scoreboard.duplicate_acks = 0;
    if (tcp->reordering.steps > 1)
        tcp->reordering.steps--;
}

static bool reducing(const struct tcp *tcp) {
    return tcp->active->recovery.state == TCP_RECOVERY || tcp->active->recovery.state == TCP_REDUCING;
}

/* Nothing was lost: what was sent again was only late. All is as if it had not happened. */
static void undo(struct stack *stack, struct tcp *tcp) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    if (recovery->state == TCP_LOSS)
        stack->mib.TcpExtTCPLossUndo++;
    else if (recovery->state == TCP_OPEN)
        stack->mib.TcpExtTCPDSACKUndo++;
    else
        stack->mib.TcpExtTCPFullUndo++;
    tcp->congestion.cwnd = max_u32(tcp->congestion.cwnd, recovery->prior_cwnd);
    tcp->congestion.ssthresh = max_u32(tcp->congestion.ssthresh, recovery->prior_ssthresh);
    if (tcp_congestion_models(&tcp->congestion))
        tcp_model(tcp)->undo(stack, tcp);
    tcp_rtx_lose_none(tcp);
    tcp->active->scoreboard.duplicate_acks = 0;
    recovery->state = TCP_OPEN;
    recovery->can_undo = false;
    tcp->retransmits = 0;
}

/* RFC 4015 by timestamps: the acknowledgment answers what was sent before we sent anything again. Or RFC
 * 2883: all that we have sent again came twice; which may be told when the recovery is over, since what was
 * only late comes first. */
static bool was_needless(const struct tcp *tcp, const struct tcp_delivery *delivery, uint32_t acked) {
    const struct tcp_recovery *recovery = &tcp->active->recovery;
    if (!recovery->can_undo || !recovery->resend_time)
        return false;
    if (recovery->state == TCP_OPEN && !delivery->duplicate)
        return false;
    if (recovery->state != TCP_OPEN && acked > 0 && delivery->has_echo &&
        seq_lt(delivery->echo, recovery->resend_time))
        return true;
    return tcp->sack_permitted && recovery->resends_unseen == 0;
}

/* F-RTO (RFC 5682, as Linux's tcp_process_loss has it), while a timeout may have been needless: returns
 * whether it was. */
static bool timeout_was_spurious(struct tcp *tcp, uint32_t acked, const struct tcp_delivery *delivery) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    if (recovery->state != TCP_LOSS || !recovery->suspicious)
        return false;
    if (delivery->original && acked > 0)
        return true; /* what was sent once has arrived, and not because of us */
    bool sent_new = seq_gt(tcp->snd_nxt, recovery->recover);
    bool more = tcp_unsent(tcp) > 0 && tcp->snd_wnd > tcp->snd_nxt - tcp->snd_una;
    recovery->new_first = !sent_new && acked > 0 && more && seq_lt(tcp->snd_una, recovery->recover);
    recovery->suspicious = recovery->new_first || (sent_new && acked > 0);
    return false;
}

/* RFC 6937, with its bound on what slow start may add: `good`, when the acknowledgment moved on and told of
 * no further loss. */
static void reduce_proportionally(struct tcp *tcp, const struct tcp_delivery *delivery, bool good) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    uint32_t pipe = tcp_pipe(tcp), threshold = tcp->congestion.ssthresh, allowed;
    recovery->delivered += delivery->delivered;
    if (pipe > threshold) {
        uint64_t share = (uint64_t)recovery->delivered * threshold / recovery->flight;
        allowed = share > recovery->sent ? (uint32_t)share - recovery->sent : 0;
    } else {
        uint32_t owed = recovery->delivered > recovery->sent ? recovery->delivered - recovery->sent : 0;
        allowed = min_u32(threshold - pipe, max_u32(owed, delivery->delivered) + (good ? tcp->mss : 0));
    }
    if (recovery->sent == 0 && recovery->state == TCP_RECOVERY)
        allowed = max_u32(allowed, tcp->mss); /* the first goes out at once */
    tcp->congestion.cwnd = max_u32(pipe + allowed, tcp->mss);
}

/* RFC 8985 section 7.4: the probe has been answered. When it was needed, the network is told that something
 * was lost. */
static void probe_answered(struct stack *stack, struct tcp *tcp, const struct tcp_delivery *delivery) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    if (!recovery->probing || seq_lt(tcp->snd_una, recovery->probe_end))
        return;
    recovery->probing = false;
    if (!recovery->probe_was_resend || delivery->duplicate || recovery->state != TCP_OPEN)
        return;
    stack->mib.TcpExtTCPLossProbeRecovery++;
    if (tcp_congestion_models(&tcp->congestion)) {
        tcp_model(tcp)->congested(tcp);
        return;
    }
    choose_threshold(tcp, tcp->congestion.cwnd, false);
    tcp->congestion.cwnd = tcp->congestion.ssthresh;
}

void tcp_recovery_duplicate(struct tcp *tcp, struct tcp_delivery *delivery) {
    uint32_t flight = tcp->snd_nxt - tcp->snd_una;
    if ((tcp->active->scoreboard.duplicate_acks + 1) * tcp->mss < flight + tcp->mss)
        tcp->active->scoreboard.duplicate_acks++;
    delivery->delivered += tcp->mss;
}

/* Without SACK, what was acknowledged may have been counted as a duplicate before. */
static void discount_duplicates(struct tcp *tcp, uint32_t acked) {
    uint32_t *duplicates = &tcp->active->scoreboard.duplicate_acks;
    uint32_t segments = (acked + tcp->mss - 1) / tcp->mss;
    if (segments > 0)
        *duplicates -= min_u32(*duplicates, segments - 1);
}

static bool find_losses(struct stack *stack, struct tcp *tcp, uint32_t acked, uint64_t *wait_ns) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    *wait_ns = 0;
    if (tcp->sack_permitted)
        return tcp_rtx_detect(stack, tcp, recovery->state >= TCP_RECOVERY, wait_ns);
    if (recovery->state < TCP_RECOVERY)
        return tcp->active->scoreboard.duplicate_acks >= tcp_duplicates(stack, tcp) &&
               tcp_rtx_lose_first(stack, tcp);
    return recovery->state == TCP_RECOVERY && acked > 0 &&
           tcp_rtx_lose_first(stack, tcp); /* a partial one: RFC 6582 */
}

/* `told`: the acknowledgment had news, so that what the timer was for may have changed. */
static void rearm(struct stack *stack, struct tcp *tcp, bool advanced, bool told, uint64_t wait_ns) {
    if (tcp->snd_una == tcp->snd_nxt) {
        if (advanced) /* else it is the zero window's */
            tcp_alarm_stop(tcp, TCP_ALARM_RETRANSMIT);
    } else if (wait_ns) {
        tcp->timer_mode = TCP_TIMER_REORDER;
        tcp_alarm_set(stack, tcp, TCP_ALARM_RETRANSMIT, stack->now_ns + wait_ns);
    } else if (advanced || (told && tcp->timer_mode != TCP_TIMER_RTO)) {
        tcp_arm_retransmit(stack, tcp);
    }
}

/* RFC 7661, as Linux has it: a window that is not used is not made larger; slow start may use half of it. */
static bool was_limited(const struct tcp *tcp) {
    bool slow_start = tcp->congestion.cwnd < tcp->congestion.ssthresh;
    return slow_start ? tcp->congestion.cwnd < 2 * tcp->active->usage_flight : tcp->active->cwnd_limited;
}

void tcp_recovery_acknowledged(struct stack *stack, struct tcp *tcp, uint32_t acked,
                               const struct tcp_delivery *delivery) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    uint64_t wait_ns;
    uint32_t known =
        tcp->active->scoreboard.duplicate_acks * tcp->mss; /* delivered, as far as duplicates said */
    if (!tcp->sack_permitted && acked > 0)
        discount_duplicates(tcp, acked);
    if (delivery->duplicate) {
        stack->mib.TcpExtTCPDSACKRecv++;
        recovery->resends_unseen -= recovery->resends_unseen > 0;
        tcp->history.duplicates++;
        if (tcp->reordering.seen && tcp->reordering.steps < 16)
            tcp->reordering.steps++;
    }
    if (was_needless(tcp, delivery, acked) || timeout_was_spurious(tcp, acked, delivery))
        undo(stack, tcp);
    probe_answered(stack, tcp, delivery);
    if (recovery->state != TCP_OPEN && seq_ge(tcp->snd_una, recovery->recover))
        leave_recovery(tcp);
    bool news = find_losses(stack, tcp, acked, &wait_ns);
    if (news && recovery->state < TCP_RECOVERY)
        enter_recovery(stack, tcp);
    if (tcp_congestion_models(&tcp->congestion)) {
        tcp_model(tcp)->acknowledged(stack, tcp, delivery);
    } else if (reducing(tcp)) {
        reduce_proportionally(tcp, delivery, acked > 0 && !news);
    } else if (acked > 0 && (was_limited(tcp) || recovery->state == TCP_LOSS)) {
        struct tcp_progress progress = {.bytes = tcp->sack_permitted ? delivery->delivered
                                                 : acked > known     ? acked - known
                                                                     : min_u32(acked, tcp->mss),
                                        .mss = tcp->mss,
                                        .now_ns = stack->now_ns,
                                        .srtt_ns = tcp->rtt.srtt_ns,
                                        .rtt_ns = delivery->rtt_ns,
                                        .una = tcp->snd_una,
                                        .nxt = tcp->snd_nxt};
        tcp_congestion_acknowledged(&tcp->congestion, &tcp->active->growth, &progress);
    }
    rearm(stack, tcp, acked > 0, acked > 0 || delivery->newly_sacked || news, wait_ns);
}

void tcp_recovery_timeout(struct stack *stack, struct tcp *tcp) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    if (tcp->retransmits == 0) {
        uint32_t flight = tcp->snd_nxt - tcp->snd_una;
        remember_for_undo(stack, tcp, true);
        if (recovery->state != TCP_LOSS || seq_ge(tcp->snd_una, recovery->recover))
            choose_threshold(tcp, flight, false);
    }
    recovery->suspicious = stack->sysctl.tcp_frto && recovery->state != TCP_LOSS && tcp->retransmits == 0;
    recovery->new_first = false;
    recovery->state = TCP_LOSS;
    recovery->recover = tcp->snd_nxt;
    recovery->probing = false;
    tcp->congestion.cwnd = tcp->mss;
    tcp_rtx_lose_all(tcp);
}

void tcp_recovery_reorder_timeout(struct stack *stack, struct tcp *tcp) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    struct tcp_delivery nothing = {0};
    uint64_t wait_ns;
    bool news = tcp_rtx_detect(stack, tcp, recovery->state >= TCP_RECOVERY, &wait_ns);
    if (news && recovery->state < TCP_RECOVERY)
        enter_recovery(stack, tcp);
    if (reducing(tcp) && !tcp_congestion_models(&tcp->congestion))
        reduce_proportionally(tcp, &nothing, false);
    tcp->timer_mode = TCP_TIMER_REORDER;
    rearm(stack, tcp, false, true, wait_ns);
    tcp_output(stack, tcp);
}

uint64_t tcp_recovery_probe_ns(const struct stack *stack, const struct tcp *tcp) {
    const struct tcp_recovery *recovery = &tcp->active->recovery;
    uint32_t flight = tcp->snd_nxt - tcp->snd_una;
    if (!stack->sysctl.tcp_early_retrans || !tcp->sack_permitted || recovery->state >= TCP_RECOVERY ||
        recovery->probing || !tcp->rtt.srtt_ns || tcp->active->scoreboard.sacked_bytes ||
        tcp->active->scoreboard.lost_bytes || flight == 0 || tcp->retransmits)
        return 0;
    /* The peer may hold its acknowledgment of a single segment back. */
    uint64_t probe_ns = 2 * tcp->rtt.srtt_ns + (flight <= tcp->mss ? TCP_RTO_MIN_NS : PROBE_MARGIN_NS);
    return probe_ns < tcp->rtt.rto_ns ? probe_ns : tcp->rtt.rto_ns;
}

void tcp_recovery_probe_timeout(struct stack *stack, struct tcp *tcp) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    stack->mib.TcpExtTCPLossProbes++;
    recovery->probing = true;
    recovery->probe_was_resend = !tcp_send_beyond(stack, tcp);
    if (recovery->probe_was_resend)
        tcp_resend_last(stack, tcp);
    recovery->probe_end = tcp->snd_nxt;
    tcp_arm_retransmit(stack, tcp);
}

void tcp_recovery_sent(struct stack *stack, struct tcp *tcp, uint32_t bytes, bool again) {
    struct tcp_recovery *recovery = &tcp->active->recovery;
    if (reducing(tcp))
        recovery->sent += bytes;
    if (!again)
        return;
    stack->mib.TcpRetransSegs++;
    tcp->history.retransmitted++;
    recovery->resends_unseen++;
    if (!recovery->resend_time)
        recovery->resend_time = tcp_timestamp_now(stack, tcp);
}
