/* SPDX-License-Identifier: MIT */
/*
 * ip6_anycast.c - see ip6_anycast.h. Who has joined is told by the sockets alone. Addresses are counted, since
 * each packet asks for them, and next to no stack has any.
 */
#include "stack/ip/ip6_anycast.h"
#include "stack/stack.h"
#include <errno.h>

static struct ip_address *place_of(struct ip_address *places, uint32_t count, struct ip_address address) {
    for (uint32_t i = 0; i < count; i++)
        if (ip_equal(places[i], address))
            return &places[i];
    return NULL;
}

bool ip6_is_anycast(const struct stack *stack, struct ip_address address) {
    const struct ip_address *places = stack->ip6.anycast.addresses;
    if (!stack->ip6.anycast.count || ip_is_any(address))
        return false;
    for (uint32_t i = 0; i < IP6_ANYCAST_MAX; i++)
        if (ip_equal(places[i], address))
            return true;
    return false;
}

bool ip6_anycast_wants(const struct stack *stack, struct ip_address group) {
    const struct ip_address *places = stack->ip6.anycast.addresses;
    for (uint32_t i = 0; i < IP6_ANYCAST_MAX; i++)
        if (!ip_is_any(places[i]) && ip_equal(ip_solicited_node(places[i]), group))
            return true;
    return false;
}

struct count {
    struct ip_address address;
    uint32_t users;
};

static void count_users(const void *object, void *context) {
    const struct socket_filters *filters = object;
    struct count *count = context;
    for (uint32_t i = 0; i < IP6_ANYCAST_OF_SOCKET; i++)
        count->users += ip_equal(filters->six.anycast[i], count->address);
}

uint32_t ip6_anycast_users(const struct stack *stack, struct ip_address address) {
    struct count count = {address, 0};
    pool_look(&stack->filter_pool, count_users, &count);
    return count.users;
}

/* Whether an address lies in the prefix of one of ours: ipv6_chk_prefix. */
static bool is_in_prefix(const struct stack *stack, struct ip_address address) {
    const struct ip6_addresses *own = &stack->ip6.addresses;
    for (uint32_t i = 0; i < own->count; i++) {
        uint8_t length = own->entries[i].prefix_length;
        if (ip_equal(ip_prefix(own->entries[i].address, length), ip_prefix(address, length)))
            return true;
    }
    return false;
}

int ip6_anycast_join(struct stack *stack, struct socket *socket, uint32_t interface,
                     struct ip_address address) {
    const struct ip6_address *own = ip6_address_find(stack, address);
    bool has = ip_is_loopback(address) || (own && ip6_address_usable(own));
    if (has || ip_is_multicast(address))
        return -EINVAL;
    if (interface && interface != stack_interface_index(stack) && interface != STACK_LOOPBACK_INTERFACE)
        return -ENODEV;
    if (interface == STACK_LOOPBACK_INTERFACE || ip_is_any(address) || !is_in_prefix(stack, address))
        return -EADDRNOTAVAIL;
    const struct ip_address none = {0};
    struct socket_filters *extra = socket_filters(stack, socket);
    struct ip_address *own_place = extra ? place_of(extra->six.anycast, IP6_ANYCAST_OF_SOCKET, none) : NULL;
    struct ip_address *place = place_of(stack->ip6.anycast.addresses, IP6_ANYCAST_MAX, none);
    bool there = ip6_is_anycast(stack, address);
    if (!own_place || (!there && !place))
        return -ENOBUFS;
    stack_work_on(stack, &stack->ip6);
    *own_place = address;
    if (!there) {
        *place = address;
        stack->ip6.anycast.count++;
        multicast_own(stack, ip_solicited_node(address), true);
    }
    stack_work_on(stack, NULL);
    return 0;
}

static void leave(struct stack *stack, struct ip_address *own_place) {
    struct ip_address address = *own_place;
    *own_place = (struct ip_address){0};
    struct ip_address *place = place_of(stack->ip6.anycast.addresses, IP6_ANYCAST_MAX, address);
    if (!place || ip6_anycast_users(stack, address))
        return;
    *place = (struct ip_address){0};
    stack->ip6.anycast.count--;
    multicast_own(stack, ip_solicited_node(address), false);
}

int ip6_anycast_leave(struct stack *stack, struct socket *socket, uint32_t interface,
                      struct ip_address address) {
    struct ip_address *place =
        socket->filters && !ip_is_any(address) && (!interface || interface == stack_interface_index(stack))
            ? place_of(socket->filters->six.anycast, IP6_ANYCAST_OF_SOCKET, address)
            : NULL;
    if (!place)
        return -ENOENT;
    leave(stack, place);
    return 0;
}

void ip6_anycast_release(struct stack *stack, struct socket *socket) {
    for (uint32_t i = 0; i < IP6_ANYCAST_OF_SOCKET && socket->filters; i++)
        if (!ip_is_any(socket->filters->six.anycast[i]))
            leave(stack, &socket->filters->six.anycast[i]);
}

void ip6_anycast_rejoin(struct stack *stack) {
    struct ip_address *places = stack->ip6.anycast.addresses;
    stack->ip6.anycast.count = 0;
    for (uint32_t i = 0; i < IP6_ANYCAST_MAX; i++)
        if (ip_is_any(places[i]) || !ip6_anycast_users(stack, places[i])) {
            places[i] = (struct ip_address){0};
        } else {
            stack->ip6.anycast.count++;
            multicast_own(stack, ip_solicited_node(places[i]), true);
        }
}
