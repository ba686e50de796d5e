/* SPDX-License-Identifier: MIT */
/*
 * destination_order.c - see destination_order.h.
 *
 * The rules that can tell two addresses apart here: a destination without a source address comes last (1),
 * one of its source's scope or label first (2, 5), then by precedence (6), scope (8), and the longest common
 * prefix (9), which means something for IPv4 only on one subnet. What no rule tells apart stays in order
 * (10). Sources are the stack's own choice (RFC 6724 section 5).
 */
#include "shim/library/names/destination_order.h"
#include "shim/library/calls/call.h"
#include "shim/library/memory.h"
#include "shim/library/names/destination_policy.h"
#include "shim/library/process/attach.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct destination {
    struct resolved_address told;
    struct in6_addr address, source; /* IPv4 mapped */
    bool reached;
    int scope, source_scope, label, source_label, precedence, common;
    int place;
};

static uint32_t host_of(const struct in6_addr *address) {
    uint32_t wire;
    memcpy(&wire, &address->s6_addr[12], sizeof wire);
    return ntohl(wire);
}

static struct in6_addr mapped(uint32_t host) {
    struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    uint32_t wire = htonl(host);
    memcpy(&address.s6_addr[12], &wire, sizeof wire);
    return address;
}

/* The kernel's, whatever the stack has: 127.0.0.0/8 and ::1; 0.0.0.0 means the same. */
static bool is_loopback(const struct in6_addr *address) {
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) &&
            (ip4_is_loopback(host_of(address)) || host_of(address) == INADDR_ANY));
}

/* What the stack, whose lock is held unless the address is loopback's, would send from. */
static void find_source(struct destination *destination) {
    uint32_t host = host_of(&destination->address), hop;
    destination->source = destination->address;
    if (is_loopback(&destination->address)) {
        destination->reached = true;
        if (IN6_IS_ADDR_V4MAPPED(&destination->address))
            destination->source = mapped(IP_LOOPBACK);
        destination->common = destination_common_bits(&destination->source, &destination->address);
        return;
    }
    if (!IN6_IS_ADDR_V4MAPPED(&destination->address)) {
        struct ip_address to = ip_from_bytes(&destination->address), source;
        destination->reached =
            ip6_reachable(&shared->stack, to) == 0 && ip6_source(&shared->stack, to, 0, &source) == 0;
        if (destination->reached)
            memcpy(&destination->source, source.bytes, sizeof destination->source);
        destination->common = destination_common_bits(&destination->source, &destination->address);
        return;
    }
    uint32_t source = ip4_source(&shared->stack, host);
    const struct ip4_address *own = ip4_address_find(&shared->stack, source);
    destination->reached = ip_is_local(&shared->stack, ip_from_v4(host)) ||
                           ip_is_broadcast(&shared->stack, ip_from_v4(host)) ||
                           ip_route_lookup(&shared->stack.routes, host, &hop) == 0;
    destination->source = mapped(source);
    if (!own || !((host ^ source) & own->mask) || destination->told.family == AF_INET6)
        destination->common = destination_common_bits(&destination->source, &destination->address);
}

static int order(int a, int b) {
    return (a > b) - (a < b);
}

static int compare(const void *left, const void *right) {
    const struct destination *a = left, *b = right;
    int by = b->reached - a->reached;
    if (!by && a->reached)
        by = (b->scope == b->source_scope) - (a->scope == a->source_scope);
    if (!by && a->reached)
        by = (b->label == b->source_label) - (a->label == a->source_label);
    if (!by)
        by = order(b->precedence, a->precedence);
    if (!by)
        by = order(a->scope, b->scope);
    if (!by && a->reached && a->told.family == b->told.family)
        by = order(b->common, a->common);
    return by ? by : order(a->place, b->place);
}

static void note_address(struct destination *destination) {
    uint32_t wire;
    destination->address = destination->told.address;
    if (destination->told.family == AF_INET) {
        memcpy(&wire, &destination->told.address, sizeof wire);
        destination->address = mapped(ntohl(wire));
    }
}

static void fill_in(struct destination *destination, const struct destination_policy *policy) {
    find_source(destination);
    destination->scope = destination_scope(policy, &destination->address, destination->told.family);
    destination->source_scope = destination_scope(policy, &destination->source, destination->told.family);
    destination->label = destination_label(policy, &destination->address);
    destination->source_label = destination_label(policy, &destination->source);
    destination->precedence = destination_precedence(policy, &destination->address);
}

void destination_order(struct resolved_address *addresses, int count) {
    struct {
        struct destination_policy policy;
        struct destination destinations[];
    } * work;
    if (count < 2 || !(work = memory_take(sizeof *work + (size_t)count * sizeof work->destinations[0])))
        return;
    destination_policy_read(&work->policy);
    bool asks_stack = false, six = false, four = false;
    for (int i = 0; i < count; i++) {
        work->destinations[i].told = addresses[i];
        work->destinations[i].place = i;
        note_address(&work->destinations[i]);
        bool beyond = !is_loopback(&work->destinations[i].address);
        asks_stack |= beyond;
        six |= beyond && !IN6_IS_ADDR_V4MAPPED(&work->destinations[i].address);
        four |= beyond && IN6_IS_ADDR_V4MAPPED(&work->destinations[i].address);
    }
    if (asks_stack && !call_join()) {
        memory_give(work);
        return;
    }
    if (six && !four) /* else there is a way */
        call_await_routers((struct ip_address){0});
    if (asks_stack)
        region_enter();
    for (int i = 0; i < count; i++)
        fill_in(&work->destinations[i], &work->policy);
    if (asks_stack)
        region_leave();
    qsort(work->destinations, (size_t)count, sizeof work->destinations[0], compare);
    for (int i = 0; i < count; i++)
        addresses[i] = work->destinations[i].told;
    memory_give(work);
}

bool destination_leaves(const struct in6_addr *address) {
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = *address};
    if (IN6_IS_ADDR_LOOPBACK(address))
        return false;
    int fd = LIBC(socket)(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool leaves = fd >= 0 && LIBC(connect)(fd, (const struct sockaddr *)&to, sizeof to) == 0;
    if (fd >= 0)
        LIBC(close)(fd);
    return leaves;
}
