/* SPDX-License-Identifier: MIT */
/*
 * tcp_info.c - see tcp_info.h.
 */
#include "stack/tcp/tcp_info.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_handshake.h"
#include "stack/tcp/tcp_output.h"
#include "stack/tcp/tcp_window.h"

#define MS_NS UINT64_C(1000000)
#define OPTION_SYN_DATA 32 /* TCPI_OPT_SYN_DATA */
#define OPTION_TFO_CHILD 128

static enum tcp_limit limit_of(const struct tcp *tcp) {
    uint32_t flight = tcp->snd_nxt - tcp->snd_una, unsent = tcp_unsent(tcp);
    bool open = !tcp_is_opening(tcp) && tcp->state != TCP_CLOSE && tcp->state != TCP_LISTEN;
    if (!open || (flight == 0 && tcp->send.length == 0))
        return TCP_LIMIT_IDLE;
    if (unsent > 0 && flight + (unsent < tcp->mss ? unsent : tcp->mss) > tcp->snd_wnd)
        return TCP_LIMIT_WINDOW;
    if (unsent == 0 && tcp->socket && tcp->socket->no_space)
        return TCP_LIMIT_BUFFER;
    return TCP_LIMIT_BUSY;
}

void tcp_info_note(const struct stack *stack, struct tcp *tcp) {
    struct tcp_history *history = &tcp->history;
    enum tcp_limit limit = limit_of(tcp);
    if (limit == history->limit)
        return;
    if (history->limit != TCP_LIMIT_IDLE)
        history->limited_ns[history->limit - 1] += stack->now_ns - history->limit_since_ns;
    history->limit_since_ns = stack->now_ns;
    history->limit = (uint8_t)limit;
}

static uint32_t us(uint64_t ns) {
    return (uint32_t)(ns / 1000);
}

static uint32_t ms_since(const struct stack *stack, uint64_t ns) {
    return ns ? (uint32_t)((stack->now_ns - ns) / MS_NS) : 0;
}

static uint64_t limited_us(const struct stack *stack, const struct tcp_history *history,
                           enum tcp_limit limit) {
    uint64_t now = history->limit == limit ? stack->now_ns - history->limit_since_ns : 0;
    return (history->limited_ns[limit - 1] + now) / 1000;
}

static uint8_t congestion_state(const struct tcp *tcp) {
    switch ((enum tcp_recovery_state)tcp->active->recovery.state) {
    case TCP_REDUCING:
        return TCP_CA_CWR;
    case TCP_RECOVERY:
        return TCP_CA_Recovery;
    case TCP_LOSS:
        return TCP_CA_Loss;
    default:
        return tcp->active->scoreboard.sacked_count || tcp->active->scoreboard.duplicate_acks
                   ? TCP_CA_Disorder
                   : TCP_CA_Open;
    }
}

static uint8_t options_of(const struct tcp *tcp) {
    bool taken = tcp->fastopen & TCP_FASTOPEN_TAKEN;
    return (uint8_t)((tcp->scaling ? TCPI_OPT_WSCALE : 0) | (tcp->timestamps ? TCPI_OPT_TIMESTAMPS : 0) |
                     (tcp->sack_permitted ? TCPI_OPT_SACK : 0) | (tcp->ecn & TCP_ECN_ON ? TCPI_OPT_ECN : 0) |
                     (tcp->ecn & TCP_ECN_SEEN ? TCPI_OPT_ECN_SEEN : 0) | (taken ? OPTION_SYN_DATA : 0) |
                     (tcp->fastopen & TCP_FASTOPEN_CHILD ? OPTION_TFO_CHILD : 0));
}

static void put_flight(const struct tcp *tcp, struct tcp_information *info) {
    struct list *link, *next;
    info->unacked = tcp->active->scoreboard.count + tcp_is_opening(tcp); /* with the SYN */
    info->sacked = tcp->active->scoreboard.sacked_count;
    list_for_each(link, next, &tcp->active->sent) {
        const struct tcp_rtx *sent = container_of(link, struct tcp_rtx, link);
        bool again = sent->transmissions > 1 && !sent->sacked;
        info->retrans += again && !sent->lost ? tcp_rtx_segments(sent) : 0;
        info->lost += again || sent->lost ? tcp_rtx_segments(sent) : 0;
    }
}

static void put_times(const struct stack *stack, const struct tcp *tcp, struct tcp_information *info) {
    const struct tcp_history *history = &tcp->history;
    info->rto = us(tcp->rtt.rto_ns);
    info->ato = us(tcp->ack.delay_ns);
    info->last_data_sent = ms_since(stack, tcp->last_sent_ns);
    info->last_data_recv = ms_since(stack, tcp->ack.last_data_ns);
    info->last_ack_recv = ms_since(stack, history->last_ack_received_ns);
    info->rtt = us(tcp->rtt.srtt_ns);
    info->rttvar = us(tcp->rtt.rttvar_ns);
    info->min_rtt = tcp->rtt.min_ns ? us(tcp->rtt.min_ns) : UINT32_MAX;
    info->rcv_rtt = us(tcp->tuning.rtt_ns);
    info->rwnd_limited = limited_us(stack, history, TCP_LIMIT_WINDOW);
    info->sndbuf_limited = limited_us(stack, history, TCP_LIMIT_BUFFER);
    info->busy_time = info->rwnd_limited + info->sndbuf_limited + limited_us(stack, history, TCP_LIMIT_BUSY);
}

static void put_counts(const struct tcp *tcp, struct tcp_information *info) {
    const struct tcp_history *history = &tcp->history;
    info->total_retrans = history->retransmitted;
    info->bytes_acked = history->bytes_acked;
    info->bytes_received = history->bytes_received;
    info->segs_out = history->segments_sent;
    info->segs_in = history->segments_received;
    info->notsent_bytes = tcp_unsent(tcp);
    info->data_segs_in = history->data_segments_received;
    info->data_segs_out = history->data_segments_sent;
    info->delivered = history->delivered;
    info->delivered_ce = history->delivered_ce;
    info->bytes_sent = history->bytes_sent;
    info->bytes_retrans = history->bytes_retransmitted;
    info->dsack_dups = history->duplicates;
    info->reord_seen = history->reorderings;
    info->rcv_ooopack = history->out_of_order;
    info->total_rto = history->timeouts;
    info->received_ce = history->received_ce;
}

void tcp_info_get(struct stack *stack, struct tcp *tcp, struct tcp_information *info) {
    const struct tcp_congestion *congestion = &tcp->congestion;
    tcp_info_note(stack, tcp);
    *info = (struct tcp_information){
        .state = tcp_is_over(tcp) ? TCP_CLOSE : tcp->state,
        .ca_state = congestion_state(tcp),
        .retransmits = tcp->retransmits,
        .probes = tcp->probes,
        .backoff = tcp->retransmits,
        .options = options_of(tcp),
        .snd_wscale = tcp->snd_scale & 15u,
        .rcv_wscale = tcp->rcv_scale & 15u,
        .snd_mss = tcp->mss,
        .rcv_mss = tcp->ack.segment,
        .pmtu = ip_mtu(stack, tcp->remote_address),
        .rcv_ssthresh = tcp_receive_space(tcp),
        .snd_ssthresh = congestion->ssthresh >= TCP_CWND_MAX ? INT32_MAX : congestion->ssthresh / tcp->mss,
        .snd_cwnd = congestion->cwnd / tcp->mss,
        .advmss = tcp_own_mss(stack, tcp),
        .reordering = tcp_duplicates(stack, tcp),
        .rcv_space = tcp->tuning.space,
        .pacing_rate = tcp_pacing_rate(stack, tcp),
        .max_pacing_rate = tcp->options.max_pacing_rate,
        .snd_wnd = tcp->snd_wnd,
        .delivery_rate = tcp_rate_of(tcp->active->rate.latest_bytes, tcp->active->rate.latest_us),
        .delivery_rate_app_limited = tcp->active->rate.latest_limited,
        .rcv_wnd = tcp->rcv_adv - tcp->rcv_nxt,
    };
    put_flight(tcp, info);
    put_times(stack, tcp, info);
    put_counts(tcp, info);
    if (tcp->state == TCP_LISTEN) {
        info->unacked = tcp->socket->accept_count;
        info->sacked = tcp->socket->backlog;
    }
}
