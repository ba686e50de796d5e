/* SPDX-License-Identifier: MIT */
/*
 * bindresvport.c - bindresvport(3), rresvport(3) and rresvport_af: a reserved port, which libc would ask of
 * the kernel's object under the descriptor.
 */
#include "shim/library/calls/call.h"
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define LOWEST 600 /* of bindresvport: below, others have their services */
#define LOWER_LOWEST 512
#define HIGHEST (IPPORT_RESERVED - 1)

static _Atomic unsigned next; /* where the next search begins */

EXPORT int bindresvport(int fd, struct sockaddr_in *address) {
    CALL_BEGINS;
    struct sockaddr_in any = {.sin_family = AF_INET};
    struct sockaddr_in *name = address ? address : &any;
    if (name->sin_family != AF_INET)
        return (int)call_result(-EAFNOSUPPORT);
    unsigned first = next++ + (unsigned)getpid();
    /* When all are taken, those below 600 are tried, too. */
    for (unsigned i = 0; i < HIGHEST - LOWER_LOWEST + 1; i++) {
        unsigned upper = HIGHEST - LOWEST + 1;
        unsigned port = i < upper ? LOWEST + (first + i) % upper : LOWER_LOWEST + i - upper;
        name->sin_port = htons((uint16_t)port);
        if (bind(fd, (struct sockaddr *)name, sizeof *name) == 0)
            return (int)call_result(0);
        if (errno != EADDRINUSE)
            return -1;
    }
    return -1;
}

EXPORT int rresvport_af(int *port, sa_family_t family) {
    CALL_BEGINS;
    struct sockaddr_storage name = {.ss_family = family};
    bool inet = family == AF_INET;
    in_port_t *number =
        inet ? &((struct sockaddr_in *)&name)->sin_port : &((struct sockaddr_in6 *)&name)->sin6_port;
    if (family != AF_INET && family != AF_INET6)
        return (int)call_result(-EAFNOSUPPORT);
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    *port = *port < LOWER_LOWEST ? LOWER_LOWEST : *port > HIGHEST ? HIGHEST : *port;
    int first = *port;
    do {
        *number = htons((uint16_t)*port);
        if (bind(fd, (struct sockaddr *)&name,
                 inet ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) == 0)
            return (int)call_result(fd);
        if (errno != EADDRINUSE) {
            int error = errno;
            close(fd);
            return (int)call_result(-error);
        }
        *port = *port > LOWER_LOWEST ? *port - 1 : HIGHEST;
    } while (*port != first);
    close(fd);
    return (int)call_result(-EAGAIN);
}

EXPORT int rresvport(int *port) {
    return rresvport_af(port, AF_INET);
}
