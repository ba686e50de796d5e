/*
 * mld.h - Multicast Listener Discovery (RFC 3810; RFC 2710 when an older router asks): routers are told of
 * the groups that are wanted on the link, of solicited-node groups too, so that switches pass them on.
 */
#ifndef STACK_MLD_H
#define STACK_MLD_H

#include "ip_address.h"
#include <stdbool.h>
#include <stdint.h>

#define MLD_GROUPS_MAX 64u
#define MLD_ROBUSTNESS 2u                          /* how often a change is told: mld_qrv */
#define MLD_OLDER_ROUTER_NS UINT64_C(260000000000) /* RFC 3810 section 9.12 */

struct stack;
struct ip_packet;

struct mld_group {
    struct ip_address address;
    uint32_t own;    /* addresses of the stack's own that want it */
    uint8_t changes; /* times that its state is still to be told */
    bool asked;      /* a router has asked */
    uint64_t due_ns; /* when it is told next, of itself or in answer */
};

struct mld {
    uint32_t count;
    struct mld_group groups[MLD_GROUPS_MAX];
    uint64_t v1_until_ns; /* a router of that version is there */
};

void mld_init(struct stack *stack);

/* An address of the stack's own wants a group, or does not any more. */
void mld_own(struct stack *stack, struct ip_address group, bool wanted);

/* Whether a socket wants a group's packets from a source. */
bool mld_wants(const struct stack *stack, struct ip_address group, struct ip_address source);

/* The link-local address is there: what was told without it is told again. */
void mld_tell_again(struct stack *stack);

void mld_input(struct stack *stack, struct ip_packet *packet);

uint64_t mld_due(const struct stack *stack);
void mld_run(struct stack *stack);

#endif
