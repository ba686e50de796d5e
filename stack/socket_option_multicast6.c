/* SPDX-License-Identifier: MIT */
/*
 * socket_option_multicast6.c - membership in groups of IPv6: RFC 3493, and RFC 3678 with its filters.
 */
#include "stack/socket_option_multicast6.h"
#include "stack/stack.h"
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>

/* There is one interface. */
static bool is_ours(const struct stack *stack, uint32_t index) {
    return !index || index == stack_interface_index(stack);
}

static struct ip_address group_of(const struct sockaddr_storage *given) {
    struct sockaddr_in6 group;
    memcpy(&group, given, sizeof group);
    return ip_from_bytes(&group.sin6_addr);
}

/* A group of IPv6: one of IPv4 in its mapped form is none. */
static bool is_group(struct ip_address address) {
    return ip_is_multicast(address) && !ip_is_v4(address);
}

static int membership(struct stack *stack, struct socket *socket, int name, const void *value,
                      socklen_t length) {
    struct ipv6_mreq request;
    if (length < sizeof request)
        return -EINVAL;
    if (socket->tcp)
        return -EPROTO;
    memcpy(&request, value, sizeof request);
    struct ip_address group = ip_from_bytes(&request.ipv6mr_multiaddr);
    if (!is_group(group))
        return -EINVAL;
    if (!is_ours(stack, request.ipv6mr_interface))
        return -ENODEV;
    return name == IPV6_JOIN_GROUP ? multicast_join(stack, socket, group, false)
                                   : multicast_leave(stack, socket, group);
}

/* RFC 3678's form of the same. */
static int group_request(struct stack *stack, struct socket *socket, int name, const void *value,
                         socklen_t length) {
    struct group_req request;
    if (length < sizeof request)
        return -EINVAL;
    if (socket->tcp)
        return -EPROTO;
    memcpy(&request, value, sizeof request);
    struct ip_address group = group_of(&request.gr_group);
    if (request.gr_group.ss_family != AF_INET6)
        return -EADDRNOTAVAIL;
    if (!is_group(group))
        return -EINVAL;
    if (!is_ours(stack, request.gr_interface))
        return -ENODEV;
    return name == MCAST_JOIN_GROUP ? multicast_join(stack, socket, group, false)
                                    : multicast_leave(stack, socket, group);
}

static int source_request(struct stack *stack, struct socket *socket, int name, const void *value,
                          socklen_t length) {
    struct group_source_req request;
    bool includes = name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_LEAVE_SOURCE_GROUP;
    bool add = name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_BLOCK_SOURCE;
    if (length < sizeof request)
        return -EINVAL;
    if (socket->tcp)
        return -EPROTO;
    memcpy(&request, value, sizeof request);
    if (request.gsr_group.ss_family != AF_INET6 || request.gsr_source.ss_family != AF_INET6)
        return -EADDRNOTAVAIL;
    if (!is_group(group_of(&request.gsr_group)))
        return -EINVAL;
    if (!is_ours(stack, request.gsr_interface))
        return -ENODEV;
    return multicast_source(stack, socket, group_of(&request.gsr_group), group_of(&request.gsr_source),
                            includes, add);
}

static int set_filter(struct stack *stack, struct socket *socket, const void *value, socklen_t length) {
    struct group_filter head;
    struct multicast_filter filter = {0};
    if (length < offsetof(struct group_filter, gf_slist))
        return -EINVAL;
    if (socket->tcp)
        return -EPROTO;
    memcpy(&head, value, offsetof(struct group_filter, gf_slist));
    if (head.gf_numsrc > MULTICAST_SOURCES_MAX)
        return -ENOBUFS;
    if (length < offsetof(struct group_filter, gf_slist) + head.gf_numsrc * sizeof(struct sockaddr_storage) ||
        !is_group(group_of(&head.gf_group)) ||
        (head.gf_fmode != MCAST_INCLUDE && head.gf_fmode != MCAST_EXCLUDE))
        return -EINVAL;
    if (!is_ours(stack, head.gf_interface))
        return -ENODEV;
    filter.includes = head.gf_fmode == MCAST_INCLUDE;
    for (uint32_t i = 0; i < head.gf_numsrc; i++) {
        struct sockaddr_storage source;
        memcpy(&source, (const char *)value + offsetof(struct group_filter, gf_slist) + i * sizeof source,
               sizeof source);
        filter.sources[filter.count++] = group_of(&source);
    }
    return multicast_set_filter(stack, socket, group_of(&head.gf_group), &filter);
}

static int set_interface(struct stack *stack, struct socket *socket, socklen_t length, int number) {
    if (socket->tcp)
        return -ENOPROTOOPT;
    if (length < sizeof number)
        return -EINVAL;
    if (!is_ours(stack, (uint32_t)number))
        return -ENODEV;
    socket->options.six.multicast_interface = number != 0;
    return 0;
}

bool multicast6_option_is(int name) {
    return name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP || name == IPV6_MULTICAST_IF ||
           (name >= MCAST_JOIN_GROUP && name <= MCAST_MSFILTER);
}

int multicast6_option_set(struct stack *stack, struct socket *socket, int name, const void *value,
                          socklen_t length, int number) {
    switch (name) {
    case IPV6_JOIN_GROUP:
    case IPV6_LEAVE_GROUP:
        return membership(stack, socket, name, value, length);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
        return group_request(stack, socket, name, value, length);
    case MCAST_MSFILTER:
        return set_filter(stack, socket, value, length);
    case IPV6_MULTICAST_IF:
        return set_interface(stack, socket, length, number);
    default:
        return source_request(stack, socket, name, value, length);
    }
}

int multicast6_option_get_filter(const struct stack *stack, const struct socket *socket, void *value,
                                 socklen_t *length) {
    struct group_filter head;
    uint32_t head_bytes = offsetof(struct group_filter, gf_slist), given = 0;
    if (*length < head_bytes)
        return -EINVAL;
    memcpy(&head, value, head_bytes);
    struct ip_address group = group_of(&head.gf_group);
    if (head.gf_group.ss_family != AF_INET6)
        return -EADDRNOTAVAIL;
    if (!is_group(group))
        return -EINVAL;
    if (!is_ours(stack, head.gf_interface))
        return -ENODEV;
    const struct multicast_filter *filter = socket->tcp ? NULL : multicast_get_filter(socket, group);
    if (!filter)
        return -EADDRNOTAVAIL;
    uint32_t room = (uint32_t)((*length - head_bytes) / sizeof(struct sockaddr_storage));
    room = room < head.gf_numsrc ? room : head.gf_numsrc;
    head.gf_fmode = filter->includes ? MCAST_INCLUDE : MCAST_EXCLUDE;
    head.gf_numsrc = filter->count;
    memcpy(value, &head, head_bytes);
    for (; given < filter->count && given < room; given++) {
        struct sockaddr_storage place = {0};
        struct sockaddr_in6 source = {.sin6_family = AF_INET6};
        memcpy(&source.sin6_addr, filter->sources[given].bytes, sizeof source.sin6_addr);
        memcpy(&place, &source, sizeof source);
        memcpy((char *)value + head_bytes + given * sizeof place, &place, sizeof place);
    }
    *length = (socklen_t)(head_bytes + given * sizeof(struct sockaddr_storage));
    return 0;
}
