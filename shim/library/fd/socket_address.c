/* SPDX-License-Identifier: MIT */
/*
 * socket_address.c - see socket_address.h.
 */
#include "shim/library/fd/socket_address.h"
#include "shim/library/user_memory.h"
#include "shim/region/region.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define IN6_LEAST 24u /* without the scope: RFC 2133, as Linux takes it */

static int read_inet(const struct sockaddr *address, socklen_t length, struct ip_address *host,
                     uint16_t *port) {
    struct sockaddr_in in;
    if (length < sizeof in)
        return -EINVAL;
    memcpy(&in, address, sizeof in);
    if (in.sin_family != AF_INET && !(in.sin_family == AF_UNSPEC && in.sin_addr.s_addr == INADDR_ANY))
        return -EAFNOSUPPORT;
    *host = ip_from_v4(ntohl(in.sin_addr.s_addr));
    *port = ntohs(in.sin_port);
    return 0;
}

uint32_t address_scope(struct ip_address host) {
    return ip_scope_id(&shared->stack, host);
}

int address_read(const struct sockaddr *address, socklen_t length, bool inet6, bool stream,
                 struct ip_address *host, uint16_t *port) {
    struct sockaddr_in6 in6 = {.sin6_family = AF_UNSPEC};
    if (!address)
        return -EFAULT;
    if (!inet6 || (!stream && length >= sizeof address->sa_family && address->sa_family == AF_INET))
        return read_inet(address, length, host, port);
    if (length < IN6_LEAST)
        return -EINVAL;
    memcpy(&in6, address, length < sizeof in6 ? length : sizeof in6);
    if (in6.sin6_family != AF_INET6)
        return -EAFNOSUPPORT;
    *host = ip_from_bytes(&in6.sin6_addr);
    *port = ntohs(in6.sin6_port);
    if (ip_is_v4(*host) || ip_is_any(*host))
        return 0;
    if (!shared->stack.config.ip6.on && !ip_is_loopback(*host))
        return ADDRESS_FOREIGN;
    uint32_t scope = address_scope(*host);
    if (scope && !in6.sin6_scope_id)
        return ip_is_multicast(*host) ? ADDRESS_GROUP_OF_NO_LINK : -ENXIO;
    return scope && in6.sin6_scope_id != scope ? -ENODEV : 0;
}

int address_copy(struct sockaddr_storage *copy, const struct sockaddr *address, socklen_t length) {
    memset(copy, 0, sizeof *copy);
    if (length > sizeof *copy)
        return -EINVAL;
    return user_read(copy, address, length);
}

/* move_addr_to_user of Linux's net/socket.c. */
static int give(struct sockaddr *address, socklen_t *length, const void *made, socklen_t bytes) {
    socklen_t room;
    if (user_read(&room, length, sizeof room))
        return -EFAULT;
    if ((int)room < 0)
        return -EINVAL;
    if (user_write(address, made, room < bytes ? room : bytes))
        return -EFAULT;
    return user_write(length, &bytes, sizeof bytes);
}

int address_give(struct sockaddr *address, socklen_t *length, bool inet6, struct ip_address host,
                 uint16_t port) {
    return address_give_flow(address, length, inet6, host, port, 0);
}

int address_give_flow(struct sockaddr *address, socklen_t *length, bool inet6, struct ip_address host,
                      uint16_t port, uint32_t flow) {
    if (!inet6) {
        struct sockaddr_in in = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip_to_v4(host))};
        return give(address, length, &in, sizeof in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(port),
                               .sin6_flowinfo = htonl(flow),
                               .sin6_scope_id = address_scope(host)};
    memcpy(&in6.sin6_addr, host.bytes, sizeof in6.sin6_addr);
    return give(address, length, &in6, sizeof in6);
}

int address_write(struct sockaddr *address, socklen_t *length, bool inet6, struct ip_address host,
                  uint16_t port) {
    return address ? address_give(address, length, inet6, host, port) : 0;
}

int address_write_nothing(socklen_t *length) {
    return give(NULL, length, NULL, 0);
}
