/* SPDX-License-Identifier: MIT */
/*
 * dhcp6.h - DHCPv6's client (RFC 8415): name servers where a router says that a server has them (O), and an
 * address where it says that servers give them (M).
 */
#ifndef STACK_DHCP_DHCP6_H
#define STACK_DHCP_DHCP6_H

#include "stack/ip/ip_address.h"
#include <stdbool.h>

#define DHCP6_CLIENT_PORT 546u
#define DHCP6_SERVER_PORT 547u
#define DHCP6_DNS_MAX 4u
#define DHCP6_DOMAIN_BYTES 256u
#define DHCP6_DUID_MAX 130u /* section 11.1 */
#define DHCP6_MESSAGE_MAX 1232u

struct stack;
struct ip_packet;

enum dhcp6_state {
    DHCP6_OFF,
    DHCP6_INFORMING,  /* asks for name servers only */
    DHCP6_INFORMED,   /* has them */
    DHCP6_SOLICITING, /* asks who has an address */
    DHCP6_REQUESTING, /* asks for one */
    DHCP6_BOUND,
    DHCP6_RENEWING,  /* asks its server for more time */
    DHCP6_REBINDING, /* asks any server */
    DHCP6_DECLINING, /* the address was somebody's */
};

struct dhcp6_duid {
    uint16_t length;
    uint8_t bytes[DHCP6_DUID_MAX];
};

/* What a message says. */
struct dhcp6_message {
    uint8_t type;
    uint8_t preference;
    bool rapid;      /* Rapid Commit */
    uint16_t status; /* of the whole, or of the address: 0: well */
    struct dhcp6_duid server;
    struct ip_address address; /* "::": none */
    uint32_t preferred_s, valid_s, renew_s, rebind_s;
    uint32_t refresh_s; /* RFC 8415 section 21.23; 0: not said */
    uint32_t dns_count;
    struct ip_address dns[DHCP6_DNS_MAX];
    char domains[DHCP6_DOMAIN_BYTES]; /* as text, a space between two */
};

struct dhcp6 {
    enum dhcp6_state state;
    uint32_t transaction; /* 24 bits */
    uint32_t attempts;
    uint64_t due_ns, began_ns, interval_ns, bound_ns;
    bool has_best;             /* an Advertise has come */
    struct dhcp6_message best; /* the server that is asked, and what it offers, or gave */
};

void dhcp6_init(struct stack *stack);

/* A router says that servers have addresses, or other things. */
void dhcp6_router(struct stack *stack, bool managed, bool other);

/* Somebody has the address that a server gave us. */
void dhcp6_taken(struct stack *stack, struct ip_address address);

/* Handles a UDP packet, if it is DHCPv6's; says whether it was. */
bool dhcp6_input(struct stack *stack, const struct ip_packet *packet);

/* Whether there is an address to give back; and gives it back. */
bool dhcp6_is_bound(const struct stack *stack);
void dhcp6_release(struct stack *stack);

uint64_t dhcp6_due(const struct stack *stack);
void dhcp6_run(struct stack *stack);

#endif
