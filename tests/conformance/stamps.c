/* SPDX-License-Identifier: MIT */
/*
 * stamps.c - SO_TIMESTAMPING and its kin: what is told of the way of what is sent, and when what a stream reads came;
 * and control messages of SOL_SOCKET.
 */
#include "tests/conformance/conformance.h"
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef SCM_TS_OPT_ID
#define SCM_TS_OPT_ID 81
#endif
#define OPT_ID_TCP (1 << 16) /* SOF_TIMESTAMPING_OPT_ID_TCP */
#define SENT (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)
#define PATIENCE_MS 70 /* an acknowledgment may be delayed by 40 */

static bool is_now(long seconds) {
    return labs(seconds - time(NULL)) <= 2;
}

/* "time", "times 100" (which of the three are there), "error 4:1:key", or level and type of another control message. */
static void say_control(char *text, const struct cmsghdr *told) {
    long times[6];
    struct sock_extended_err error;
    size_t length = told->cmsg_len - CMSG_LEN(0);
    char *end = text + strlen(text);
    if (told->cmsg_level == SOL_SOCKET && told->cmsg_type == SO_TIMESTAMPING) {
        memcpy(times, CMSG_DATA(told), sizeof times);
        sprintf(end, ", times %d%d%d%s", times[0] != 0, times[2] != 0, times[4] != 0,
                is_now(times[0]) ? "" : " another");
    } else if (told->cmsg_level == SOL_SOCKET &&
               (told->cmsg_type == SO_TIMESTAMP || told->cmsg_type == SO_TIMESTAMPNS)) {
        memcpy(times, CMSG_DATA(told), sizeof *times);
        sprintf(end, ", %s%s", told->cmsg_type == SO_TIMESTAMP ? "us" : "ns",
                is_now(times[0]) ? "" : " another");
    } else if ((told->cmsg_level == IPPROTO_IP && told->cmsg_type == IP_RECVERR) ||
               (told->cmsg_level == IPPROTO_IPV6 && told->cmsg_type == IPV6_RECVERR)) {
        memcpy(&error, CMSG_DATA(told), sizeof error);
        const struct sockaddr *offender = (const void *)(CMSG_DATA(told) + sizeof error);
        sprintf(end, ", level %d: %s, origin %d, type %d, info %u, data %u, family %d, %zu bytes",
                told->cmsg_level, strerrorname_np((int)error.ee_errno), error.ee_origin, error.ee_type,
                error.ee_info, error.ee_data, offender->sa_family, length);
    } else {
        sprintf(end, ", %d:%d of %zu", told->cmsg_level, told->cmsg_type, length);
    }
}

/* Reads what there is by flags, with room for so many bytes, and says what came with it. */
static void say_message(int fd, const char *group, const char *name, int flags, size_t room) {
    char bytes[2000], control[512], text[1000] = "";
    struct sockaddr_storage from;
    struct iovec piece = {bytes, room};
    struct msghdr header = {.msg_name = &from,
                            .msg_namelen = sizeof from,
                            .msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    ssize_t length = recvmsg(fd, &header, flags | MSG_DONTWAIT);
    sprintf(text, "%s", result(length));
    if (length >= 0) {
        sprintf(text + strlen(text), ", flags %x, name of %u", (unsigned)header.msg_flags,
                header.msg_namelen);
        for (struct cmsghdr *told = CMSG_FIRSTHDR(&header); told; told = CMSG_NXTHDR(&header, told))
            say_control(text, told);
    }
    outcome(group, name, "%s", text);
}

/* All that is told of what was sent, and what poll(2) and SO_ERROR say meanwhile. */
static void say_told(int fd, const char *group, const char *of, int count, int patience_ms, size_t room) {
    char name[160];
    for (int i = 0; i <= count; i++) {
        struct pollfd one = {.fd = fd, .events = POLLPRI};
        int ready = poll(&one, 1, i < count ? patience_ms : 3), error = 0;
        socklen_t length = sizeof error;
        sprintf(name, "%s, %d", of, i);
        if (ready <= 0) {
            outcome(group, name, "nothing");
            continue;
        }
        sprintf(name, "%s, %d, events %x", of, i, (unsigned)one.revents);
        say_message(fd, group, name, MSG_ERRQUEUE, room);
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        outcome(group, name, "then %d", error);
    }
}

static void set(int fd, int level, int name, int value) {
    setsockopt(fd, level, name, &value, sizeof value);
}

static const int ways[] = {
    SOF_TIMESTAMPING_TX_SOFTWARE,
    SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE,
    SENT,
    SENT | SOF_TIMESTAMPING_TX_SCHED,
    SENT | SOF_TIMESTAMPING_OPT_ID,
    SENT | SOF_TIMESTAMPING_OPT_TSONLY,
    SENT | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_TX_SCHED,
    SENT | SOF_TIMESTAMPING_OPT_CMSG,
    SENT | SOF_TIMESTAMPING_OPT_CMSG | SOF_TIMESTAMPING_OPT_TSONLY,
    SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_OPT_ID,
};
#define WAYS (sizeof ways / sizeof *ways)

/* Datagrams of several lengths, to a socket of this host's. */
static void datagrams_sent(size_t room, int stamp, bool info) {
    char bytes[3000] = {0}, name[160];
    uint16_t port;
    int in = make_datagram(&port);
    union address to = address_of(own, port);
    for (size_t i = 0; i < WAYS; i++) {
        int fd = socket(family, SOCK_DGRAM, 0);
        set(fd, SOL_SOCKET, SO_TIMESTAMPING, ways[i]);
        if (stamp)
            set(fd, SOL_SOCKET, stamp, 1);
        if (info) {
            set(fd, IPPROTO_IP, IP_PKTINFO, 1);
            set(fd, IPPROTO_IP, IP_RECVTTL, 1);
            if (family == AF_INET6)
                set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        }
        for (size_t length = 0; length <= 1400; length += 700) {
            sprintf(name, "flags %x, room %zu, option %d, info %d, %zu bytes", (unsigned)ways[i], room, stamp,
                    info, length);
            outcome("datagram sent", name, "%s",
                    result(sendto(fd, bytes, length, MSG_NOSIGNAL, &to.any, address_length)));
            say_told(fd, "datagram sent", name, 2, 3, room);
        }
        close(fd);
    }
    close(in);
}

static void datagrams_of_other_kinds(void) {
    char bytes[600] = {ICMP_ECHO};
    uint16_t port;
    int in = make_datagram(&port), six = family == AF_INET6 && !is_mapped();
    union address to = address_of(own, port), host = address_of(own, 0);
    int fd = socket(family, SOCK_DGRAM, 0);
    set(fd, SOL_SOCKET, SO_TIMESTAMPING, SENT | SOF_TIMESTAMPING_OPT_ID);
    connect(fd, &to.any, address_length);
    for (int i = 0; i < 3; i++)
        send(fd, bytes, 10, i < 2 ? MSG_MORE : 0);
    say_told(fd, "datagram sent", "in three parts", 2, 3, 1500);
    send(fd, bytes, 10, 0);
    set(fd, SOL_SOCKET, SO_TIMESTAMPING, SENT);
    set(fd, SOL_SOCKET, SO_TIMESTAMPING, SENT | SOF_TIMESTAMPING_OPT_ID);
    send(fd, bytes, 11, 0);
    say_told(fd, "datagram sent", "numbers begin again", 3, 3, 1500);
    close(fd);
    if (is_mapped())
        goto end;
    fd = socket(family, SOCK_RAW, 200);
    set(fd, SOL_SOCKET, SO_TIMESTAMPING, SENT | SOF_TIMESTAMPING_OPT_ID);
    outcome("datagram sent", "raw", "%s", result(sendto(fd, bytes, 30, 0, &host.any, address_length)));
    say_told(fd, "datagram sent", "raw", 2, 3, 1500);
    close(fd);
    fd = socket(family, SOCK_DGRAM, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    bytes[0] = six ? (char)128 : ICMP_ECHO;
    set(fd, SOL_SOCKET, SO_TIMESTAMPING, SENT | SOF_TIMESTAMPING_OPT_ID);
    outcome("datagram sent", "ping", "%s", result(sendto(fd, bytes, 30, 0, &host.any, address_length)));
    say_told(fd, "datagram sent", "ping", 2, 3, 1500);
    close(fd);
end:
    close(in);
}

/* A port that nobody has says so, beside what is told of the sending. */
static void errors_between(void) {
    uint16_t port;
    int gone = make_datagram(&port), fd = socket(family, SOCK_DGRAM, 0);
    union address to = address_of(own, port);
    close(gone);
    set(fd, IPPROTO_IP, IP_RECVERR, 1);
    if (family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    set(fd, SOL_SOCKET, SO_TIMESTAMPING, SENT | SOF_TIMESTAMPING_RX_SOFTWARE);
    for (int i = 0; i < 2; i++) {
        sendto(fd, "hello", 5, 0, &to.any, address_length);
        settle();
    }
    say_told(fd, "datagram sent", "to a port that nobody has", 4, 3, 1500);
    close(fd);
}

static ssize_t send_with(int fd, const union address *to, int level, int type, const void *value,
                         size_t length) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(64)];
    } control = {.header = {.cmsg_len = CMSG_LEN(length), .cmsg_level = level, .cmsg_type = type}};
    struct iovec piece = {"hello", 5};
    struct msghdr message = {.msg_name = (void *)to,
                             .msg_namelen = to ? address_length : 0,
                             .msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(length)};
    memcpy(CMSG_DATA(&control.header), value, length);
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static void control_messages(bool stream) {
    static const struct {
        const char *name;
        int type;
        uint32_t value;
        size_t length;
    } messages[] = {
        {"stamps", SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE, 4},
        {"two stamps", SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE, 4},
        {"acknowledged", SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_ACK, 4},
        {"no stamps", SO_TIMESTAMPING, 0, 4},
        {"other flags", SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE, 4},
        {"short stamps", SO_TIMESTAMPING, 0, 2},
        {"long stamps", SO_TIMESTAMPING, 0, 8},
        {"a number", SCM_TS_OPT_ID, 77, 4},
        {"a short number", SCM_TS_OPT_ID, 77, 2},
        {"a mark", SO_MARK, 5, 4},
        {"a short mark", SO_MARK, 5, 1},
        {"a priority", SO_PRIORITY, 6, 4},
        {"a high priority", SO_PRIORITY, 7, 4},
        {"a long priority", SO_PRIORITY, 6, 8},
        {"no such thing", 999, 0, 4},
    };
    static const int options[] = {0, SOF_TIMESTAMPING_SOFTWARE, SENT | SOF_TIMESTAMPING_OPT_ID};
    char name[160];
    for (size_t i = 0; i < sizeof messages / sizeof *messages * 3; i++) {
        int pair[2] = {-1, -1}, option = options[i % 3];
        uint16_t port = 0;
        if (stream)
            make_pair(pair);
        int in = stream ? pair[1] : make_datagram(&port),
            out = stream ? pair[0] : socket(family, SOCK_DGRAM, 0);
        union address to = address_of(own, port);
        char value[8] = {0};
        memcpy(value, &messages[i / 3].value, 4);
        set(out, SOL_SOCKET, SO_TIMESTAMPING, option);
        sprintf(name, "%s, %s, flags %x", stream ? "stream" : "datagram", messages[i / 3].name,
                (unsigned)option);
        outcome("control message", name, "%s",
                result(send_with(out, stream ? NULL : &to, SOL_SOCKET, messages[i / 3].type, value,
                                 messages[i / 3].length)));
        say_told(out, "control message", name, 2, stream ? PATIENCE_MS : 3, 0);
        close(in);
        close(out);
    }
}

/* A stream of the stack's own, from one end to the other. */
static void streams_sent(void) {
    static const int all[] = {
        SENT | SOF_TIMESTAMPING_OPT_TSONLY,
        SENT,
        SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE,
        SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY,
        SENT | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_OPT_ID,
        SENT | SOF_TIMESTAMPING_OPT_ID | OPT_ID_TCP | SOF_TIMESTAMPING_OPT_TSONLY,
    };
    char bytes[4000] = {0}, name[160];
    for (size_t i = 0; i < sizeof all / sizeof *all * 2; i++) {
        int pair[2];
        make_pair(pair);
        bool late = i % 2;
        if (late) { /* the numbers begin with what is sent from then on, or is not acknowledged */
            send(pair[0], bytes, 100, MSG_NOSIGNAL);
            usleep(PATIENCE_MS * 1000);
        }
        set(pair[0], SOL_SOCKET, SO_TIMESTAMPING, all[i / 2]);
        for (size_t length = 1; length <= sizeof bytes; length += 1999) {
            sprintf(name, "flags %x, %zu bytes%s", (unsigned)all[i / 2], length, late ? ", later" : "");
            outcome("stream sent", name, "%s", result(send(pair[0], bytes, length, MSG_NOSIGNAL)));
            say_told(pair[0], "stream sent", name, 3, PATIENCE_MS, 0);
        }
        close(pair[0]);
        close(pair[1]);
    }
}

static void arrival_in_a_stream(void) {
    static const int kinds[] = {0, SO_TIMESTAMP, SO_TIMESTAMPNS};
    static const int flags[] = {0, SOF_TIMESTAMPING_RX_SOFTWARE,
                                SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE};
    char name[160];
    for (int i = 0; i < 9; i++) {
        int pair[2];
        make_pair(pair);
        if (kinds[i / 3])
            set(pair[1], SOL_SOCKET, kinds[i / 3], 1);
        if (flags[i % 3])
            set(pair[1], SOL_SOCKET, SO_TIMESTAMPING, flags[i % 3]);
        for (int part = 0; part < 2; part++) {
            send(pair[0], "hello", 5, MSG_NOSIGNAL);
            settle();
        }
        sprintf(name, "option %d, flags %d", kinds[i / 3], flags[i % 3]);
        say_message(pair[1], "arrival in a stream", name, MSG_PEEK, 5);
        say_message(pair[1], "arrival in a stream", name, 0, 2);
        say_message(pair[1], "arrival in a stream", name, 0, 6);
        say_message(pair[1], "arrival in a stream", name, MSG_TRUNC, 2);
        say_message(pair[1], "arrival in a stream", name, 0, 2);
        shutdown(pair[0], SHUT_WR);
        settle();
        say_message(pair[1], "arrival in a stream", name, 0, 2);
        close(pair[0]);
        close(pair[1]);
    }
}

static int64_t at_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The time is that of the bytes which were read, not of those behind them, nor of the reading. */
static void time_of_the_bytes(void) {
    char control[128], bytes[5];
    struct iovec piece = {bytes, sizeof bytes};
    int64_t sent[3], told[3] = {0};
    int pair[2];
    make_pair(pair);
    set(pair[0], IPPROTO_TCP, TCP_NODELAY, 1);
    set(pair[1], SOL_SOCKET, SO_TIMESTAMPNS, 1);
    for (int i = 0; i < 3; i++) {
        sent[i] = at_ns(CLOCK_REALTIME);
        send(pair[0], "hello", 5, MSG_NOSIGNAL);
        if (i < 2)
            usleep(100000);
    }
    usleep(100000);
    for (int i = 0; i < 3; i++) {
        struct msghdr header = {
            .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        recvmsg(pair[1], &header, MSG_DONTWAIT);
        struct cmsghdr *first = CMSG_FIRSTHDR(&header);
        struct timespec at = {0};
        if (first)
            memcpy(&at, CMSG_DATA(first), sizeof at);
        told[i] = at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
    }
    /* The kernel joins segments that wait, and tells the last one's time of all: not before they came, and the last
     * one's not when it was read. */
    outcome("arrival in a stream", "times", "%d %d %d", told[0] >= sent[0], told[1] >= sent[1],
            told[2] >= sent[2] && told[2] < sent[2] + 90000000);
    close(pair[0]);
    close(pair[1]);
}

static void flags_that_can_be_set(void) {
    char name[80];
    int pair[2], given;
    for (int kind = 0; kind < 3; kind++) {
        for (int bit = -1; bit < 22; bit++) {
            int value = bit < 0 ? 0 : 1 << bit;
            socklen_t length = sizeof given;
            pair[0] = pair[1] = -1;
            if (kind == 2)
                make_pair(pair);
            else
                pair[0] = socket(family, kind ? SOCK_STREAM : SOCK_DGRAM, 0);
            sprintf(name, "%s, bit %d", kind == 2 ? "connection" : kind ? "stream" : "datagram", bit);
            outcome("stamps that can be set", name, "%s",
                    result(setsockopt(pair[0], SOL_SOCKET, SO_TIMESTAMPING, &value, sizeof value)));
            given = 0;
            getsockopt(pair[0], SOL_SOCKET, SO_TIMESTAMPING, &given, &length);
            outcome("stamps that can be set", name, "%x of %u", (unsigned)given, length);
            value |= SOF_TIMESTAMPING_OPT_ID;
            outcome("stamps that can be set", name, "with numbers: %s",
                    result(setsockopt(pair[0], SOL_SOCKET, SO_TIMESTAMPING, &value, sizeof value)));
            close(pair[0]);
            if (pair[1] >= 0)
                close(pair[1]);
        }
    }
}

void test_stamps(void) {
    /* The kernel begins to take times some while after somebody has asked for them. */
    int asks = socket(family, SOCK_DGRAM, 0);
    set(asks, SOL_SOCKET, SO_TIMESTAMP, 1);
    usleep(50000);
    datagrams_sent(1500, 0, false);
    datagrams_sent(30, 0, false);
    datagrams_sent(1500, SO_TIMESTAMP, true);
    datagrams_of_other_kinds();
    errors_between();
    control_messages(false);
    control_messages(true);
    streams_sent();
    arrival_in_a_stream();
    time_of_the_bytes();
    flags_that_can_be_set();
    close(asks);
}
