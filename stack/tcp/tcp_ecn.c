/* SPDX-License-Identifier: MIT */
/*
 * tcp_ecn.c - see tcp_ecn.h.
 */
#include "stack/tcp/tcp_ecn.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_dctcp.h"
#include "stack/tcp/tcp_handshake.h"
#include "stack/tcp/tcp_output.h"

#define ACE_MASK 7u
#define ACE_CWR 2u
#define ACE_START 5u /* section 3.2.1: of either counter */
#define ACE_ASKS 7u  /* of a SYN */
#define ACE_CE 6u    /* of a SYN-ACK or the first segment after it: how what it answers arrived */
#define ACE_MANGLED 0u
/* Section 3.2.2.5.1: then an acknowledgment does not wait; where nothing is to be acknowledged but the other side's
 * acknowledgments, at three, or two sides would answer each other for ever. */
#define MARKS_UNTOLD_MAX(tcp) ((tcp)->rcv_nxt != (tcp)->last_ack_sent ? 2u : 3u)
#define ACKS_ARE_LONG 4u /* segments, on average: then a long one does not mean that others were lost */
#define AVERAGE_OF 8u

static bool is_accurate(const struct tcp *tcp) {
    return (tcp->ecn & (TCP_ECN_ON | TCP_ECN_ACCURATE)) == (TCP_ECN_ON | TCP_ECN_ACCURATE);
}

static bool needs_ecn(const struct tcp *tcp) {
    return tcp->options.congestion == TCP_DCTCP;
}

static bool echoes_each(const struct tcp *tcp) {
    return tcp->congestion.algorithm == TCP_DCTCP && !is_accurate(tcp);
}

static uint32_t ace_of(const struct tcp_segment *segment) {
    return (segment->accurate_ecn ? 4u : 0) | (segment->flags & TCP_CWR ? ACE_CWR : 0) |
           (segment->flags & TCP_ECE ? 1u : 0);
}

static void put_ace(struct tcp_segment *segment, uint32_t ace) {
    segment->flags &= (uint8_t) ~(TCP_CWR | TCP_ECE);
    segment->flags |= (ace & ACE_CWR ? TCP_CWR : 0) | (ace & 1 ? TCP_ECE : 0);
    segment->accurate_ecn = ace & 4;
}

/* Tables 2 and 4: how what came was marked. */
static uint32_t ace_of_mark(uint8_t mark) {
    static const uint8_t aces[] = {2, 3, 4, ACE_CE};
    return aces[mark];
}

static uint32_t counter(const struct tcp *tcp) {
    return (ACE_START + tcp->history.received_ce) & ACE_MASK;
}

void tcp_ecn_syn(const struct stack *stack, struct tcp *tcp, struct tcp_segment *segment, bool again) {
    uint32_t wanted = stack->sysctl.tcp_ecn;
    if (segment->flags & TCP_ACK) {
        if (is_accurate(tcp))
            put_ace(segment, ace_of_mark(tcp->ecn_told.mark));
        else
            segment->flags |= tcp->ecn & TCP_ECN_ON ? TCP_ECE : 0;
        return;
    }
    if (!again && (wanted == 1 || wanted == 3 || wanted == 4 || needs_ecn(tcp)))
        tcp->ecn |= TCP_ECN_ASKED | (wanted == 3 ? TCP_ECN_ACCURATE : 0);
    if (again && stack->sysctl.tcp_ecn_fallback)
        tcp->ecn = 0; /* a middlebox may have dropped it for its flags: RFC 3168 section 6.1.1.1 */
    if (tcp->ecn & TCP_ECN_ASKED)
        put_ace(segment, tcp->ecn & TCP_ECN_ACCURATE ? ACE_ASKS : ACE_ASKS & ~4u);
}

void tcp_ecn_asked(const struct stack *stack, struct tcp *tcp, const struct ip_packet *packet,
                   const struct tcp_segment *segment) {
    bool asked = (segment->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
    uint8_t mark = packet->tos & TCP_ECN_MASK;
    /* Packets of the handshake are not ECT, unless they ask for AccECN: another's marks mean nothing. */
    bool clean = mark == 0 || segment->accurate_ecn;
    if (!asked || !((clean && stack->sysctl.tcp_ecn) || needs_ecn(tcp)))
        return;
    tcp->ecn |= TCP_ECN_ASKED | TCP_ECN_ON;
    tcp->ecn_told = (struct tcp_ecn_told){.mark = mark & TCP_ECN_MASK, .ace = ACE_START};
    if (segment->accurate_ecn && stack->sysctl.tcp_ecn >= 3)
        tcp->ecn |= TCP_ECN_ACCURATE;
}

/* Table 2. */
static void answered_accurately(struct tcp *tcp, const struct tcp_segment *segment) {
    uint8_t mark = segment->tos & TCP_ECN_MASK;
    switch (segment->flags & TCP_ACK ? ace_of(segment) : ACE_MANGLED) {
    case 2:
    case 3:
    case 4:
    case ACE_CE:
        tcp->ecn |= TCP_ECN_ON;
        tcp->ecn_told =
            (struct tcp_ecn_told){.mark = mark & TCP_ECN_MASK, .reflects = true, .ace = ACE_START};
        tcp->history.received_ce += mark == TCP_ECN_CE;
        break;
    case 1:
    case 5: /* of RFC 3540, which was given up */
        tcp->ecn = TCP_ECN_ASKED | TCP_ECN_ON;
        break;
    default: /* simultaneous open among them */
        tcp->ecn = 0;
        break;
    }
}

void tcp_ecn_answered(struct tcp *tcp, const struct tcp_segment *segment) {
    uint8_t wanted = segment->flags & TCP_ACK ? TCP_ECE : TCP_ECE | TCP_CWR;
    if (tcp->ecn & TCP_ECN_ACCURATE)
        answered_accurately(tcp, segment);
    else if (tcp->ecn & TCP_ECN_ASKED && (segment->flags & (TCP_ECE | TCP_CWR)) == wanted)
        tcp->ecn |= TCP_ECN_ON;
    else
        tcp->ecn = 0;
}

/* How many packets it was before something on the way put them together: as if they were full. */
static uint32_t packets_of(const struct stack *stack, const struct tcp *tcp,
                           const struct tcp_segment *segment) {
    uint32_t full = tcp_own_mss(stack, tcp);
    return segment->length > full ? (segment->length + full - 1) / full : 1;
}

static void count_marks(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                        bool marked) {
    if (tcp->state == TCP_SYN_RECV && segment->flags & TCP_ACK) {
        uint32_t ace = ace_of(segment); /* how our SYN-ACK arrived */
        tcp->ecn |= ace == ACE_MANGLED ? TCP_ECN_MANGLED : 0;
        tcp->history.delivered_ce +=
            ace == ACE_CE && tcp->history.delivered_ce == 0; /* it may be said again */
        tcp->ecn_told.reflected = true;
    } else {
        tcp->ecn_told.reflected = false;
    }
    if (marked)
        tcp->history.received_ce += packets_of(stack, tcp, segment);
    bool turned = segment->length > 0 && marked != !!(tcp->ecn & TCP_ECN_ECHO);
    if (segment->length > 0)
        tcp->ecn = (uint8_t)(marked ? tcp->ecn | TCP_ECN_ECHO : tcp->ecn & ~TCP_ECN_ECHO);
    if ((turned && marked) || ((counter(tcp) - tcp->ecn_told.ace) & ACE_MASK) >= MARKS_UNTOLD_MAX(tcp))
        tcp_want_ack(stack, tcp);
}

/* RFC 8257 section 3.2: what came before the change is acknowledged as it was. */
static void echo_each(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment, bool marked) {
    tcp->history.received_ce += marked;
    if (segment->length == 0 || marked == !!(tcp->ecn & TCP_ECN_ECHO))
        return;
    if (tcp->rcv_nxt != tcp->last_ack_sent)
        tcp_send_ack(stack, tcp);
    tcp->ecn ^= TCP_ECN_ECHO;
    tcp_want_ack(stack, tcp);
}

static void echo_until_heeded(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                              bool marked) {
    if (segment->flags & TCP_CWR && segment->length > 0)
        tcp->ecn &= (uint8_t)~TCP_ECN_ECHO;
    if (!marked)
        return;
    if (!(tcp->ecn & TCP_ECN_ECHO)) {
        tcp_ack_quickly(tcp, 2);
        tcp_want_ack(stack, tcp); /* the sender should know at once */
    }
    tcp->ecn |= TCP_ECN_ECHO;
    tcp->history.received_ce++;
}

void tcp_ecn_received(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    uint8_t mark = segment->tos & TCP_ECN_MASK;
    if (!(tcp->ecn & TCP_ECN_ON))
        return;
    if (mark)
        tcp->ecn |= TCP_ECN_SEEN;
    if (is_accurate(tcp))
        count_marks(stack, tcp, segment, mark == TCP_ECN_CE);
    else if (echoes_each(tcp))
        echo_each(stack, tcp, segment, mark == TCP_ECN_CE);
    else
        echo_until_heeded(stack, tcp, segment, mark == TCP_ECN_CE);
}

/* RFC 9768 section 3.2.2.5.2 and appendix A.2: how many more packets were marked, of so many that are acknowledged. The
 * counter may have passed 8 when acknowledgments were lost; which is not to be thought of where they are long anyway. */
static uint32_t marks_told(struct tcp *tcp, const struct tcp_segment *segment, uint32_t packets) {
    uint32_t told = (ace_of(segment) - ACE_START - tcp->history.delivered_ce) & ACE_MASK;
    uint16_t *average = &tcp->active->acked_average;
    *average = (uint16_t)(*average - *average / AVERAGE_OF + (packets < 1000 ? packets : 1000));
    if (packets <= ACE_MASK || *average > ACKS_ARE_LONG * AVERAGE_OF)
        return told;
    return packets - ((packets - told) & ACE_MASK);
}

void tcp_ecn_acknowledged(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                          const struct tcp_delivery *delivery) {
    uint32_t packets = (delivery->delivered + tcp->mss - 1u) / tcp->mss, marked = 0;
    bool echoed = segment->flags & TCP_ECE;
    if (!(tcp->ecn & TCP_ECN_ON))
        return;
    if (!is_accurate(tcp))
        marked = echoed ? packets : 0;
    else if (packets > 0 && !tcp->ecn_told.reflected)
        marked = marks_told(tcp, segment, packets);
    tcp->history.delivered_ce += marked;
    if (tcp->congestion.algorithm == TCP_DCTCP && packets > 0)
        tcp_dctcp_acknowledged(tcp, packets, marked);
    if (is_accurate(tcp) ? marked > 0 : echoed)
        tcp_recovery_marked(stack, tcp);
}

uint8_t tcp_ecn_send(struct tcp *tcp, struct tcp_segment *segment, bool fresh) {
    /* By DCTCP all is ECT, so that a queue that marks early does not drop the rest: RFC 8257 section 3.5. */
    if (segment->flags & TCP_SYN)
        return needs_ecn(tcp) && tcp->ecn & TCP_ECN_ASKED ? TCP_ECN_ECT0 : 0;
    if (!(tcp->ecn & TCP_ECN_ON) || segment->flags & TCP_RST)
        return 0;
    if (is_accurate(tcp)) {
        put_ace(segment, tcp->ecn_told.reflects ? ace_of_mark(tcp->ecn_told.mark) : counter(tcp));
        tcp->ecn_told.reflects = false;
        tcp->ecn_told.ace = counter(tcp) & ACE_MASK;
        return (fresh || needs_ecn(tcp)) && !(tcp->ecn & TCP_ECN_MANGLED) ? TCP_ECN_ECT0 : 0;
    }
    if (tcp->ecn & TCP_ECN_ECHO)
        segment->flags |= TCP_ECE;
    if (fresh && tcp->ecn & TCP_ECN_REDUCED) {
        segment->flags |= TCP_CWR;
        tcp->ecn &= (uint8_t)~TCP_ECN_REDUCED;
    }
    return fresh || needs_ecn(tcp) ? TCP_ECN_ECT0 : 0;
}

bool tcp_ecn_sends_bursts(const struct tcp *tcp) {
    return is_accurate(tcp) ? !(counter(tcp) & ACE_CWR) && !tcp->ecn_told.reflects
                            : !(tcp->ecn & TCP_ECN_REDUCED);
}
