/* SPDX-License-Identifier: MIT */
/*
 * fallback.c - a socket of ours becomes the kernel's, before anything was sent: its destination is not ours
 * to reach.
 */
#include "shim/library/fd/fallback.h"
#include "shim/library/calls/call.h"
#include "shim/library/memory.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#define IPV6_FLOWINFO_SEND 33
#endif
#define ICMP_FILTER 1

struct option_name {
    int level, name;
};

/* Options that are carried over as they are. */
static const struct option_name COMMON[] = {
    {SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_BROADCAST}, {SOL_SOCKET, SO_DONTROUTE}, {SOL_SOCKET, SO_LINGER},
    {SOL_SOCKET, SO_RCVLOWAT},  {SOL_SOCKET, SO_RCVTIMEO},  {SOL_SOCKET, SO_SNDTIMEO},
    {SOL_SOCKET, SO_PRIORITY},  {IPPROTO_IP, IP_TTL},       {IPPROTO_IP, IP_TOS},
};
static const struct option_name DATAGRAM[] = {
    {SOL_SOCKET, SO_TIMESTAMP},       {SOL_SOCKET, SO_RXQ_OVFL},      {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IP, IP_RECVTTL},         {IPPROTO_IP, IP_RECVTOS},       {IPPROTO_IP, IP_PKTINFO},
    {IPPROTO_IP, IP_MTU_DISCOVER},    {IPPROTO_IP, IP_MULTICAST_TTL}, {IPPROTO_IP, IP_MULTICAST_LOOP},
    {IPPROTO_IP, IP_RECVORIGDSTADDR}, {IPPROTO_UDP, UDP_SEGMENT},
};
static const struct option_name UDP_LITE[] = {
    {IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV},
    {IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV},
};
static const struct option_name INET6[] = {
    {IPPROTO_IPV6, IPV6_V6ONLY},         {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_IPV6, IPV6_TCLASS},         {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {IPPROTO_IPV6, IPV6_RECVERR},        {IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {IPPROTO_IPV6, IPV6_RECVTCLASS},     {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS}, {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
    {IPPROTO_IPV6, IPV6_MULTICAST_ALL},  {IPPROTO_IPV6, IPV6_DONTFRAG},
    {IPPROTO_IPV6, IPV6_RECVPATHMTU},    {IPPROTO_IPV6, IPV6_RECVFRAGSIZE},
    {IPPROTO_IPV6, IPV6_RECVHOPOPTS},    {IPPROTO_IPV6, IPV6_RECVDSTOPTS},
    {IPPROTO_IPV6, IPV6_RECVRTHDR},      {IPPROTO_IPV6, IPV6_RECVORIGDSTADDR},
    {IPPROTO_IPV6, IPV6_FLOWINFO},       {IPPROTO_IPV6, IPV6_FLOWINFO_SEND},
    {IPPROTO_IPV6, IPV6_AUTOFLOWLABEL},  {IPPROTO_IPV6, IPV6_MINHOPCOUNT},
    {IPPROTO_IPV6, IPV6_HOPOPTS},        {IPPROTO_IPV6, IPV6_RTHDRDSTOPTS},
    {IPPROTO_IPV6, IPV6_DSTOPTS},
};
static const struct option_name RAW[] = {
    {IPPROTO_IP, IP_HDRINCL},     {SOL_RAW, ICMP_FILTER},         {IPPROTO_IPV6, IPV6_CHECKSUM},
    {IPPROTO_IPV6, IPV6_HDRINCL}, {IPPROTO_ICMPV6, ICMP6_FILTER},
};
static const struct option_name STREAM[] = {
    {IPPROTO_TCP, TCP_NODELAY},      {IPPROTO_TCP, TCP_CORK},    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},    {IPPROTO_TCP, TCP_KEEPCNT}, {IPPROTO_TCP, TCP_SYNCNT},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
};

static void carry_over(struct socket *socket, int kernel, const struct option_name *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char value[64];
        socklen_t length = sizeof value;
        if (socket_get_option(&shared->stack, socket, names[i].level, names[i].name, value, &length) == 0)
            LIBC(setsockopt)(kernel, names[i].level, names[i].name, value, length);
    }
}

static void carry_over_number(int kernel, int level, int name, int number) {
    LIBC(setsockopt)(kernel, level, name, &number, sizeof number);
}

/* The lock is held. */
static void carry_over_options(struct socket *socket, int kernel) {
    carry_over(socket, kernel, COMMON, sizeof COMMON / sizeof *COMMON);
    if (socket->tcp)
        carry_over(socket, kernel, STREAM, sizeof STREAM / sizeof *STREAM);
    else
        carry_over(socket, kernel, DATAGRAM, sizeof DATAGRAM / sizeof *DATAGRAM);
    if (socket->datagram && socket->datagram->sends.asked)
        carry_over(socket, kernel, UDP_LITE, 1);
    if (socket->datagram && socket->datagram->accepts.asked)
        carry_over(socket, kernel, UDP_LITE + 1, 1);
    if (socket->tcp && socket->tcp->options.mss_limit)
        carry_over_number(kernel, IPPROTO_TCP, TCP_MAXSEG, socket->tcp->options.mss_limit);
    if (socket->send_limit_set)
        carry_over_number(kernel, SOL_SOCKET, SO_SNDBUF, (int)socket->send_limit / 2);
    if (socket->receive_limit_set)
        carry_over_number(kernel, SOL_SOCKET, SO_RCVBUF, (int)socket->receive_limit / 2);
}

void fallback_carry_over(struct socket *socket, int kernel) {
    carry_over_options(socket, kernel);
    if (socket->options.inet6)
        carry_over(socket, kernel, INET6, sizeof INET6 / sizeof *INET6);
    if (socket->type == SOCK_RAW)
        carry_over(socket, kernel, RAW, sizeof RAW / sizeof *RAW);
}

static void find_epoll_descriptor(int fd, void *context) {
    struct fallback_sets *sets = context;
    const struct fd_entry *entry = descriptor_find(fd);
    for (size_t i = 0; i < sets->count; i++)
        if (entry->kind == FILE_REF_EPOLL && entry->epoll == sets->registrations[i].set)
            sets->registrations[i].epoll_fd = fd;
}

/* The next of the socket's registrations from `link` on, or NULL. */
static struct epoll_item *next_item(struct socket *socket, struct list **link) {
    while (*link != &socket->watches) {
        struct watch *watch = container_of(*link, struct watch, socket_link);
        *link = (*link)->next;
        if (watch->kind == WATCH_EPOLL)
            return container_of(watch, struct epoll_item, watch);
    }
    return NULL;
}

int fallback_find_sets(const struct fd_entry *entry, int fd, struct fallback_sets *sets) {
    struct socket *socket = entry->socket;
    struct list *link = socket->watches.next;
    struct epoll_item *item;
    size_t count = 0;
    *sets = (struct fallback_sets){0, NULL};
    while (next_item(socket, &link))
        count++;
    if (count > 0 && !(sets->registrations = memory_take(count * sizeof *sets->registrations)))
        return -ENOMEM;
    for (link = socket->watches.next; (item = next_item(socket, &link));) {
        item->set->mixed = true;
        wake_set(item->set, false);
        sets->registrations[sets->count++] = (struct fallback_registration){
            item->set,
            -1,
            descriptor_find(item->descriptor) == entry ? item->descriptor : fd,
            {.events = item->events, .data.u64 = item->data},
        };
    }
    descriptor_walk(0, UINT32_MAX, find_epoll_descriptor, sets);
    return 0;
}

void fallback_register(struct fallback_sets *sets, uint32_t without) {
    for (size_t i = 0; i < sets->count; i++) {
        struct fallback_registration *one = &sets->registrations[i];
        one->event.events &= ~without;
        if (one->epoll_fd >= 0)
            LIBC(epoll_ctl)(one->epoll_fd, EPOLL_CTL_ADD, one->fd, &one->event);
    }
    memory_give(sets->registrations);
}

struct move {
    struct fd_entry *entry;
    int kernel;
    struct fallback_sets sets;
};

static void replace(int fd, void *context) {
    struct move *move = context;
    if (descriptor_find(fd) != move->entry)
        return;
    int flags = LIBC(fcntl)(fd, F_GETFD);
    LIBC(dup3)(move->kernel, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    if (move->entry->descriptors == 1)
        move->entry->socket->options.linger = false; /* nothing was sent: it ends quietly */
    descriptor_clear(fd);
}

/* Makes the kernel's socket, and puts it under the descriptors. The lock is held. */
static int move_to_kernel(struct move *move, struct socket *socket, int fd) {
    LOCK_EXCEPTION;
    struct binding *binding = socket->tcp ? &socket->tcp->binding : &socket->datagram->binding;
    bool inet6 = socket->options.inet6;
    move->kernel = LIBC(socket)(inet6 ? AF_INET6 : AF_INET,
                                socket->type | SOCK_CLOEXEC | (socket->nonblocking ? SOCK_NONBLOCK : 0),
                                binding->protocol);
    if (move->kernel < 0)
        return -errno;
    fallback_carry_over(socket, move->kernel);
    if (binding->chosen && ip_is_any(binding->address)) {
        struct sockaddr_storage any;
        socklen_t length = sizeof any;
        address_write((struct sockaddr *)&any, &length, inet6, (struct ip_address){0}, binding->port);
        if (LIBC(bind)(move->kernel, (struct sockaddr *)&any, length) < 0)
            return -errno;
    }
    int error = fallback_find_sets(move->entry, fd, &move->sets);
    if (!error)
        descriptor_walk(0, UINT32_MAX, replace, move);
    return error;
}

int fallback_to_kernel(int fd) {
    struct move move = {.sets.count = 0, .kernel = -1};
    region_enter();
    move.entry = descriptor_find(fd);
    struct socket *socket = descriptor_socket(fd);
    int error = socket ? move_to_kernel(&move, socket, fd) : -EBADF;
    region_leave();
    fallback_register(&move.sets, 0);
    if (move.kernel >= 0)
        LIBC(close)(move.kernel);
    return error;
}
