/* SPDX-License-Identifier: MIT */
/*
 * tcp_ack.c - see tcp_ack.h.
 */
#include "stack/tcp/tcp_ack.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"

#define DELAY_MIN_NS UINT64_C(40000000)        /* TCP_ATO_MIN, TCP_DELACK_MIN */
#define DUPLICATES_AT_ONCE 3u                  /* the sender's threshold */
#define COMPRESSED_MAX 44u                     /* tcp_comp_sack_nr */
#define COMPRESSION_NS UINT64_C(1000000)       /* tcp_comp_sack_delay_ns */
#define COMPRESSION_OF_ROUND_TRIP UINT64_C(20) /* ... but no more than this part of it */

void tcp_ack_begin(const struct stack *stack, struct tcp *tcp) {
    uint32_t half = tcp->receive_window / 2, segment = TCP_MSS_DEFAULT;
    segment = segment < tcp->mss ? segment : tcp->mss;
    segment = segment < half ? segment : half;
    tcp->ack.segment = (uint16_t)(segment > 88 ? segment : 88);
    tcp->ack.last_data_ns = stack->now_ns;
}

/* As many as half a window, at least 2. */
static void more_quick(struct tcp *tcp, uint32_t most) {
    uint32_t count = (tcp->rcv_adv - tcp->rcv_nxt) / (2u * tcp->ack.segment);
    count = count < 2 ? 2 : count < most ? count : most;
    if (count > tcp->ack.quick)
        tcp->ack.quick = (uint8_t)count;
}

void tcp_ack_quickly(struct tcp *tcp, uint8_t count) {
    more_quick(tcp, count);
    tcp->ack.ping_pong = false;
    tcp->ack.delay_ns = DELAY_MIN_NS;
}

/* How fast data comes says how long an answer to it may take. */
static void learn(struct stack *stack, struct tcp *tcp) {
    struct tcp_ack *ack = &tcp->ack;
    uint64_t since_ns = stack->now_ns - ack->last_data_ns;
    if (!ack->delay_ns) {
        more_quick(tcp, TCP_ACK_QUICK_MAX);
        ack->delay_ns = DELAY_MIN_NS;
    } else if (since_ns <= DELAY_MIN_NS / 2) {
        ack->delay_ns = ack->delay_ns / 2 + DELAY_MIN_NS / 2;
    } else if (since_ns < ack->delay_ns) {
        ack->delay_ns = min_u64(ack->delay_ns / 2 + since_ns, tcp->rtt.rto_ns);
    } else if (since_ns > tcp->rtt.rto_ns) {
        more_quick(tcp, TCP_ACK_QUICK_MAX); /* the sender begins anew */
    }
    ack->last_data_ns = stack->now_ns;
}

static uint64_t delay_of(const struct tcp *tcp) {
    uint64_t delay_ns = tcp->ack.delay_ns,
             most = tcp->ack.ping_pong || tcp->ack.pushed ? TCP_ACK_DELAY_MAX_NS : 500000000;
    if (delay_ns <= DELAY_MIN_NS)
        return delay_ns;
    if (tcp->rtt.srtt_ns) {
        uint64_t round_trip = tcp->rtt.srtt_ns > DELAY_MIN_NS ? tcp->rtt.srtt_ns : DELAY_MIN_NS;
        most = min_u64(most, round_trip);
    }
    return min_u64(min_u64(delay_ns, most), TCP_ACK_DELAY_MAX_NS);
}

void tcp_ack_received(struct stack *stack, struct tcp *tcp, uint32_t length) {
    struct tcp_ack *ack = &tcp->ack;
    learn(stack, tcp);
    ack->duplicates = ack->compressed = 0;
    ack->pushed |= length < ack->segment;
    if (length > ack->segment)
        ack->segment = (uint16_t)(length < tcp->path.mss_peer ? length : tcp->path.mss_peer);
    bool enough = tcp->rcv_nxt - tcp->last_ack_sent > ack->segment;
    if (enough || (ack->quick > 0 && !ack->ping_pong))
        tcp_want_ack(stack, tcp);
    else if (!tcp_alarm_is_set(tcp, TCP_ALARM_ACK))
        tcp_alarm_set(stack, tcp, TCP_ALARM_ACK, stack->now_ns + delay_of(tcp));
}

void tcp_ack_out_of_order(struct stack *stack, struct tcp *tcp, bool news) {
    struct tcp_ack *ack = &tcp->ack;
    if (!tcp->sack_permitted || ack->duplicates < DUPLICATES_AT_ONCE || ack->compressed >= COMPRESSED_MAX ||
        tcp->has_duplicate || news) {
        if (ack->duplicates < DUPLICATES_AT_ONCE)
            ack->duplicates++;
        ack->compressed = 0;
        tcp_send_ack(stack, tcp); /* each: RFC 5681 section 4.2 */
        return;
    }
    /* What is missing is known: that more comes after it can be told together. */
    uint64_t round_trip = tcp->tuning.rtt_ns ? tcp->tuning.rtt_ns : tcp->rtt.srtt_ns;
    stack->mib.TcpExtTCPAckCompressed += ack->compressed > 0;
    if (ack->compressed++ == 0)
        tcp_alarm_set(stack, tcp, TCP_ALARM_ACK,
                      stack->now_ns + min_u64(COMPRESSION_NS, round_trip / COMPRESSION_OF_ROUND_TRIP));
}

void tcp_ack_sent(struct stack *stack, struct tcp *tcp, bool data) {
    struct tcp_ack *ack = &tcp->ack;
    ack->pushed = false;
    if (ack->quick > 0 && --ack->quick == 0)
        ack->delay_ns = DELAY_MIN_NS;
    if (data && ack->last_data_ns && stack->now_ns - ack->last_data_ns < ack->delay_ns)
        ack->ping_pong = true; /* it is an answer */
}

void tcp_ack_read(struct stack *stack, struct tcp *tcp) {
    if (tcp_alarm_is_set(tcp, TCP_ALARM_ACK) && tcp->receive.length == 0 && tcp->ack.pushed &&
        !tcp->ack.ping_pong)
        tcp_send_ack(stack, tcp); /* the program has it all, and does not answer: the peer may be waiting */
}

void tcp_ack_timeout(struct stack *stack, struct tcp *tcp) {
    struct tcp_ack *ack = &tcp->ack;
    if (ack->compressed == 0) {
        stack->mib.TcpExtDelayedACKs++;
        if (ack->ping_pong)
            ack->delay_ns = DELAY_MIN_NS;
        else
            ack->delay_ns = min_u64(2 * ack->delay_ns, tcp->rtt.rto_ns);
        ack->ping_pong = false;
    }
    ack->compressed = 0;
    tcp_send_ack(stack, tcp);
}

void tcp_ack_set_quick(struct stack *stack, struct tcp *tcp, int value) {
    tcp->ack.ping_pong = value == 0;
    if (!value || !tcp_alarm_is_set(tcp, TCP_ALARM_ACK))
        return;
    tcp_send_ack(stack, tcp);
    tcp->ack.ping_pong = !(value & 1);
}
