/* SPDX-License-Identifier: MIT */
/*
 * interfaces.h - what a program is told of interfaces (interface.h), and asks of them.
 */
#ifndef SHIM_LIBRARY_NETINFO_INTERFACES_H
#define SHIM_LIBRARY_NETINFO_INTERFACES_H

#include "shim/region/interface.h"

/* Whether ::1 is there: the stack's, or the kernel's where the stack has no IPv6. The lock is not held. */
bool interfaces_have_loopback6(void);

/* interfaces_describe_by, by the stack's NIC. */
void interfaces_describe(struct interface all[INTERFACES]);

/* ioctl(2)'s questions (netdevice(7)). */
bool interface_request(unsigned long request); /* is it one? */
int interface_ask(int fd, unsigned long request, void *argument);

/* Whose interface, or route, one would change: the stack's own takes no changes. */
enum interface_owner {
    INTERFACE_NOBODYS, /* it is no such request */
    INTERFACE_STACKS,
    INTERFACE_KERNELS,
};
enum interface_owner interface_change(unsigned long request, const void *argument);

#endif
