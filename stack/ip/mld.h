/* SPDX-License-Identifier: MIT */
/*
 * mld.h - Multicast Listener Discovery (RFC 3810; RFC 2710 when an older router asks): routers are told of
 * the IPv6 groups that are wanted on the link, of solicited-node groups too, so that switches pass them on.
 * Who wants them is in multicast.h.
 */
#ifndef STACK_IP_MLD_H
#define STACK_IP_MLD_H

#include "stack/ip/multicast.h"

#define MLD_OLDER_ROUTER_NS UINT64_C(260000000000) /* RFC 3810 section 9.12 */

struct ip_packet;

struct mld {
    uint64_t v1_until_ns; /* a router of that version is there */
};

/* Other sources of a group are wanted than before, or none. May forget the group. */
void mld_changed(struct stack *stack, struct multicast_group *group);

/* The link-local address is there: what was told without it is told again. */
void mld_tell_again(struct stack *stack);

/* Tells routers of `group`, or NULL, and of all groups that are due, in one report. */
void mld_tell(struct stack *stack, struct multicast_group *group);

void mld_input(struct stack *stack, struct ip_packet *packet);

#endif
