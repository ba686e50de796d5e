/* SPDX-License-Identifier: MIT */
/*
 * tcp_fastopen.h - TCP Fast Open (RFC 7413): data in the SYN, for a peer that was met before.
 *
 * A server proves that it has met a client by a cookie that only it can make: a keyed hash of the addresses.
 * A client keeps the cookies that it was given, by address (tcp_metrics.h). With a cookie, the server's
 * connection is there for accept(2) as soon as the SYN has come.
 */
#ifndef STACK_TCP_TCP_FASTOPEN_H
#define STACK_TCP_TCP_FASTOPEN_H

#include "stack/ip/ip_address.h"
#include "stack/tcp/tcp_segment.h"
#include <sys/socket.h>

#define TCP_FASTOPEN_KEY_BYTES 16u

struct ip_packet;
struct socket;
struct stack;
struct tcp;

/* What is set in tcp->fastopen. */
enum tcp_fastopen_flag {
    TCP_FASTOPEN_CHILD = 1,     /* accepted before the handshake was complete */
    TCP_FASTOPEN_PENDING = 2,   /* ... which it still is not */
    TCP_FASTOPEN_ASKED = 4,     /* a write opens the connection: with the option, or without need of it */
    TCP_FASTOPEN_DATA = 8,      /* ... and data */
    TCP_FASTOPEN_TAKEN = 16,    /* ... that the peer has taken */
    TCP_FASTOPEN_DEFERRED = 32, /* connect(2) has succeeded, and the first write will send the SYN */
    TCP_FASTOPEN_OPTION = 64,   /* our SYN had the option: a cookie that comes was asked for */
};

/* What a server told us. */
struct tcp_fastopen_peer {
    uint16_t mss;             /* 0: not known */
    uint8_t try_experimental; /* 1: the standard option was not answered; 2: nor was the old one */
    struct tcp_cookie cookie;
};

/* A listener's own key (TCP_FASTOPEN_KEY), and the one before it. */
struct tcp_fastopen_key {
    uint8_t bytes[2 * TCP_FASTOPEN_KEY_BYTES];
    uint32_t length;
};

/* --- Client. --- */

/* Whether a connection to this address can begin with data. */
bool tcp_fastopen_ready(struct stack *stack, const struct tcp *tcp, struct ip_address address);

/* How many bytes of data the SYN to an address may carry. */
uint32_t tcp_fastopen_room(struct stack *stack, const struct tcp *tcp, struct ip_address address);

/* The option of a first SYN. */
void tcp_fastopen_ask(struct stack *stack, struct tcp *tcp, struct tcp_segment *segment);

/* The SYN-ACK has come; snd_una is beyond our SYN. */
void tcp_fastopen_answered(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                           bool all_acked);

/* --- Server. --- */

/* What to do with a SYN: true, and the connection is to be there at once; else *answer is the cookie to give,
 * if any. */
bool tcp_fastopen_accept(struct stack *stack, struct tcp *listener, const struct ip_packet *packet,
                         const struct tcp_segment *segment, struct tcp_cookie *answer);

/* A child counts no more among those of its listener that are not complete. */
void tcp_fastopen_settled(struct tcp *tcp);

/* setsockopt(2) and getsockopt(2): TCP_FASTOPEN_KEY. */
int tcp_fastopen_set_key(struct stack *stack, struct tcp *tcp, const void *value, socklen_t length);
int tcp_fastopen_get_key(const struct stack *stack, const struct tcp *tcp, void *value, socklen_t *length);

#endif
