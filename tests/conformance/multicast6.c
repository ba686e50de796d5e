/* SPDX-License-Identifier: MIT */
/*
 * multicast6.c - membership in groups of IPv6, and filters by source (RFC 3493, 3678): what each call
 * answers, and what comes.
 */
#include "tests/conformance/conformance.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP "ff15::7777"
#define LINK_GROUP "ff02::7777"
#define NUMBERS 4
#define SOURCES_MAX 16

static struct in6_addr host(const char *text) {
    struct in6_addr address = {0};
    inet_pton(AF_INET6, text, &address);
    return address;
}

static struct in6_addr numbered(unsigned number) {
    struct in6_addr address = own;
    address.s6_addr[14] = 7;
    address.s6_addr[15] = (uint8_t)number;
    return address;
}

static unsigned near_interface(void) {
    return if_nametoindex("bw0");
}

static int member(int fd, int name, const char *group, unsigned interface) {
    struct ipv6_mreq request = {host(group), interface};
    return setsockopt(fd, IPPROTO_IPV6, name, &request, sizeof request);
}

static int generally(int fd, int name, const char *group, unsigned interface) {
    struct group_req request = {.gr_interface = interface};
    union address to = address_of(host(group), 0);
    memcpy(&request.gr_group, &to, sizeof to);
    return setsockopt(fd, IPPROTO_IPV6, name, &request, sizeof request);
}

static int of_source(int fd, int name, struct in6_addr source) {
    struct group_source_req request = {.gsr_interface = near_interface()};
    union address to = address_of(host(GROUP), 0), from = address_of(source, 0);
    memcpy(&request.gsr_group, &to, sizeof to);
    memcpy(&request.gsr_source, &from, sizeof from);
    return setsockopt(fd, IPPROTO_IPV6, name, &request, sizeof request);
}

static struct group_filter *empty_filter(void) {
    static char memory[GROUP_FILTER_SIZE(SOURCES_MAX)];
    struct group_filter *filter = (void *)memory;
    union address to = address_of(host(GROUP), 0);
    memset(memory, 0, sizeof memory);
    filter->gf_interface = near_interface();
    memcpy(&filter->gf_group, &to, sizeof to);
    return filter;
}

static int set_filter(int fd, uint32_t mode, unsigned count, bool with_own) {
    struct group_filter *filter = empty_filter();
    filter->gf_fmode = mode;
    filter->gf_numsrc = count;
    for (unsigned i = 0; i < count; i++) {
        union address from = address_of(i == 0 && with_own ? own : numbered(9 - i), 0);
        memcpy(&filter->gf_slist[i], &from, sizeof from);
    }
    return setsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(count));
}

static void say_filter(int fd, const char *name, unsigned room) {
    struct group_filter *filter = empty_filter();
    char text[300] = "";
    filter->gf_numsrc = room;
    socklen_t length = GROUP_FILTER_SIZE(room);
    int failed = getsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, filter, &length);
    if (failed) {
        outcome("multicast", name, "%s", result(failed));
        return;
    }
    for (unsigned i = 0; i < filter->gf_numsrc && i < room; i++) {
        const struct sockaddr_in6 *source = (const void *)&filter->gf_slist[i];
        if (!IN6_ARE_ADDR_EQUAL(&source->sin6_addr, &own))
            sprintf(text + strlen(text), " %d", source->sin6_addr.s6_addr[15]);
    }
    outcome("multicast", name, "%s, %u sources,%s %u bytes",
            filter->gf_fmode == MCAST_INCLUDE ? "include" : "exclude", filter->gf_numsrc, text, length);
}

/* Whether something that we send to the group comes to a socket. */
static void say_arrival(int fd, uint16_t port, const char *group, const char *name) {
    int from = socket(AF_INET6, SOCK_DGRAM, 0), interface = (int)near_interface(), count = 0;
    union address to = address_of(host(group), port), self = address_of(own, port);
    char got[20];
    setsockopt(from, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface);
    union address as = address_of(own, 0);
    bind(from, &as.any, address_length);
    sendto(from, "to the group", 12, 0, &to.any, address_length);
    sendto(from, "end", 3, 0, &self.any, address_length);
    while (await(fd, POLLIN) && recv(fd, got, sizeof got, MSG_DONTWAIT) > 3)
        count++;
    outcome("multicast", name, "%d", count);
    close(from);
}

static int bound(uint16_t *port) {
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), zero = 0;
    union address address = address_of(in6addr_any, 0);
    socklen_t length = sizeof address;
    bind(fd, &address.any, address_length);
    getsockname(fd, &address.any, &length);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &zero, sizeof zero);
    *port = address.in6.sin6_port;
    return fd;
}

static void members(void) {
    static const char *const groups[] = {GROUP, LINK_GROUP,         "ff01::7777", "fd77::1",
                                         "::",  "::ffff:239.7.7.7", "ff02::1"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        uint16_t port;
        char name[60];
        int fd = bound(&port);
        snprintf(name, sizeof name, "join %s", groups[i]);
        outcome("multicast", name, "%s", result(member(fd, IPV6_JOIN_GROUP, groups[i], near_interface())));
        outcome("multicast", name, "again %s",
                result(member(fd, IPV6_JOIN_GROUP, groups[i], near_interface())));
        if (i < 2)
            say_arrival(fd, port, groups[i], name);
        outcome("multicast", name, "on another interface %s",
                result(member(fd, IPV6_JOIN_GROUP, groups[i], 999)));
        snprintf(name, sizeof name, "leave %s", groups[i]);
        outcome("multicast", name, "%s", result(member(fd, IPV6_LEAVE_GROUP, groups[i], near_interface())));
        outcome("multicast", name, "again %s",
                result(member(fd, IPV6_LEAVE_GROUP, groups[i], near_interface())));
        if (i < 2)
            say_arrival(fd, port, groups[i], name);
        snprintf(name, sizeof name, "generally %s", groups[i]);
        outcome("multicast", name, "%s",
                result(generally(fd, MCAST_JOIN_GROUP, groups[i], near_interface())));
        outcome("multicast", name, "on another interface %s",
                result(generally(fd, MCAST_JOIN_GROUP, groups[i], 999)));
        outcome("multicast", name, "left %s",
                result(generally(fd, MCAST_LEAVE_GROUP, groups[i], near_interface())));
        outcome("multicast", name, "left by any %s", result(generally(fd, MCAST_LEAVE_GROUP, groups[i], 0)));
        outcome("multicast", name, "of IPv4 %s",
                result(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP,
                                  &(struct ip_mreq){{inet_addr("239.7.7.7")}, {htonl(INADDR_LOOPBACK)}},
                                  sizeof(struct ip_mreq)) < 0 &&
                       errno == ENOPROTOOPT));
        close(fd);
    }
}

static void any_source_but(void) {
    uint16_t port;
    int fd = bound(&port);
    outcome("multicast", "block before joining", "%s", result(of_source(fd, MCAST_BLOCK_SOURCE, own)));
    say_filter(fd, "filter before joining", NUMBERS);
    say_arrival(fd, port, GROUP, "comes before joining");
    outcome("multicast", "join", "%s", result(member(fd, IPV6_JOIN_GROUP, GROUP, near_interface())));
    say_filter(fd, "filter of a member", NUMBERS);
    say_arrival(fd, port, GROUP, "comes to a member");
    outcome("multicast", "unblock what is not", "%s", result(of_source(fd, MCAST_UNBLOCK_SOURCE, own)));
    outcome("multicast", "block another", "%s", result(of_source(fd, MCAST_BLOCK_SOURCE, numbered(5))));
    say_arrival(fd, port, GROUP, "comes with another blocked");
    outcome("multicast", "block", "%s", result(of_source(fd, MCAST_BLOCK_SOURCE, own)));
    outcome("multicast", "block again", "%s", result(of_source(fd, MCAST_BLOCK_SOURCE, own)));
    outcome("multicast", "include while blocking", "%s",
            result(of_source(fd, MCAST_JOIN_SOURCE_GROUP, numbered(3))));
    say_filter(fd, "filter with two", NUMBERS);
    say_filter(fd, "filter with room for one", 1);
    say_arrival(fd, port, GROUP, "comes when blocked");
    outcome("multicast", "unblock", "%s", result(of_source(fd, MCAST_UNBLOCK_SOURCE, own)));
    say_arrival(fd, port, GROUP, "comes when unblocked");
    outcome("multicast", "leave", "%s", result(member(fd, IPV6_LEAVE_GROUP, GROUP, near_interface())));
    say_arrival(fd, port, GROUP, "comes when left");
    close(fd);
}

static void only_from(void) {
    uint16_t port;
    int fd = bound(&port);
    outcome("multicast", "include another", "%s",
            result(of_source(fd, MCAST_JOIN_SOURCE_GROUP, numbered(5))));
    say_arrival(fd, port, GROUP, "comes with another included");
    outcome("multicast", "include", "%s", result(of_source(fd, MCAST_JOIN_SOURCE_GROUP, own)));
    outcome("multicast", "include again", "%s", result(of_source(fd, MCAST_JOIN_SOURCE_GROUP, own)));
    outcome("multicast", "block while including", "%s",
            result(of_source(fd, MCAST_BLOCK_SOURCE, numbered(7))));
    say_filter(fd, "filter that includes", NUMBERS);
    say_arrival(fd, port, GROUP, "comes when included");
    outcome("multicast", "drop what is not", "%s",
            result(of_source(fd, MCAST_LEAVE_SOURCE_GROUP, numbered(8))));
    outcome("multicast", "drop", "%s", result(of_source(fd, MCAST_LEAVE_SOURCE_GROUP, own)));
    say_arrival(fd, port, GROUP, "comes when dropped");
    outcome("multicast", "drop the last", "%s", result(of_source(fd, MCAST_LEAVE_SOURCE_GROUP, numbered(5))));
    say_filter(fd, "filter when the last was dropped", NUMBERS);
    close(fd);
}

static void whole_filters(void) {
    uint16_t port;
    int fd = bound(&port), other = bound(&port);
    outcome("multicast", "set before joining", "%s", result(set_filter(fd, MCAST_EXCLUDE, 2, true)));
    member(fd, IPV6_JOIN_GROUP, GROUP, near_interface());
    outcome("multicast", "set to exclude", "%s", result(set_filter(fd, MCAST_EXCLUDE, 3, true)));
    say_filter(fd, "set to exclude", NUMBERS);
    outcome("multicast", "set to include", "%s", result(set_filter(fd, MCAST_INCLUDE, 2, false)));
    say_filter(fd, "set to include", NUMBERS);
    outcome("multicast", "set wrongly", "%s", result(set_filter(fd, 7, 2, false)));
    outcome("multicast", "set to exclude none", "%s", result(set_filter(fd, MCAST_EXCLUDE, 0, false)));
    say_filter(fd, "set to exclude none", NUMBERS);
    outcome("multicast", "set to include none", "%s", result(set_filter(fd, MCAST_INCLUDE, 0, false)));
    say_filter(fd, "set to include none", NUMBERS);
    outcome("multicast", "short", "%s",
            result(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &port, sizeof port)));
    outcome("multicast", "short source", "%s",
            result(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &port, sizeof port)));
    outcome("multicast", "short filter", "%s",
            result(setsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, &port, sizeof port)));
    outcome("multicast", "another's membership", "%s", result(of_source(other, MCAST_BLOCK_SOURCE, own)));
    close(fd);
    close(other);
}

/* A group of IPv4 in its mapped form is no group of IPv6. */
static void groups_of_ipv4(void) {
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, 0xff, 224, 0, 0, 99}};
    union address to = address_of(mapped, 0), from = address_of(own, 0);
    struct group_source_req request = {.gsr_interface = near_interface()};
    struct group_filter *filter = empty_filter();
    uint16_t port;
    int fd = bound(&port);
    memcpy(&request.gsr_group, &to, sizeof to);
    memcpy(&request.gsr_source, &from, sizeof from);
    memcpy(&filter->gf_group, &to, sizeof to);
    for (int name = MCAST_BLOCK_SOURCE; name <= MCAST_LEAVE_SOURCE_GROUP; name++)
        outcome("multicast", "mapped", "%s",
                result(setsockopt(fd, IPPROTO_IPV6, name, &request, sizeof request)));
    filter->gf_fmode = MCAST_EXCLUDE;
    outcome("multicast", "mapped filter", "%s",
            result(setsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(0))));
    close(fd);
}

void test_multicast6(void) {
    members();
    groups_of_ipv4();
    any_source_but();
    only_from();
    whole_filters();
}
