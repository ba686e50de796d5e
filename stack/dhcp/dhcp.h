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

/* What a message says. */
struct dhcp_message {
    uint8_t type; /* 0: not a DHCP message for us */
    struct dhcp_lease lease;
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

/* Reads a message, from the BOOTP header on (dhcp_message.c). False: it is none, or not an answer to the
 * transaction of this MAC address. */
bool dhcp_parse(const uint8_t *bytes, uint32_t length, uint32_t transaction, const uint8_t mac[6],
                struct dhcp_message *message);

#define DHCP_MTU_MIN \
    576u /* that a server may choose: with less, whoever answers first makes tiny segments of all */
#define DHCP_MESSAGE_MAX 576u
enum dhcp_type {
    DHCP_DISCOVER = 1,
    DHCP_OFFER,
    DHCP_REQUEST,
    DHCP_DECLINE,
    DHCP_ACK,
    DHCP_NAK,
    DHCP_RELEASE,
};

/* What goes into a message of ours; addresses that are 0 are left out. */
struct dhcp_question {
    enum dhcp_type type;
    uint32_t transaction;
    uint16_t seconds;
    uint8_t mac[6];
    uint32_t own_address; /* that we have: ciaddr */
    uint32_t requested, server;
};

/* Writes a message. Returns its length. */
uint32_t dhcp_write(const struct dhcp_question *question, uint8_t bytes[DHCP_MESSAGE_MAX]);

#endif
