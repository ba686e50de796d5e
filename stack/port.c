/*
 * port.c - see port.h. The rules for sharing a port are those of Linux (socket(7), SO_REUSEADDR and
 * SO_REUSEPORT): two bindings conflict when protocol and port are equal and their addresses equal or one of
 * them any, unless both have SO_REUSEPORT, or both have SO_REUSEADDR and neither listens. UDP needs no
 * "neither listens".
 */
#include "port.h"
#include "stack.h"
#include <errno.h>

#define UNSHARED_TRIES 16u

static struct hash_link **bucket_of(struct stack *stack, uint16_t port) {
    return &stack->ports.buckets[port % PORT_BUCKETS];
}

static bool bindings_conflict(const struct binding *a, const struct binding *b) {
    if (a->protocol != b->protocol || a->port != b->port)
        return false;
    if (a->address && b->address && a->address != b->address)
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

void port_enter(struct stack *stack, struct binding *binding) {
    hash_add(bucket_of(stack, binding->port), &binding->link);
}

void port_release(struct binding *binding) {
    hash_remove(&binding->link);
    binding->port = 0;
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

static bool never_taken(void *context, uint16_t port) {
    (void)context;
    (void)port;
    return false;
}

int port_bind(struct stack *stack, struct binding *binding, uint32_t address, uint16_t port) {
    if (binding->port)
        return -EINVAL;
    binding->address = address;
    binding->address_chosen = address != 0;
    if (!port)
        return port_pick(stack, binding, never_taken, NULL) ? -EADDRINUSE : 0;
    binding->port = port;
    if (conflict(stack, binding)) {
        binding->port = 0;
        return -EADDRINUSE;
    }
    binding->chosen = true;
    port_enter(stack, binding);
    return 0;
}

uint32_t port_share(struct stack *stack, uint32_t remote, uint16_t remote_port, uint32_t count) {
    uint32_t key[2] = {remote, remote_port};
    return (uint32_t)(random_hash(&stack->random, key, sizeof key) % count);
}

int port_pick(struct stack *stack, struct binding *binding, bool (*taken)(void *context, uint16_t port),
              void *context) {
    uint32_t range = stack->sysctl.ip_local_port_range[1] - stack->sysctl.ip_local_port_range[0] + 1;
    uint32_t offset = random_below(&stack->random, range);
    /* RFC 6056 algorithm 1. A picked port is shared with connections to other destinations only when others
     * are hard to find: the first round wants one that nobody has. */
    for (int round = 0; round < 2; round++) {
        uint32_t tries = round == 0 && range > UNSHARED_TRIES ? UNSHARED_TRIES : range;
        for (uint32_t i = 0; i < tries; i++) {
            binding->port = (uint16_t)(stack->sysctl.ip_local_port_range[0] + (offset + i) % range);
            bool shared = false, refused = false;
            for (struct hash_link *link = *bucket_of(stack, binding->port); link; link = link->next) {
                const struct binding *other = container_of(link, struct binding, link);
                if (other->protocol == binding->protocol && other->port == binding->port) {
                    shared = true;
                    refused |= other->chosen || other->listening;
                }
            }
            bool shareable = round == 1 && taken != never_taken && !refused;
            if ((!shared || shareable) && !taken(context, binding->port)) {
                port_enter(stack, binding);
                return 0;
            }
        }
    }
    binding->port = 0;
    return -EADDRNOTAVAIL;
}
