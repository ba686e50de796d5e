/* SPDX-License-Identifier: MIT */
/*
 * arp_requests.h - ioctl(2)'s SIOCGARP, SIOCSARP and SIOCDARP (arp(7)) of neighbours on the stack's own
 * interface. A DHCP server tells its host of a client's address that way, before that client can answer ARP.
 */
#ifndef SHIM_LIBRARY_NETINFO_ARP_REQUESTS_H
#define SHIM_LIBRARY_NETINFO_ARP_REQUESTS_H

#include <stdbool.h>

/* Whether it is one. */
bool arp_request(unsigned long request);

/* By a socket of ours; of other interfaces the kernel is asked. Returns 0 or a negative errno. Entries for good (ATF_PERM) and those that are answered for (ATF_PUBL) there
 * are none: EPERM. */
int arp_request_answer(int fd, unsigned long request, void *argument);

#endif
