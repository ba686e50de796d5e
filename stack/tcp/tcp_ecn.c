/* SPDX-License-Identifier: MIT */
/*
 * tcp_ecn.c - see tcp_ecn.h.
 */
#include "stack/tcp/tcp_ecn.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"

void tcp_ecn_syn(const struct stack *stack, struct tcp *tcp, struct tcp_segment *segment, bool again) {
    if (segment->flags & TCP_ACK) {
        segment->flags |= tcp->ecn & TCP_ECN_ON ? TCP_ECE : 0;
        return;
    }
    if (!again && (stack->sysctl.tcp_ecn == 1 || stack->sysctl.tcp_ecn == 3))
        tcp->ecn |= TCP_ECN_ASKED;
    if (again && stack->sysctl.tcp_ecn_fallback)
        tcp->ecn = 0; /* a middlebox may have dropped it for its flags: RFC 3168 section 6.1.1.1 */
    if (tcp->ecn & TCP_ECN_ASKED)
        segment->flags |= TCP_ECE | TCP_CWR;
}

void tcp_ecn_asked(const struct stack *stack, struct tcp *tcp, const struct ip_packet *packet,
                   const struct tcp_segment *segment) {
    bool asked = (segment->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
    /* Packets of the handshake are not ECT, unless they ask for AccECN: another's marks mean nothing. */
    bool clean = (packet->tos & TCP_ECN_MASK) == 0 || segment->accurate_ecn;
    if (asked && clean && stack->sysctl.tcp_ecn)
        tcp->ecn |= TCP_ECN_ASKED | TCP_ECN_ON;
}

void tcp_ecn_answered(struct tcp *tcp, const struct tcp_segment *segment) {
    uint8_t wanted = segment->flags & TCP_ACK ? TCP_ECE : TCP_ECE | TCP_CWR;
    if (tcp->ecn & TCP_ECN_ASKED && (segment->flags & (TCP_ECE | TCP_CWR)) == wanted)
        tcp->ecn |= TCP_ECN_ON;
    else
        tcp->ecn = 0;
}

void tcp_ecn_received(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment) {
    uint8_t mark = segment->tos & TCP_ECN_MASK;
    if (!(tcp->ecn & TCP_ECN_ON))
        return;
    if (segment->flags & TCP_CWR && segment->length > 0)
        tcp->ecn &= (uint8_t)~TCP_ECN_ECHO;
    if (mark)
        tcp->ecn |= TCP_ECN_SEEN;
    if (mark != TCP_ECN_CE)
        return;
    if (!(tcp->ecn & TCP_ECN_ECHO)) {
        tcp_ack_quickly(tcp, 2);
        tcp_want_ack(stack, tcp); /* the sender should know at once */
    }
    tcp->ecn |= TCP_ECN_ECHO;
    tcp->history.received_ce++;
}

uint8_t tcp_ecn_send(struct tcp *tcp, struct tcp_segment *segment, bool fresh) {
    if (!(tcp->ecn & TCP_ECN_ON) || segment->flags & (TCP_SYN | TCP_RST))
        return 0;
    if (tcp->ecn & TCP_ECN_ECHO)
        segment->flags |= TCP_ECE;
    if (!fresh)
        return 0;
    if (tcp->ecn & TCP_ECN_REDUCED) {
        segment->flags |= TCP_CWR;
        tcp->ecn &= (uint8_t)~TCP_ECN_REDUCED;
    }
    return TCP_ECN_ECT0;
}
