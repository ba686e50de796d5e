/* SPDX-License-Identifier: MIT */
/*
 * neighbour.h - the table of neighbours: which MAC address an address on the link has, of both families
 * (RFC 826, RFC 4861 sections 5.1 and 7.3).
 *
 * ARP (arp.h) and Neighbor Discovery (nd.h) are its two resolvers: they ask, and say what they heard.
 */
#ifndef STACK_LINK_NEIGHBOUR_H
#define STACK_LINK_NEIGHBOUR_H

#include "stack/base/timer.h"
#include "stack/ip/ip_address.h"
#include "stack/link/frame.h"
#include "stack/memory/hash.h"
#include "stack/memory/size_class.h"

#define NEIGHBOURS_MAX 1024u                      /* gc_thresh3 */
#define NEIGHBOURS_ASKED_MAX (NEIGHBOURS_MAX / 2) /* of them, those that have not answered yet */
#define NEIGHBOUR_BUCKETS 256u
#define NEIGHBOUR_PENDING_MAX 101u          /* packets that wait for one neighbour: unres_qlen */
#define NEIGHBOUR_PENDING_BYTES_MAX 212992u /* ... and what they take: unres_qlen_bytes */
#define NEIGHBOUR_PENDINGS_MAX 1024u        /* packets that wait for all neighbours */
#define NEIGHBOUR_PENDINGS_BYTES_MAX (4u << 20)
#define NEIGHBOUR_LOCK_NS \
    UINT64_C(1000000000)        /* ARP's locktime: no other MAC address is believed so long \
                                 */
#define NEIGHBOUR_PROBES_MAX 3u /* mcast_solicit, ucast_solicit */
#define NEIGHBOUR_RETRANSMIT_NS UINT64_C(1000000000)  /* retrans_time_ms */
#define NEIGHBOUR_REACHABLE_NS UINT64_C(30000000000)  /* base_reachable_time */
#define NEIGHBOUR_DELAY_PROBE_NS UINT64_C(5000000000) /* delay_first_probe_time */
#define NEIGHBOUR_STALE_KEEP_NS UINT64_C(60000000000) /* gc_stale_time */

enum neighbour_state {
    NEIGHBOUR_INCOMPLETE, /* asked, no answer yet; packets wait */
    NEIGHBOUR_REACHABLE,  /* confirmed of late */
    NEIGHBOUR_STALE,      /* used as it is; the first use starts NEIGHBOUR_DELAY */
    NEIGHBOUR_DELAY,      /* gives the upper layer a chance to confirm before a probe */
    NEIGHBOUR_PROBE,      /* asking by unicast */
};

struct stack;

struct neighbour {
    struct hash_link hash;
    struct list age; /* in neighbours.asked, or in neighbours.known */
    struct timer timer;
    uint64_t changed_ns; /* when its state or MAC address last changed by what came in */
    struct ip_address address;
    uint8_t mac[6];
    uint8_t state; /* enum neighbour_state */
    uint8_t probes;
    bool used;      /* since it was last looked at for which entry has to go */
    bool is_router; /* of IPv6: it has said that it is one */
    uint32_t pending_count, pending_bytes;
    struct list pending;      /* of struct neighbour_pending */
    struct list pending_link; /* in neighbours.waiting, by pending_bytes */
};

/* A packet that waits, its Ethernet header not yet written. */
struct neighbour_pending {
    struct list link;
    struct neighbour *neighbour;
    struct frame frame;
};

struct neighbours {
    struct pool entries, pendings;
    struct list asked; /* entries that are INCOMPLETE, the first asked first */
    struct list known; /* all others; the next to go, unless it was used, first */
    uint32_t asked_count;
    uint32_t pending_bytes;      /* of all packets that wait */
    struct size_classes waiting; /* the entries for which packets wait */
    struct hash_link *buckets[NEIGHBOUR_BUCKETS];
    struct neighbour *recent; /* what was last looked up: most packets go to one neighbour; or NULL */
};

void neighbour_init(struct stack *stack);

/* The entry for an address, or NULL. */
struct neighbour *neighbour_lookup(struct stack *stack, struct ip_address address);

/* Makes the entry for an address that has none; the caller lets it learn a MAC address. NULL: no memory. */
struct neighbour *neighbour_create(struct stack *stack, struct ip_address address);

/* What came in says which MAC address the neighbour has: packets that wait for it leave. */
void neighbour_learn(struct stack *stack, struct neighbour *neighbour, const uint8_t mac[6],
                     enum neighbour_state state);

/* Forgets a neighbour; packets that wait for it are dropped. */
void neighbour_drop(struct stack *stack, struct neighbour *neighbour);

/* Sends the frame of frame_begin to a neighbour: completes its Ethernet header and commits it, or keeps it
 * until the neighbour's address is known. Returns 0, or -ENOBUFS when it had to be dropped. */
int neighbour_output(struct stack *stack, struct frame *frame, struct ip_address address);

/* An upper layer heard from a neighbour in answer to what it sent: the entry is good. */
void neighbour_confirm(struct stack *stack, struct ip_address address);

/* Asks for a neighbour for which no packet waits, if nobody does already. */
void neighbour_ask(struct stack *stack, struct ip_address address);

void neighbour_timer(struct stack *stack, struct neighbour *neighbour);

/* For a repair: makes the lists and sums of the table empty; its pools stay. */
void neighbour_begin(struct stack *stack);

/* ... puts an entry that is in no list and no chain, and for which nothing waits, into those of the table. */
void neighbour_enter(struct stack *stack, struct neighbour *neighbour);

/* ... puts a packet that is in no list behind those that wait for its neighbour. */
void neighbour_wait(struct stack *stack, struct neighbour_pending *pending);

#endif
