/*
 * resolver.h - names and addresses, by c-ares over the stack's own sockets.
 *
 * glibc's resolver makes its sockets inside libc, where nobody can take them over: left to itself it would
 * ask over the kernel's network. /etc/hosts, resolv.conf and nsswitch.conf's order count as they do there.
 */
#ifndef SHIM_RESOLVER_H
#define SHIM_RESOLVER_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>

#define RESOLVER_ADDRESSES_MAX 64
#define RESOLVER_NAME_BYTES 256

struct resolved {
    int count;
    struct in6_addr addresses[RESOLVER_ADDRESSES_MAX]; /* of AF_INET: the first four bytes */
    char canonical[RESOLVER_NAME_BYTES];
};

enum resolver_source {
    RESOLVER_ANY,   /* in nsswitch.conf's order */
    RESOLVER_FILES, /* /etc/hosts alone */
};

/* The addresses of a name. Returns 0 or an EAI_* error. */
int resolver_addresses(const char *name, int family, enum resolver_source source, struct resolved *resolved);

/* What gethostbyname(3) and gethostbyaddr(3) give, packed into a buffer of the caller's. Returns 0, ERANGE
 * when the buffer is too small, or -1 with *host_error set (HOST_NOT_FOUND ...). */
int resolver_host_by_name(const char *name, int family, struct hostent *host, char *buffer, size_t length,
                          int *host_error);
int resolver_host_by_address(const void *address, socklen_t address_length, int family, struct hostent *host,
                             char *buffer, size_t length, int *host_error);

#endif
