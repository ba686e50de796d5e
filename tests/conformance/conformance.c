/* SPDX-License-Identifier: MIT */
/*
 * conformance.c - see conformance.h. conformance OWN NOBODY [PART]
 */
#include "tests/conformance/conformance.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int family = AF_INET;
socklen_t address_length = sizeof(struct sockaddr_in);
struct in6_addr own, nobody;
const char *own_text, *nobody_text;

void outcome(const char *group, const char *name, const char *format, ...) {
    va_list arguments;
    printf("%s / %s: ", group, name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

const char *result(long value) {
    static char buffers[8][40];
    static int next;
    char *text = buffers[next++ % 8];
    if (value >= 0)
        snprintf(text, sizeof buffers[0], "%ld", value);
    else
        snprintf(text, sizeof buffers[0], "%ld %s", value,
                 strerrorname_np(errno) ? strerrorname_np(errno) : "?");
    return text;
}

struct in_addr v4_of(struct in6_addr host) {
    return (struct in_addr){host.s6_addr32[3]};
}

struct in6_addr host_of(struct in_addr v4) {
    struct in6_addr host = {0};
    host.s6_addr32[2] = htonl(0xffff);
    host.s6_addr32[3] = v4.s_addr;
    return host;
}

bool is_mapped(void) {
    return family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&own);
}

struct in6_addr loopback_host(void) {
    if (family == AF_INET || is_mapped())
        return host_of((struct in_addr){htonl(INADDR_LOOPBACK)});
    return in6addr_loopback;
}

static const char *host_text(const struct in6_addr *host, bool mapped) {
    static char text[INET6_ADDRSTRLEN];
    if (IN6_ARE_ADDR_EQUAL(host, &own))
        return "own";
    if (IN6_ARE_ADDR_EQUAL(host, &nobody))
        return "nobody";
    if (IN6_IS_ADDR_UNSPECIFIED(host))
        return "any";
    return mapped && host->s6_addr32[3] == 0 ? "any of IPv4" : inet_ntop(AF_INET6, host, text, sizeof text);
}

const char *address_text(const struct sockaddr_storage *address, socklen_t length) {
    static char buffers[4][100];
    static int next;
    char *text = buffers[next++ % 4];
    union address known = {0};
    memcpy(&known, address, sizeof known);
    if (length == 0)
        return "none";
    if (known.any.sa_family == AF_INET) {
        struct in6_addr host = host_of(known.in.sin_addr);
        snprintf(text, sizeof buffers[0], "%s:%s, %u bytes", host_text(&host, false),
                 known.in.sin_port ? "port" : "0", length);
    } else if (known.any.sa_family == AF_INET6) {
        snprintf(text, sizeof buffers[0], "[%s]:%s, flow %x, scope %u, %u bytes",
                 host_text(&known.in6.sin6_addr, true), known.in6.sin6_port ? "port" : "0",
                 known.in6.sin6_flowinfo, known.in6.sin6_scope_id, length);
    } else {
        snprintf(text, sizeof buffers[0], "family %d, %u bytes", known.any.sa_family, length);
    }
    return text;
}

union address address_of(struct in6_addr host, uint16_t port) {
    if (family == AF_INET)
        return (union address){.in = {.sin_family = AF_INET, .sin_addr = v4_of(host), .sin_port = port}};
    return (union address){.in6 = {.sin6_family = AF_INET6, .sin6_addr = host, .sin6_port = port}};
}

void nonblocking(int fd, bool yes) {
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, yes ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

bool await(int fd, short events) {
    struct pollfd poll_fd = {.fd = fd, .events = events};
    return poll(&poll_fd, 1, 1000) > 0;
}

void settle(void) {
    nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
}

static int must(int fd, const char *what) {
    if (fd < 0) {
        perror(what);
        exit(2);
    }
    return fd;
}

int make_listener(uint16_t *port) {
    int fd = must(socket(family, SOCK_STREAM, 0), "socket");
    union address address = address_of(own, 0);
    socklen_t length = sizeof address;
    must(bind(fd, &address.any, address_length), "bind");
    must(listen(fd, 5), "listen");
    getsockname(fd, &address.any, &length);
    *port = address.in.sin_port;
    return fd;
}

void make_pair(int pair[2]) {
    uint16_t port;
    int listener = make_listener(&port);
    union address address = address_of(own, port);
    pair[0] = must(socket(family, SOCK_STREAM, 0), "socket");
    must(connect(pair[0], &address.any, address_length), "connect");
    pair[1] = must(accept(listener, NULL, NULL), "accept");
    close(listener);
}

int make_datagram(uint16_t *port) {
    int fd = must(socket(family, SOCK_DGRAM, 0), "socket");
    union address address = address_of(own, 0);
    socklen_t length = sizeof address;
    must(bind(fd, &address.any, address_length), "bind");
    getsockname(fd, &address.any, &length);
    *port = address.in.sin_port;
    return fd;
}

/* The addresses say which family the run is of. */
static bool parse(const char *text, struct in6_addr *host) {
    struct in_addr v4;
    if (inet_pton(AF_INET6, text, host) == 1) {
        family = AF_INET6;
        address_length = sizeof(struct sockaddr_in6);
        return true;
    }
    *host = inet_aton(text, &v4) ? host_of(v4) : in6addr_any;
    return !IN6_IS_ADDR_UNSPECIFIED(host);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"sets", test_sets},           {"errno", test_errno},     {"pairs", test_pairs},
                 {"states", test_states},       {"options", test_options}, {"waiting", test_waiting},
                 {"readiness", test_readiness}, {"ways", test_ways},       {"filters", test_filters},
                 {"multicast", test_multicast}, {"faults", test_faults},   {"headers", test_headers},
                 {"stamps", test_stamps}};
    if (count < 3 || !parse(own_text = arguments[1], &own) || !parse(nobody_text = arguments[2], &nobody))
        return 2;
    signal(SIGPIPE, SIG_IGN);
    if (count == 8 && strcmp(arguments[3], "in-exec") == 0) {
        sets_after_exec(arguments + 4);
        return 0;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (count < 4 || strcmp(arguments[3], parts[i].name) == 0)
            parts[i].run();
    return 0;
}
