/*
 * igmp.h - membership in multicast groups, and telling routers of it (RFC 3376; RFC 2236 and 1112 when an
 * older router asks).
 *
 * Any source of a group is welcome: filters by source (IP_ADD_SOURCE_MEMBERSHIP and so on) are not there.
 */
#ifndef STACK_IGMP_H
#define STACK_IGMP_H

#include "ip.h"
#include "timer.h"

#define IGMP_GROUPS_MAX 1024u
#define IGMP_MEMBERSHIPS_MAX 20u                     /* of a socket: net.ipv4.igmp_max_memberships */
#define IGMP_ROBUSTNESS 2u                           /* how often a change is told */
#define IGMP_UNSOLICITED_NS UINT64_C(1000000000)     /* ... within how much time; RFC 3376 section 8.11 */
#define IGMP_UNSOLICITED_V2_NS UINT64_C(10000000000) /* RFC 2236 section 8.10 */
#define IGMP_OLDER_ROUTER_NS UINT64_C(260000000000)  /* RFC 3376 section 8.12 */

struct socket;

/* A socket's membership. */
struct igmp_membership {
    struct list link; /* in socket->datagram->memberships */
    struct socket *socket;
    uint32_t group;
};

/* A group of which the stack is a member, or was until a moment ago. */
struct igmp_group {
    struct list link;
    uint32_t address;
    uint32_t users;     /* memberships; 0: it has been left */
    uint8_t changes;    /* times that this is still to be told */
    bool asked;         /* a router has asked */
    struct timer timer; /* when to tell next */
};

struct igmp {
    struct pool memberships, groups;
    struct list list;
    uint64_t v1_until_ns, v2_until_ns; /* a router of that version is there */
};

void igmp_init(struct stack *stack);

/* IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP: 0, -EINVAL, -EADDRINUSE, -ENOBUFS; -EADDRNOTAVAIL. */
int igmp_join(struct stack *stack, struct socket *socket, uint32_t group);
int igmp_leave(struct stack *stack, struct socket *socket, uint32_t group);
void igmp_leave_all(struct stack *stack, struct socket *socket);

/* Whether the stack takes packets to a group. */
bool igmp_is_member(const struct stack *stack, uint32_t group);

/* Whether a socket does: as a member, or because others are and it has IP_MULTICAST_ALL. */
bool igmp_socket_wants(const struct socket *socket, uint32_t group);

void igmp_input(struct stack *stack, struct ip_packet *packet);
void igmp_timer(struct stack *stack, struct igmp_group *group);

/* Makes the groups anew from the memberships, which have been found good. */
void igmp_repair(struct stack *stack);

#endif
