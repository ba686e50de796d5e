/* SPDX-License-Identifier: MIT */
/*
 * tracing_names.c - the names of options and commands, as strace(1) has them.
 */
#include "shim/library/output/tracing.h"
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct name {
    int level;
    long number;
    const char *name;
};

#define OPTION(level, name) \
    { level, name, #level ", " #name }
static const struct name options[] = {
    OPTION(SOL_SOCKET, SO_REUSEADDR),
    OPTION(SOL_SOCKET, SO_REUSEPORT),
    OPTION(SOL_SOCKET, SO_ERROR),
    OPTION(SOL_SOCKET, SO_TYPE),
    OPTION(SOL_SOCKET, SO_DOMAIN),
    OPTION(SOL_SOCKET, SO_PROTOCOL),
    OPTION(SOL_SOCKET, SO_KEEPALIVE),
    OPTION(SOL_SOCKET, SO_LINGER),
    OPTION(SOL_SOCKET, SO_BROADCAST),
    OPTION(SOL_SOCKET, SO_OOBINLINE),
    OPTION(SOL_SOCKET, SO_SNDBUF),
    OPTION(SOL_SOCKET, SO_RCVBUF),
    OPTION(SOL_SOCKET, SO_RCVTIMEO),
    OPTION(SOL_SOCKET, SO_SNDTIMEO),
    OPTION(SOL_SOCKET, SO_RCVLOWAT),
    OPTION(SOL_SOCKET, SO_ACCEPTCONN),
    OPTION(SOL_SOCKET, SO_PRIORITY),
    OPTION(SOL_SOCKET, SO_TIMESTAMP),
    OPTION(SOL_SOCKET, SO_TIMESTAMPING),
    OPTION(SOL_SOCKET, SO_ZEROCOPY),
    OPTION(SOL_SOCKET, SO_INCOMING_CPU),
    OPTION(SOL_SOCKET, SO_MAX_PACING_RATE),
    OPTION(SOL_SOCKET, SO_BINDTODEVICE),
    OPTION(SOL_SOCKET, SO_PEERCRED),
    OPTION(SOL_SOCKET, SO_BUSY_POLL),
    OPTION(SOL_IP, IP_TOS),
    OPTION(SOL_IP, IP_TTL),
    OPTION(SOL_IP, IP_MTU),
    OPTION(SOL_IP, IP_MTU_DISCOVER),
    OPTION(SOL_IP, IP_RECVERR),
    OPTION(SOL_IP, IP_PKTINFO),
    OPTION(SOL_IP, IP_RECVTTL),
    OPTION(SOL_IP, IP_RECVTOS),
    OPTION(SOL_IP, IP_HDRINCL),
    OPTION(SOL_IP, IP_FREEBIND),
    OPTION(SOL_IP, IP_BIND_ADDRESS_NO_PORT),
    OPTION(SOL_IP, IP_MULTICAST_IF),
    OPTION(SOL_IP, IP_MULTICAST_TTL),
    OPTION(SOL_IP, IP_MULTICAST_LOOP),
    OPTION(SOL_IP, IP_ADD_MEMBERSHIP),
    OPTION(SOL_IP, IP_DROP_MEMBERSHIP),
    OPTION(SOL_IPV6, IPV6_V6ONLY),
    OPTION(SOL_TCP, TCP_NODELAY),
    OPTION(SOL_TCP, TCP_MAXSEG),
    OPTION(SOL_TCP, TCP_CORK),
    OPTION(SOL_TCP, TCP_KEEPIDLE),
    OPTION(SOL_TCP, TCP_KEEPINTVL),
    OPTION(SOL_TCP, TCP_KEEPCNT),
    OPTION(SOL_TCP, TCP_SYNCNT),
    OPTION(SOL_TCP, TCP_LINGER2),
    OPTION(SOL_TCP, TCP_DEFER_ACCEPT),
    OPTION(SOL_TCP, TCP_WINDOW_CLAMP),
    OPTION(SOL_TCP, TCP_INFO),
    OPTION(SOL_TCP, TCP_QUICKACK),
    OPTION(SOL_TCP, TCP_CONGESTION),
    OPTION(SOL_TCP, TCP_USER_TIMEOUT),
    OPTION(SOL_TCP, TCP_FASTOPEN),
    OPTION(SOL_TCP, TCP_FASTOPEN_CONNECT),
    OPTION(SOL_TCP, TCP_NOTSENT_LOWAT),
    OPTION(SOL_UDP, UDP_CORK),
    OPTION(SOL_UDP, UDP_SEGMENT),
    OPTION(SOL_UDP, UDP_GRO),
};

#define PLAIN(name) \
    { 0, (long)(name), #name }
static const struct name commands[] = {
    PLAIN(F_DUPFD),     PLAIN(F_DUPFD_CLOEXEC), PLAIN(F_GETFD),  PLAIN(F_SETFD),
    PLAIN(F_GETFL),     PLAIN(F_SETFL),         PLAIN(F_GETOWN), PLAIN(F_SETOWN),
    PLAIN(F_SETOWN_EX), PLAIN(F_GETSIG),        PLAIN(F_SETSIG),
};
static const struct name requests[] = {
    PLAIN(FIONREAD),     PLAIN(FIONBIO),      PLAIN(FIOASYNC),      PLAIN(FIOCLEX),     PLAIN(FIONCLEX),
    PLAIN(SIOCOUTQ),     PLAIN(SIOCOUTQNSD),  PLAIN(SIOCATMARK),    PLAIN(SIOCGIFADDR), PLAIN(SIOCGIFCONF),
    PLAIN(SIOCGIFFLAGS), PLAIN(SIOCGIFINDEX), PLAIN(SIOCGIFHWADDR), PLAIN(SIOCGIFMTU),  PLAIN(SIOCGSTAMP),
};

static const char *find(const struct name *names, size_t count, int level, long number) {
    for (size_t i = 0; i < count; i++)
        if (names[i].level == level && names[i].number == number)
            return names[i].name;
    return NULL;
}

static const char *or_number(const char *name, const char *format, long a, long b) {
    if (name)
        return name;
    char *text = tracing_buffer();
    snprintf(text, TRACING_TEXT_BYTES, format, a, b);
    return text;
}

const char *tracing_option(int level, int name) {
    return or_number(find(options, COUNT(options), level, name), "%ld, %ld", level, name);
}

const char *tracing_command(int command) {
    return or_number(find(commands, COUNT(commands), 0, command), "%ld", command, 0);
}

const char *tracing_request(unsigned long request) {
    return or_number(find(requests, COUNT(requests), 0, (long)request), "0x%lx", (long)request, 0);
}

const char *tracing_value(const void *value, unsigned length) {
    int number;
    if (!value || length != sizeof number)
        return value ? tracing_bytes(value, length) : "NULL";
    memcpy(&number, value, sizeof number);
    return or_number(NULL, "[%ld]", number, 0);
}
