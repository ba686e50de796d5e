/* SPDX-License-Identifier: MIT */
/*
 * router_nat.c - see router_nat.h: the table of mappings. What is done to packets is in router_translate.c.
 */
#include "stack/router/router_nat.h"
#include "stack/base/minmax.h"
#include "stack/base/wire.h"
#include "stack/router/router_translate.h"

#define SWEEP_NS UINT64_C(1000000000)
#define PORT_LEAST 1024u /* of those that are chosen by the NAT */

void nat_init(struct nat *nat, uint32_t outer_address, const struct random *random) {
    memset(nat, 0, sizeof *nat);
    nat->outer_address = outer_address;
    nat->random = *random;
}

static uint32_t *inner_bucket(struct nat *nat, uint8_t protocol, uint32_t address, uint16_t port) {
    uint32_t key[] = {address, (uint32_t)protocol << 16 | port};
    return &nat->by_inner[random_hash(&nat->random, key, sizeof key) % NAT_BUCKETS];
}

static uint32_t *outer_bucket(struct nat *nat, uint8_t protocol, uint16_t port) {
    uint32_t key = (uint32_t)protocol << 16 | port;
    return &nat->by_outer[random_hash(&nat->random, &key, sizeof key) % NAT_BUCKETS];
}

static void take_out(struct nat *nat, struct nat_mapping *mapping) {
    uint32_t number = (uint32_t)(mapping - nat->mappings) + 1;
    uint32_t *link = inner_bucket(nat, mapping->protocol, mapping->inner_address, mapping->inner_port);
    while (*link != number)
        link = &nat->mappings[*link - 1].next_inner;
    *link = mapping->next_inner;
    link = outer_bucket(nat, mapping->protocol, mapping->outer_port);
    while (*link != number)
        link = &nat->mappings[*link - 1].next_outer;
    *link = mapping->next_outer;
    mapping->protocol = 0;
    mapping->next_inner = nat->free;
    nat->free = number;
    nat->count--;
}

static bool is_old(const struct nat_mapping *mapping, uint64_t now_ns) {
    return !mapping->fixed && mapping->until_ns <= now_ns;
}

static struct nat_mapping *find_outer(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint16_t port) {
    for (uint32_t at = *outer_bucket(nat, protocol, port); at; at = nat->mappings[at - 1].next_outer) {
        struct nat_mapping *mapping = &nat->mappings[at - 1];
        if (mapping->protocol != protocol || mapping->outer_port != port)
            continue;
        if (!is_old(mapping, now_ns))
            return mapping;
        take_out(nat, mapping);
        return NULL;
    }
    return NULL;
}

struct nat_mapping *nat_by_outer(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint16_t port) {
    return find_outer(nat, now_ns, protocol, port);
}

const struct nat_mapping *nat_find_outer(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint16_t port) {
    return find_outer(nat, now_ns, protocol, port);
}

struct nat_mapping *nat_by_inner(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint32_t address,
                                 uint16_t port) {
    for (uint32_t at = *inner_bucket(nat, protocol, address, port); at;
         at = nat->mappings[at - 1].next_inner) {
        struct nat_mapping *mapping = &nat->mappings[at - 1];
        if (mapping->protocol != protocol || mapping->inner_address != address || mapping->inner_port != port)
            continue;
        if (!is_old(mapping, now_ns))
            return mapping;
        take_out(nat, mapping);
        return NULL;
    }
    return NULL;
}

/* The same number as inside, if that is free (RFC 4787 section 4.2.1: not overloaded); else one near a random
 * one, even or odd as inside (section 4.2.2). 0: there is none. */
static uint32_t choose_port(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint16_t inner_port) {
    if (inner_port && !find_outer(nat, now_ns, protocol, inner_port))
        return inner_port;
    uint32_t span = 65536 - PORT_LEAST, from = random_below(&nat->random, span);
    for (uint32_t i = 0; i < span; i += 2) {
        uint32_t port = PORT_LEAST + ((from + i) % span & ~1u) + (inner_port & 1);
        if (!find_outer(nat, now_ns, protocol, (uint16_t)port))
            return port;
    }
    return 0;
}

static struct nat_mapping *insert(struct nat *nat, uint8_t protocol, uint32_t address, uint16_t inner_port,
                                  uint16_t outer_port) {
    uint32_t number = nat->free ? nat->free : nat->fresh < NAT_MAPPINGS_MAX ? ++nat->fresh : 0;
    if (!number)
        return NULL;
    struct nat_mapping *mapping = &nat->mappings[number - 1];
    if (number == nat->free)
        nat->free = mapping->next_inner;
    *mapping = (struct nat_mapping){
        .protocol = protocol, .inner_address = address, .inner_port = inner_port, .outer_port = outer_port};
    uint32_t *inner = inner_bucket(nat, protocol, address, inner_port);
    uint32_t *outer = outer_bucket(nat, protocol, outer_port);
    mapping->next_inner = *inner;
    mapping->next_outer = *outer;
    *inner = *outer = number;
    nat->count++;
    return mapping;
}

struct nat_mapping *nat_make(struct nat *nat, uint64_t now_ns, uint8_t protocol, uint32_t address,
                             uint16_t port) {
    uint32_t outer = choose_port(nat, now_ns, protocol, port);
    struct nat_mapping *mapping = outer ? insert(nat, protocol, address, port, (uint16_t)outer) : NULL;
    nat->counters.full += !mapping;
    return mapping;
}

bool nat_map(struct nat *nat, uint8_t protocol, uint16_t outer_port, uint32_t inner_address,
             uint16_t inner_port) {
    if (find_outer(nat, 0, protocol, outer_port) || nat_by_inner(nat, 0, protocol, inner_address, inner_port))
        return false;
    struct nat_mapping *mapping = insert(nat, protocol, inner_address, inner_port, outer_port);
    if (mapping)
        mapping->fixed = true;
    return mapping;
}

void nat_advance(struct nat *nat, uint64_t now_ns) {
    if (now_ns < nat->sweep_ns)
        return;
    nat->sweep_ns = now_ns + SWEEP_NS;
    for (uint32_t i = 0; i < nat->fresh; i++)
        if (nat->mappings[i].protocol && is_old(&nat->mappings[i], now_ns))
            take_out(nat, &nat->mappings[i]);
}

/* Mappings that are looked for age by themselves; the sweep gives the others back. */
uint64_t nat_next(const struct nat *nat) {
    return nat->count ? nat->sweep_ns : UINT64_MAX;
}
