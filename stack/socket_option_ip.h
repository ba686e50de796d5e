/* SPDX-License-Identifier: MIT */
/*
 * socket_option_ip.h - options of the levels IPPROTO_IP, IPPROTO_UDP and SOL_RAW.
 */
#ifndef STACK_SOCKET_OPTION_IP_H
#define STACK_SOCKET_OPTION_IP_H

#include "stack/socket_option.h"

/* `number` is the value as an int, if it
 * is long enough for one. */
int ip_option_set(struct stack *stack, struct socket *socket, int name, const void *value, socklen_t length,
                  int number);
int ip_option_get(struct stack *stack, struct socket *socket, int name, void *value, socklen_t *length);

int udp_option_set(struct stack *stack, struct socket *socket, int name, int number);
int udp_option_get(const struct socket *socket, int name, void *value, socklen_t *length);
int raw_option_set(struct socket *socket, int name, const void *value, socklen_t length);
int raw_option_get(const struct socket *socket, int name, void *value, socklen_t *length);

#endif
