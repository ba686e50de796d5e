/* SPDX-License-Identifier: MIT */
/*
 * dns.h - questions to name servers over the stack's own sockets (RFC 1035, RFC 7766).
 *
 * glibc's resolver makes its sockets inside libc, where nobody can take them over: left to itself it would
 * ask over the kernel's network. What it reads from resolv.conf(5), and its making and reading of messages,
 * stay its own; the exchange with the servers is here.
 */
#ifndef SHIM_LIBRARY_NAMES_DNS_H
#define SHIM_LIBRARY_NAMES_DNS_H

#include <netinet/in.h>
#include <resolv.h>
#include <stdbool.h>

#define DNS_MESSAGE_MAX 65535
#define DNS_AT_ONCE 2 /* A and AAAA of a name are asked for at once */

/* A question and the place for its answer. */
struct dns_exchange {
    const uint8_t *query;
    int query_length;
    uint8_t *answer;
    int room;
    int length; /* of the answer: by TCP, also when there was less room for it; 0: none came */
};

/* Sends each query to the servers of resolv.conf in turn, as res_send(3) does, until each has its answer.
 * Returns 0, or -1 with errno: ECONNREFUSED when there is no server that answers, or ETIMEDOUT. */
int dns_send(res_state state, struct dns_exchange *exchanges, int count);

/* Asks for the records of so many types of a name, as res_query(3), or as res_search(3) with the domains of
 * resolv.conf. Fills the answers; returns 0, or -1 with *host_error (HOST_NOT_FOUND ...). */
int dns_query(res_state state, const char *name, int class, const int *types, struct dns_exchange *exchanges,
              int count, int *host_error);
int dns_search(res_state state, const char *name, int class, const int *types, struct dns_exchange *exchanges,
               int count, int *host_error);

/* A name under a domain, or as it is when that is NULL. */
int dns_query_domain(res_state state, const char *name, const char *domain, int class, const int *types,
                     struct dns_exchange *exchanges, int count, int *host_error);

/* The servers that --dns, or DHCP, name take the place of those of resolv.conf. */
void dns_name_servers(res_state state);

/* What libc would ask with: the program's own _res once it has called res_init(3), or a state of its own made
 * of the files as they are now. dns_end gives it back. NULL: memory is out. */
struct dns_resolver {
    struct __res_state own;
    bool owned;
};
res_state dns_begin(struct dns_resolver *resolver);
void dns_end(struct dns_resolver *resolver);
void dns_note_init(void); /* the program has called it */

#endif
