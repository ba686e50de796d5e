/* SPDX-License-Identifier: MIT */
/*
 * ip_path.h - the path MTU of destinations (RFC 1191): a bounded cache of what routers, or TCP's timeouts,
 * have told.
 */
#ifndef STACK_IP_IP_PATH_H
#define STACK_IP_IP_PATH_H

#include "stack/base/timer.h"
#include "stack/ip/ip_address.h"
#include "stack/memory/hash.h"
#include "stack/memory/pool.h"
#include <stdbool.h>
#include <stdint.h>

#define IP_PATHS_MAX 1024u
#define IP_PATH_BUCKETS 256u
#define IP_PATH_MTU_MIN 552u                      /* net.ipv4.route.min_pmtu */
#define IP6_PATH_MTU_MIN 1280u                    /* RFC 8200 section 5; who says less is not believed */
#define IP_PATH_EXPIRES_NS UINT64_C(600000000000) /* net.ipv4.route.mtu_expires */

struct stack;

struct ip_path {
    struct hash_link hash;
    struct list age; /* in ip_paths.ages, least recently changed first */
    struct timer timer;
    struct ip_address destination;
    uint16_t mtu;
    bool locked; /* somebody asked for less than IP_PATH_MTU_MIN: routers shall cut what is too long */
};

#define IP_PATH_RECENT 1024u                    /* destinations that are remembered ... */
#define IP_PATH_RECENT_NS UINT64_C(10000000000) /* ... for so long */

struct ip_path_recent {
    uint64_t sent_ns;
    struct ip_address destination;
};

struct ip_paths {
    struct pool pool;
    uint16_t generation; /* grows with each change: a connection that has another looks when it sends */
    struct ip_path_recent recent[IP_PATH_RECENT]; /* by a hash of the destination, which takes its place */
    struct list ages;
    struct hash_link *buckets[IP_PATH_BUCKETS];
};

void ip_path_init(struct stack *stack);

/* The largest packet on the way to a destination, as far as it is known. */
uint32_t ip_path_mtu(const struct stack *stack, struct ip_address destination);

/* Whether packets to a destination may say "don't fragment". */
bool ip_path_whole(const struct stack *stack, struct ip_address destination);

/* Somebody who is believed says that no more than `mtu` bytes get through to a destination; 0: an old router,
 * that says only that `total` were too many. Returns whether that is news. */
bool ip_path_reduce(struct stack *stack, struct ip_address destination, uint32_t mtu, uint32_t total);

/* A datagram is sent. Whether one was lately: only then is it believed that it was too long. */
void ip_path_sent(struct stack *stack, struct ip_address destination);
bool ip_path_sent_lately(const struct stack *stack, struct ip_address destination);

/* What was learnt is old: the way may be wider again. */
void ip_path_timer(struct stack *stack, struct ip_path *path);

/* Forgets all: the address, and with it the network, is another. */
void ip_path_forget(struct stack *stack);

#endif
