/* SPDX-License-Identifier: MIT */
/*
 * ip_path.c - see ip_path.h.
 */
#include "stack/ip/ip_path.h"
#include "stack/stack.h"

void ip_path_init(struct stack *stack) {
    pool_init(&stack->paths.pool, &stack->arena, sizeof(struct ip_path), IP_PATHS_MAX);
    list_init(&stack->paths.ages);
}

static uint32_t bucket_of(const struct stack *stack, struct ip_address destination) {
    return (uint32_t)(ip_hash(&stack->random, destination) % IP_PATH_BUCKETS);
}

static struct ip_path *lookup(const struct stack *stack, struct ip_address destination) {
    for (struct hash_link *link = stack->paths.buckets[bucket_of(stack, destination)]; link;
         link = link->next) {
        struct ip_path *path = container_of(link, struct ip_path, hash);
        if (ip_equal(path->destination, destination))
            return path;
    }
    return NULL;
}

uint32_t ip_path_mtu(const struct stack *stack, struct ip_address destination) {
    uint32_t mtu = ip_is_v4(destination) ? stack->config.mtu : ip6_link_mtu(stack);
    if (stack->paths.pool.used == 0)
        return mtu;
    const struct ip_path *path = lookup(stack, destination);
    return path && path->mtu < mtu ? path->mtu : mtu;
}

bool ip_path_whole(const struct stack *stack, struct ip_address destination) {
    const struct ip_path *path = stack->paths.pool.used ? lookup(stack, destination) : NULL;
    return !path || !path->locked;
}

static void return_path(struct stack *stack, struct ip_path *path) {
    timer_stop(&stack->timers, &path->timer);
    hash_remove(&path->hash);
    list_remove(&path->age);
    pool_return(&stack->paths.pool, path);
}

static struct ip_path *make(struct stack *stack, struct ip_address destination) {
    if (stack->paths.pool.used == IP_PATHS_MAX)
        return_path(stack, container_of(stack->paths.ages.next, struct ip_path, age));
    struct ip_path *path = pool_take_zeroed(&stack->paths.pool);
    if (!path)
        return NULL;
    path->destination = destination;
    list_init(&path->age);
    timer_init(&path->timer, TIMER_PATH);
    hash_add(&stack->paths.buckets[bucket_of(stack, destination)], &path->hash);
    return path;
}

/* RFC 1191 section 7: the next plateau below what was too much. */
static uint32_t plateau_below(uint32_t total) {
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};
    for (size_t i = 0; i < sizeof plateaus / sizeof *plateaus; i++)
        if (plateaus[i] < total)
            return plateaus[i];
    return IP_MTU_MIN;
}

/* Notes what a path carries, if it is less than was thought. Returns whether it is. */
static bool note(struct stack *stack, struct ip_address destination, uint32_t mtu, bool locked) {
    struct ip_path *path = lookup(stack, destination);
    if (mtu > ip_path_mtu(stack, destination) || (path && mtu == path->mtu && locked == path->locked))
        return false;
    if (!path && !(path = make(stack, destination)))
        return false;
    path->mtu = (uint16_t)mtu;
    path->locked |= locked;
    list_remove(&path->age);
    list_add_tail(&stack->paths.ages, &path->age);
    timer_start(&stack->timers, &path->timer, stack->now_ns + IP_PATH_EXPIRES_NS);
    stack->paths.generation++;
    return true;
}

bool ip_path_reduce(struct stack *stack, struct ip_address destination, uint32_t mtu, uint32_t total) {
    if (!ip_is_v4(destination))
        return mtu >= IP6_PATH_MTU_MIN && note(stack, destination, mtu, false);
    if (mtu == 0)
        mtu = plateau_below(total);
    uint32_t floor = IP_PATH_MTU_MIN < stack->config.mtu ? IP_PATH_MTU_MIN : stack->config.mtu;
    bool locked = mtu < floor;
    if (locked)
        mtu = floor;
    return note(stack, destination, mtu, locked);
}

static uint32_t place_of(const struct stack *stack, struct ip_address destination) {
    uint32_t key[2] = {(uint32_t)stack->random.hash_key[0], (uint32_t)stack->random.hash_key[1]};
    uint32_t v4 = ip_to_v4(destination) ^ key[0];
    if (!ip_is_v4(destination))
        v4 ^= (destination.words[0] ^ key[1]) * UINT32_C(0x85ebca6b) +
              (destination.words[1] * UINT32_C(0xc2b2ae35)) + destination.words[2];
    return v4 * UINT32_C(0x9e3779b1) / (UINT32_MAX / IP_PATH_RECENT + 1);
}

void ip_path_sent(struct stack *stack, struct ip_address destination) {
    stack->paths.recent[place_of(stack, destination)] = (struct ip_path_recent){stack->now_ns, destination};
}

bool ip_path_sent_lately(const struct stack *stack, struct ip_address destination) {
    const struct ip_path_recent *recent = &stack->paths.recent[place_of(stack, destination)];
    return ip_equal(recent->destination, destination) && stack->now_ns - recent->sent_ns < IP_PATH_RECENT_NS;
}

void ip_path_timer(struct stack *stack, struct ip_path *path) {
    return_path(stack, path);
    stack->paths.generation++;
}

void ip_path_forget(struct stack *stack) {
    struct list *link;
    while ((link = list_first(&stack->paths.ages)))
        return_path(stack, container_of(link, struct ip_path, age));
}
