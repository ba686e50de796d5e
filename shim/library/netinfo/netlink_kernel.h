/* SPDX-License-Identifier: MIT */
/*
 * netlink_kernel.h - netlink requests that are the kernel's to answer: about its own interfaces, a tun that a
 * program makes or lo, and its own sockets.
 */
#ifndef SHIM_LIBRARY_NETINFO_NETLINK_KERNEL_H
#define SHIM_LIBRARY_NETINFO_NETLINK_KERNEL_H

#include "shim/library/netinfo/interfaces.h"
#include <linux/netlink.h>
#include <stddef.h>

/* Whether a rtnetlink request is about an interface of the kernel's. Whatever names the stack's own is not;
 * lo, which is the kernel's, is changed there, but told of with the stack's. The lock is held. */
bool netlink_is_kernels(const struct nlmsghdr *request, bool strict, const struct interface all[INTERFACES]);

/* Asks the kernel, and gives each datagram of its answer to `deliver`, as it would come to `port`. Returns 0
 * or a negative errno. The lock is not held. */
int netlink_ask_kernel(int protocol, const struct nlmsghdr *request, bool strict, uint32_t port,
                       void (*deliver)(void *context, const void *bytes, size_t length), void *context);

#endif
