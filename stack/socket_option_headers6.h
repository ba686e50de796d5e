/* SPDX-License-Identifier: MIT */
/*
 * socket_option_headers6.h - what few AF_INET6 sockets have: struct socket_headers6.
 */
#ifndef STACK_SOCKET_OPTION_HEADERS6_H
#define STACK_SOCKET_OPTION_HEADERS6_H

#include "stack/socket_option.h"

bool headers6_option_is(int name);
int headers6_option_set(struct stack *stack, struct socket *socket, int name, const void *value,
                        socklen_t length, int number);
int headers6_option_get(struct stack *stack, struct socket *socket, int name, void *value, socklen_t *length);

#endif
