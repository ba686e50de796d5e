/*
 * inet6_mapped.h - addresses as programs give them: AF_INET, or AF_INET6 with IPv4 mapped into it (RFC 4291
 * section 2.5.5.2; ipv6(7)).
 *
 * An AF_INET6 socket is ours as long as it may carry IPv4. The kernel's object under its descriptor is an
 * AF_INET6 socket of the same type, which bears the options of IPPROTO_IPV6; as soon as the program names an
 * address that is IPv6 indeed, or says IPV6_V6ONLY, that object takes over (fallback.c).
 */
#ifndef SHIM_LIBRARY_FD_INET6_MAPPED_H
#define SHIM_LIBRARY_FD_INET6_MAPPED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define FAMILY_FOREIGN 1 /* an address that is not IPv4 */

/* Reads an address for a socket (`inet6`: of AF_INET6; a stream takes only its own family). :: is 0.0.0.0.
 * Returns 0, FAMILY_FOREIGN, -EFAULT, -EINVAL or -EAFNOSUPPORT. */
int family_read(const struct sockaddr *address, socklen_t length, bool inet6, bool stream, uint32_t *host,
                uint16_t *port);

/* Writes one, truncated to *length, as getsockname(2) says. A NULL address is left out. */
void family_write(struct sockaddr *address, socklen_t *length, bool inet6, uint32_t host, uint16_t port);

#endif
