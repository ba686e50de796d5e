/* SPDX-License-Identifier: MIT */
/*
 * resolver.h - names and addresses of hosts: from the sources that nsswitch.conf(5) names, in its order.
 *
 * "files" is libc's own, and so is any other module of NSS, which does what it does through the calls that
 * are taken over; "dns" is asked through the stack (dns.h).
 */
#ifndef SHIM_LIBRARY_NAMES_RESOLVER_H
#define SHIM_LIBRARY_NAMES_RESOLVER_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>

#define RESOLVER_ADDRESSES_MAX 2048
#define RESOLVER_NAME_BYTES 1025

struct resolved_address {
    int family;
    struct in6_addr address; /* of AF_INET: the first four bytes */
    uint32_t scope;
};

struct resolved {
    int count;
    struct resolved_address addresses[RESOLVER_ADDRESSES_MAX];
    char canonical[RESOLVER_NAME_BYTES]; /* empty: none told */
};

struct resolver_wish {
    const char *name;
    int family; /* AF_UNSPEC: both */
    bool canonical;
    bool mapped;   /* of AF_INET6, IPv4 addresses as well, as AF_INET: AI_V4MAPPED */
    bool all;      /* ... even where there are others: AI_ALL */
    bool no_inet6; /* of AF_UNSPEC, none from the network */
};

/* The addresses of a name. Returns 0 or an EAI_* error. */
int resolver_addresses(const struct resolver_wish *wish, struct resolved *resolved);

/* What gethostbyname2_r(3) and gethostbyaddr_r(3) give, packed into a buffer of the caller's. Returns 0,
 * ERANGE when the buffer is too small, ENOENT when nobody knows, or EAGAIN, with *host_error set
 * (HOST_NOT_FOUND ...). */
int resolver_host_by_name(const char *name, int family, struct hostent *host, char *buffer, size_t length,
                          int *host_error);
int resolver_host_by_address(const void *address, socklen_t address_length, int family, struct hostent *host,
                             char *buffer, size_t length, int *host_error);

#endif
