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

struct in_addr own, nobody;

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

const char *address_text(const struct sockaddr_storage *address, socklen_t length) {
    static char buffers[4][60];
    static int next;
    char *text = buffers[next++ % 4];
    const struct sockaddr_in *in = (const void *)address;
    if (length == 0)
        return "none";
    if (in->sin_family != AF_INET)
        snprintf(text, sizeof buffers[0], "family %d, %u bytes", in->sin_family, length);
    else
        snprintf(text, sizeof buffers[0], "%s:%s, %u bytes",
                 in->sin_addr.s_addr == own.s_addr      ? "own"
                 : in->sin_addr.s_addr == nobody.s_addr ? "nobody"
                 : in->sin_addr.s_addr == INADDR_ANY    ? "any"
                                                        : inet_ntoa(in->sin_addr),
                 in->sin_port ? "port" : "0", length);
    return text;
}

struct sockaddr_in address_of(struct in_addr host, uint16_t port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = host, .sin_port = port};
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
    int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    struct sockaddr_in address = address_of(own, 0);
    socklen_t length = sizeof address;
    must(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    must(listen(fd, 5), "listen");
    getsockname(fd, (struct sockaddr *)&address, &length);
    *port = address.sin_port;
    return fd;
}

void make_pair(int pair[2]) {
    uint16_t port;
    int listener = make_listener(&port);
    struct sockaddr_in address = address_of(own, port);
    pair[0] = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(connect(pair[0], (struct sockaddr *)&address, sizeof address), "connect");
    pair[1] = must(accept(listener, NULL, NULL), "accept");
    close(listener);
}

int make_datagram(uint16_t *port) {
    int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    struct sockaddr_in address = address_of(own, 0);
    socklen_t length = sizeof address;
    must(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    getsockname(fd, (struct sockaddr *)&address, &length);
    *port = address.sin_port;
    return fd;
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"sets", test_sets},           {"errno", test_errno},     {"pairs", test_pairs},
                 {"states", test_states},       {"options", test_options}, {"waiting", test_waiting},
                 {"readiness", test_readiness}, {"ways", test_ways},       {"filters", test_filters},
                 {"multicast", test_multicast}, {"faults", test_faults}};
    if (count < 3 || !inet_aton(arguments[1], &own) || !inet_aton(arguments[2], &nobody))
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
