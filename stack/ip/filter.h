/* SPDX-License-Identifier: MIT */
/*
 * filter.h - programs of the classic Berkeley Packet Filter (McCanne and Jacobson, 1993) on a socket, as
 * socket(7) and Linux's networking/filter.rst have them: which packets it wants (SO_ATTACH_FILTER), and who
 * of those that share a port gets one (SO_ATTACH_REUSEPORT_CBPF).
 *
 * A program is checked when it is attached: it only jumps forward, within itself, and ends. One that loads
 * from beyond the packet ends with 0.
 */
#ifndef STACK_IP_FILTER_H
#define STACK_IP_FILTER_H

#include "stack/memory/buffer.h"
#include <linux/filter.h>
#include <sys/socket.h>

#define FILTER_INSTRUCTIONS_MAX 4096u /* Linux's BPF_MAXINSNS */
#define FILTER_PART (BUFFER_CAPACITY / sizeof(struct sock_filter))
#define FILTER_PARTS ((FILTER_INSTRUCTIONS_MAX + FILTER_PART - 1) / FILTER_PART)

struct ip_packet;
struct socket;
struct stack;

struct filter_program {
    uint32_t count;                     /* instructions; 0: none */
    struct buffer *parts[FILTER_PARTS]; /* FILTER_PART of them in each; shared with those that inherited it */
};

/* Of a socket. */
struct filter {
    bool locked; /* SO_LOCK_FILTER */
    struct filter_program admits, steers;
};

/* A packet as programs see it: the headers' bytes, and then those of a chain. */
struct filter_view {
    uint8_t headers[120];
    uint32_t network_length;   /* of the IP header, in `headers` */
    uint32_t transport_length; /* of the one behind it */
    uint32_t base;             /* where offset 0 is */
    const struct buffer *chain;
    uint32_t skip;            /* bytes of it that are in `headers`, too */
    uint32_t interface, type; /* SKF_AD_IFINDEX, SKF_AD_PKTTYPE */
    uint32_t protocol;        /* SKF_AD_PROTOCOL */
};

/* Describes a packet whose chain begins with a transport header of that length; and once that has been taken
 * off. */
void filter_view(const struct stack *stack, struct filter_view *view, const struct ip_packet *packet,
                 uint32_t transport_length);
void filter_view_trimmed(struct filter_view *view, const struct buffer *chain);

/* How much of a packet with `length` bytes from view->base on the socket wants; 0: nothing. A socket without
 * a program wants all. */
uint32_t filter_admits(const struct socket *socket, struct filter_view *view, uint32_t length);

/* Who of `count` gets a packet, by the program that one of them has, and its payload; `count` or more: it
 * does not say. */
uint32_t filter_steers(const struct socket *socket, struct filter_view *view);
bool filter_has_steering(const struct socket *socket);

/* setsockopt(2) and getsockopt(2) for SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER,
 * SO_ATTACH_REUSEPORT_CBPF and SO_DETACH_REUSEPORT_BPF. */
bool filter_is_option(int name);
int filter_set_option(struct stack *stack, struct socket *socket, int name, const void *value,
                      socklen_t length, int number);
int filter_get_option(const struct socket *socket, int name, void *value, socklen_t *length);

/* An accepted socket gets its listener's. False: no memory. */
bool filter_inherit(struct stack *stack, const struct socket *from, struct socket *to);

/* The socket ends. */
void filter_purge(struct stack *stack, struct filter *filter);

#endif
