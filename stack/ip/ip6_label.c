/* SPDX-License-Identifier: MIT */
/*
 * ip6_label.c - see ip6_label.h. Which requests are refused, and in which order they are looked at, is as Linux's
 * net/ipv6/ip6_flowlabel.c has it. Who has a label is told by the sockets alone: nothing is counted.
 */
#include "stack/ip/ip6_label.h"
#include "stack/base/wire.h"
#include "stack/stack.h"
#include <errno.h>

#define LINGER_MIN_S 6u
#define LINGER_MAX_S 60u /* for who has no privilege */
#define NS_PER_S UINT64_C(1000000000)
#define TICK_NS UINT64_C(10000000) /* Linux tells of time in jiffies */

static struct ip6_label *find(struct stack *stack, uint32_t label) {
    for (uint32_t i = 0; i < IP6_LABELS_MAX; i++)
        if (label && stack->ip6.labels.entries[i].label == label)
            return &stack->ip6.labels.entries[i];
    return NULL;
}

/* The socket's place for a label, 0: a free one; or NULL. */
static uint32_t *place_of(struct socket_headers6 *six, uint32_t label) {
    for (uint32_t i = 0; i < IP6_LABELS_OF_SOCKET; i++)
        if (six->labels[i] == label)
            return &six->labels[i];
    return NULL;
}

static bool has(const struct socket *socket, uint32_t label) {
    return socket->filters && label && place_of(&socket->filters->six, label);
}

struct count {
    uint32_t label, users;
};

static void count_users(const void *object, void *context) {
    const struct socket_filters *filters = object;
    struct count *count = context;
    for (uint32_t i = 0; i < IP6_LABELS_OF_SOCKET; i++)
        count->users += filters->six.labels[i] == count->label;
}

uint32_t ip6_label_users(const struct stack *stack, uint32_t label) {
    struct count count = {label, 0};
    pool_look(&stack->filter_pool, count_users, &count);
    return count.users;
}

/* Frees what nobody has had for long enough. */
static void collect(struct stack *stack) {
    for (uint32_t i = 0; i < IP6_LABELS_MAX; i++) {
        struct ip6_label *entry = &stack->ip6.labels.entries[i];
        if (entry->label && stack->now_ns >= entry->expires_ns &&
            stack->now_ns - entry->used_ns >= entry->linger_ns && !ip6_label_users(stack, entry->label))
            entry->label = 0;
    }
}

/* For how long a label stays; 0: not for so long. */
static uint64_t checked_ns(uint16_t seconds, bool privileged) {
    if (seconds < LINGER_MIN_S)
        return LINGER_MIN_S * NS_PER_S;
    return seconds > LINGER_MAX_S && !privileged ? 0 : seconds * NS_PER_S;
}

static int renew(const struct stack *stack, struct ip6_label *entry, const struct ip6_label_request *request,
                 bool privileged) {
    uint64_t linger_ns = checked_ns(request->linger, privileged),
             expires_ns = checked_ns(request->expires, privileged);
    if (!linger_ns || !expires_ns)
        return -EPERM;
    entry->used_ns = stack->now_ns;
    if (entry->linger_ns < linger_ns)
        entry->linger_ns = linger_ns;
    if (expires_ns < entry->linger_ns)
        expires_ns = entry->linger_ns;
    if (entry->expires_ns < stack->now_ns + expires_ns)
        entry->expires_ns = stack->now_ns + expires_ns;
    return 0;
}

/* What is asked for, as an entry of the table. */
static int make(const struct stack *stack, struct ip6_label *made, const struct ip6_label_request *request,
                const struct ip6_label_owner *owner) {
    *made = (struct ip6_label){.share = request->share, .destination = request->destination};
    int error = renew(stack, made, request, owner->privileged);
    if (error)
        return error;
    if (ip_is_any(request->destination) || ip_is_v4(request->destination))
        return -EINVAL;
    switch (request->share) {
    case IP6_LABEL_EXCLUSIVE:
    case IP6_LABEL_ANYBODY:
        return 0;
    case IP6_LABEL_PROCESS:
        made->owner = owner->process;
        return 0;
    case IP6_LABEL_USER:
        made->owner = owner->user;
        return 0;
    default:
        return -EINVAL;
    }
}

static int join(struct ip6_label *there, const struct ip6_label *wanted, uint32_t *place, uint32_t label) {
    if (there->share == IP6_LABEL_EXCLUSIVE || there->share != wanted->share || there->owner != wanted->owner)
        return -EPERM;
    if (there->linger_ns < wanted->linger_ns)
        there->linger_ns = wanted->linger_ns;
    if (there->expires_ns < wanted->expires_ns)
        there->expires_ns = wanted->expires_ns;
    *place = label;
    return 0;
}

static uint32_t choose(struct stack *stack) {
    uint32_t label;
    do
        label = (uint32_t)random_u64(&stack->random) & IP6_FLOW_LABEL;
    while (!label || find(stack, label));
    return label;
}

static int lease(struct stack *stack, struct socket *socket, struct ip6_label_request *request,
                 const struct ip6_label_owner *owner) {
    uint32_t label = wire_get32((const uint8_t *)&request->label);
    struct ip6_label made;
    if (request->flags & IP6_LABEL_REFLECT)
        return -EPERM; /* flowlabel_consistency */
    if (label & ~IP6_FLOW_LABEL)
        return -EINVAL;
    int error = make(stack, &made, request, owner);
    if (error)
        return error;
    struct socket_filters *extra = socket_filters(stack, socket);
    uint32_t *place = extra ? place_of(&extra->six, 0) : NULL;
    struct ip6_label *there = find(stack, label);
    if (there && request->flags & IP6_LABEL_ALONE)
        return -EEXIST;
    if (there)
        return place ? join(there, &made, place, label) : -ENOBUFS;
    if (!(request->flags & IP6_LABEL_CREATE))
        return -ENOENT;
    collect(stack);
    struct ip6_label *entries = stack->ip6.labels.entries, *free = NULL;
    for (uint32_t i = 0; i < IP6_LABELS_MAX && !free; i++)
        free = entries[i].label ? NULL : &entries[i];
    if (!place || !free)
        return -ENOBUFS;
    *free = made;
    if (!label) {
        label = choose(stack);
        wire_put32((uint8_t *)&request->label, label);
    }
    atomic_signal_fence(memory_order_seq_cst);
    free->label = *place = label; /* last: see repair.h */
    return 0;
}

static void leave(const struct stack *stack, struct ip6_label *entry) {
    entry->used_ns = stack->now_ns;
    if (entry->expires_ns < entry->used_ns + entry->linger_ns)
        entry->expires_ns = entry->used_ns + entry->linger_ns;
}

static int give_back(struct stack *stack, struct socket *socket, const struct ip6_label_request *request) {
    uint32_t label = wire_get32((const uint8_t *)&request->label);
    if (request->flags & IP6_LABEL_REFLECT)
        return socket->tcp ? -ESRCH : -ENOPROTOOPT;
    if (!has(socket, label))
        return -ESRCH;
    struct socket_headers6 *six = &socket->filters->six;
    if (label == (six->flow_information & IP6_FLOW_LABEL))
        six->flow_information &= ~IP6_FLOW_LABEL;
    struct ip6_label *entry = find(stack, label);
    if (entry)
        leave(stack, entry);
    *place_of(six, label) = 0;
    return 0;
}

static int prolong(struct stack *stack, const struct socket *socket, const struct ip6_label_request *request,
                   const struct ip6_label_owner *owner) {
    uint32_t label = wire_get32((const uint8_t *)&request->label);
    struct ip6_label *entry = find(stack, label);
    bool may = has(socket, label) || (request->share == IP6_LABEL_NONE && owner->privileged);
    return entry && may ? renew(stack, entry, request, owner->privileged) : -ESRCH;
}

int ip6_label_set(struct stack *stack, struct socket *socket, struct ip6_label_request *request,
                  const struct ip6_label_owner *owner) {
    switch (request->action) {
    case IP6_LABEL_GET:
        return lease(stack, socket, request, owner);
    case IP6_LABEL_PUT:
        return give_back(stack, socket, request);
    case IP6_LABEL_RENEW:
        return prolong(stack, socket, request, owner);
    default:
        return -EINVAL;
    }
}

int ip6_label_get(const struct stack *stack, const struct socket *socket, struct ip6_label_request *request) {
    const struct ip6_label *entries = stack->ip6.labels.entries;
    uint32_t label = socket->filters ? socket->filters->six.flow_information & IP6_FLOW_LABEL : 0;
    uint8_t action = request->action;
    uint16_t flags = request->flags;
    *request = (struct ip6_label_request){0};
    if (action != IP6_LABEL_GET)
        return -EINVAL;
    if (flags & IP6_LABEL_REMOTE)
        return 0; /* the peer's is not kept */
    for (uint32_t i = 0; i < IP6_LABELS_MAX && has(socket, label); i++) {
        if (entries[i].label != label)
            continue;
        uint64_t left_ns = entries[i].expires_ns > stack->now_ns ? entries[i].expires_ns - stack->now_ns : 0;
        request->destination = entries[i].destination;
        request->share = entries[i].share;
        request->linger = (uint16_t)(entries[i].linger_ns / NS_PER_S);
        request->expires = (uint16_t)((left_ns + TICK_NS) / NS_PER_S);
        wire_put32((uint8_t *)&request->label, label);
        return 0;
    }
    return -ENOENT;
}

bool ip6_label_may(struct stack *stack, const struct socket *socket, uint32_t label) {
    bool exclusive = false;
    for (uint32_t i = 0; i < IP6_LABELS_MAX && !exclusive; i++)
        exclusive =
            stack->ip6.labels.entries[i].label && stack->ip6.labels.entries[i].share != IP6_LABEL_ANYBODY;
    if (!label || !exclusive)
        return true;
    struct ip6_label *entry = has(socket, label) ? find(stack, label) : NULL;
    if (entry)
        entry->used_ns = stack->now_ns;
    return entry;
}

void ip6_label_release(struct stack *stack, struct socket *socket) {
    if (!socket->filters)
        return;
    for (uint32_t i = 0; i < IP6_LABELS_OF_SOCKET; i++) {
        struct ip6_label *entry = find(stack, socket->filters->six.labels[i]);
        if (entry)
            leave(stack, entry);
        socket->filters->six.labels[i] = 0;
    }
}
