/* SPDX-License-Identifier: MIT */
/*
 * raw.h - raw sockets (raw(7)) and ping sockets (icmp(7)'s SOCK_DGRAM).
 *
 * They need no privilege: the address is the program's own.
 */
#ifndef STACK_DATAGRAM_RAW_H
#define STACK_DATAGRAM_RAW_H

#include "stack/datagram/datagram.h"

#define ICMP6_CHECKSUM_AT 2 /* in a message */

/* Gives a packet to every raw socket that wants it, as a copy. Returns whether any did. */
bool raw_input(struct stack *stack, const struct ip_packet *packet);
ssize_t raw_send(struct stack *stack, struct socket *socket, const struct socket_message *message,
                 uint32_t length);
void raw_error(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error);

/* An echo reply, to the socket that has its ident. May take the chain. */
void ping_input(struct stack *stack, struct ip_packet *packet);
ssize_t ping_send(struct stack *stack, struct socket *socket, const struct socket_message *message,
                  uint32_t length);
void ping_error(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error);

#endif
