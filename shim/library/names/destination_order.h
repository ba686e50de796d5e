/* SPDX-License-Identifier: MIT */
/*
 * destination_order.h - in which order a name's addresses are told: RFC 6724 section 6, over the stack's own
 * addresses, with gai.conf(5)'s tables.
 */
#ifndef SHIM_LIBRARY_NAMES_DESTINATION_ORDER_H
#define SHIM_LIBRARY_NAMES_DESTINATION_ORDER_H

#include "shim/library/names/resolver.h"

/* Orders addresses, by what the stack would send from to each. */
void destination_order(struct resolved_address *addresses, int count);

/* Whether the program would leave the stack by an IPv6 address, because the kernel's network leads there. */
bool destination_leaves(const struct in6_addr *address);

#endif
