/* SPDX-License-Identifier: MIT */
/*
 * netlink_route.h - what rtnetlink(7) would answer, if the stack's interface, addresses, routes and
 * neighbours were the kernel's.
 */
#ifndef SHIM_REGION_NETLINK_ROUTE_H
#define SHIM_REGION_NETLINK_ROUTE_H

#include "shim/region/interface.h"
#include "shim/region/netlink_message.h"

/* Answers a request: appends messages, and returns 0 or a negative errno, for a request of whose dump nothing
 * is (answer->filtered) or that can't be. What would change something is EPERM, what is not known EOPNOTSUPP.
 * The lock is held. */
int netlink_route(struct netlink_answer *answer, const struct interface all[INTERFACES]);

#endif
