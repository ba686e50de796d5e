/* SPDX-License-Identifier: MIT */
/*
 * port.h - which local addresses and ports are taken, and by whom (bind(2), RFC 6056).
 *
 * Whatever has a local port has a struct binding in the table of its stack: a UDP socket, a TCP connection, a
 * listener.
 */
#ifndef STACK_IP_PORT_H
#define STACK_IP_PORT_H

#include "stack/ip/ip_address.h"
#include "stack/memory/hash.h"
#include <stdbool.h>
#include <stdint.h>

#define PORT_BUCKETS 65536u  /* one a port: a table that is mostly never touched */
#define PORT_COUNTERS 65536u /* of destinations, by a hash; as the kernel's INET_TABLE_PERTURB_SIZE */

struct stack;

struct binding {
    struct hash_link link;
    struct ip_address address; /* "::": any, of the families that it takes */
    uint16_t port;             /* 0: not bound, and in no table */
    uint8_t protocol;          /* IP_PROTOCOL_* */
    bool takes_v4 : 1, takes_v6 : 1;
    bool inet6 : 1; /* an AF_INET6 socket's */
    bool reuse_address : 1, reuse_port : 1;
    bool listening : 1;
    bool chosen : 1;         /* the port was asked for by bind(2), rather than picked */
    bool address_chosen : 1; /* the address was */
};

struct port_table {
    struct hash_link *buckets[PORT_BUCKETS];
    uint32_t owners[PORT_BUCKETS];    /* how many of a port's were chosen for it, or listen */
    uint32_t counters[PORT_COUNTERS]; /* how far connections to a destination have come */
    uint32_t start;                   /* where all of them began: RFC 6056 */
};

/* Whether what is sent to an address may be for a binding. */
static inline bool port_takes(const struct binding *binding, struct ip_address address) {
    if (!ip_is_any(binding->address))
        return ip_equal(binding->address, address);
    return ip_is_v4(address) ? binding->takes_v4 : binding->takes_v6;
}

/* How well a binding fits what is sent to an address, as Linux's compute_score has it: 0, not at all; most of
 * all an address of its own, then a socket of the address's own family. */
static inline int port_fits(const struct binding *binding, struct ip_address address) {
    if (!port_takes(binding, address))
        return 0;
    return 1 + 2 * !ip_is_any(binding->address) + !(binding->inet6 && ip_is_v4(address));
}

static inline void port_take_families_of(struct binding *binding, const struct binding *other) {
    binding->inet6 = other->inet6;
    binding->takes_v4 = other->takes_v4;
    binding->takes_v6 = other->takes_v6;
}

/* Of a stack whose clock and key are set. */
void port_init(struct stack *stack);

/* Binds to an address and port; port 0 picks a free one. Returns 0, -EADDRINUSE, or -EINVAL when already
 * bound. */
int port_bind(struct stack *stack, struct binding *binding, struct ip_address address, uint16_t port);

/* Whether another binding stands in the way of this one becoming a listener (listen(2)'s EADDRINUSE). */
bool port_listen_conflict(struct stack *stack, const struct binding *binding);

/* Enters a binding whose address and port are known to be right, such as an accepted connection's. */
void port_enter(struct stack *stack, struct binding *binding);

void port_release(struct stack *stack, struct binding *binding);

/* It begins to listen, or has ended. */
void port_set_listening(struct stack *stack, struct binding *binding, bool listening);

/* Whether anything has a port, of whichever protocol and address. */
bool port_is_held(const struct stack *stack, uint16_t port);

/* SO_REUSEPORT: which of `count` that share a port, the eldest being 0, gets what comes from there. */
uint32_t port_share(struct stack *stack, struct ip_address remote, uint16_t remote_port, uint32_t count);

/* Picks a local port for a connection to a destination: `taken(context, port)` says which ports won't do.
 * Returns 0 or -EADDRNOTAVAIL. The binding's address must be set. */
int port_pick(struct stack *stack, struct binding *binding, struct ip_address remote, uint16_t remote_port,
              bool (*taken)(void *context, uint16_t port), void *context);

#endif
