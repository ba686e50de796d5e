/*
 * arp.h - the address resolution cache (RFC 826, neighbour states after RFC 4861 section 7.3 as in Linux),
 * and conflict detection for the stack's own address (RFC 5227).
 */
#ifndef STACK_ARP_H
#define STACK_ARP_H

#include "frame.h"
#include "hash.h"
#include "size_class.h"
#include "timer.h"

#define ARP_CACHE_MAX 1024u               /* gc_thresh3 */
#define ARP_ASKED_MAX (ARP_CACHE_MAX / 2) /* of them, those that have not answered yet */
#define ARP_BUCKETS 256u
#define ARP_PENDING_MAX 101u          /* packets that wait for one neighbour: unres_qlen */
#define ARP_PENDING_BYTES_MAX 212992u /* ... and what they take: unres_qlen_bytes */
#define ARP_PENDINGS_MAX 1024u        /* packets that wait for all neighbours */
#define ARP_PENDINGS_BYTES_MAX (4u << 20)
#define ARP_LOCK_NS UINT64_C(1000000000)        /* locktime: no other MAC address is believed for so long */
#define ARP_PROBES_MAX 3u                       /* mcast_solicit, ucast_solicit */
#define ARP_RETRANSMIT_NS UINT64_C(1000000000)  /* retrans_time_ms */
#define ARP_REACHABLE_NS UINT64_C(30000000000)  /* base_reachable_time */
#define ARP_DELAY_PROBE_NS UINT64_C(5000000000) /* delay_first_probe_time */
#define ARP_STALE_KEEP_NS UINT64_C(60000000000) /* gc_stale_time */
#define ARP_DEFEND_NS UINT64_C(10000000000)     /* RFC 5227 DEFEND_INTERVAL */

enum arp_state {
    ARP_INCOMPLETE, /* asked, no answer yet; packets wait */
    ARP_REACHABLE,  /* confirmed of late */
    ARP_STALE,      /* used as it is; the first use starts ARP_DELAY */
    ARP_DELAY,      /* gives the upper layer a chance to confirm before a probe */
    ARP_PROBE,      /* asking by unicast */
};

struct stack;

struct arp_entry {
    struct hash_link hash;
    struct list age; /* in arp_cache.asked, or in arp_cache.known */
    struct timer timer;
    uint64_t changed_ns; /* when its state or MAC address last changed by what came in */
    uint32_t address;
    uint8_t mac[6];
    uint8_t state; /* enum arp_state */
    uint8_t probes;
    bool used; /* since it was last looked at for who has to go */
    uint32_t pending_count, pending_bytes;
    struct list pending;      /* of struct arp_pending */
    struct list pending_link; /* in arp_cache.waiting, by pending_bytes */
};

/* A packet that waits, its Ethernet header not yet written. */
struct arp_pending {
    struct list link;
    struct arp_entry *entry;
    struct frame frame;
};

struct arp_cache {
    struct pool entries, pendings;
    struct list asked; /* entries that are INCOMPLETE, the first asked first */
    struct list known; /* all others; the next to go, unless it was used, first */
    uint32_t asked_count;
    uint32_t pending_bytes;      /* of all packets that wait */
    struct size_classes waiting; /* the entries for which packets wait */
    struct hash_link *buckets[ARP_BUCKETS];
    struct arp_entry *recent; /* what was last looked up: most packets go to one neighbour; or NULL */
    uint64_t last_defence_ns;
    uint32_t conflicts;      /* packets that claimed our address */
    uint8_t conflict_mac[6]; /* who sent the last of them */
};

void arp_init(struct stack *stack);

/* Handles a received ARP packet; `packet` and its length are what follows the Ethernet header. */
void arp_input(struct stack *stack, const uint8_t *packet, uint32_t length);

/* Sends the frame of frame_begin to a neighbour: completes its Ethernet header and commits it, or keeps it
 * until the neighbour's address is known. Returns 0, or -ENOBUFS when it had to be dropped. */
int arp_output(struct stack *stack, struct frame *frame, uint32_t neighbour);

/* An upper layer heard from a neighbour in answer to what it sent: the entry is good. */
void arp_confirm(struct stack *stack, uint32_t neighbour);

/* Claims the stack's own address: a probe, which its owner would answer, and an announcement (RFC 5227).
 * Waits for nothing: a conflict shows in arp_cache.conflicts. */
void arp_announce(struct stack *stack);

/* Asks whether anybody uses an address, which is not ours yet; an answer is told to dhcp_conflict. */
void arp_probe(struct stack *stack, uint32_t address);

void arp_timer(struct stack *stack, struct arp_entry *entry);

/* Makes the lists and sums of a cache empty; its pools stay. */
void arp_begin(struct stack *stack);

/* Puts an entry that is in no list and no chain, and for which nothing waits, into those of the cache. */
void arp_enter(struct stack *stack, struct arp_entry *entry);

/* Puts a packet that is in no list behind those that wait for its entry. */
void arp_wait(struct stack *stack, struct arp_pending *pending);

/* The entry for an address, or NULL. */
struct arp_entry *arp_lookup(struct stack *stack, uint32_t address);

#endif
