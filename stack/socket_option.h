/* SPDX-License-Identifier: MIT */
/*
 * socket_option.h - what the files of getsockopt(2) and setsockopt(2) share: see socket.h for the calls
 * themselves.
 */
#ifndef STACK_SOCKET_OPTION_H
#define STACK_SOCKET_OPTION_H

#include "stack/socket.h"
#include <string.h>

/* The levels IPPROTO_IP, IPPROTO_UDP and SOL_RAW (socket_option_ip.c); `number` is the value as an int, if it
 * is long enough for one. */
int ip_option_set(struct stack *stack, struct socket *socket, int name, const void *value, socklen_t length,
                  int number);
int ip_option_get(struct stack *stack, struct socket *socket, int name, void *value, socklen_t *length);

/* IPPROTO_IPV6 and IPPROTO_ICMPV6 (socket_option_ip6.c), of an AF_INET6 socket. */
int ip6_option_set(struct stack *stack, struct socket *socket, int name, const void *value, socklen_t length,
                   int number);
int ip6_option_get(struct stack *stack, struct socket *socket, int name, void *value, socklen_t *length);
int icmp6_option_set(struct socket *socket, int name, const void *value, socklen_t length);
int icmp6_option_get(const struct socket *socket, int name, void *value, socklen_t *length);

int udp_option_set(struct stack *stack, struct socket *socket, int name, int number);
int udp_option_get(const struct socket *socket, int name, void *value, socklen_t *length);
int raw_option_set(struct socket *socket, int name, const void *value, socklen_t length);
int raw_option_get(const struct socket *socket, int name, void *value, socklen_t *length);

/* Gives a value, cut to *length, which becomes that of what was given. */
static inline int option_give(void *value, socklen_t *length, const void *from, socklen_t size) {
    if (*length > size)
        *length = size;
    memcpy(value, from, *length);
    return 0;
}

static inline int option_give_number(void *value, socklen_t *length, int number) {
    return option_give(value, length, &number, sizeof number);
}

#endif
