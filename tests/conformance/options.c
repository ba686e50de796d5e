/* SPDX-License-Identifier: MIT */
/*
 * options.c - every option of socket(7), ip(7), tcp(7) and udp(7): what it is at first, what it takes, and
 * what it is then, on sockets of either kind and in several states.
 */
#include "tests/conformance/conformance.h"
#include <limits.h>
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Linux's net/udplite.h, which is in no header for programs. */
#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11

/* Linux's in6.h, which can't be included beside libc's. */
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif
#define IPV6_FLOWINFO 11
#define IPV6_FLOWLABEL_MGR 32
#define IPV6_FLOWINFO_SEND 33
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#ifndef IPV6_ROUTER_ALERT_ISOLATE
#define IPV6_ROUTER_ALERT_ISOLATE 30
#endif
#ifndef IPV6_RECVERR_RFC4884
#define IPV6_RECVERR_RFC4884 31
#endif
#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif

#define OPTION(level, name) \
    { level, name, #name }
static const struct option {
    int level, name;
    const char *text;
} options[] = {
    OPTION(SOL_SOCKET, SO_DEBUG),
    OPTION(SOL_SOCKET, SO_REUSEADDR),
    OPTION(SOL_SOCKET, SO_TYPE),
    OPTION(SOL_SOCKET, SO_ERROR),
    OPTION(SOL_SOCKET, SO_DONTROUTE),
    OPTION(SOL_SOCKET, SO_BROADCAST),
    OPTION(SOL_SOCKET, SO_SNDBUF),
    OPTION(SOL_SOCKET, SO_RCVBUF),
    OPTION(SOL_SOCKET, SO_KEEPALIVE),
    OPTION(SOL_SOCKET, SO_OOBINLINE),
    OPTION(SOL_SOCKET, SO_PRIORITY),
    OPTION(SOL_SOCKET, SO_REUSEPORT),
    OPTION(SOL_SOCKET, SO_PASSCRED),
    OPTION(SOL_SOCKET, SO_RCVLOWAT),
    OPTION(SOL_SOCKET, SO_SNDLOWAT),
    OPTION(SOL_SOCKET, SO_TIMESTAMP),
    OPTION(SOL_SOCKET, SO_TIMESTAMPNS),
    OPTION(SOL_SOCKET, SO_ACCEPTCONN),
    OPTION(SOL_SOCKET, SO_PROTOCOL),
    OPTION(SOL_SOCKET, SO_DOMAIN),
    OPTION(SOL_SOCKET, SO_RXQ_OVFL),
    OPTION(SOL_SOCKET, SO_PEEK_OFF),
    OPTION(SOL_SOCKET, SO_LOCK_FILTER),
    OPTION(SOL_SOCKET, SO_SELECT_ERR_QUEUE),
    OPTION(SOL_SOCKET, SO_BUSY_POLL),
    OPTION(SOL_SOCKET, SO_ZEROCOPY),
    OPTION(SOL_SOCKET, SO_TIMESTAMPING),
    OPTION(SOL_SOCKET, SO_SNDBUFFORCE),
    OPTION(SOL_SOCKET, SO_RCVBUFFORCE),
    OPTION(SOL_SOCKET, 999),
    OPTION(SOL_SOCKET, SO_PREFER_BUSY_POLL),
    OPTION(SOL_SOCKET, SO_INCOMING_NAPI_ID),
    OPTION(IPPROTO_IP, IP_TOS),
    OPTION(IPPROTO_IP, IP_TTL),
    OPTION(IPPROTO_IP, IP_HDRINCL),
    OPTION(IPPROTO_IP, IP_RECVOPTS),
    OPTION(IPPROTO_IP, IP_RETOPTS),
    OPTION(IPPROTO_IP, IP_PKTINFO),
    OPTION(IPPROTO_IP, IP_MTU_DISCOVER),
    OPTION(IPPROTO_IP, IP_RECVERR),
    OPTION(IPPROTO_IP, IP_RECVTTL),
    OPTION(IPPROTO_IP, IP_RECVTOS),
    OPTION(IPPROTO_IP, IP_MTU),
    OPTION(IPPROTO_IP, IP_FREEBIND),
    OPTION(IPPROTO_IP, IP_PASSSEC),
    OPTION(IPPROTO_IP, IP_TRANSPARENT),
    OPTION(IPPROTO_IP, IP_RECVORIGDSTADDR),
    OPTION(IPPROTO_IP, IP_MINTTL),
    OPTION(IPPROTO_IP, IP_NODEFRAG),
    OPTION(IPPROTO_IP, IP_CHECKSUM),
    OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
    OPTION(IPPROTO_IP, IP_RECVFRAGSIZE),
    OPTION(IPPROTO_IP, IP_MULTICAST_TTL),
    OPTION(IPPROTO_IP, IP_MULTICAST_LOOP),
    OPTION(IPPROTO_IP, IP_MULTICAST_ALL),
    OPTION(IPPROTO_IP, IP_UNICAST_IF),
    OPTION(IPPROTO_IP, IP_ROUTER_ALERT),
    OPTION(IPPROTO_IP, 99),
    OPTION(IPPROTO_TCP, TCP_NODELAY),
    OPTION(IPPROTO_TCP, TCP_MAXSEG),
    OPTION(IPPROTO_TCP, TCP_CORK),
    OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
    OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
    OPTION(IPPROTO_TCP, TCP_KEEPCNT),
    OPTION(IPPROTO_TCP, TCP_SYNCNT),
    OPTION(IPPROTO_TCP, TCP_LINGER2),
    OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT),
    OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP),
    OPTION(IPPROTO_TCP, TCP_QUICKACK),
    OPTION(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS),
    OPTION(IPPROTO_TCP, TCP_THIN_DUPACK),
    OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
    OPTION(IPPROTO_TCP, TCP_REPAIR),
    OPTION(IPPROTO_TCP, TCP_FASTOPEN),
    OPTION(IPPROTO_TCP, TCP_TIMESTAMP),
    OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
    OPTION(IPPROTO_TCP, TCP_SAVE_SYN),
    OPTION(IPPROTO_TCP, TCP_FASTOPEN_CONNECT),
    OPTION(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE),
    OPTION(IPPROTO_TCP, TCP_INQ),
    OPTION(IPPROTO_TCP, TCP_TX_DELAY),
    OPTION(IPPROTO_TCP, 999),
    OPTION(IPPROTO_UDP, UDP_CORK),
    OPTION(IPPROTO_UDP, UDP_ENCAP),
    OPTION(IPPROTO_UDP, UDP_NO_CHECK6_TX),
    OPTION(IPPROTO_UDP, UDP_SEGMENT),
    OPTION(IPPROTO_UDP, UDP_GRO),
    OPTION(IPPROTO_UDP, 99),
    OPTION(IPPROTO_UDP, UDPLITE_SEND_CSCOV),
    OPTION(IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV),
    OPTION(IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV),
    OPTION(IPPROTO_UDPLITE, UDP_CORK),
    OPTION(IPPROTO_UDPLITE, 99),
    OPTION(IPPROTO_ICMP, 1),
    OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
    OPTION(IPPROTO_IPV6, IPV6_ADDRFORM),
    OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    OPTION(IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
    OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
    OPTION(IPPROTO_IPV6, IPV6_MULTICAST_ALL),
    OPTION(IPPROTO_IPV6, IPV6_MULTICAST_IF),
    OPTION(IPPROTO_IPV6, IPV6_UNICAST_IF),
    OPTION(IPPROTO_IPV6, IPV6_RECVPKTINFO),
    OPTION(IPPROTO_IPV6, IPV6_2292PKTINFO),
    OPTION(IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
    OPTION(IPPROTO_IPV6, IPV6_2292HOPLIMIT),
    OPTION(IPPROTO_IPV6, IPV6_RECVTCLASS),
    OPTION(IPPROTO_IPV6, IPV6_TCLASS),
    OPTION(IPPROTO_IPV6, IPV6_RECVHOPOPTS),
    OPTION(IPPROTO_IPV6, IPV6_2292HOPOPTS),
    OPTION(IPPROTO_IPV6, IPV6_RECVDSTOPTS),
    OPTION(IPPROTO_IPV6, IPV6_2292DSTOPTS),
    OPTION(IPPROTO_IPV6, IPV6_RECVRTHDR),
    OPTION(IPPROTO_IPV6, IPV6_2292RTHDR),
    OPTION(IPPROTO_IPV6, IPV6_HOPOPTS),
    OPTION(IPPROTO_IPV6, IPV6_RTHDRDSTOPTS),
    OPTION(IPPROTO_IPV6, IPV6_RTHDR),
    OPTION(IPPROTO_IPV6, IPV6_DSTOPTS),
    OPTION(IPPROTO_IPV6, IPV6_PKTINFO),
    OPTION(IPPROTO_IPV6, IPV6_HOPLIMIT),
    OPTION(IPPROTO_IPV6, IPV6_NEXTHOP),
    OPTION(IPPROTO_IPV6, IPV6_2292PKTOPTIONS),
    OPTION(IPPROTO_IPV6, IPV6_CHECKSUM),
    OPTION(IPPROTO_IPV6, IPV6_ROUTER_ALERT),
    OPTION(IPPROTO_IPV6, IPV6_ROUTER_ALERT_ISOLATE),
    OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
    OPTION(IPPROTO_IPV6, IPV6_MTU),
    OPTION(IPPROTO_IPV6, IPV6_RECVERR),
    OPTION(IPPROTO_IPV6, IPV6_RECVERR_RFC4884),
    OPTION(IPPROTO_IPV6, IPV6_JOIN_ANYCAST),
    OPTION(IPPROTO_IPV6, IPV6_LEAVE_ANYCAST),
    OPTION(IPPROTO_IPV6, IPV6_RECVPATHMTU),
    OPTION(IPPROTO_IPV6, IPV6_PATHMTU),
    OPTION(IPPROTO_IPV6, IPV6_DONTFRAG),
    OPTION(IPPROTO_IPV6, IPV6_FLOWINFO),
    OPTION(IPPROTO_IPV6, IPV6_FLOWINFO_SEND),
    OPTION(IPPROTO_IPV6, IPV6_FLOWLABEL_MGR),
    OPTION(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL),
    OPTION(IPPROTO_IPV6, IPV6_ADDR_PREFERENCES),
    OPTION(IPPROTO_IPV6, IPV6_MINHOPCOUNT),
    OPTION(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR),
    OPTION(IPPROTO_IPV6, IPV6_TRANSPARENT),
    OPTION(IPPROTO_IPV6, IPV6_FREEBIND),
    OPTION(IPPROTO_IPV6, IPV6_RECVFRAGSIZE),
    OPTION(IPPROTO_IPV6, IPV6_HDRINCL),
    OPTION(IPPROTO_IPV6, IPV6_AUTHHDR),
    OPTION(IPPROTO_IPV6, IPV6_XFRM_POLICY),
    OPTION(IPPROTO_IPV6, 250),
    OPTION(IPPROTO_ICMPV6, 1),
    OPTION(77, 1),
};

static const char *get(int fd, const struct option *option, socklen_t room) {
    static char buffers[4][80];
    static int next;
    char *text = buffers[next++ % 4];
    union {
        int number;
        char bytes[32];
    } value;
    socklen_t length = room;
    memset(&value, 0xa5, sizeof value);
    int failed = getsockopt(fd, option->level, option->name, &value, &length);
    if (failed)
        snprintf(text, sizeof buffers[0], "%s", result(failed));
    else if (length == sizeof(int))
        snprintf(text, sizeof buffers[0], "%d", value.number);
    else
        snprintf(text, sizeof buffers[0], "%u bytes, %u", length, (unsigned char)value.bytes[0]);
    return text;
}

static const char *set(int fd, const struct option *option, int value, socklen_t length) {
    return result(setsockopt(fd, option->level, option->name, &value, length));
}

enum kind { TCP, LISTENING, CONNECTED, UDP, UDP_CONNECTED, UDP_LITE, KINDS };
static const char *const kinds[KINDS] = {"tcp", "tcp listening", "tcp connected",
                                         "udp", "udp connected", "udplite"};

static int make(enum kind kind, int *other) {
    int pair[2];
    uint16_t port;
    *other = -1;
    switch (kind) {
    case TCP:
        return socket(family, SOCK_STREAM, 0);
    case LISTENING:
        return make_listener(&port);
    case CONNECTED:
        make_pair(pair);
        *other = pair[1];
        return pair[0];
    case UDP:
        return socket(family, SOCK_DGRAM, 0);
    case UDP_LITE:
        return socket(family, SOCK_DGRAM, IPPROTO_UDPLITE);
    default: {
        *other = make_datagram(&port);
        union address address = address_of(own, port);
        int fd = socket(family, SOCK_DGRAM, 0);
        connect(fd, &address.any, address_length);
        return fd;
    }
    }
}

static void one_option(enum kind kind, const struct option *option) {
    static const int values[] = {0, 1, 2, 60, 1000, 100000, -1, INT_MIN};
    char group[80], name[80];
    int other, fd = make(kind, &other);
    snprintf(group, sizeof group, "option %s", option->text);
    outcome(group, kinds[kind], "at first %s; of 1 byte %s; of 0 %s; of -1 %s", get(fd, option, 4),
            get(fd, option, 1), get(fd, option, 0), get(fd, option, (socklen_t)-1));
    close(fd);
    close(other);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        fd = make(kind, &other);
        snprintf(name, sizeof name, "%s set to %d", kinds[kind], values[i]);
        const char *done = set(fd, option, values[i], sizeof(int));
        outcome(group, name, "%s, then %s", done, get(fd, option, 4));
        close(fd);
        close(other);
    }
    fd = make(kind, &other);
    snprintf(name, sizeof name, "%s set, short", kinds[kind]);
    const char *three = set(fd, option, 1, 3), *one = set(fd, option, 1, 1), *none = set(fd, option, 1, 0);
    outcome(group, name, "%s, %s, %s", three, one, none);
    close(fd);
    close(other);
}

static void times(enum kind kind, int name, const char *text) {
    static const struct timeval values[] = {{0, 0},       {1, 500000}, {0, 999999}, {-1, 0},
                                            {0, 1000000}, {0, -1},     {1 << 30, 0}};
    char label[80];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        int other, fd = make(kind, &other);
        struct timeval then = {-7, -7};
        socklen_t length = sizeof then;
        const char *done = result(setsockopt(fd, SOL_SOCKET, name, &values[i], sizeof values[i]));
        getsockopt(fd, SOL_SOCKET, name, &then, &length);
        snprintf(label, sizeof label, "%s set to %ld.%06ld", kinds[kind], (long)values[i].tv_sec,
                 (long)values[i].tv_usec);
        outcome(text, label, "%s, then %ld s", done, (long)then.tv_sec);
        close(fd);
        close(other);
    }
}

static void lingers(enum kind kind) {
    static const struct linger values[] = {{0, 0}, {1, 0}, {1, 5}, {0, 5}, {1, -1}, {5, 1}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        int other, fd = make(kind, &other);
        struct linger then = {-7, -7};
        socklen_t length = sizeof then;
        char label[80];
        const char *done = result(setsockopt(fd, SOL_SOCKET, SO_LINGER, &values[i], sizeof values[i]));
        getsockopt(fd, SOL_SOCKET, SO_LINGER, &then, &length);
        snprintf(label, sizeof label, "%s set to %d %d", kinds[kind], values[i].l_onoff, values[i].l_linger);
        outcome("option SO_LINGER", label, "%s, then %d %d", done, then.l_onoff, then.l_linger);
        close(fd);
        close(other);
    }
}

static void congestion(void) {
    static const char *const names[] = {"reno", "", "nothing-of-the-kind",
                                        "a name that is much too long for it"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int fd = socket(family, SOCK_STREAM, 0);
        char then[20] = "";
        socklen_t length = sizeof then;
        const char *done =
            result(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, names[i], (socklen_t)strlen(names[i])));
        getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, then, &length);
        outcome("option TCP_CONGESTION", names[i], "%s, then %s, %u bytes", done, i ? "-" : then, length);
        close(fd);
    }
}

/* What becomes of bind(2) with IP_FREEBIND and IP_BIND_ADDRESS_NO_PORT. */
static void binds(int type, const char *name) {
    int fd = socket(family, type, 0), one = 1;
    union address foreign = address_of(nobody, 0), address = address_of(own, 0);
    struct sockaddr_storage got;
    socklen_t length = sizeof got;
    outcome(name, "bind to a foreign address", "%s", result(bind(fd, &foreign.any, address_length)));
    outcome(name, "IP_FREEBIND", "%s", result(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one)));
    outcome(name, "bind to it then", "%s", result(bind(fd, &foreign.any, address_length)));
    getsockname(fd, (struct sockaddr *)&got, &length);
    outcome(name, "its name", "%s", address_text(&got, length));
    close(fd);
    fd = socket(family, type, 0);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    outcome(name, "bind without a port", "%s", result(bind(fd, &address.any, address_length)));
    length = sizeof got;
    getsockname(fd, (struct sockaddr *)&got, &length);
    outcome(name, "its name without a port", "%s", address_text(&got, length));
    uint16_t port;
    int listener = type == SOCK_STREAM ? make_listener(&port) : make_datagram(&port);
    address.in.sin_port = port;
    outcome(name, "connect", "%s", result(connect(fd, &address.any, address_length)));
    length = sizeof got;
    getsockname(fd, (struct sockaddr *)&got, &length);
    outcome(name, "its name when connected", "%s", address_text(&got, length));
    close(fd);
    close(listener);
}

/* IP_OPTIONS: what is taken, what is given back, and what comes with a datagram (IP_RECVOPTS). */
static void ip_options(void) {
    static const struct {
        const char *name;
        unsigned char bytes[44];
        socklen_t length;
    } tried[] = {
        {"router alert", {148, 4, 0, 0}, 4},   {"nothing", {1, 1, 1}, 3},
        {"an end", {0, 9, 9, 9}, 4},           {"too long", {1}, 41},
        {"as long as it gets", {1, 1, 1}, 40}, {"a length of 1", {148, 1, 0, 0}, 4},
        {"beyond the end", {148, 8, 0, 0}, 4}, {"half of one", {1, 148}, 2},
        {"a short alert", {148, 3, 0}, 3},     {"a record without room", {7, 3, 4}, 3},
        {"a record of one", {7, 7, 4}, 7},     {"a record whose pointer is wrong", {7, 7, 3}, 7},
        {"a short record", {7, 2, 4}, 3},      {"times", {68, 8, 5, 0}, 8},
        {"times, wrongly", {68, 8, 4, 0}, 8},
    };
    uint16_t port, peer;
    int fd = make_datagram(&port), from = make_datagram(&peer), one = 1;
    union address address = address_of(own, port);
    unsigned char got[60];
    connect(from, &address.any, address_length);
    setsockopt(fd, IPPROTO_IP, IP_RECVOPTS, &one, sizeof one);
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        socklen_t length = sizeof got;
        int set = setsockopt(from, IPPROTO_IP, IP_OPTIONS, tried[i].bytes, tried[i].length);
        outcome("ip options", tried[i].name, "%s", result(set));
        int failed = getsockopt(from, IPPROTO_IP, IP_OPTIONS, got, &length);
        outcome("ip options", tried[i].name, "%s, %u bytes, %u %u %u", result(failed), length,
                length ? got[0] : 0, length ? got[1] : 0, length ? got[2] : 0);
        if (set < 0 || tried[i].bytes[0] == 7 || tried[i].bytes[0] == 68)
            continue; /* who is on the way to oneself differs */
        char data[10], control[200];
        struct iovec piece = {data, sizeof data};
        struct msghdr message = {
            .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        write(from, "x", 1);
        await(fd, POLLIN);
        ssize_t had = recvmsg(fd, &message, MSG_DONTWAIT);
        struct cmsghdr *told = had >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
        outcome("ip options", "come", "%s, %s of %d, %d", result(had), told ? "a message" : "no message",
                told ? told->cmsg_type : 0, told ? (int)(told->cmsg_len - CMSG_LEN(0)) : 0);
    }
    outcome("ip options", "none", "%s", result(setsockopt(from, IPPROTO_IP, IP_OPTIONS, NULL, 0)));
    socklen_t length = sizeof got;
    outcome("ip options", "none", "%s %u", result(getsockopt(from, IPPROTO_IP, IP_OPTIONS, got, &length)),
            length);
    close(fd);
    close(from);
    int pair[2];
    char data[10];
    make_pair(pair);
    outcome("ip options", "of a connection", "%s",
            result(setsockopt(pair[0], IPPROTO_IP, IP_OPTIONS, tried[0].bytes, 4)));
    outcome("ip options", "write", "%s", result(write(pair[0], "hello", 5)));
    await(pair[1], POLLIN);
    outcome("ip options", "read", "%s", result(recv(pair[1], data, sizeof data, MSG_DONTWAIT)));
    close(pair[0]);
    close(pair[1]);
}

void test_options(void) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        for (enum kind kind = TCP; kind < KINDS; kind++)
            one_option(kind, &options[i]);
    for (enum kind kind = TCP; kind < KINDS; kind++) {
        times(kind, SO_RCVTIMEO, "option SO_RCVTIMEO");
        times(kind, SO_SNDTIMEO, "option SO_SNDTIMEO");
        lingers(kind);
    }
    congestion();
    binds(SOCK_STREAM, "bind tcp");
    binds(SOCK_DGRAM, "bind udp");
    ip_options();
}
