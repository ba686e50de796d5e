/* SPDX-License-Identifier: MIT */
/*
 * multicast.c - see multicast.h.
 */
#include "stack/ip/multicast.h"
#include "stack/ip/igmp.h"
#include "stack/ip/mld.h"
#include "stack/stack.h"
#include <errno.h>

void multicast_init(struct stack *stack) {
    struct multicast *multicast = &stack->multicast;
    pool_init(&multicast->memberships, &stack->arena, sizeof(struct multicast_membership), UINT32_MAX);
    pool_init(&multicast->groups, &stack->arena, sizeof(struct multicast_group), MULTICAST_GROUPS_MAX);
    list_init(&multicast->list);
}

struct multicast_group *multicast_find(const struct stack *stack, struct ip_address address) {
    struct list *link, *next;
    list_for_each(link, next, &stack->multicast.list) {
        struct multicast_group *group = container_of(link, struct multicast_group, link);
        if (ip_equal(group->address, address))
            return group;
    }
    return NULL;
}

uint32_t multicast_sources_max(struct ip_address group) {
    return ip_is_v4(group) ? MULTICAST_SOURCES4_MAX : MULTICAST_SOURCES_MAX;
}

/* A group that every host is in, and of which no router is told. */
static bool is_everybodys(struct ip_address group) {
    return ip_is_v4(group) ? ip_to_v4(group) == IP_ALL_HOSTS : ip_equal(group, IP6_ALL_NODES);
}

static struct multicast_membership *member_of(struct list *link) {
    return container_of(link, struct multicast_membership, group_link);
}

static bool is_among(const struct multicast_filter *filter, struct ip_address source) {
    for (uint8_t i = 0; i < filter->count; i++)
        if (ip_equal(filter->sources[i], source))
            return true;
    return false;
}

static bool allows(const struct multicast_filter *filter, struct ip_address source) {
    return is_among(filter, source) == filter->includes;
}

bool multicast_wants(const struct stack *stack, struct ip_address address, struct ip_address source) {
    struct multicast_group *group = is_everybodys(address) ? NULL : multicast_find(stack, address);
    struct list *link, *next;
    if (!group)
        return is_everybodys(address);
    if (group->own)
        return true;
    list_for_each(link, next, &group->members) {
        if (allows(&member_of(link)->filter, source))
            return true;
    }
    return false;
}

static struct multicast_membership *membership_of(const struct socket *socket, struct ip_address group) {
    struct list *link, *next;
    list_for_each(link, next, &socket->datagram->memberships) {
        struct multicast_membership *membership = container_of(link, struct multicast_membership, link);
        if (ip_equal(membership->group, group))
            return membership;
    }
    return NULL;
}

bool multicast_socket_wants(const struct socket *socket, struct ip_address group, struct ip_address source) {
    const struct multicast_membership *membership = membership_of(socket, group);
    if (membership)
        return allows(&membership->filter, source);
    return ip_is_v4(group) ? socket->options.multicast_all : socket->options.six.multicast_all;
}

/* Whether routers may as well keep back what comes from a source: nobody wants it. */
static bool nobody_wants(const struct multicast_group *group, struct ip_address source) {
    struct list *link, *next;
    list_for_each(link, next, &group->members) {
        if (allows(&member_of(link)->filter, source))
            return false;
    }
    return true;
}

static void sort(struct multicast_filter *filter) {
    for (uint8_t i = 1; i < filter->count; i++)
        for (uint8_t j = i; j > 0 && ip_compare(filter->sources[j], filter->sources[j - 1]) < 0; j--) {
            struct ip_address swapped = filter->sources[j];
            filter->sources[j] = filter->sources[j - 1];
            filter->sources[j - 1] = swapped;
        }
}

/* What all members together want (RFC 3376 section 3.2). When it has more sources than there is room for,
 * more is asked for than is wanted: what nobody wants is dropped here. */
static struct multicast_filter together(const struct multicast_group *group) {
    struct multicast_filter all = {.includes = true};
    struct list *link, *next;
    uint32_t most = multicast_sources_max(group->address);
    if (group->own)
        return (struct multicast_filter){0};
    list_for_each(link, next, &group->members)
        all.includes &= member_of(link)->filter.includes;
    list_for_each(link, next, &group->members) {
        const struct multicast_filter *filter = &member_of(link)->filter;
        for (uint8_t i = 0; i < filter->count && filter->includes == all.includes; i++) {
            struct ip_address source = filter->sources[i];
            if (is_among(&all, source) || (!all.includes && !nobody_wants(group, source)))
                continue;
            if (all.count == most && all.includes)
                return (struct multicast_filter){0};
            if (all.count < most)
                all.sources[all.count++] = source;
        }
    }
    sort(&all);
    return all;
}

static bool same(const struct multicast_filter *a, const struct multicast_filter *b) {
    return a->includes == b->includes && a->count == b->count &&
           memcmp(a->sources, b->sources, a->count * sizeof *a->sources) == 0;
}

void multicast_tell_within(struct stack *stack, struct multicast_group *group, uint64_t ns) {
    uint64_t when = stack->now_ns + random_u64(&stack->random) % ns;
    if (!timer_running(&group->timer) || when < timer_deadline_ns(&group->timer))
        timer_start(&stack->timers, &group->timer, when);
}

void multicast_forget(struct stack *stack, struct multicast_group *group) {
    timer_stop(&stack->timers, &group->timer);
    list_remove(&group->link);
    pool_return(&stack->multicast.groups, group);
}

static struct multicast_group *take_group(struct stack *stack, struct ip_address address) {
    struct multicast_group *group = multicast_find(stack, address);
    if (group)
        return group;
    group = pool_take_zeroed(&stack->multicast.groups);
    if (!group)
        return NULL;
    group->address = address;
    group->told.includes = true;
    list_init(&group->members);
    list_init(&group->link);
    timer_init(&group->timer, TIMER_MULTICAST);
    list_add_tail(&stack->multicast.list, &group->link);
    return group;
}

static void changed(struct stack *stack, struct multicast_group *group) {
    group->told = together(group);
    if (ip_is_v4(group->address))
        igmp_changed(stack, group);
    else
        mld_changed(stack, group);
}

static void changed_perhaps(struct stack *stack, struct multicast_group *group, bool first) {
    struct multicast_filter wanted = together(group);
    if (!is_everybodys(group->address) && (first || !same(&wanted, &group->told)))
        changed(stack, group);
}

int multicast_join(struct stack *stack, struct socket *socket, struct ip_address address, bool includes) {
    struct list *link, *next;
    uint32_t count = 0;
    if (!ip_is_multicast(address))
        return -EINVAL;
    if (membership_of(socket, address))
        return -EADDRINUSE;
    list_for_each(link, next, &socket->datagram->memberships)
        count++;
    if (ip_is_v4(address) && count >= MULTICAST_MEMBERSHIPS_MAX)
        return -ENOBUFS;
    struct multicast_membership *membership = pool_take_zeroed(&stack->multicast.memberships);
    struct multicast_group *group = membership ? take_group(stack, address) : NULL;
    if (!group) {
        if (membership)
            pool_return(&stack->multicast.memberships, membership);
        return -ENOBUFS;
    }
    list_init(&membership->link);
    list_add_tail(&socket->datagram->memberships, &membership->link);
    membership->group = address;
    membership->socket = socket;
    membership->filter.includes = includes;
    list_init(&membership->group_link);
    bool first = !multicast_has_members(group);
    list_add_tail(&group->members, &membership->group_link);
    changed_perhaps(stack, group, first && !includes);
    return 0;
}

static void end(struct stack *stack, struct multicast_membership *membership) {
    struct multicast_group *group = multicast_find(stack, membership->group);
    list_remove(&membership->link);
    list_remove(&membership->group_link);
    pool_return(&stack->multicast.memberships, membership);
    if (!group)
        return;
    if (is_everybodys(group->address) && !multicast_has_members(group))
        multicast_forget(stack, group);
    else
        changed_perhaps(stack, group, !multicast_has_members(group));
}

int multicast_leave(struct stack *stack, struct socket *socket, struct ip_address address) {
    struct multicast_membership *membership = membership_of(socket, address);
    if (!membership)
        return -EADDRNOTAVAIL;
    end(stack, membership);
    return 0;
}

int multicast_source(struct stack *stack, struct socket *socket, struct ip_address address,
                     struct ip_address source, bool includes, bool add) {
    if (!ip_is_multicast(address))
        return -EINVAL;
    if (includes && add) {
        int error = multicast_join(stack, socket, address, true);
        if (error && error != -EADDRINUSE)
            return error;
    }
    struct multicast_membership *membership = membership_of(socket, address);
    struct multicast_group *group = membership ? multicast_find(stack, address) : NULL;
    if (!group)
        return -EINVAL;
    struct multicast_filter *filter = &membership->filter;
    if (filter->count > 0 && filter->includes != includes)
        return -EINVAL;
    filter->includes = includes; /* an empty one may change its mind */
    bool there = is_among(filter, source);
    if (there == add)
        return -EADDRNOTAVAIL;
    if (!add && includes && filter->count == 1)
        return multicast_leave(stack, socket, address); /* of nothing there is no member */
    if (add && filter->count == multicast_sources_max(address))
        return -ENOBUFS;
    uint8_t kept = 0;
    for (uint8_t i = 0; i < filter->count; i++)
        if (!ip_equal(filter->sources[i], source))
            filter->sources[kept++] = filter->sources[i];
    if (add)
        filter->sources[kept++] = source;
    filter->count = kept;
    changed_perhaps(stack, group, false);
    return 0;
}

int multicast_set_filter(struct stack *stack, struct socket *socket, struct ip_address address,
                         const struct multicast_filter *filter) {
    struct multicast_membership *membership = membership_of(socket, address);
    struct multicast_group *group = membership ? multicast_find(stack, address) : NULL;
    if (!ip_is_multicast(address))
        return -EINVAL;
    if (filter->includes && filter->count == 0)
        return multicast_leave(stack, socket, address);
    if (!group)
        return -EINVAL;
    membership->filter = *filter;
    changed_perhaps(stack, group, false);
    return 0;
}

const struct multicast_filter *multicast_get_filter(const struct socket *socket, struct ip_address address) {
    const struct multicast_membership *membership = membership_of(socket, address);
    return membership ? &membership->filter : NULL;
}

void multicast_leave_all(struct stack *stack, struct socket *socket) {
    struct list *link;
    while ((link = list_first(&socket->datagram->memberships)))
        end(stack, container_of(link, struct multicast_membership, link));
}

void multicast_own(struct stack *stack, struct ip_address address, bool wanted) {
    struct multicast_group *group = wanted ? take_group(stack, address) : multicast_find(stack, address);
    if (!group || (!wanted && !group->own))
        return; /* without memory: it is heard all the same, see ip6_addresses_want */
    bool had_members = multicast_has_members(group);
    group->own += wanted ? 1u : UINT32_MAX;
    if (is_everybodys(address) && !multicast_has_members(group))
        multicast_forget(stack, group);
    else
        changed_perhaps(stack, group, had_members != multicast_has_members(group));
}

void multicast_timer(struct stack *stack, struct multicast_group *group) {
    if (ip_is_v4(group->address))
        igmp_timer(stack, group);
    else
        mld_tell(stack, group);
}

static void count_member(void *object, void *context) {
    struct stack *stack = context;
    struct multicast_membership *membership = object;
    struct multicast_group *group = take_group(stack, membership->group);
    list_init(&membership->group_link);
    if (group)
        list_add_tail(&group->members, &membership->group_link);
}

static void recount(struct stack *stack) {
    struct list *link, *next;
    list_for_each(link, next, &stack->multicast.list) {
        struct multicast_group *group = container_of(link, struct multicast_group, link);
        group->told = together(group);
    }
}

void multicast_repair(struct stack *stack) {
    list_init(&stack->multicast.list);
    pool_walk(&stack->multicast.memberships, count_member, stack);
    recount(stack);
}
