/* SPDX-License-Identifier: MIT */
/*
 * dhcp.h - the stack's address from a DHCP server (RFC 2131, 2132, 3442), checked before it is used (RFC
 * 5227).
 */
#ifndef STACK_DHCP_DHCP_H
#define STACK_DHCP_DHCP_H

#include "stack/base/timer.h"
#include "stack/ip/ip.h"

#define DHCP_DNS_MAX 4u
#define DHCP_ROUTES_MAX (IP_ROUTES_MAX - 2)
#define DHCP_DOMAIN_BYTES 256u

enum dhcp_state {
    DHCP_OFF,        /* the address was given by the user */
    DHCP_WAITING,    /* for a while, after the address was found in use */
    DHCP_SELECTING,  /* has asked who has an address */
    DHCP_REQUESTING, /* has asked for one */
    DHCP_PROBING,    /* asks whether somebody uses it */
    DHCP_BOUND,      /* the address is ours */
    DHCP_RENEWING,   /* asks its server for more time */
    DHCP_REBINDING,  /* asks any server */
};

struct dhcp_lease {
    uint32_t address; /* 0: none */
    uint8_t prefix_length;
    uint32_t server;
    uint32_t router; /* 0: none */
    uint16_t mtu;    /* 0: the interface's */
    uint32_t dns[DHCP_DNS_MAX];
    uint32_t dns_count;
    struct ip_route routes[DHCP_ROUTES_MAX]; /* classless static routes; they stand for the router, too */
    uint32_t route_count;
    uint64_t length_ns, renew_ns, rebind_ns; /* from when it was asked for */
    char domain[DHCP_DOMAIN_BYTES];
};

struct dhcp {
    enum dhcp_state state;
    struct timer timer;
    uint32_t transaction;
    uint32_t attempts;       /* of this state */
    uint64_t began_ns;       /* with a new transaction */
    uint64_t asked_ns;       /* the request that is being answered was sent */
    uint64_t bound_ns;       /* ... for the lease that we have */
    uint16_t interface_mtu;  /* without the lease's */
    struct dhcp_lease offer; /* being asked for, or checked */
    struct dhcp_lease lease; /* ours */
    uint32_t declined;       /* addresses that somebody had */
};

/* Begins to look for an address. */
void dhcp_start(struct stack *stack);

/* Gives the address back, and stops. */
void dhcp_release(struct stack *stack);

/* Whether a packet to an address that is not ours yet may be an answer to us. */
bool dhcp_expects(const struct stack *stack, uint32_t destination, uint8_t protocol);

/* Handles a UDP packet, if it is DHCP's; says whether it was. */
bool dhcp_input(struct stack *stack, const struct ip_packet *packet, uint16_t source_port, uint16_t port);

/* Somebody uses the address that is being checked. */
void dhcp_conflict(struct stack *stack);

void dhcp_timer(struct stack *stack);

#endif
