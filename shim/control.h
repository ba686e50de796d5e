/*
 * control.h - control messages (cmsg(3)) of datagrams: what sendmsg(2) is told, and recvmsg(2) tells.
 */
#ifndef SHIM_CONTROL_H
#define SHIM_CONTROL_H

#include "stack.h"

/* Reads what a program says of a datagram that it sends. Returns 0 or -EINVAL. */
int control_read(const struct msghdr *header, struct socket_message *message);

/* Writes what a socket's options ask for of a received one; sets msg_controllen, and MSG_CTRUNC in msg_flags
 * when there was too little room. */
void control_write(struct msghdr *header, const struct socket_options *options,
                   const struct socket_message *message);

#endif
