/* SPDX-License-Identifier: MIT */
/*
 * procfs_text.h - the texts of the files below /proc/net that tell of the stack.
 */
#ifndef SHIM_LIBRARY_NETINFO_PROCFS_TEXT_H
#define SHIM_LIBRARY_NETINFO_PROCFS_TEXT_H

#include "shim/library/netinfo/interfaces.h"
#include <stdbool.h>
#include <stddef.h>

/* A text that grows, and is cut off where there is no more room. */
struct procfs_text {
    char *bytes;
    size_t used, room;
    const char *kernels; /* the kernel's file of the same name, for what it tells of loopback; ends in 0 */
    struct interface interfaces[INTERFACES];
};

void procfs_print(struct procfs_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What there is of sockets, for files that count them: of AF_INET6 alone, or all. For pool_walk, with the lock held. */
struct procfs_socket_counts {
    bool inet6_alone;
    uint32_t tcp, udp, udplite, raw, all;
};
void procfs_count_socket(void *object, void *context);

/* Makes the text of a file of that name. The lock is held. False: it is not one of them. */
bool procfs_write(const char *name, struct procfs_text *text);

#endif
