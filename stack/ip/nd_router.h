/* SPDX-License-Identifier: MIT */
/*
 * nd_router.h - what routers say of the link: Router Advertisements and Redirects (RFC 4861 sections 6.3 and
 * 8.3), with preferences and routes (RFC 4191), and name servers (RFC 8106). They are asked for until one
 * answers (RFC 7559).
 */
#ifndef STACK_IP_ND_ROUTER_H
#define STACK_IP_ND_ROUTER_H

#include "stack/ip/ip_address.h"
#include <stdbool.h>

#define ND_DNS_MAX 4u
#define ND_DOMAINS_MAX 4u
#define ND_DOMAIN_BYTES 256u /* with its end */

struct stack;
struct ip_packet;

struct nd_dns {
    struct ip_address address;
    uint64_t until_ns;
};

struct nd_domain {
    char name[ND_DOMAIN_BYTES]; /* as text, without the last dot */
    uint64_t until_ns;
};

struct nd_router {
    bool asking, answered;
    uint32_t asked;       /* solicitations that have been sent */
    uint64_t interval_ns; /* to the next one */
    uint64_t due_ns;
    uint64_t changed_ns; /* when what is said of names last changed */
    uint32_t dns_count, domain_count;
    struct nd_dns dns[ND_DNS_MAX];
    struct nd_domain domains[ND_DOMAINS_MAX];
};

void nd_router_init(struct stack *stack);

/* Begins to ask for routers, if that has not begun. */
void nd_router_start(struct stack *stack);

/* Handles a message, its hop limit and options checked (nd.c). */
void nd_router_advertisement(struct stack *stack, const struct ip_packet *packet);
void nd_router_redirect(struct stack *stack, const struct ip_packet *packet);

/* A neighbour does not answer any more; or says that it is no router any more. */
void nd_router_failed(struct stack *stack, struct ip_address address);
void nd_router_left(struct stack *stack, struct ip_address address);

uint64_t nd_router_due(const struct stack *stack);
void nd_router_run(struct stack *stack);

#endif
