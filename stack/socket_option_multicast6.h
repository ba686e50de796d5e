/* SPDX-License-Identifier: MIT */
/*
 * socket_option_multicast6.h - membership in groups of IPv6, of an AF_INET6 socket.
 */
#ifndef STACK_SOCKET_OPTION_MULTICAST6_H
#define STACK_SOCKET_OPTION_MULTICAST6_H

#include "stack/socket_option.h"

bool multicast6_option_is(int name);
int multicast6_option_set(struct stack *stack, struct socket *socket, int name, const void *value,
                          socklen_t length, int number);
int multicast6_option_get_filter(const struct stack *stack, const struct socket *socket, void *value,
                                 socklen_t *length);

#endif
