/* SPDX-License-Identifier: MIT */
/*
 * netlink_settings.h - what a program asks of how the network is set up, by netlink(7): the labels of RFC 6724 (`ip
 * addrlabel`), forwarding and the like (`ip netconf`), and the tables of neighbours (`ip ntable`). Called with the
 * stack's lock.
 */
#ifndef SHIM_REGION_NETLINK_SETTINGS_H
#define SHIM_REGION_NETLINK_SETTINGS_H

#include "shim/region/interface.h"
#include "shim/region/netlink_message.h"

/* Each answers a question of its type, and returns 0 or a negative errno. */
int netlink_tell_labels(struct netlink_answer *answer);
int netlink_tell_configuration(struct netlink_answer *answer, const struct interface all[INTERFACES]);
int netlink_tell_neighbour_tables(struct netlink_answer *answer, const struct interface all[INTERFACES]);

#endif
