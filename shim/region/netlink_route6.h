/* SPDX-License-Identifier: MIT */
/*
 * netlink_route6.h - IPv6's part of what rtnetlink(7) would answer: see netlink_route.h. The lock is held.
 */
#ifndef SHIM_REGION_NETLINK_ROUTE6_H
#define SHIM_REGION_NETLINK_ROUTE6_H

#include "shim/region/interface.h"
#include "shim/region/netlink_message.h"

/* Appends the addresses of all interfaces, or of the one with that index. */
void netlink_tell_addresses6(struct netlink_answer *answer, const struct interface *all, unsigned only);

/* Appends the routes of a table (RT_TABLE_UNSPEC: of both). */
void netlink_tell_routes6(struct netlink_answer *answer, const struct interface *all, uint32_t table);

/* Answers RTM_GETROUTE for one destination. Returns 0, -EINVAL or -ENETUNREACH. */
int netlink_look_up_route6(struct netlink_answer *answer, const struct interface *all);

#endif
