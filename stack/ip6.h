/*
 * ip6.h - IPv6 (RFC 8200), as the rest of the stack sees it: see ip.h for what is of both families.
 */
#ifndef STACK_IP6_H
#define STACK_IP6_H

#include "ip.h"

/* Whether an address is one of the stack's own: ::1 too, if the loopback network is the stack's. */
bool ip6_is_local(const struct stack *stack, struct ip_address address);

/* Whether there is a way to a destination: 0 or -ENETUNREACH. */
int ip6_reachable(const struct stack *stack, struct ip_address destination);

/* The source address for a destination; `preferences` are IPV6_PREFER_SRC_* of ipv6(7), or 0. Returns 0 or
 * -EADDRNOTAVAIL. */
int ip6_source(const struct stack *stack, struct ip_address destination, unsigned preferences,
               struct ip_address *source);

/* An upper layer heard from a destination: its next hop works. */
void ip6_confirm(struct stack *stack, struct ip_address destination);

/* See ip_output. */
int ip6_output(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters);

#endif
