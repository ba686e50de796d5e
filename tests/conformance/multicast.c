/* SPDX-License-Identifier: MIT */
/*
 * multicast.c - membership in groups, and filters by source (RFC 3678): what each call answers, and what
 * comes.
 */
#include "tests/conformance/conformance.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP "239.7.7.7"
#define NUMBERS 4

static struct in_addr numbered(unsigned number) {
    return (struct in_addr){htonl(0x0a4d0064u + number)};
}

static struct in_addr own4(void) {
    return v4_of(own);
}

static struct in_addr group(void) {
    return (struct in_addr){inet_addr(GROUP)};
}

static int join(int fd, int name) {
    struct ip_mreq request = {group(), own4()};
    return setsockopt(fd, IPPROTO_IP, name, &request, sizeof request);
}

static int of_source(int fd, int name, struct in_addr source) {
    struct ip_mreq_source request = {
        .imr_multiaddr = group(), .imr_interface = own4(), .imr_sourceaddr = source};
    return setsockopt(fd, IPPROTO_IP, name, &request, sizeof request);
}

static int of_source_generally(int fd, int name, struct in_addr source) {
    struct group_source_req request = {.gsr_interface = if_nametoindex("bw0")};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = group()};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = source};
    memcpy(&request.gsr_group, &to, sizeof to);
    memcpy(&request.gsr_source, &from, sizeof from);
    return setsockopt(fd, IPPROTO_IP, name, &request, sizeof request);
}

static int set_filter(int fd, uint32_t mode, unsigned count, bool with_own) {
    char memory[IP_MSFILTER_SIZE(20)];
    struct ip_msfilter *filter = (void *)memory;
    *filter = (struct ip_msfilter){
        .imsf_multiaddr = group(), .imsf_interface = own4(), .imsf_fmode = mode, .imsf_numsrc = count};
    for (unsigned i = 0; i < count; i++)
        filter->imsf_slist[i] = i == 0 && with_own ? own4() : numbered(9 - i);
    return setsockopt(fd, IPPROTO_IP, IP_MSFILTER, filter, IP_MSFILTER_SIZE(count));
}

static void say_filter(int fd, const char *name, uint32_t room) {
    char memory[IP_MSFILTER_SIZE(20)], text[200] = "";
    struct ip_msfilter *filter = (void *)memory;
    socklen_t length = IP_MSFILTER_SIZE(room);
    *filter = (struct ip_msfilter){.imsf_multiaddr = group(), .imsf_interface = own4(), .imsf_numsrc = room};
    int failed = getsockopt(fd, IPPROTO_IP, IP_MSFILTER, filter, &length);
    if (failed) {
        outcome("multicast", name, "%s", result(failed));
        return;
    }
    for (unsigned i = 0; i < filter->imsf_numsrc && i < room; i++)
        if (filter->imsf_slist[i].s_addr != own4().s_addr)
            sprintf(text + strlen(text), " %s", inet_ntoa(filter->imsf_slist[i]));
    outcome("multicast", name, "%s, %u sources,%s %u bytes",
            filter->imsf_fmode == MCAST_INCLUDE ? "include" : "exclude", filter->imsf_numsrc, text, length);
}

/* Whether something that we send to the group comes to a socket. */
static void say_arrival(int fd, uint16_t port, const char *name) {
    int from = socket(family, SOCK_DGRAM, 0);
    union address to = address_of(host_of(group()), port), self = address_of(own, port);
    char got[20];
    int count = 0;
    setsockopt(from, IPPROTO_IP, IP_MULTICAST_IF, &(struct in_addr){own4().s_addr}, sizeof(struct in_addr));
    sendto(from, "to the group", 12, 0, &to.any, address_length);
    sendto(from, "end", 3, 0, &self.any, address_length);
    while (await(fd, POLLIN) && recv(fd, got, sizeof got, MSG_DONTWAIT) > 3)
        count++;
    outcome("multicast", name, "%d", count);
    close(from);
}

static void say_interface(int fd, const char *name, struct in_addr wanted) {
    struct in_addr told = {INADDR_BROADCAST};
    socklen_t length = sizeof told;
    int failed = setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &wanted, sizeof wanted);
    outcome("multicast", name, "%s", result(failed));
    failed = getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &told, &length);
    outcome("multicast", name, "%s, the same: %d", result(failed), told.s_addr == wanted.s_addr);
}

/* The address of an interface that a socket sends to groups by. */
static void interface_told(void) {
    int fd = socket(family, SOCK_DGRAM, 0);
    say_interface(fd, "own interface", own4());
    say_interface(fd, "loopback interface", (struct in_addr){htonl(INADDR_LOOPBACK)});
    say_interface(fd, "any interface", (struct in_addr){INADDR_ANY});
    close(fd);
}

static int bound(uint16_t *port) {
    int fd = socket(family, SOCK_DGRAM, 0), zero = 0;
    union address address = address_of(host_of((struct in_addr){INADDR_ANY}), 0);
    socklen_t length = sizeof address;
    bind(fd, &address.any, address_length);
    getsockname(fd, &address.any, &length);
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &zero, sizeof zero);
    *port = address.in.sin_port;
    return fd;
}

static void any_source_but(void) {
    uint16_t port;
    int fd = bound(&port);
    outcome("multicast", "block before joining", "%s", result(of_source(fd, IP_BLOCK_SOURCE, own4())));
    outcome("multicast", "leave before joining", "%s", result(join(fd, IP_DROP_MEMBERSHIP)));
    say_filter(fd, "filter before joining", NUMBERS);
    say_arrival(fd, port, "comes before joining");
    outcome("multicast", "join", "%s", result(join(fd, IP_ADD_MEMBERSHIP)));
    outcome("multicast", "join again", "%s", result(join(fd, IP_ADD_MEMBERSHIP)));
    say_filter(fd, "filter of a member", NUMBERS);
    say_arrival(fd, port, "comes to a member");
    outcome("multicast", "unblock what is not", "%s", result(of_source(fd, IP_UNBLOCK_SOURCE, own4())));
    outcome("multicast", "block another", "%s", result(of_source(fd, IP_BLOCK_SOURCE, numbered(5))));
    say_arrival(fd, port, "comes with another blocked");
    outcome("multicast", "block", "%s", result(of_source(fd, IP_BLOCK_SOURCE, own4())));
    outcome("multicast", "block again", "%s", result(of_source(fd, IP_BLOCK_SOURCE, own4())));
    outcome("multicast", "include while blocking", "%s",
            result(of_source(fd, IP_ADD_SOURCE_MEMBERSHIP, numbered(3))));
    say_filter(fd, "filter with two", NUMBERS);
    say_filter(fd, "filter with room for one", 1);
    say_arrival(fd, port, "comes when blocked");
    outcome("multicast", "unblock", "%s", result(of_source(fd, IP_UNBLOCK_SOURCE, own4())));
    say_arrival(fd, port, "comes when unblocked");
    for (unsigned i = 0; i < 12; i++)
        outcome("multicast", "block many", "%s", result(of_source(fd, IP_BLOCK_SOURCE, numbered(20 + i))));
    outcome("multicast", "leave", "%s", result(join(fd, IP_DROP_MEMBERSHIP)));
    say_arrival(fd, port, "comes when left");
    close(fd);
}

static void only_from(void) {
    uint16_t port;
    int fd = bound(&port);
    outcome("multicast", "include another", "%s",
            result(of_source(fd, IP_ADD_SOURCE_MEMBERSHIP, numbered(5))));
    say_arrival(fd, port, "comes with another included");
    outcome("multicast", "include", "%s", result(of_source(fd, IP_ADD_SOURCE_MEMBERSHIP, own4())));
    outcome("multicast", "include again", "%s", result(of_source(fd, IP_ADD_SOURCE_MEMBERSHIP, own4())));
    outcome("multicast", "block while including", "%s", result(of_source(fd, IP_BLOCK_SOURCE, numbered(7))));
    say_filter(fd, "filter that includes", NUMBERS);
    say_arrival(fd, port, "comes when included");
    outcome("multicast", "drop what is not", "%s",
            result(of_source(fd, IP_DROP_SOURCE_MEMBERSHIP, numbered(8))));
    outcome("multicast", "drop", "%s", result(of_source(fd, IP_DROP_SOURCE_MEMBERSHIP, own4())));
    say_arrival(fd, port, "comes when dropped");
    outcome("multicast", "drop the last", "%s",
            result(of_source(fd, IP_DROP_SOURCE_MEMBERSHIP, numbered(5))));
    say_filter(fd, "filter when the last was dropped", NUMBERS);
    outcome("multicast", "join generally", "%s",
            result(of_source_generally(fd, MCAST_JOIN_SOURCE_GROUP, own4())));
    say_arrival(fd, port, "comes when joined generally");
    outcome("multicast", "leave generally", "%s",
            result(of_source_generally(fd, MCAST_LEAVE_SOURCE_GROUP, own4())));
    outcome("multicast", "leave again", "%s",
            result(of_source_generally(fd, MCAST_LEAVE_SOURCE_GROUP, own4())));
    outcome("multicast", "block generally", "%s",
            result(of_source_generally(fd, MCAST_BLOCK_SOURCE, own4())));
    close(fd);
}

static void whole_filters(void) {
    uint16_t port;
    int fd = bound(&port), other = bound(&port);
    outcome("multicast", "set before joining", "%s", result(set_filter(fd, MCAST_EXCLUDE, 2, true)));
    join(fd, IP_ADD_MEMBERSHIP);
    outcome("multicast", "set to exclude", "%s", result(set_filter(fd, MCAST_EXCLUDE, 3, true)));
    say_filter(fd, "set to exclude", NUMBERS);
    outcome("multicast", "set to include", "%s", result(set_filter(fd, MCAST_INCLUDE, 2, false)));
    say_filter(fd, "set to include", NUMBERS);
    outcome("multicast", "set wrongly", "%s", result(set_filter(fd, 7, 2, false)));
    outcome("multicast", "set too many", "%s", result(set_filter(fd, MCAST_INCLUDE, 15, false)));
    outcome("multicast", "set to exclude none", "%s", result(set_filter(fd, MCAST_EXCLUDE, 0, false)));
    say_filter(fd, "set to exclude none", NUMBERS);
    outcome("multicast", "set to include none", "%s", result(set_filter(fd, MCAST_INCLUDE, 0, false)));
    say_filter(fd, "set to include none", NUMBERS);
    outcome("multicast", "short", "%s",
            result(setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &port, sizeof port)));
    outcome("multicast", "short filter", "%s",
            result(setsockopt(fd, IPPROTO_IP, IP_MSFILTER, &port, sizeof port)));
    outcome("multicast", "another's membership", "%s", result(of_source(other, IP_BLOCK_SOURCE, own4())));
    close(fd);
    close(other);
}

void test_multicast(void) {
    if (family == AF_INET6 && !is_mapped()) {
        test_multicast6();
        return;
    }
    interface_told();
    any_source_but();
    only_from();
    whole_filters();
}
