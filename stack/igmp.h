/*
 * igmp.h - membership in multicast groups, and telling routers of it (RFC 3376; RFC 2236 and 1112 when an
 * older router asks), with filters by source (RFC 3678): a socket wants a group's packets from all but a few,
 * or from a few only, and routers are told what all sockets together want.
 */
#ifndef STACK_IGMP_H
#define STACK_IGMP_H

#include "ip.h"
#include "timer.h"

#define IGMP_GROUPS_MAX 1024u
#define IGMP_MEMBERSHIPS_MAX 20u                     /* of a socket: net.ipv4.igmp_max_memberships */
#define IGMP_SOURCES_MAX 10u                         /* of a membership: net.ipv4.igmp_max_msf */
#define IGMP_ROBUSTNESS 2u                           /* how often a change is told */
#define IGMP_UNSOLICITED_NS UINT64_C(1000000000)     /* ... within how much time; RFC 3376 section 8.11 */
#define IGMP_UNSOLICITED_V2_NS UINT64_C(10000000000) /* RFC 2236 section 8.10 */
#define IGMP_OLDER_ROUTER_NS UINT64_C(260000000000)  /* RFC 3376 section 8.12 */

struct socket;

/* What is wanted of a group. */
struct igmp_filter {
    bool includes; /* only what comes from these sources; else all but that */
    uint8_t count;
    uint32_t sources[IGMP_SOURCES_MAX];
};

/* A socket's membership. */
struct igmp_membership {
    struct list link;       /* in socket->datagram->memberships */
    struct list group_link; /* in its group's */
    struct socket *socket;
    uint32_t group;
    struct igmp_filter filter;
};

/* A group of which the stack is a member, or was until a moment ago. */
struct igmp_group {
    struct list link;
    uint32_t address;
    struct list members;     /* of struct igmp_membership; none: it has been left */
    struct igmp_filter told; /* what routers have been told */
    uint8_t changes;         /* times that this is still to be told */
    bool asked;              /* a router has asked */
    struct timer timer;      /* when to tell next */
};

struct igmp {
    struct pool memberships, groups;
    struct list list;
    uint64_t v1_until_ns, v2_until_ns; /* a router of that version is there */
};

void igmp_init(struct stack *stack);

/* IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP: 0, -EINVAL, -EADDRINUSE, -ENOBUFS; -EADDRNOTAVAIL. Who joins to
 * include wants nothing at first. */
int igmp_join(struct stack *stack, struct socket *socket, uint32_t group, bool includes);
int igmp_leave(struct stack *stack, struct socket *socket, uint32_t group);
void igmp_leave_all(struct stack *stack, struct socket *socket);

/* Adds or removes a source that a membership includes, or excludes: IP_ADD_SOURCE_MEMBERSHIP (which joins
 * first), IP_BLOCK_SOURCE and their opposites. As Linux's ip_mc_source: 0, -EINVAL, -EADDRNOTAVAIL, -ENOBUFS.
 */
int igmp_source(struct stack *stack, struct socket *socket, uint32_t group, uint32_t source, bool includes,
                bool add);

/* IP_MSFILTER: sets the whole filter, 0 or -EINVAL; gives it, NULL when the socket is no
 * member. */
int igmp_set_filter(struct stack *stack, struct socket *socket, uint32_t group,
                    const struct igmp_filter *filter);
const struct igmp_filter *igmp_get_filter(const struct socket *socket, uint32_t group);

/* Whether the stack takes packets to a group from a source. */
bool igmp_wants(const struct stack *stack, uint32_t group, uint32_t source);

/* Whether a socket does: as a member, or because others are and it has IP_MULTICAST_ALL. */
bool igmp_socket_wants(const struct socket *socket, uint32_t group, uint32_t source);

void igmp_input(struct stack *stack, struct ip_packet *packet);
void igmp_timer(struct stack *stack, struct igmp_group *group);

/* Makes the groups anew from the memberships, which have been found good. */
void igmp_repair(struct stack *stack);

#endif
