/* SPDX-License-Identifier: MIT */
/*
 * ip6_anycast.h - anycast addresses (RFC 4291 section 2.6; IPV6_JOIN_ANYCAST): the stack takes datagrams and
 * ICMPv6 that are sent to one, and answers for it on the link, as long as a socket wants it; it sends nothing
 * from it, and has no TCP there.
 */
#ifndef STACK_IP_IP6_ANYCAST_H
#define STACK_IP_IP6_ANYCAST_H

#include "stack/ip/ip_address.h"

#define IP6_ANYCAST_MAX 8u
#define IP6_ANYCAST_OF_SOCKET 4u

struct stack;
struct socket;

struct ip6_anycast {
    uint32_t count;                               /* of places that are taken */
    struct ip_address addresses[IP6_ANYCAST_MAX]; /* "::": this place is free */
};

/* As Linux's ipv6_sock_ac_join, for who may: an address within a prefix of ours. Returns 0, -EINVAL, -ENODEV, -EADDRNOTAVAIL
 * or -ENOBUFS; and its opposite, 0 or -ENOENT. `interface` 0: whichever. */
int ip6_anycast_join(struct stack *stack, struct socket *socket, uint32_t interface,
                     struct ip_address address);
int ip6_anycast_leave(struct stack *stack, struct socket *socket, uint32_t interface,
                      struct ip_address address);

/* A socket ends. */
void ip6_anycast_release(struct stack *stack, struct socket *socket);

bool ip6_is_anycast(const struct stack *stack, struct ip_address address);

/* Whether the stack is a member of a group by such an address. */
bool ip6_anycast_wants(const struct stack *stack, struct ip_address group);

/* How often sockets have joined. */
uint32_t ip6_anycast_users(const struct stack *stack, struct ip_address address);

/* The groups have been made anew, of sockets' memberships alone: those of the addresses are wanted again. */
void ip6_anycast_rejoin(struct stack *stack);

#endif
