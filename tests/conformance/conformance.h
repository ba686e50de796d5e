/* SPDX-License-Identifier: MIT */
/*
 * conformance.h - what the parts of the conformance program share.
 *
 * The program does the same on the kernel's sockets and on ours, and says what every call returned: a line a
 * case, without addresses, ports or times that differ between runs. tests/conformance/run compares the two.
 */
#ifndef TESTS_CONFORMANCE_CONFORMANCE_H
#define TESTS_CONFORMANCE_CONFORMANCE_H

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* The family of the run's sockets, and of its addresses: AF_INET, or AF_INET6, whose addresses may be IPv4's in their
 * mapped form (::ffff:a.b.c.d). */
extern int family;
union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6; /* its port lies where the other's does */
};
extern socklen_t address_length; /* of the member that is in use */
bool is_mapped(void);            /* AF_INET6, and IPv4 on the wire */

/* This host's address, and one on the same network that nobody has; IPv4's are in their mapped form. */
extern struct in6_addr own, nobody;
extern const char *own_text, *nobody_text; /* as given to the program */
struct in6_addr loopback_host(void);
struct in_addr v4_of(struct in6_addr host);
struct in6_addr host_of(struct in_addr v4);

/* What errno is before a call: one that succeeds leaves it so. */
#define ERRNO_KEPT 4095

/* Says the outcome of a case, by printf(3)'s rules. */
void outcome(const char *group, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "3", or "-1 EAGAIN" by errno; in one of several static buffers. */
const char *result(long value);

/* An address, by what it is: own:0, own:port, any:0 ... */
const char *address_text(const struct sockaddr_storage *address, socklen_t length);

union address address_of(struct in6_addr host, uint16_t port);

/* Blocking or not; waits until an event of poll(2) is there, a second at most; lets things happen. */
void nonblocking(int fd, bool yes);
bool await(int fd, short events);
void settle(void);

/* A listener on a port of its choice; a connection, its client's end first; a datagram socket, bound. */
int make_listener(uint16_t *port);
void make_pair(int pair[2]);
int make_datagram(uint16_t *port);

void test_sets(void);
void test_errno(void);
void test_pairs(void);
void sets_after_exec(char **arguments);
void test_states(void);
void test_options(void);
void test_waiting(void);
void test_readiness(void);
void test_ways(void);
void test_filters(void);
void test_multicast(void);
void test_multicast6(void); /* the part of it for groups of IPv6 */
void test_faults(void);
void test_headers(void);
void test_stamps(void);

#endif
