/* SPDX-License-Identifier: MIT */
/*
 * igmp.h - telling routers of the IPv4 groups that the stack is a member of (RFC 3376; RFC 2236 and 1112 when
 * an older router asks); who is a member is in multicast.h.
 */
#ifndef STACK_IP_IGMP_H
#define STACK_IP_IGMP_H

#include "stack/ip/ip.h"
#include "stack/ip/multicast.h"

#define IGMP_UNSOLICITED_NS \
    UINT64_C(1000000000) /* within so much time a change is told again; RFC 3376 section 8.11 */
#define IGMP_UNSOLICITED_V2_NS UINT64_C(10000000000) /* RFC 2236 section 8.10 */
#define IGMP_OLDER_ROUTER_NS UINT64_C(260000000000)  /* RFC 3376 section 8.12 */

struct igmp {
    uint64_t v1_until_ns, v2_until_ns; /* a router of that version is there */
};

/* Other sources of a group are wanted than before, or none. May forget the group. */
void igmp_changed(struct stack *stack, struct multicast_group *group);

void igmp_input(struct stack *stack, struct ip_packet *packet);
void igmp_timer(struct stack *stack, struct multicast_group *group);

#endif
