/* SPDX-License-Identifier: MIT */
/*
 * procfs_text6.h - those files below /proc/net that are of IPv6 alone.
 */
#ifndef SHIM_LIBRARY_NETINFO_PROCFS_TEXT6_H
#define SHIM_LIBRARY_NETINFO_PROCFS_TEXT6_H

#include "shim/library/netinfo/procfs_text.h"

/* As procfs_write. */
bool procfs_write6(const char *name, struct procfs_text *text);

/* The kernel's file whose form a file takes: that of loopback for dev_snmp6/ and the stack's own interface, which
 * the kernel may not have. */
const char *procfs_form6(const char *name);

#endif
