/* SPDX-License-Identifier: MIT */
/*
 * resolv_conf.h - /etc/resolv.conf, for programs that read it themselves: Go's resolver, c-ares, musl's,
 * Java's.
 */
#ifndef SHIM_LIBRARY_NAMES_RESOLV_CONF_H
#define SHIM_LIBRARY_NAMES_RESOLV_CONF_H

#include <stdbool.h>
#include <string.h>

static inline bool resolv_conf_is(const char *path) {
    return path[0] == '/' && path[1] == 'e' && strcmp(path, "/etc/resolv.conf") == 0;
}

/* Opens it with the name servers that --dns, or DHCP, name in place of the host's, and with all else as it
 * is: a file in memory. Returns the descriptor; -1 when it is to be opened as it is. */
int resolv_conf_open(int flags);

#endif
