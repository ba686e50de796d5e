/* SPDX-License-Identifier: MIT */
/*
 * cmsg.h - control messages (cmsg(3)): what sendmsg(2) is told, and recvmsg(2) tells.
 */
#ifndef SHIM_LIBRARY_CALLS_CMSG_H
#define SHIM_LIBRARY_CALLS_CMSG_H

#include "stack/stack.h"

/* Reads what a program says of what it sends by a socket, of a datagram by IPv6 (`six`) or IPv4: messages of the other
 * family are passed over, of a stream all but those of SOL_SOCKET. `extensions` is where headers go that a message has,
 * which points to them. `have` says whether the caller has a capability (CAP_*), and is asked only when that matters.
 * Returns 0, -EINVAL, -EMSGSIZE or -EPERM. */
int cmsg_read(const struct msghdr *header, const struct socket *socket, bool six,
              struct socket_message *message, struct ip6_extensions *extensions,
              bool (*have)(int capability));

/* Whether control messages fill the room that they are said to have, one after the other, as all sockets want
 * it. */
bool control_is_whole(const struct msghdr *header);

/* Writes what a socket's options ask for of a received one; sets msg_controllen, and MSG_CTRUNC in msg_flags
 * when there was too little room. clock_offset_ns: what the time of day is ahead of the stack's clock. */
void cmsg_write(const struct stack *stack, uint64_t clock_offset_ns, struct msghdr *header,
                const struct socket_options *options, const struct socket_message *message);

#endif
