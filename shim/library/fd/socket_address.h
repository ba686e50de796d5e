/* SPDX-License-Identifier: MIT */
/*
 * socket_address.h - addresses as programs give them: AF_INET, or AF_INET6, which may have IPv4 mapped into
 * it (RFC 4291 section 2.5.5.2; ipv6(7)).
 *
 * Where the stack has no IPv6, an AF_INET6 socket is ours as long as it may carry IPv4. The kernel's object
 * under its descriptor is an AF_INET6 socket of the same type; as soon as the program names an address that
 * is IPv6 indeed, or says IPV6_V6ONLY, that object takes over (fallback.c).
 */
#ifndef SHIM_LIBRARY_FD_SOCKET_ADDRESS_H
#define SHIM_LIBRARY_FD_SOCKET_ADDRESS_H

#include "stack/ip/ip_address.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_FOREIGN 1          /* an IPv6 address but ::1, where the stack has no IPv6 */
#define ADDRESS_GROUP_OF_NO_LINK 2 /* a group of the link, and it is not said of which: there is one */

/* Reads an address for a socket (`inet6`: of AF_INET6; a stream takes only its own family). Returns 0,
 * ADDRESS_FOREIGN, ADDRESS_GROUP_OF_NO_LINK, -EFAULT, -EINVAL or -EAFNOSUPPORT; -ENXIO: an address of the link, and it
 * is not said of which; -ENODEV: of a link that is not ours. The process has joined its stack. */
int address_read(const struct sockaddr *address, socklen_t length, bool inet6, bool stream,
                 struct ip_address *host, uint16_t *port);

/* Copies an address from the program's memory; what there is not of it is 0. Returns 0, -EFAULT, or -EINVAL:
 * it is longer than any. */
int address_copy(struct sockaddr_storage *copy, const struct sockaddr *address, socklen_t length);

/* Writes one to the program's memory, truncated to *length, as getsockname(2) says. A NULL address is left
 * out by the first. Returns 0, -EFAULT, or -EINVAL: *length is negative. */
int address_write(struct sockaddr *address, socklen_t *length, bool inet6, struct ip_address host,
                  uint16_t port);
int address_give(struct sockaddr *address, socklen_t *length, bool inet6, struct ip_address host,
                 uint16_t port);

/* The same, with sin6_flowinfo. */
int address_give_flow(struct sockaddr *address, socklen_t *length, bool inet6, struct ip_address host,
                      uint16_t port, uint32_t flow);

/* There is none to be told. */
int address_write_nothing(socklen_t *length);

/* What a sockaddr_in6 says of the interface: 0, but of addresses of the link. */
uint32_t address_scope(struct ip_address host);

#endif
