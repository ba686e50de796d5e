/* SPDX-License-Identifier: MIT */
/*
 * tcp_md5.h - segments signed with a key that both sides know (RFC 2385; TCP_MD5SIG in tcp(7)), as BGP's
 * speakers do.
 *
 * A socket has keys for peers, by prefix. A listener's connection takes the key of its peer along. Where
 * there is a key, a segment without the right signature is dropped without a word, and so is one with a
 * signature where there is none.
 */
#ifndef STACK_TCP_TCP_MD5_H
#define STACK_TCP_TCP_MD5_H

#include "stack/ip/ip_address.h"
#include "stack/tcp/tcp_segment.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_MD5_KEY_MAX 80u      /* TCP_MD5SIG_MAXKEYLEN */
#define TCP_MD5_OPTION_BYTES 20u /* in a header, with what aligns it */
#define TCP_MD5_KEYS_MAX 1024u   /* of a socket */

struct ip_packet;
struct stack;
struct tcp;

struct tcp_md5_key {
    struct tcp_md5_key *next; /* of the same socket */
    struct ip_address address;
    uint8_t prefix_length; /* of all 128 bits */
    uint8_t length;
    uint8_t bytes[TCP_MD5_KEY_MAX];
};

/* setsockopt(2): TCP_MD5SIG, or with `extended` TCP_MD5SIG_EXT. */
int tcp_md5_set(struct stack *stack, struct tcp *tcp, const void *value, size_t length, bool extended);

/* The key for a peer, that of the longest prefix; NULL: none. */
const struct tcp_md5_key *tcp_md5_find(const struct tcp *tcp, struct ip_address address);

/* Gives a listener's child the key of its peer. False: there is no memory. */
bool tcp_md5_inherit(struct stack *stack, const struct tcp *listener, struct tcp *child);

void tcp_md5_purge(struct stack *stack, struct tcp *tcp);

/* Marks the keys of a connection, in a repair; those that are none are forgotten. */
void tcp_md5_repair(struct stack *stack, struct tcp_md5_key **keys);

/* Signs a segment: its 20 bytes of fixed header, with a checksum of 0, and its payload. */
void tcp_md5_sign(const struct tcp_md5_key *key, struct ip_address source, struct ip_address destination,
                  const uint8_t *header, uint32_t header_length, struct byte_cursor payload, uint32_t length,
                  uint8_t signature[TCP_SIGNATURE_BYTES]);

/* Whether a received segment is signed as it must be: `tcp` is its connection or listener. */
bool tcp_md5_good(struct stack *stack, const struct tcp *tcp, const struct ip_packet *packet,
                  const struct tcp_segment *segment);

#endif
