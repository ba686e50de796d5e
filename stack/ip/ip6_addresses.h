/* SPDX-License-Identifier: MIT */
/*
 * ip6_addresses.h - the stack's own IPv6 addresses: made (RFC 4862, RFC 7217, RFC 8981), checked (RFC 4862
 * section 5.4, RFC 7527, RFC 4429) and ended.
 *
 * Theory of operation. An address is tentative while others on the link are asked whether they have it
 * (Duplicate Address Detection), usable for a time, deprecated for another, and gone. With optimistic_dad it
 * is usable while it is being checked. What is found in use is, if the stack chose it, tried again with
 * another; or else stays, marked, and is not used.
 */
#ifndef STACK_IP_IP6_ADDRESSES_H
#define STACK_IP_IP6_ADDRESSES_H

#include "stack/ip/ip_address.h"

#define IP6_ADDRESSES_MAX 32u
#define IP6_INTERFACE_BITS 64u /* of an address that is made of a router's prefix */

struct stack;

enum ip6_address_origin {
    IP6_ADDRESS_USER,
    IP6_ADDRESS_LINK_LOCAL,
    IP6_ADDRESS_STABLE,    /* of a router's prefix */
    IP6_ADDRESS_TEMPORARY, /* ... that is another every day */
    IP6_ADDRESS_DHCP,
};

/* As IFA_F_* of rtnetlink. */
enum ip6_address_flag {
    IP6_FLAG_TEMPORARY = 0x01,
    IP6_FLAG_OPTIMISTIC = 0x04, /* usable though tentative */
    IP6_FLAG_DADFAILED = 0x08,
    IP6_FLAG_DEPRECATED = 0x20, /* for what has begun, not for what begins */
    IP6_FLAG_TENTATIVE = 0x40,
    IP6_FLAG_PERMANENT = 0x80,
    IP6_FLAG_STABLE_PRIVACY = 0x800,
};

struct ip6_address {
    struct ip_address address;
    struct ip_address prefix; /* of what a router's prefix made */
    uint64_t created_ns, updated_ns;
    uint64_t preferred_ns, valid_ns;           /* until when; TIMER_NEVER: for good */
    uint64_t preferred_most_ns, valid_most_ns; /* of a temporary one: no router can make it last longer */
    uint64_t renew_ns;                         /* ... when the next is made */
    uint64_t due_ns;                           /* when the check goes on; TIMER_NEVER: it does not */
    uint32_t flags;                            /* enum ip6_address_flag */
    uint8_t prefix_length;
    uint8_t origin;   /* enum ip6_address_origin */
    uint8_t asked;    /* probes that have been sent */
    uint8_t attempts; /* addresses of this prefix that were found in use before (DAD_Counter of RFC 7217) */
    uint8_t nonce[6]; /* of the last probe */
};

struct ip6_addresses {
    uint32_t count;
    uint32_t conflicts;         /* addresses of ours that somebody has, too */
    struct ip_address conflict; /* the last of them */
    struct ip6_address entries[IP6_ADDRESSES_MAX];
};

/* What a router says of a prefix (RFC 4861 section 4.6.2): for how long from now, in ns; TIMER_NEVER. */
struct ip6_lifetimes {
    uint64_t preferred_ns, valid_ns;
};

/* Takes a link-local address. */
void ip6_addresses_start(struct stack *stack);

/* Adds an address, and checks whether somebody has it. Returns 0, -EEXIST, -EINVAL for one that no host may
 * have, or -ENOBUFS. `lifetimes` NULL: for good. */
int ip6_address_add(struct stack *stack, struct ip_address address, uint8_t prefix_length,
                    enum ip6_address_origin origin, const struct ip6_lifetimes *lifetimes);

/* Says anew for how long an address is good. */
void ip6_address_set_lifetimes(struct stack *stack, struct ip6_address *address,
                               const struct ip6_lifetimes *lifetimes);

/* Takes an address away. */
void ip6_address_remove(struct stack *stack, struct ip6_address *address);

/* The entry of an address, in whatever state; or NULL. */
struct ip6_address *ip6_address_find(struct stack *stack, struct ip_address address);

/* Whether an address may be used. */
static inline bool ip6_address_usable(const struct ip6_address *address) {
    return !(address->flags & IP6_FLAG_DADFAILED) &&
           (address->flags & (IP6_FLAG_TENTATIVE | IP6_FLAG_OPTIMISTIC)) != IP6_FLAG_TENTATIVE;
}

/* The link-local address that may be used, or NULL. */
const struct ip6_address *ip6_link_local(const struct stack *stack);

/* A router's prefix from which hosts make addresses (RFC 4862 section 5.5.3). */
void ip6_address_prefix(struct stack *stack, struct ip_address prefix, const struct ip6_lifetimes *lifetimes);

/* Somebody has an address that is being checked. */
void ip6_address_taken(struct stack *stack, struct ip6_address *address);

/* Whether the stack is a member of a group by one of its addresses: of all nodes, or its solicited-node
 * group. */
bool ip6_addresses_want(const struct stack *stack, struct ip_address group);

/* The groups have been made anew, of sockets' memberships alone: those of the addresses are wanted again. */
void ip6_addresses_join(struct stack *stack);

/* When something is due next; and does what is due. */
uint64_t ip6_addresses_due(const struct stack *stack);
void ip6_addresses_run(struct stack *stack);

#endif
