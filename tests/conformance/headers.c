/* SPDX-License-Identifier: MIT */
/*
 * headers.c - RFC 3542 and RFC 2292: what a program says of a datagram of IPv6 that it sends, by options and by control
 * messages, and what it is told of one that came; scopes of addresses.
 */
#include "tests/conformance/conformance.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Linux's in6.h, which can't be included beside libc's. */
#define IPV6_FLOWINFO 11
#define IPV6_FLOWINFO_SEND 33
#ifndef IPV6_RECVORIGDSTADDR
#define IPV6_RECVORIGDSTADDR 74
#endif

static const unsigned char hop_options[8] = {0, 0, 5, 2, 0, 0, 1, 0}; /* router alert, padding */
static const unsigned char padded[8] = {0, 0, 1, 4, 0, 0, 0, 0};
static const unsigned char longer[16] = {0, 1, 1, 4, 0, 0, 0, 0, 0x1e, 6};
static const unsigned char routing0[24] = {0, 2, 0, 1};

static const struct kind {
    const char *name;
    int set, tell, old_tell, old_set;
} kinds[] = {
    {"hop-by-hop options", IPV6_HOPOPTS, IPV6_RECVHOPOPTS, IPV6_2292HOPOPTS, IPV6_2292HOPOPTS},
    {"destination options", IPV6_DSTOPTS, IPV6_RECVDSTOPTS, IPV6_2292DSTOPTS, IPV6_2292DSTOPTS},
    {"options before routing", IPV6_RTHDRDSTOPTS, IPV6_RECVDSTOPTS, IPV6_2292DSTOPTS, IPV6_RTHDRDSTOPTS},
    {"routing", IPV6_RTHDR, IPV6_RECVRTHDR, IPV6_2292RTHDR, IPV6_2292RTHDR},
};
#define KINDS (sizeof kinds / sizeof *kinds)

struct ends {
    int fd, from;
    union address to;
};

static void make_ends(struct ends *ends) {
    uint16_t port, peer;
    ends->fd = make_datagram(&port);
    ends->from = make_datagram(&peer);
    ends->to = address_of(own, port);
    connect(ends->from, &ends->to.any, address_length);
    setsockopt(ends->from, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, &(int){0}, sizeof(int)); /* which differs */
}

static void close_ends(const struct ends *ends) {
    close(ends->fd);
    close(ends->from);
}

static int on(int fd, int name) {
    return setsockopt(fd, IPPROTO_IPV6, name, &(int){1}, sizeof(int));
}

/* What is told of what came, or that nothing came. */
static void say_told(const char *name, int fd) {
    char data[100], control[400], text[400] = "";
    struct iovec piece = {data, sizeof data};
    struct sockaddr_storage from;
    struct msghdr header = {.msg_name = &from,
                            .msg_namelen = sizeof from,
                            .msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 20);
    long got = recvmsg(fd, &header, MSG_DONTWAIT);
    const char *said = result(got);
    if (got < 0) {
        outcome("headers", name, "%s", said);
        return;
    }
    for (struct cmsghdr *told = CMSG_FIRSTHDR(&header); told; told = CMSG_NXTHDR(&header, told)) {
        size_t bytes = told->cmsg_len - CMSG_LEN(0);
        sprintf(text + strlen(text), "; %d %d of %zu:", told->cmsg_level, told->cmsg_type, bytes);
        bool addresses = told->cmsg_type == IPV6_PKTINFO || told->cmsg_type == IPV6_2292PKTINFO ||
                         told->cmsg_type == IPV6_RECVORIGDSTADDR;
        for (size_t i = 0; i < bytes && i < 8 && !addresses; i++)
            sprintf(text + strlen(text), " %d", CMSG_DATA(told)[i]);
        if (told->cmsg_type == IPV6_RECVORIGDSTADDR) {
            struct sockaddr_storage address = {0};
            memcpy(&address, CMSG_DATA(told), bytes);
            strcat(text, address_text(&address, (socklen_t)bytes));
        }
    }
    outcome("headers", name, "%s from %s, flags %x%s", said, address_text(&from, header.msg_namelen),
            (unsigned)header.msg_flags, text);
}

static int send_with(int fd, int level, int type, const void *value, size_t bytes, const union address *to) {
    char control[CMSG_SPACE(100)] = {0};
    struct iovec piece = {"hello", 5};
    struct msghdr header = {.msg_name = (void *)to,
                            .msg_namelen = to ? address_length : 0,
                            .msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = CMSG_SPACE(bytes)};
    *CMSG_FIRSTHDR(&header) = (struct cmsghdr){CMSG_LEN(bytes), level, type};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), value, bytes);
    return (int)sendmsg(fd, &header, MSG_DONTWAIT);
}

static void sticky(const struct kind *kind) {
    static const struct {
        const char *name;
        const void *bytes;
        socklen_t length;
    } values[] = {{"hop options", hop_options, 8}, {"padding", padded, 8}, {"longer", longer, 16},
                  {"type 0", routing0, 24},        {"short", padded, 4},   {"cut", longer, 8},
                  {"uneven", longer, 13},          {"none", NULL, 0}};
    struct ends ends;
    char name[100];
    make_ends(&ends);
    on(ends.fd, IPV6_RECVHOPOPTS);
    on(ends.fd, IPV6_RECVDSTOPTS);
    on(ends.fd, IPV6_RECVRTHDR);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        unsigned char got[64] = {99};
        socklen_t length = sizeof got;
        snprintf(name, sizeof name, "%s, %s", kind->name, values[i].name);
        const char *set =
            result(setsockopt(ends.from, IPPROTO_IPV6, kind->set, values[i].bytes, values[i].length));
        const char *given = result(getsockopt(ends.from, IPPROTO_IPV6, kind->set, got, &length));
        outcome("headers", name, "%s, then %s, %u bytes, %d %d", set, given, length, got[0], got[1]);
        outcome("headers", name, "write %s", result(write(ends.from, "hello", 5)));
        say_told(name, ends.fd);
    }
    close_ends(&ends);
}

static void by_message(const struct kind *kind) {
    struct ends ends;
    char name[100];
    for (int old = 0; old < 2; old++) {
        make_ends(&ends);
        on(ends.fd, old ? kind->old_tell : kind->tell);
        int type = old ? kind->old_set : kind->set;
        snprintf(name, sizeof name, "%s, message, %s", kind->name, old ? "old" : "new");
        outcome("headers", name, "%s", result(send_with(ends.from, IPPROTO_IPV6, type, padded, 8, NULL)));
        say_told(name, ends.fd);
        outcome("headers", name, "longer %s",
                result(send_with(ends.from, IPPROTO_IPV6, type, longer, 16, &ends.to)));
        say_told(name, ends.fd);
        outcome("headers", name, "cut %s", result(send_with(ends.from, IPPROTO_IPV6, type, longer, 8, NULL)));
        outcome("headers", name, "short %s",
                result(send_with(ends.from, IPPROTO_IPV6, type, longer, 1, NULL)));
        outcome("headers", name, "type 0 %s",
                result(send_with(ends.from, IPPROTO_IPV6, type, routing0, 24, NULL)));
        close_ends(&ends);
    }
}

/* Numbers as control messages: in all lengths, and of the other family. */
static void numbers(void) {
    static const struct {
        const char *name;
        int level, type;
    } types[] = {{"hop limit", IPPROTO_IPV6, IPV6_HOPLIMIT},
                 {"old hop limit", IPPROTO_IPV6, IPV6_2292HOPLIMIT},
                 {"class", IPPROTO_IPV6, IPV6_TCLASS},
                 {"dontfrag", IPPROTO_IPV6, IPV6_DONTFRAG},
                 {"flow", IPPROTO_IPV6, IPV6_FLOWINFO},
                 {"unknown", IPPROTO_IPV6, 250},
                 {"IPv4's TTL", IPPROTO_IP, IP_TTL},
                 {"IPv4's TOS", IPPROTO_IP, IP_TOS},
                 {"IPv4's unknown", IPPROTO_IP, 250},
                 {"another level", 250, 1},
                 {"a socket's", SOL_SOCKET, 250}};
    static const int values[] = {-2, -1, 0, 1, 64, 255, 256};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct ends ends;
        make_ends(&ends);
        on(ends.fd, IPV6_RECVHOPLIMIT);
        on(ends.fd, IPV6_RECVTCLASS);
        on(ends.fd, IPV6_2292HOPLIMIT);
        on(ends.fd, IPV6_FLOWINFO);
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            char name[60];
            int value = types[i].type == IPV6_FLOWINFO ? (int)htonl((uint32_t)values[j]) : values[j];
            snprintf(name, sizeof name, "%s %d", types[i].name, values[j]);
            int sent = send_with(ends.from, types[i].level, types[i].type, &value, sizeof value, NULL);
            outcome("headers", name, "%s", result(sent));
            if (types[i].type != IPV6_FLOWINFO && types[i].type != IPV6_DONTFRAG)
                say_told(name, ends.fd);
            outcome("headers", name, "short %s",
                    result(send_with(ends.from, types[i].level, types[i].type, &value, 1, NULL)));
            outcome("headers", name, "long %s",
                    result(send_with(ends.from, types[i].level, types[i].type, &(long[2]){1}, 8, NULL)));
            while (recv(ends.fd, name, sizeof name, MSG_DONTWAIT) >= 0)
                continue;
        }
        close_ends(&ends);
    }
}

static void sources(void) {
    struct ends ends;
    unsigned near = if_nametoindex("bw0");
    struct in6_addr link = {.s6_addr = {0xfe, 0x80, [15] = 0x99}};
    const struct {
        const char *name;
        struct in6_pktinfo info;
    } tried[] = {{"own", {own, 0}},
                 {"own, interface", {own, near}},
                 {"own, another interface", {own, 9999}},
                 {"any", {in6addr_any, 0}},
                 {"any, interface", {in6addr_any, near}},
                 {"any, another interface", {in6addr_any, 9999}},
                 {"nobody's", {nobody, 0}},
                 {"nobody's of the link", {link, near}},
                 {"the link's", {link, 0}},
                 {"loopback", {in6addr_loopback, 0}}};
    make_ends(&ends);
    on(ends.fd, IPV6_RECVPKTINFO);
    on(ends.fd, IPV6_2292PKTINFO);
    on(ends.fd, IPV6_RECVORIGDSTADDR);
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        char name[60];
        snprintf(name, sizeof name, "source %s", tried[i].name);
        int sent =
            send_with(ends.from, IPPROTO_IPV6, IPV6_PKTINFO, &tried[i].info, sizeof tried[i].info, NULL);
        outcome("headers", name, "%s", result(sent));
        say_told(name, ends.fd);
        sent =
            send_with(ends.from, IPPROTO_IPV6, IPV6_2292PKTINFO, &tried[i].info, sizeof tried[i].info, NULL);
        outcome("headers", name, "old %s", result(sent));
        say_told(name, ends.fd);
        outcome("headers", name, "short %s",
                result(send_with(ends.from, IPPROTO_IPV6, IPV6_PKTINFO, &tried[i].info, 16, NULL)));
        struct ends sticky;
        make_ends(&sticky);
        outcome("headers", name, "sticky %s",
                result(setsockopt(sticky.from, IPPROTO_IPV6, IPV6_PKTINFO, &tried[i].info,
                                  sizeof tried[i].info)));
        outcome("headers", name, "sticky, write %s", result(write(sticky.from, "x", 1)));
        outcome("headers", name, "sticky, with a message %s",
                result(send_with(sticky.from, IPPROTO_IPV6, IPV6_PKTINFO, &tried[0].info,
                                 sizeof tried[0].info, NULL)));
        close_ends(&sticky);
    }
    close_ends(&ends);
}

/* Addresses with and without the interface that they are of. */
static void scopes(int type, const char *kind) {
    static const char *const hosts[] = {"fe80::99", "ff02::1", "ff05::1", "ff01::1", "fd77::99", "::"};
    unsigned interfaces[] = {0, if_nametoindex("bw0"), 9999};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        for (size_t j = 0; j < sizeof interfaces / sizeof *interfaces; j++) {
            char name[60];
            union address address = {
                .in6 = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_scope_id = interfaces[j]}};
            inet_pton(AF_INET6, hosts[i], &address.in6.sin6_addr);
            snprintf(name, sizeof name, "%s, %s, interface %s", kind, hosts[i],
                     j == 0   ? "none"
                     : j == 1 ? "ours"
                              : "another");
            int fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0);
            if (strcmp(hosts[i], "::") != 0)
                outcome("headers", name, "connect %s", result(connect(fd, &address.any, address_length)));
            if (type == SOCK_DGRAM) {
                close(fd);
                fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0);
                outcome("headers", name, "send %s",
                        result(sendto(fd, "x", 1, 0, &address.any, address_length)));
            }
            close(fd);
            fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0);
            address.in6.sin6_port = htons(7009);
            outcome("headers", name, "bind %s", result(bind(fd, &address.any, address_length)));
            close(fd);
        }
}

/* Flow labels that a program says by an address. */
static void flows(void) {
    struct ends ends;
    struct sockaddr_storage name;
    make_ends(&ends);
    on(ends.fd, IPV6_FLOWINFO);
    union address to = ends.to;
    to.in6.sin6_flowinfo = htonl(0x0ab12345);
    for (int sends = 0; sends < 2; sends++) {
        const char *title = sends ? "flow, sent" : "flow, not sent";
        setsockopt(ends.from, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, &(int){0}, sizeof(int));
        setsockopt(ends.from, IPPROTO_IPV6, IPV6_FLOWINFO_SEND, &sends, sizeof sends);
        outcome("headers", title, "%s", result(sendto(ends.from, "x", 1, 0, &to.any, address_length)));
        say_told(title, ends.fd);
        outcome("headers", title, "connect %s", result(connect(ends.from, &to.any, address_length)));
        outcome("headers", title, "%s", result(send(ends.from, "x", 1, 0)));
        say_told(title, ends.fd);
        socklen_t length = sizeof name;
        getpeername(ends.from, (struct sockaddr *)&name, &length);
        outcome("headers", title, "peer %s", address_text(&name, length));
        length = sizeof name;
        getsockname(ends.from, (struct sockaddr *)&name, &length);
        outcome("headers", title, "own %s", address_text(&name, length));
    }
    close_ends(&ends);
}

/* Sockets of ICMPv6 and raw ones: what is no option of theirs is said as by the kernel. */
static void raw_options(void) {
    static const struct {
        const char *name;
        int domain, type, protocol;
    } sockets[] = {{"ping", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
                   {"raw ICMPv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
                   {"raw", AF_INET6, SOCK_RAW, 200},
                   {"raw IPPROTO_RAW", AF_INET6, SOCK_RAW, IPPROTO_RAW},
                   {"ping of IPv4", AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
                   {"raw of IPv4", AF_INET, SOCK_RAW, 200}};
    static const struct {
        const char *name;
        int level, option;
    } tried[] = {
        {"IPV6_CHECKSUM", IPPROTO_IPV6, IPV6_CHECKSUM}, {"IPV6_CHECKSUM, SOL_RAW", SOL_RAW, IPV6_CHECKSUM},
        {"ICMP6_FILTER", IPPROTO_ICMPV6, ICMP6_FILTER}, {"IPV6_HDRINCL", IPPROTO_IPV6, IPV6_HDRINCL},
        {"IPV6_TCLASS", IPPROTO_IPV6, IPV6_TCLASS},     {"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY},
        {"IPV6_RECVERR", IPPROTO_IPV6, IPV6_RECVERR},   {"IPV6_UNICAST_IF", IPPROTO_IPV6, IPV6_UNICAST_IF},
        {"IPV6_ADDRFORM", IPPROTO_IPV6, IPV6_ADDRFORM}, {"IPV6_TRANSPARENT", IPPROTO_IPV6, IPV6_TRANSPARENT},
        {"unknown of IPv6", IPPROTO_IPV6, 250},         {"IP_TOS", IPPROTO_IP, IP_TOS},
        {"IP_UNICAST_IF", IPPROTO_IP, IP_UNICAST_IF},   {"IP_CHECKSUM", IPPROTO_IP, IP_CHECKSUM},
        {"unknown of IPv4", IPPROTO_IP, 250},           {"unknown of ICMP", IPPROTO_ICMPV6, 250}};
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++)
        for (size_t j = 0; j < sizeof tried / sizeof *tried; j++) {
            char name[80];
            int fd = socket(sockets[i].domain, sockets[i].type, sockets[i].protocol), value = -77,
                after = -77;
            socklen_t length = sizeof value, again = sizeof after;
            const char *first = result(getsockopt(fd, tried[j].level, tried[j].option, &value, &length));
            const char *set = result(setsockopt(fd, tried[j].level, tried[j].option, &(int){2}, sizeof(int)));
            const char *then = result(getsockopt(fd, tried[j].level, tried[j].option, &after, &again));
            snprintf(name, sizeof name, "%s, %s", sockets[i].name, tried[j].name);
            outcome("headers", name, "%s %d, set %s, then %s %d", first, value, set, then, after);
            close(fd);
        }
}

void test_headers(void) {
    if (family != AF_INET6 || is_mapped()) {
        outcome("headers", "of another family", "none");
        return;
    }
    for (size_t i = 0; i < KINDS; i++) {
        sticky(&kinds[i]);
        by_message(&kinds[i]);
    }
    numbers();
    sources();
    scopes(SOCK_STREAM, "tcp");
    scopes(SOCK_DGRAM, "udp");
    flows();
    raw_options();
}
