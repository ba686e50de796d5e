/*
 * inet6_mapped.c - see inet6_mapped.h.
 */
#include "shim/library/fd/inet6_mapped.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define IN6_LEAST 24u /* without the scope: RFC 2133, as Linux takes it */

static int read_inet(const struct sockaddr *address, socklen_t length, uint32_t *host, uint16_t *port) {
    struct sockaddr_in in;
    if (length < sizeof in)
        return -EINVAL;
    memcpy(&in, address, sizeof in);
    if (in.sin_family != AF_INET && !(in.sin_family == AF_UNSPEC && in.sin_addr.s_addr == INADDR_ANY))
        return -EAFNOSUPPORT;
    *host = ntohl(in.sin_addr.s_addr);
    *port = ntohs(in.sin_port);
    return 0;
}

int family_read(const struct sockaddr *address, socklen_t length, bool inet6, bool stream, uint32_t *host,
                uint16_t *port) {
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
    *host = INADDR_ANY;
    *port = ntohs(in6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
        memcpy(host, &in6.sin6_addr.s6_addr[12], sizeof *host);
        *host = ntohl(*host);
        return 0;
    }
    return IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr) ? 0 : FAMILY_FOREIGN;
}

static void give(struct sockaddr *address, socklen_t *length, const void *made, socklen_t bytes) {
    memcpy(address, made, *length < bytes ? *length : bytes);
    *length = bytes;
}

void family_write(struct sockaddr *address, socklen_t *length, bool inet6, uint32_t host, uint16_t port) {
    uint32_t wire = htonl(host);
    if (!address || !length)
        return;
    if (inet6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        if (host != INADDR_ANY) {
            memset(&in6.sin6_addr.s6_addr[10], 0xff, 2);
            memcpy(&in6.sin6_addr.s6_addr[12], &wire, sizeof wire);
        }
        give(address, length, &in6, sizeof in6);
    } else {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = wire};
        give(address, length, &in, sizeof in);
    }
}
