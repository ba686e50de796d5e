/* SPDX-License-Identifier: MIT */
/*
 * socket_option_ip6.h - options of the levels IPPROTO_IPV6 and IPPROTO_ICMPV6, of an AF_INET6 socket.
 */
#ifndef STACK_SOCKET_OPTION_IP6_H
#define STACK_SOCKET_OPTION_IP6_H

#include "stack/socket_option.h"

int ip6_option_set(struct stack *stack, struct socket *socket, int name, const void *value, socklen_t length,
                   int number);
int ip6_option_get(struct stack *stack, struct socket *socket, int name, void *value, socklen_t *length);
/* IPV6_MTU, and IP_MTU of any socket: the path's, of one that is connected. */
int ip6_option_give_mtu(struct stack *stack, const struct socket *socket, void *value, socklen_t *length);
int icmp6_option_set(struct socket *socket, int name, const void *value, socklen_t length);
int icmp6_option_get(const struct socket *socket, int name, void *value, socklen_t *length);

#endif
