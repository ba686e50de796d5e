/* SPDX-License-Identifier: MIT */
/*
 * netlink_diag.h - what sock_diag(7) would answer of the stack's sockets: ss(8) asks so.
 */
#ifndef SHIM_LIBRARY_NETINFO_NETLINK_DIAG_H
#define SHIM_LIBRARY_NETINFO_NETLINK_DIAG_H

#include "shim/region/netlink_message.h"

/* Whether a request is about sockets that are the kernel's: of AF_UNIX and the like. */
bool netlink_diag_is_kernels(const struct nlmsghdr *request);

/* Answers a request about IPv4 and IPv6 sockets. Returns 0 or a negative errno. The lock is held. */
int netlink_diag(struct netlink_answer *answer);

/* Appends to the answer to a dump what the kernel has at 127.0.0.0/8, and over IPv6. The lock is not held. */
void netlink_diag_add_kernels(struct netlink_answer *answer);

#endif
