/* SPDX-License-Identifier: MIT */
/*
 * dns_host.h - what name servers answer about hosts, as NSS's module "dns" would tell it.
 */
#ifndef SHIM_LIBRARY_NAMES_DNS_HOST_H
#define SHIM_LIBRARY_NAMES_DNS_HOST_H

#include "shim/library/names/resolver.h"
#include <nss.h>

/* Appends the addresses of a name; AF_UNSPEC asks for both kinds at once. */
enum nss_status dns_host_addresses(const char *name, int family, struct resolved *resolved, int *host_error);

/* gethostbyname2_r(3) and gethostbyaddr_r(3): NSS_STATUS_TRYAGAIN with errno ERANGE when the buffer is too
 * small. */
enum nss_status dns_host_by_name(const char *name, int family, struct hostent *host, char *buffer,
                                 size_t length, int *host_error);
enum nss_status dns_host_by_address(const void *address, socklen_t address_length, int family,
                                    struct hostent *host, char *buffer, size_t length, int *host_error);

#endif
