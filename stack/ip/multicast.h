/* SPDX-License-Identifier: MIT */
/*
 * multicast.h - membership in multicast groups, of both families, with filters by source (RFC 3678): a socket
 * wants a group's packets from all but a few, or from a few only, and routers are told what all sockets
 * together want (igmp.h, mld.h).
 */
#ifndef STACK_IP_MULTICAST_H
#define STACK_IP_MULTICAST_H

#include "stack/base/timer.h"
#include "stack/ip/ip_address.h"
#include "stack/memory/pool.h"

#define MULTICAST_GROUPS_MAX 1024u
#define MULTICAST_MEMBERSHIPS_MAX 20u /* of a socket, of IPv4's: net.ipv4.igmp_max_memberships */
#define MULTICAST_SOURCES_MAX 64u     /* of a membership: net.ipv6.mld_max_msf */
#define MULTICAST_SOURCES4_MAX 10u    /* ... of IPv4's: net.ipv4.igmp_max_msf */
#define MULTICAST_ROBUSTNESS 2u       /* how often a change is told */

struct stack;
struct socket;

/* What is wanted of a group. */
struct multicast_filter {
    bool includes; /* only what comes from these sources; else all but that */
    uint8_t count;
    struct ip_address sources[MULTICAST_SOURCES_MAX];
};

/* A socket's membership. */
struct multicast_membership {
    struct list link;       /* in socket->datagram->memberships */
    struct list group_link; /* in its group's */
    struct socket *socket;
    struct ip_address group;
    struct multicast_filter filter;
};

/* A group of which the stack is a member, or was until a moment ago. */
struct multicast_group {
    struct list link;
    struct ip_address address;
    struct list members;          /* of struct multicast_membership */
    uint32_t own;                 /* addresses of the stack's own that want it, of IPv6 */
    struct multicast_filter told; /* what routers have been told */
    uint8_t changes;              /* times that this is still to be told */
    bool asked;                   /* a router has asked */
    struct timer timer;           /* when to tell next */
};

struct multicast {
    struct pool memberships, groups;
    struct list list; /* of struct multicast_group */
};

void multicast_init(struct stack *stack);

/* IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP and their opposites: 0, -EINVAL, -EADDRINUSE, -ENOBUFS; -EADDRNOTAVAIL.
 * Who joins to include wants nothing at first. */
int multicast_join(struct stack *stack, struct socket *socket, struct ip_address group, bool includes);
int multicast_leave(struct stack *stack, struct socket *socket, struct ip_address group);
void multicast_leave_all(struct stack *stack, struct socket *socket);

/* Adds or removes a source that a membership includes, or excludes: IP_ADD_SOURCE_MEMBERSHIP (which joins
 * first), IP_BLOCK_SOURCE and their opposites, MCAST_JOIN_SOURCE_GROUP and so on. As Linux's ip_mc_source: 0,
 * -EINVAL, -EADDRNOTAVAIL, -ENOBUFS. */
int multicast_source(struct stack *stack, struct socket *socket, struct ip_address group,
                     struct ip_address source, bool includes, bool add);

/* IP_MSFILTER, MCAST_MSFILTER: sets the whole filter, 0 or -EINVAL; gives it, NULL when the socket is no
 * member. */
int multicast_set_filter(struct stack *stack, struct socket *socket, struct ip_address group,
                         const struct multicast_filter *filter);
const struct multicast_filter *multicast_get_filter(const struct socket *socket, struct ip_address group);

/* How many sources a filter of that group's family may have. */
uint32_t multicast_sources_max(struct ip_address group);

/* Whether the stack takes packets to a group from a source. */
bool multicast_wants(const struct stack *stack, struct ip_address group, struct ip_address source);

/* Whether a socket does: as a member, or because others are and it has IP_MULTICAST_ALL. */
bool multicast_socket_wants(const struct socket *socket, struct ip_address group, struct ip_address source);

/* An address of the stack's own wants a group, or does not any more. */
void multicast_own(struct stack *stack, struct ip_address group, bool wanted);

/* For igmp.c and mld.c. */
static inline bool multicast_has_members(const struct multicast_group *group) {
    return !list_empty(&group->members) || group->own > 0;
}
struct multicast_group *multicast_find(const struct stack *stack, struct ip_address group);
void multicast_forget(struct stack *stack, struct multicast_group *group);
void multicast_tell_within(struct stack *stack, struct multicast_group *group, uint64_t ns);

void multicast_timer(struct stack *stack, struct multicast_group *group);

/* Makes the groups anew from the memberships, which have been found good. */
void multicast_repair(struct stack *stack);

#endif
