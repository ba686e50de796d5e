/* SPDX-License-Identifier: MIT */
/*
 * netns.c - see netns.h. A namespace is known by the cookie of its sockets (SO_NETNS_COOKIE, Linux 5.14),
 * which takes neither /proc nor a privilege.
 */
#include "shim/library/process/netns.h"
#include "shim/region/libc.h"
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

bool netns_left;
static uint64_t home;

/* 0: it can't be known. */
static uint64_t here(void) {
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    int kept = errno, fd = LIBC(socket)(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        if (LIBC(getsockopt)(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) < 0)
            cookie = 0;
        LIBC(close)(fd);
    }
    errno = kept;
    return cookie;
}

void netns_leaving(void) {
    if (netns_left)
        return;
    home = here();
    netns_left = home != 0;
}

void netns_begin(const char *told) {
    home = told ? strtoull(told, NULL, 16) : 0;
    netns_left = home != 0;
}

void netns_tell(char text[NETNS_TEXT_BYTES]) {
    snprintf(text, NETNS_TEXT_BYTES, "%llx", (unsigned long long)home);
}

bool netns_is_elsewhere(void) {
    uint64_t now = here();
    return now && now != home;
}

EXPORT int unshare(int flags) {
    if (flags & CLONE_NEWNET)
        netns_leaving();
    return LIBC(unshare)(flags);
}

EXPORT int setns(int fd, int kind) {
    netns_leaving();
    return LIBC(setns)(fd, kind);
}
