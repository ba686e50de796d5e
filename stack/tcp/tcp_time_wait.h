/* SPDX-License-Identifier: MIT */
/*
 * tcp_time_wait.h - connections in TIME_WAIT that no socket has any more, in a compact form, as Linux has them in
 * its inet_timewait_sock.
 *
 * Theory of operation. What is left of a connection then is a few numbers. When stack_advance comes to it
 * (tcp_want_output) it becomes a struct tcp_time_wait, in a table of its own, and its struct tcp is given back. A
 * segment that comes for it makes a struct tcp of it again, so that there is one place that knows how a segment is
 * answered (tcp_input.c), and with the batch's end it is compact again. Its binding is in the table of ports like any
 * other.
 *
 * An object is written once, whole before its port is there, and not changed afterwards: so one whose user died on the
 * way either is there or not. While there are both of a connection, the struct tcp counts.
 *
 * They also are handed on from a stack that ends to the next one of the same address, which so answers a FIN that comes
 * again (RFC 9293, section 3.10.7.8), and takes none of their ports too early: struct tcp_waiting.
 */
#ifndef STACK_TCP_TCP_TIME_WAIT_H
#define STACK_TCP_TCP_TIME_WAIT_H

#include "stack/base/timer.h"
#include "stack/ip/ip_address.h"
#include "stack/ip/port.h"
#include "stack/memory/hash.h"
#include <stdbool.h>
#include <stdint.h>

struct stack;
struct tcp;

struct tcp_time_wait {
    struct hash_link tuple_link; /* by addresses and ports */
    struct timer timer;          /* at its end */
    struct binding binding;      /* local address and port */
    struct ip_address remote_address;
    struct tcp_md5_key *md5_keys; /* the first, or NULL */
    uint64_t timestamp_recent_ns;
    uint64_t refused_ns; /* when an unacceptable segment was last answered */
    uint32_t snd_nxt, rcv_nxt, rcv_adv, snd_wnd_largest;
    uint32_t timestamp_offset, timestamp_recent;
    uint16_t remote_port, mss, flow, ip_identification;
    uint8_t snd_scale : 4, rcv_scale : 4;
    uint8_t ttl, tos, min_ttl; /* or hop limit, traffic class, least hop limit */
    bool timestamps : 1, sack_permitted : 1, scaling : 1;
};

struct tcp_waiting {
    uint64_t ends_ns; /* of the clock that both stacks have */
    uint64_t timestamp_recent_ns;
    struct ip_address local, remote; /* addresses */
    uint32_t snd_nxt, rcv_nxt, rcv_adv;
    uint32_t timestamp_offset, timestamp_recent;
    uint16_t local_port, remote_port, mss;
    uint8_t snd_scale, rcv_scale, ttl, tos;
    bool timestamps, sack_permitted, scaling;
    bool reuse_address, reuse_port; /* what its socket had said of its port */
};

/* Makes a connection compact, unless there is no memory: it stays as it is then. */
void tcp_time_wait_settle(struct stack *stack, struct tcp *tcp);

/* NULL: there is none in compact form. */
struct tcp_time_wait *tcp_time_wait_find(struct stack *stack, struct ip_address local, uint16_t local_port,
                                         struct ip_address remote, uint16_t remote_port);

/* Makes it a connection again, until stack_advance. NULL: there is no memory. */
struct tcp *tcp_time_wait_wake(struct stack *stack, struct tcp_time_wait *waiting);

/* Whether it may make room for another connection of the same addresses and ports. */
bool tcp_time_wait_reusable(const struct stack *stack, const struct tcp_time_wait *waiting);

/* Its time is up, or its place is needed. */
void tcp_time_wait_end(struct stack *stack, struct tcp_time_wait *waiting);

/* For pool_walk, in a repair, once the connections are in their tables. */
void tcp_time_wait_repair(void *object, void *stack);

/* Calls visit for each connection, to be looked at and not changed: a compact one is shown as a struct tcp that is
 * there for that call alone. */
void tcp_walk(struct stack *stack, void (*visit)(void *tcp, void *context), void *context);

/* The same for somebody who only looks on while others change the stack: see pool_look. */
void tcp_look(const struct stack *stack, void (*visit)(const void *tcp, void *context), void *context);

/* Whether all connections of a stack are in TIME_WAIT. */
bool tcp_all_waiting(const struct stack *stack);

/* Copies those in TIME_WAIT, as far as there is room. Returns how many. */
uint32_t tcp_waiting_save(struct stack *stack, struct tcp_waiting *waiting, uint32_t room);

/* Makes one again. False: its time is up, its address is not the stack's, or there is no memory. */
bool tcp_waiting_resume(struct stack *stack, const struct tcp_waiting *waiting);

#endif
