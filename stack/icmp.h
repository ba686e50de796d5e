/*
 * icmp.h - ICMP (RFC 792): echo reply, destination unreachable.
 */
#ifndef STACK_ICMP_H
#define STACK_ICMP_H

#include "ip.h"

enum icmp_type {
    ICMP_ECHO_REPLY = 0,
    ICMP_DESTINATION_UNREACHABLE = 3,
    ICMP_ECHO_REQUEST = 8,
};

enum icmp_unreachable {
    ICMP_NET_UNREACHABLE = 0,
    ICMP_HOST_UNREACHABLE = 1,
    ICMP_PROTOCOL_UNREACHABLE = 2,
    ICMP_PORT_UNREACHABLE = 3,
    ICMP_FRAGMENTATION_NEEDED = 4,
};

/* Linux's icmp_msgs_per_sec and icmp_msgs_burst: the bound on errors sent. */
#define ICMP_ERRORS_PER_SECOND 1000u
#define ICMP_ERRORS_BURST 50u

struct icmp_limiter {
    uint64_t refilled_ns;
    uint32_t tokens;
};

void icmp_input(struct stack *stack, struct ip_packet *packet);

/* Answers a packet with a destination unreachable, unless RFC 1122 section 3.2.2 or the rate limit forbids
 * it. */
void icmp_send_unreachable(struct stack *stack, const struct ip_packet *packet, enum icmp_unreachable code);

#endif
