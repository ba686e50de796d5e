/*
 * igmp.c - see igmp.h.
 */
#include "igmp.h"
#include "checksum.h"
#include "ether.h"
#include "stack.h"
#include "wire.h"
#include <errno.h>

#define IGMP_ROUTERS 0xe0000016u     /* 224.0.0.22: where version 3 reports to */
#define IGMP_ALL_ROUTERS 0xe0000002u /* 224.0.0.2: where version 2 leaves to */
#define ROUTER_ALERT 0x94040000u     /* RFC 2113 */
#define IP_HEADER_ALERT_BYTES 24u

enum {
    QUERY = 0x11,
    REPORT_V1 = 0x12,
    REPORT_V2 = 0x16,
    LEAVE_V2 = 0x17,
    REPORT_V3 = 0x22,
};

enum record {
    MODE_IS_INCLUDE = 1,
    MODE_IS_EXCLUDE = 2, /* "I am a member, whatever the source" but for a few */
    CHANGE_TO_INCLUDE = 3,
    CHANGE_TO_EXCLUDE = 4,
};

void igmp_init(struct stack *stack) {
    struct igmp *igmp = &stack->igmp;
    pool_init(&igmp->memberships, &stack->arena, sizeof(struct igmp_membership), UINT32_MAX);
    pool_init(&igmp->groups, &stack->arena, sizeof(struct igmp_group), IGMP_GROUPS_MAX);
    list_init(&igmp->list);
}

static struct igmp_group *find(const struct stack *stack, uint32_t address) {
    struct list *link, *next;
    list_for_each(link, next, &stack->igmp.list) {
        struct igmp_group *group = container_of(link, struct igmp_group, link);
        if (group->address == address)
            return group;
    }
    return NULL;
}

static bool has_members(const struct igmp_group *group) {
    return !list_empty(&group->members);
}

static struct igmp_membership *member_of(struct list *link) {
    return container_of(link, struct igmp_membership, group_link);
}

static bool is_among(const struct igmp_filter *filter, uint32_t source) {
    for (uint8_t i = 0; i < filter->count; i++)
        if (filter->sources[i] == source)
            return true;
    return false;
}

static bool allows(const struct igmp_filter *filter, uint32_t source) {
    return is_among(filter, source) == filter->includes;
}

bool igmp_wants(const struct stack *stack, uint32_t address, uint32_t source) {
    struct igmp_group *group = address == IP_ALL_HOSTS ? NULL : find(stack, address);
    struct list *link, *next;
    if (!group)
        return address == IP_ALL_HOSTS;
    list_for_each(link, next, &group->members) {
        if (allows(&member_of(link)->filter, source))
            return true;
    }
    return false;
}

static struct igmp_membership *membership_of(const struct socket *socket, uint32_t group) {
    struct list *link, *next;
    list_for_each(link, next, &socket->datagram->memberships) {
        struct igmp_membership *membership = container_of(link, struct igmp_membership, link);
        if (membership->group == group)
            return membership;
    }
    return NULL;
}

bool igmp_socket_wants(const struct socket *socket, uint32_t group, uint32_t source) {
    const struct igmp_membership *membership = membership_of(socket, group);
    return membership ? allows(&membership->filter, source) : socket->options.multicast_all;
}

/* Whether routers may as well keep back what comes from a source: nobody wants it. */
static bool nobody_wants(const struct igmp_group *group, uint32_t source) {
    struct list *link, *next;
    list_for_each(link, next, &group->members) {
        if (allows(&member_of(link)->filter, source))
            return false;
    }
    return true;
}

static void sort(struct igmp_filter *filter) {
    for (uint8_t i = 1; i < filter->count; i++)
        for (uint8_t j = i; j > 0 && filter->sources[j] < filter->sources[j - 1]; j--) {
            uint32_t swapped = filter->sources[j];
            filter->sources[j] = filter->sources[j - 1];
            filter->sources[j - 1] = swapped;
        }
}

/* What all members together want (RFC 3376 section 3.2). When it has more sources than there is room for,
 * more is asked for than is wanted: what nobody wants is dropped here. */
static struct igmp_filter together(const struct igmp_group *group) {
    struct igmp_filter all = {.includes = true};
    struct list *link, *next;
    list_for_each(link, next, &group->members) all.includes &= member_of(link)->filter.includes;
    list_for_each(link, next, &group->members) {
        const struct igmp_filter *filter = &member_of(link)->filter;
        for (uint8_t i = 0; i < filter->count && filter->includes == all.includes; i++) {
            uint32_t source = filter->sources[i];
            if (is_among(&all, source) || (!all.includes && !nobody_wants(group, source)))
                continue;
            if (all.count == IGMP_SOURCES_MAX && all.includes)
                return (struct igmp_filter){0};
            if (all.count < IGMP_SOURCES_MAX)
                all.sources[all.count++] = source;
        }
    }
    sort(&all);
    return all;
}

static bool same(const struct igmp_filter *a, const struct igmp_filter *b) {
    return a->includes == b->includes && a->count == b->count &&
           memcmp(a->sources, b->sources, a->count * sizeof *a->sources) == 0;
}

/* Sends a message of `length` bytes, its checksum not yet computed, with the header that RFC 3376 section 4
 * asks for. */
static void send_message(struct stack *stack, uint32_t to, const uint8_t *message, uint32_t length) {
    struct frame *frame = frame_begin(&stack->transmit);
    if (!frame || !stack->config.address)
        return; /* it is told again */
    uint8_t *header = frame->header + FRAME_IP_AT, *body = header + IP_HEADER_ALERT_BYTES;
    const struct ip_parameters parameters = {.source = ip_from_v4(stack->config.address),
                                             .destination = ip_from_v4(to),
                                             .protocol = IP_PROTOCOL_IGMP,
                                             .ttl = 1,
                                             .tos = 0xc0};
    memcpy(body, message, length);
    wire_put_sum(body + 2, (uint16_t)~checksum_fold(checksum_add(0, body, length)));
    frame->header_length = (uint16_t)(FRAME_IP_AT + IP_HEADER_ALERT_BYTES + length);
    ip_write_header(frame, &parameters, ip_identification(stack, &parameters, true, 1), IP_DONT_FRAGMENT);
    header[0] = 0x46;
    wire_put32(header + IP_HEADER_BYTES, ROUTER_ALERT);
    ip_seal_header(header);
    stack->mib.IpOutRequests++;
    ip_output_whole(stack, frame, &parameters);
}

static void report_v3(struct stack *stack, const struct igmp_group *group, enum record record) {
    uint8_t message[16 + 4 * IGMP_SOURCES_MAX] = {REPORT_V3};
    const struct igmp_filter *filter = &group->told;
    wire_put16(message + 6, 1);
    message[8] = (uint8_t)record;
    wire_put16(message + 10, filter->count);
    wire_put32(message + 12, group->address);
    for (uint8_t i = 0; i < filter->count; i++)
        wire_put32(message + 16 + 4 * i, filter->sources[i]);
    send_message(stack, IGMP_ROUTERS, message, 16 + 4u * filter->count);
}

static void send_old(struct stack *stack, uint8_t type, uint32_t group, uint32_t to) {
    uint8_t message[8] = {type};
    wire_put32(message + 4, group);
    send_message(stack, to, message, sizeof message);
}

static bool version(const struct stack *stack, uint64_t until_ns) {
    return stack->now_ns < until_ns;
}

/* Tells routers what they ask, or what has changed. */
static void tell(struct stack *stack, const struct igmp_group *group, bool changed) {
    uint32_t address = group->address;
    if (version(stack, stack->igmp.v1_until_ns)) {
        if (has_members(group))
            send_old(stack, REPORT_V1, address, address);
    } else if (version(stack, stack->igmp.v2_until_ns)) {
        if (has_members(group))
            send_old(stack, REPORT_V2, address, address);
        else
            send_old(stack, LEAVE_V2, address, IGMP_ALL_ROUTERS);
    } else {
        bool includes = group->told.includes;
        report_v3(stack, group,
                  changed ? (includes ? CHANGE_TO_INCLUDE : CHANGE_TO_EXCLUDE)
                          : (includes ? MODE_IS_INCLUDE : MODE_IS_EXCLUDE));
    }
}

static void tell_within(struct stack *stack, struct igmp_group *group, uint64_t ns) {
    uint64_t when = stack->now_ns + random_u64(&stack->random) % ns;
    if (!timer_running(&group->timer) || when < timer_deadline_ns(&group->timer))
        timer_start(&stack->timers, &group->timer, when);
}

static void forget(struct stack *stack, struct igmp_group *group) {
    timer_stop(&stack->timers, &group->timer);
    list_remove(&group->link);
    pool_return(&stack->igmp.groups, group);
}

/* A group was joined or left, or other sources are wanted: says so now, and again a little later, since
 * either may get lost. */
static void changed(struct stack *stack, struct igmp_group *group) {
    bool old = version(stack, stack->igmp.v1_until_ns) || version(stack, stack->igmp.v2_until_ns);
    group->told = together(group);
    tell(stack, group, true);
    if (old && !has_members(group)) {
        forget(stack, group);
        return;
    }
    group->changes = IGMP_ROBUSTNESS - 1;
    tell_within(stack, group, old ? IGMP_UNSOLICITED_V2_NS : IGMP_UNSOLICITED_NS);
}

static struct igmp_group *take_group(struct stack *stack, uint32_t address) {
    struct igmp_group *group = find(stack, address);
    if (group)
        return group;
    group = pool_take_zeroed(&stack->igmp.groups);
    if (!group)
        return NULL;
    group->address = address;
    group->told.includes = true;
    list_init(&group->members);
    list_init(&group->link);
    timer_init(&group->timer, TIMER_IGMP);
    list_add_tail(&stack->igmp.list, &group->link);
    return group;
}

static void changed_perhaps(struct stack *stack, struct igmp_group *group, bool first) {
    struct igmp_filter wanted = together(group);
    if (group->address != IP_ALL_HOSTS && (first || !same(&wanted, &group->told)))
        changed(stack, group);
}

int igmp_join(struct stack *stack, struct socket *socket, uint32_t address, bool includes) {
    struct list *link, *next;
    uint32_t count = 0;
    if (!ip4_is_multicast(address))
        return -EINVAL;
    if (membership_of(socket, address))
        return -EADDRINUSE;
    list_for_each(link, next, &socket->datagram->memberships) count++;
    if (count >= IGMP_MEMBERSHIPS_MAX)
        return -ENOBUFS;
    struct igmp_membership *membership = pool_take_zeroed(&stack->igmp.memberships);
    struct igmp_group *group = membership ? take_group(stack, address) : NULL;
    if (!group) {
        if (membership)
            pool_return(&stack->igmp.memberships, membership);
        return -ENOBUFS;
    }
    list_init(&membership->link);
    list_add_tail(&socket->datagram->memberships, &membership->link);
    membership->group = address;
    membership->socket = socket;
    membership->filter.includes = includes;
    list_init(&membership->group_link);
    bool first = !has_members(group);
    list_add_tail(&group->members, &membership->group_link);
    changed_perhaps(stack, group, first && !includes);
    return 0;
}

static void end(struct stack *stack, struct igmp_membership *membership) {
    struct igmp_group *group = find(stack, membership->group);
    list_remove(&membership->link);
    list_remove(&membership->group_link);
    pool_return(&stack->igmp.memberships, membership);
    if (!group)
        return;
    if (group->address == IP_ALL_HOSTS && !has_members(group))
        forget(stack, group);
    else
        changed_perhaps(stack, group, !has_members(group));
}

int igmp_leave(struct stack *stack, struct socket *socket, uint32_t address) {
    struct igmp_membership *membership = membership_of(socket, address);
    if (!membership)
        return -EADDRNOTAVAIL;
    end(stack, membership);
    return 0;
}

int igmp_source(struct stack *stack, struct socket *socket, uint32_t address, uint32_t source, bool includes,
                bool add) {
    if (!ip4_is_multicast(address))
        return -EINVAL;
    if (includes && add) {
        int error = igmp_join(stack, socket, address, true);
        if (error && error != -EADDRINUSE)
            return error;
    }
    struct igmp_membership *membership = membership_of(socket, address);
    struct igmp_group *group = membership ? find(stack, address) : NULL;
    if (!group)
        return -EINVAL;
    struct igmp_filter *filter = &membership->filter;
    if (filter->count > 0 && filter->includes != includes)
        return -EINVAL;
    filter->includes = includes; /* an empty one may change its mind */
    bool there = is_among(filter, source);
    if (there == add)
        return -EADDRNOTAVAIL;
    if (!add && includes && filter->count == 1)
        return igmp_leave(stack, socket, address); /* of nothing there is no member */
    if (add && filter->count == IGMP_SOURCES_MAX)
        return -ENOBUFS;
    uint8_t kept = 0;
    for (uint8_t i = 0; i < filter->count; i++)
        if (filter->sources[i] != source)
            filter->sources[kept++] = filter->sources[i];
    if (add)
        filter->sources[kept++] = source;
    filter->count = kept;
    changed_perhaps(stack, group, false);
    return 0;
}

int igmp_set_filter(struct stack *stack, struct socket *socket, uint32_t address,
                    const struct igmp_filter *filter) {
    struct igmp_membership *membership = membership_of(socket, address);
    struct igmp_group *group = membership ? find(stack, address) : NULL;
    if (!ip4_is_multicast(address))
        return -EINVAL;
    if (filter->includes && filter->count == 0)
        return igmp_leave(stack, socket, address);
    if (!group)
        return -EINVAL;
    membership->filter = *filter;
    changed_perhaps(stack, group, false);
    return 0;
}

const struct igmp_filter *igmp_get_filter(const struct socket *socket, uint32_t address) {
    const struct igmp_membership *membership = membership_of(socket, address);
    return membership ? &membership->filter : NULL;
}

void igmp_leave_all(struct stack *stack, struct socket *socket) {
    struct list *link;
    while ((link = list_first(&socket->datagram->memberships)))
        end(stack, container_of(link, struct igmp_membership, link));
}

void igmp_timer(struct stack *stack, struct igmp_group *group) {
    bool change = group->changes > 0;
    if (change || (group->asked && has_members(group)))
        tell(stack, group, change);
    group->asked = false;
    if (change && --group->changes > 0)
        tell_within(stack, group, IGMP_UNSOLICITED_NS);
    else if (!has_members(group))
        forget(stack, group);
}

/* RFC 3376 section 4.1.1: tenths of a second, from 128 on as a floating-point number. */
static uint64_t response_ns(uint8_t code) {
    uint64_t tenths = code < 128 ? code : (uint64_t)((code & 15) | 16) << (((code >> 4) & 7) + 3);
    return (tenths ? tenths : 1) * UINT64_C(100000000);
}

static void query(struct stack *stack, const struct ip_packet *packet, const uint8_t *message) {
    struct list *link, *next;
    uint32_t address = wire_get32(message + 4);
    uint64_t within_ns = response_ns(message[1]);
    if (packet->length == 8 && message[1] == 0) {
        within_ns = UINT64_C(10000000000);
        stack->igmp.v1_until_ns = stack->now_ns + IGMP_OLDER_ROUTER_NS;
    } else if (packet->length == 8) {
        stack->igmp.v2_until_ns = stack->now_ns + IGMP_OLDER_ROUTER_NS;
    } else if (packet->length < 12) {
        return; /* section 7.1: of no version */
    }
    list_for_each(link, next, &stack->igmp.list) {
        struct igmp_group *group = container_of(link, struct igmp_group, link);
        if (!has_members(group) || group->address == IP_ALL_HOSTS || (address && address != group->address))
            continue;
        group->asked = true;
        tell_within(stack, group, within_ns);
    }
}

void igmp_input(struct stack *stack, struct ip_packet *packet) {
    const uint8_t *message = buffer_data(packet->chain);
    /* RFC 3376 section 4: with a TTL of 1, so from the link, and to a group. */
    if (packet->length < 8 || buffer_length(packet->chain) < 8 || packet->looped || packet->ttl != 1 ||
        !ip_is_multicast(packet->destination) ||
        checksum_fold(checksum_add_chain(0, packet->chain)) != 0xffff)
        return;
    if (message[0] == QUERY) {
        query(stack, packet, message);
    } else if (message[0] == REPORT_V1 || message[0] == REPORT_V2) {
        /* RFC 2236 section 3: one member's answer is enough. */
        struct igmp_group *group = find(stack, wire_get32(message + 4));
        if (group && has_members(group) && group->changes == 0) {
            group->asked = false;
            timer_stop(&stack->timers, &group->timer);
        }
    }
}

static void count_member(void *object, void *context) {
    struct stack *stack = context;
    struct igmp_membership *membership = object;
    struct igmp_group *group = take_group(stack, membership->group);
    list_init(&membership->group_link);
    if (group)
        list_add_tail(&group->members, &membership->group_link);
}

static void recount(struct stack *stack) {
    struct list *link, *next;
    list_for_each(link, next, &stack->igmp.list) {
        struct igmp_group *group = container_of(link, struct igmp_group, link);
        group->told = together(group);
    }
}

void igmp_repair(struct stack *stack) {
    list_init(&stack->igmp.list);
    pool_walk(&stack->igmp.memberships, count_member, stack);
    recount(stack);
}
