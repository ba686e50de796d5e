/* SPDX-License-Identifier: MIT */
/*
 * port.c - see port.h. The rules for sharing a port are those of Linux (socket(7), SO_REUSEADDR and
 * SO_REUSEPORT): two bindings conflict when protocol and port are equal and there is an address that both
 * take (that of an AF_INET6 socket without IPV6_V6ONLY takes IPv4's, too), unless both have SO_REUSEPORT, or
 * both have SO_REUSEADDR and neither listens. UDP needs no "neither listens".
 *
 * Connections get their ports as Linux's __inet_hash_connect gives them (RFC 6056, its algorithm 4 with the
 * increments of algorithm 5): a keyed hash of the destination says where its ports begin, and a counter goes
 * on from there by little random steps. So nobody elsewhere can tell which comes next, and to one peer a port
 * comes back only when all others have been there. The counters begin with the clock, for a stack that goes
 * on where another of its address has ended. Even ports are for connections, odd ones for bind(2), while
 * there are any.
 */
#include "stack/ip/port.h"
#include "stack/stack.h"
#include <errno.h>
#include <string.h>

#define STEP_MAX 8 /* Linux's: of the ports of one parity, from one connection's to the next's */
#define START_TICK_NS \
    4194304 /* what a stack that ended needed of ports since is likely to have been less \
             */

void port_init(struct stack *stack) {
    stack->ports.start = (uint32_t)(stack->now_ns / START_TICK_NS) & ~1u;
}

static struct hash_link **bucket_of(struct stack *stack, uint16_t port) {
    return &stack->ports.buckets[port % PORT_BUCKETS];
}

/* Whether there is an address that both take. */
static bool overlap(const struct binding *a, const struct binding *b) {
    if (ip_is_any(a->address) && ip_is_any(b->address))
        return (a->takes_v4 && b->takes_v4) || (a->takes_v6 && b->takes_v6);
    return ip_is_any(a->address) ? port_takes(a, b->address) : port_takes(b, a->address);
}

static bool bindings_conflict(const struct binding *a, const struct binding *b) {
    if (a->protocol != b->protocol || a->port != b->port)
        return false;
    if (!overlap(a, b))
        return false;
    if (a->reuse_port && b->reuse_port)
        return false;
    return !(a->reuse_address && b->reuse_address && !a->listening && !b->listening);
}

static bool conflict(struct stack *stack, const struct binding *binding) {
    for (struct hash_link *link = *bucket_of(stack, binding->port); link; link = link->next) {
        const struct binding *other = container_of(link, struct binding, link);
        if (other != binding && bindings_conflict(binding, other))
            return true;
    }
    return false;
}

bool port_is_held(const struct stack *stack, uint16_t port) {
    return stack->ports.buckets[port % PORT_BUCKETS];
}

static bool owns(const struct binding *binding) {
    return binding->chosen || binding->listening;
}

void port_enter(struct stack *stack, struct binding *binding) {
    hash_add(bucket_of(stack, binding->port), &binding->link);
    stack->ports.owners[binding->port] += owns(binding);
}

void port_release(struct stack *stack, struct binding *binding) {
    if (binding->port)
        stack->ports.owners[binding->port] -= owns(binding);
    hash_remove(&binding->link);
    binding->port = 0;
}

void port_set_listening(struct stack *stack, struct binding *binding, bool listening) {
    stack->ports.owners[binding->port] -= owns(binding);
    binding->listening = listening;
    stack->ports.owners[binding->port] += owns(binding);
}

bool port_listen_conflict(struct stack *stack, const struct binding *binding) {
    struct binding candidate = *binding;
    candidate.listening = true;
    for (struct hash_link *link = *bucket_of(stack, binding->port); link; link = link->next) {
        const struct binding *other = container_of(link, struct binding, link);
        if (other != binding && other->listening && bindings_conflict(&candidate, other))
            return true;
    }
    return false;
}

/* The ports to choose from, in the order in which they are tried: those of the first one's parity, then the
 * others. */
struct series {
    uint32_t low, count, span; /* span: the count, or one more, so that it is even */
    uint32_t first;
};

static struct series series_begin(const struct stack *stack, uint64_t first) {
    uint32_t low = stack->sysctl.ip_local_port_range[0];
    uint32_t count = stack->sysctl.ip_local_port_range[1] - low + 1, span = (count + 1) & ~1u;
    return (struct series){low, count, span, (uint32_t)(first % span)};
}

/* The index-th of span; 0: there is none in that place. */
static uint16_t series_port(const struct series *series, uint32_t index) {
    uint32_t parity = index >= series->span / 2; /* of the second half's, beside the first's */
    uint32_t offset = ((series->first ^ parity) + 2 * index) % series->span;
    return (uint16_t)(offset < series->count ? series->low + offset : 0);
}

/* Who has a port. */
enum holders {
    NOBODY,
    CONNECTIONS, /* that picked it, and will share it with those to other destinations */
    OWNERS,
};

static enum holders holders_of(struct stack *stack, uint8_t protocol, uint16_t port) {
    enum holders holders = NOBODY;
    for (struct hash_link *link = *bucket_of(stack, port); link; link = link->next) {
        const struct binding *other = container_of(link, struct binding, link);
        if (other->protocol != protocol || other->port != port)
            continue;
        if (owns(other))
            return OWNERS;
        holders = CONNECTIONS;
    }
    return holders;
}

/* The same without a look at each of a million connections that have picked it. */
static bool is_owned(struct stack *stack, uint8_t protocol, uint16_t port) {
    return stack->ports.owners[port] > 0 && holders_of(stack, protocol, port) == OWNERS;
}

/* bind(2) with port 0: RFC 6056 algorithm 1. */
static int pick_any(struct stack *stack, struct binding *binding) {
    struct series series = series_begin(stack, random_below(&stack->random, UINT32_MAX) | 1);
    for (uint32_t i = 0; i < series.span; i++) {
        uint16_t port = series_port(&series, i);
        if (port && holders_of(stack, binding->protocol, port) == NOBODY) {
            binding->port = port;
            port_enter(stack, binding);
            return 0;
        }
    }
    return -EADDRNOTAVAIL;
}

int port_bind(struct stack *stack, struct binding *binding, struct ip_address address, uint16_t port) {
    if (binding->port)
        return -EINVAL;
    binding->address = address;
    binding->address_chosen = !ip_is_any(address);
    if (!port)
        return pick_any(stack, binding) ? -EADDRINUSE : 0;
    binding->port = port;
    if (conflict(stack, binding)) {
        binding->port = 0;
        return -EADDRINUSE;
    }
    binding->chosen = true;
    port_enter(stack, binding);
    return 0;
}

uint32_t port_share(struct stack *stack, struct ip_address remote, uint16_t remote_port, uint32_t count) {
    uint32_t key[IP_TUPLE_WORDS];
    size_t length = ip_tuple(key, ip_any_like(remote), 0, remote, remote_port);
    return (uint32_t)(random_hash(&stack->random, key, length) % count);
}

int port_pick(struct stack *stack, struct binding *binding, struct ip_address remote, uint16_t remote_port,
              bool (*taken)(void *context, uint16_t port), void *context) {
    uint32_t destination[IP_TUPLE_WORDS];
    size_t length = ip_tuple(destination, binding->address, 0, remote, remote_port);
    uint64_t key[2];
    memcpy(key, stack->isn_key, sizeof key);
    uint64_t hash = siphash(key, destination, length);
    uint32_t *counter = &stack->ports.counters[hash % PORT_COUNTERS];
    struct series series = series_begin(stack, ((hash >> 32) + stack->ports.start + *counter) & ~UINT64_C(1));
    for (uint32_t i = 0; i < series.span; i++) {
        uint16_t port = series_port(&series, i);
        if (!port || is_owned(stack, binding->protocol, port) || taken(context, port))
            continue;
        /* Where many are taken, how far it was to one that is free needs no more chance. */
        uint32_t chance = random_below(&stack->random, STEP_MAX);
        uint32_t steps = i % (series.span / 2);
        *counter += 2 * ((steps > chance ? steps : chance) + 1);
        binding->port = port;
        port_enter(stack, binding);
        return 0;
    }
    return -EADDRNOTAVAIL;
}
