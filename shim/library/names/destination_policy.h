/* SPDX-License-Identifier: MIT */
/*
 * destination_policy.h - the tables by which a name's addresses are ordered (RFC 6724 section 2.1), as
 * gai.conf(5) has them, or glibc's own.
 */
#ifndef SHIM_LIBRARY_NAMES_DESTINATION_POLICY_H
#define SHIM_LIBRARY_NAMES_DESTINATION_POLICY_H

#include <netinet/in.h>
#include <stdbool.h>

#define DESTINATION_TABLE_MAX 64

/* A prefix, IPv4 mapped, and what it means. */
struct destination_prefix {
    struct in6_addr prefix;
    int bits, value;
};

struct destination_table {
    int count;
    bool given; /* the file's, instead of the default one */
    struct destination_prefix prefixes[DESTINATION_TABLE_MAX];
};

struct destination_policy {
    struct destination_table labels, precedences, scopes;
};

/* Fills it from the file. */
void destination_policy_read(struct destination_policy *policy);

/* Takes a line of the file's; what makes no sense is ignored. */
void destination_policy_line(struct destination_policy *policy, const char *line);

/* What the longest prefix means that an address, IPv4 mapped, has. */
int destination_label(const struct destination_policy *policy, const struct in6_addr *address);
int destination_precedence(const struct destination_policy *policy, const struct in6_addr *address);

/* RFC 6724 section 3.1; a mapped address that a program is told as IPv6 is, for glibc, one of IPv6. */
int destination_scope(const struct destination_policy *policy, const struct in6_addr *address, int family);

/* How many bits two addresses have in common, from the first on. */
int destination_common_bits(const struct in6_addr *a, const struct in6_addr *b);

#endif
