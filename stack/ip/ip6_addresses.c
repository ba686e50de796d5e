/* SPDX-License-Identifier: MIT */
/*
 * ip6_addresses.c - see ip6_addresses.h.
 *
 * A stable address is a keyed hash of its prefix (RFC 7217): the same on this network as long as the key is
 * the same, and another on each network. Linux's own for an interface with a MAC address of the maker's is
 * EUI-64 (addr_gen_mode 0); ours has a MAC address that was made up.
 */
#include "stack/ip/ip6_addresses.h"
#include "stack/ip/icmp6.h"
#include "stack/ip/mld.h"
#include "stack/ip/nd.h"
#include "stack/stack.h"
#include <errno.h>

#define SECOND_NS UINT64_C(1000000000)
#define TWO_HOURS_NS (7200 * SECOND_NS)

enum { EUI64, NO_ADDRESS, STABLE_PRIVACY, RANDOM }; /* addr_gen_mode */

static struct ip6_addresses *all(struct stack *stack) {
    return &stack->ip6.addresses;
}

static uint64_t seconds(uint32_t count) {
    return count * SECOND_NS;
}

static uint64_t min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t after(uint64_t now_ns, uint64_t ns) {
    return ns > TIMER_NEVER - now_ns ? TIMER_NEVER : now_ns + ns;
}

struct ip6_address *ip6_address_find(struct stack *stack, struct ip_address address) {
    for (uint32_t i = 0; i < all(stack)->count; i++)
        if (ip_equal(all(stack)->entries[i].address, address))
            return &all(stack)->entries[i];
    return NULL;
}

const struct ip6_address *ip6_link_local(const struct stack *stack) {
    const struct ip6_addresses *addresses = &stack->ip6.addresses;
    for (uint32_t i = 0; i < addresses->count; i++) {
        const struct ip6_address *entry = &addresses->entries[i];
        if (ip_is_link_local(entry->address) && ip6_address_usable(entry))
            return entry;
    }
    return NULL;
}

bool ip6_addresses_want(const struct stack *stack, struct ip_address group) {
    static const struct ip_address own_nodes = {.bytes = {0xff, 1, [15] = 1}};
    const struct ip6_addresses *addresses = &stack->ip6.addresses;
    if (ip_equal(group, IP6_ALL_NODES) || ip_equal(group, own_nodes))
        return true;
    for (uint32_t i = 0; i < addresses->count; i++)
        if (ip_equal(ip_solicited_node(addresses->entries[i].address), group))
            return true;
    return ip6_anycast_wants(stack, group);
}

/* RFC 4862 section 5.4.2: at once if the address is used meanwhile, else after a little while, so that not
 * all ask at once when the lights come back. */
static void begin_check(struct stack *stack, struct ip6_address *entry, uint64_t delay_ns) {
    const struct sysctl *sysctl = &stack->sysctl;
    bool meanwhile = sysctl->ip6_optimistic_dad || stack->config.ip6.at_once;
    entry->flags |= IP6_FLAG_TENTATIVE | (meanwhile ? IP6_FLAG_OPTIMISTIC : 0);
    if (!meanwhile && sysctl->ip6_rtr_solicitation_delay)
        delay_ns += random_u64(&stack->random) % seconds(sysctl->ip6_rtr_solicitation_delay);
    entry->due_ns = stack->now_ns + delay_ns;
    if (!sysctl->ip6_accept_dad || !sysctl->ip6_dad_transmits) {
        entry->flags &= ~(uint32_t)(IP6_FLAG_TENTATIVE | IP6_FLAG_OPTIMISTIC);
        entry->due_ns = TIMER_NEVER;
    }
}

static bool is_for_hosts(struct ip_address address) {
    return !ip_is_v4(address) && !ip_is_any(address) && !ip_is_multicast(address) && !ip_is_loopback(address);
}

/* Puts an address into the table, and asks whether somebody has it; `delay_ns` later than usual. */
static struct ip6_address *add(struct stack *stack, struct ip_address address, uint8_t prefix_length,
                               enum ip6_address_origin origin, const struct ip6_lifetimes *lifetimes,
                               uint64_t delay_ns) {
    struct ip6_addresses *addresses = all(stack);
    if (addresses->count == IP6_ADDRESSES_MAX)
        return NULL;
    struct ip6_address *entry = &addresses->entries[addresses->count];
    *entry = (struct ip6_address){.address = address,
                                  .prefix = ip_prefix(address, prefix_length),
                                  .prefix_length = prefix_length,
                                  .origin = (uint8_t)origin,
                                  .created_ns = stack->now_ns,
                                  .updated_ns = stack->now_ns,
                                  .preferred_ns = TIMER_NEVER,
                                  .valid_ns = TIMER_NEVER,
                                  .renew_ns = TIMER_NEVER};
    if (lifetimes) {
        entry->preferred_ns = after(stack->now_ns, lifetimes->preferred_ns);
        entry->valid_ns = after(stack->now_ns, lifetimes->valid_ns);
        if (lifetimes->preferred_ns == 0)
            entry->flags |= IP6_FLAG_DEPRECATED;
    } else {
        entry->flags |= IP6_FLAG_PERMANENT;
    }
    if (origin == IP6_ADDRESS_TEMPORARY)
        entry->flags |= IP6_FLAG_TEMPORARY;
    begin_check(stack, entry, delay_ns);
    atomic_signal_fence(memory_order_seq_cst); /* whole before it counts: see repair.h */
    addresses->count++;
    stack->changes++;
    multicast_own(stack, ip_solicited_node(address), true);
    ip6_wake(stack);
    return entry;
}

int ip6_address_add(struct stack *stack, struct ip_address address, uint8_t prefix_length,
                    enum ip6_address_origin origin, const struct ip6_lifetimes *lifetimes) {
    if (!is_for_hosts(address) || prefix_length > IP_ADDRESS_BITS)
        return -EINVAL;
    if (ip6_address_find(stack, address))
        return -EEXIST;
    if (!add(stack, address, prefix_length, origin, lifetimes, 0))
        return -ENOBUFS;
    if (origin == IP6_ADDRESS_USER && prefix_length < IP_ADDRESS_BITS) {
        struct ip6_route route = {
            .destination = address, .prefix_length = prefix_length, .until_ns = TIMER_NEVER};
        return ip6_route_add(stack, &route);
    }
    return 0;
}

void ip6_address_remove(struct stack *stack, struct ip6_address *address) {
    struct ip6_addresses *addresses = all(stack);
    uint32_t index = (uint32_t)(address - addresses->entries);
    struct ip_address group = ip_solicited_node(address->address);
    memmove(address, address + 1, (addresses->count - index - 1) * sizeof *address);
    addresses->count--;
    stack->changes++;
    multicast_own(stack, group, false);
}

/* RFC 5453: interface identifiers that are others'. */
static bool is_reserved(const uint8_t id[8]) {
    static const uint8_t anycast[8] = {0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80}, router[8];
    return memcmp(id, router, 8) == 0 || (memcmp(id, anycast, 7) == 0 && id[7] >= 0x80);
}

static void write_id(struct ip_address *address, uint64_t id) {
    memcpy(address->bytes + 8, &id, 8);
}

static void write_random_id(struct stack *stack, struct ip_address *address) {
    do
        write_id(address, random_u64(&stack->random));
    while (is_reserved(address->bytes + 8));
}

/* RFC 7217 section 5. */
static void write_stable_id(struct stack *stack, struct ip_address *address, uint8_t attempts) {
    struct {
        uint8_t prefix[8], mac[6], attempts, reserved;
    } input = {.attempts = attempts};
    memcpy(input.prefix, address->bytes, 8);
    memcpy(input.mac, stack->config.mac, 6);
    do {
        write_id(address, siphash(stack->ip6.key, &input, sizeof input));
        input.reserved++;
    } while (is_reserved(address->bytes + 8));
}

/* RFC 4291 appendix A. */
static void write_eui64(struct stack *stack, struct ip_address *address) {
    const uint8_t *mac = stack->config.mac;
    uint8_t id[8] = {mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    memcpy(address->bytes + 8, id, 8);
}

static struct ip_address make(struct stack *stack, struct ip_address prefix, uint8_t attempts) {
    struct ip_address address = prefix;
    switch (stack->sysctl.ip6_addr_gen_mode) {
    case EUI64:
        write_eui64(stack, &address);
        break;
    case RANDOM:
        write_random_id(stack, &address);
        break;
    default:
        write_stable_id(stack, &address, attempts);
        break;
    }
    return address;
}

/* Adds what the stack makes of a prefix. */
static struct ip6_address *add_made(struct stack *stack, struct ip_address prefix, uint8_t attempts,
                                    enum ip6_address_origin origin, const struct ip6_lifetimes *lifetimes,
                                    uint64_t delay_ns) {
    struct ip_address address = make(stack, prefix, attempts);
    struct ip6_address *entry = ip6_address_find(stack, address)
                                    ? NULL
                                    : add(stack, address, IP6_INTERFACE_BITS, origin, lifetimes, delay_ns);
    if (!entry)
        return NULL;
    entry->attempts = attempts;
    if (stack->sysctl.ip6_addr_gen_mode == STABLE_PRIVACY)
        entry->flags |= IP6_FLAG_STABLE_PRIVACY;
    return entry;
}

void ip6_addresses_start(struct stack *stack) {
    const struct ip_address prefix = {.bytes = {0xfe, 0x80}};
    multicast_own(stack, IP6_ALL_NODES, true);
    if (stack->sysctl.ip6_addr_gen_mode != NO_ADDRESS)
        add_made(stack, prefix, 0, IP6_ADDRESS_LINK_LOCAL, NULL, 0);
}

/* How long before its end a temporary address has a successor: REGEN_ADVANCE of RFC 8981 section 3.8. */
static uint64_t advance_ns(const struct stack *stack) {
    const struct sysctl *sysctl = &stack->sysctl;
    return 2 * SECOND_NS + sysctl->ip6_regen_max_retry * sysctl->ip6_dad_transmits * stack->ip6.retransmit_ns;
}

/* By how much this one ends earlier than temp_prefered_lft says, so that not all change at once. */
static uint64_t desync_ns(struct stack *stack) {
    const struct sysctl *sysctl = &stack->sysctl;
    uint64_t most_s =
        min_u64(sysctl->ip6_max_desync_factor, sysctl->ip6_temp_prefered_lft * UINT64_C(4) / 10);
    return most_s ? random_u64(&stack->random) % (most_s * SECOND_NS) : 0;
}

static uint64_t left_ns(const struct stack *stack, uint64_t until_ns) {
    if (until_ns == TIMER_NEVER)
        return TIMER_NEVER;
    return until_ns > stack->now_ns ? until_ns - stack->now_ns : 0;
}

static uint32_t count_of(struct stack *stack, bool made_only) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < all(stack)->count; i++) {
        uint8_t origin = all(stack)->entries[i].origin;
        count += !made_only || origin == IP6_ADDRESS_STABLE || origin == IP6_ADDRESS_TEMPORARY;
    }
    return count;
}

static bool may_make(struct stack *stack) {
    uint32_t most = stack->sysctl.ip6_max_addresses;
    return !most || count_of(stack, true) < most;
}

/* RFC 8981 section 3.3. */
static void add_temporary(struct stack *stack, struct ip_address prefix, uint64_t preferred_ns,
                          uint64_t valid_ns, uint8_t attempts) {
    const struct sysctl *sysctl = &stack->sysctl;
    uint64_t preferred_most_ns = seconds(sysctl->ip6_temp_prefered_lft) - desync_ns(stack);
    uint64_t valid_most_ns = seconds(sysctl->ip6_temp_valid_lft);
    struct ip6_lifetimes lifetimes = {min_u64(preferred_ns, preferred_most_ns),
                                      min_u64(valid_ns, valid_most_ns)};
    struct ip_address address = prefix;
    if (lifetimes.preferred_ns <= advance_ns(stack) || !may_make(stack))
        return;
    write_random_id(stack, &address);
    if (ip6_address_find(stack, address))
        return;
    struct ip6_address *entry = add(stack, address, IP6_INTERFACE_BITS, IP6_ADDRESS_TEMPORARY, &lifetimes, 0);
    if (!entry)
        return;
    entry->attempts = attempts;
    entry->preferred_most_ns = after(stack->now_ns, preferred_most_ns);
    entry->valid_most_ns = after(stack->now_ns, valid_most_ns);
    entry->renew_ns = entry->preferred_ns - advance_ns(stack);
}

static struct ip6_address *stable_of(struct stack *stack, struct ip_address prefix) {
    for (uint32_t i = 0; i < all(stack)->count; i++) {
        struct ip6_address *entry = &all(stack)->entries[i];
        if (entry->origin == IP6_ADDRESS_STABLE && ip_equal(entry->prefix, prefix))
            return entry;
    }
    return NULL;
}

void ip6_address_set_lifetimes(struct stack *stack, struct ip6_address *entry,
                               const struct ip6_lifetimes *lifetimes) {
    stack->changes++;
    entry->updated_ns = stack->now_ns;
    entry->preferred_ns = after(stack->now_ns, lifetimes->preferred_ns);
    entry->valid_ns = after(stack->now_ns, lifetimes->valid_ns);
    entry->flags &= ~(uint32_t)IP6_FLAG_DEPRECATED;
    if (lifetimes->preferred_ns == 0)
        entry->flags |= IP6_FLAG_DEPRECATED;
    ip6_wake(stack);
}

/* RFC 8981 section 3.4: temporary addresses last as long as the prefix, but no longer than they were made to.
 */
static void refresh_temporary(struct stack *stack, struct ip_address prefix, uint64_t preferred_ns,
                              uint64_t valid_ns) {
    bool there = false;
    for (uint32_t i = 0; i < all(stack)->count; i++) {
        struct ip6_address *entry = &all(stack)->entries[i];
        if (entry->origin != IP6_ADDRESS_TEMPORARY || !ip_equal(entry->prefix, prefix))
            continue;
        there |= entry->renew_ns != TIMER_NEVER;
        const struct ip6_lifetimes lifetimes = {
            min_u64(preferred_ns, left_ns(stack, entry->preferred_most_ns)),
            min_u64(valid_ns, left_ns(stack, entry->valid_most_ns))};
        ip6_address_set_lifetimes(stack, entry, &lifetimes);
    }
    if (!there && stack->sysctl.ip6_use_tempaddr)
        add_temporary(stack, prefix, preferred_ns, valid_ns, 0);
}

void ip6_address_prefix(struct stack *stack, struct ip_address prefix,
                        const struct ip6_lifetimes *lifetimes) {
    struct ip6_address *entry = stable_of(stack, prefix);
    uint64_t valid_ns = lifetimes->valid_ns;
    if (!entry) {
        if (valid_ns == 0 || !may_make(stack) || stack->sysctl.ip6_addr_gen_mode == NO_ADDRESS)
            return;
        add_made(stack, prefix, 0, IP6_ADDRESS_STABLE, lifetimes, 0);
    } else {
        /* Section 5.5.3 (e): nobody on the link can take an address away from one moment to the next. */
        uint64_t stored_ns = left_ns(stack, entry->valid_ns);
        if (valid_ns <= TWO_HOURS_NS && valid_ns < stored_ns)
            valid_ns = min_u64(stored_ns, TWO_HOURS_NS);
        const struct ip6_lifetimes kept = {lifetimes->preferred_ns, valid_ns};
        ip6_address_set_lifetimes(stack, entry, &kept);
    }
    refresh_temporary(stack, prefix, lifetimes->preferred_ns, valid_ns);
}

/* An address that the stack had chosen is another's: another is chosen. */
static void choose_another(struct stack *stack, const struct ip6_address *taken) {
    const struct sysctl *sysctl = &stack->sysctl;
    uint8_t attempts = (uint8_t)(taken->attempts + 1);
    struct ip6_lifetimes lifetimes = {left_ns(stack, taken->preferred_ns), left_ns(stack, taken->valid_ns)};
    bool permanent = taken->flags & IP6_FLAG_PERMANENT;
    if (taken->origin == IP6_ADDRESS_TEMPORARY) {
        if (attempts <= sysctl->ip6_regen_max_retry)
            add_temporary(stack, taken->prefix, lifetimes.preferred_ns, lifetimes.valid_ns, attempts);
    } else if (attempts <= sysctl->ip6_idgen_retries) {
        add_made(stack, taken->prefix, attempts, (enum ip6_address_origin)taken->origin,
                 permanent ? NULL : &lifetimes, seconds(sysctl->ip6_idgen_delay));
    }
}

void ip6_address_taken(struct stack *stack, struct ip6_address *address) {
    struct ip6_address taken = *address;
    bool made = taken.origin == IP6_ADDRESS_LINK_LOCAL || taken.origin == IP6_ADDRESS_STABLE;
    all(stack)->conflicts++;
    all(stack)->conflict = taken.address;
    stack->changes++;
    if (taken.origin == IP6_ADDRESS_USER || (made && !(taken.flags & IP6_FLAG_STABLE_PRIVACY))) {
        address->flags |= IP6_FLAG_DADFAILED | IP6_FLAG_TENTATIVE;
        address->flags &= ~(uint32_t)IP6_FLAG_OPTIMISTIC;
        address->due_ns = TIMER_NEVER;
        return;
    }
    ip6_address_remove(stack, address);
    if (taken.origin == IP6_ADDRESS_DHCP)
        dhcp6_taken(stack, taken.address);
    else
        choose_another(stack, &taken);
}

/* Nobody has it. */
static void checked(struct stack *stack, struct ip6_address *entry) {
    entry->flags &= ~(uint32_t)(IP6_FLAG_TENTATIVE | IP6_FLAG_OPTIMISTIC);
    entry->due_ns = TIMER_NEVER;
    stack->changes++;
    if (stack->sysctl.ip6_ndisc_notify)
        nd_announce(stack, entry->address);
    if (ip_is_link_local(entry->address)) {
        mld_tell_again(stack);
        nd_router_start(stack);
    }
}

static void check(struct stack *stack, struct ip6_address *entry) {
    if (entry->asked == stack->sysctl.ip6_dad_transmits) {
        checked(stack, entry);
        return;
    }
    entry->asked++;
    uint64_t nonce = random_u64(&stack->random);
    memcpy(entry->nonce, &nonce, sizeof entry->nonce);
    nd_probe(stack, entry->address, entry->nonce);
    entry->due_ns = stack->now_ns + stack->ip6.retransmit_ns;
    if (entry->flags & IP6_FLAG_OPTIMISTIC && ip_is_link_local(entry->address))
        nd_router_start(stack); /* which need not wait for the answer */
}

uint64_t ip6_addresses_due(const struct stack *stack) {
    const struct ip6_addresses *addresses = &stack->ip6.addresses;
    uint64_t due_ns = TIMER_NEVER;
    for (uint32_t i = 0; i < addresses->count; i++) {
        const struct ip6_address *entry = &addresses->entries[i];
        due_ns = min_u64(due_ns, min_u64(entry->due_ns, min_u64(entry->renew_ns, entry->valid_ns)));
        if (!(entry->flags & IP6_FLAG_DEPRECATED))
            due_ns = min_u64(due_ns, entry->preferred_ns);
    }
    return due_ns;
}

static void renew(struct stack *stack, struct ip6_address *entry) {
    struct ip_address prefix = entry->prefix;
    const struct ip6_address *stable = stable_of(stack, prefix);
    entry->renew_ns = TIMER_NEVER;
    if (stable && stack->sysctl.ip6_use_tempaddr)
        add_temporary(stack, prefix, left_ns(stack, stable->preferred_ns), left_ns(stack, stable->valid_ns),
                      0);
}

void ip6_addresses_run(struct stack *stack) {
    struct ip6_addresses *addresses = all(stack);
    for (uint32_t i = addresses->count; i-- > 0;) {
        struct ip6_address *entry = &addresses->entries[i];
        uint64_t now_ns = stack->now_ns;
        if (entry->valid_ns <= now_ns) {
            ip6_address_remove(stack, entry);
            continue;
        }
        if (entry->preferred_ns <= now_ns && !(entry->flags & IP6_FLAG_DEPRECATED)) {
            entry->flags |= IP6_FLAG_DEPRECATED;
            stack->changes++;
        }
        if (entry->renew_ns <= now_ns)
            renew(stack, entry);
        if (entry->due_ns <= now_ns)
            check(stack, entry);
    }
}

void ip6_addresses_join(struct stack *stack) {
    multicast_own(stack, IP6_ALL_NODES, true);
    for (uint32_t i = 0; i < all(stack)->count; i++)
        multicast_own(stack, ip_solicited_node(all(stack)->entries[i].address), true);
}
