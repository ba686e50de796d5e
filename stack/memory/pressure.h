/* SPDX-License-Identifier: MIT */
/*
 * pressure.h - how much of the region sockets may fill, and what is done when it becomes short: Linux's
 * tcp_mem and udp_mem.
 *
 * Theory of operation. What a peer sends, and what a program writes, waits in buffers until somebody takes
 * it. Each socket has a limit; but there may be so many sockets that those of a few, or of one program, fill
 * the region. Then frames could not even be received, and nothing else would go on. So:
 *
 * - The pool of buffers takes seven eighths of the region at most, the rest is for sockets, connections and
 * whatever else consists of objects; and of that a part only buffers may take (pool.reserve).
 * - TCP's queues, in and out, hold up to tcp_mem[2] pages, datagrams that wait up to udp_mem[2], together
 * less than the pool: the rest is for frames that come in and go out.
 * - Below tcp_mem[0] all is as it would be without limits. Above tcp_mem[1], until it is below tcp_mem[0]
 * again, TCP is under pressure: windows do not grow, arriving data fills the buffers that are there first,
 * and a connection gets more only while it has less than its share of what there is up to tcp_mem[2], so that
 * who needs little is served as ever. Above tcp_mem[2], what others hold out of order is given up, the
 * largest first.
 * - A connection that has nothing queued gets a little in any case: it goes on, and the next acknowledgment
 * or read brings it further.
 * - Above udp_mem[0] a datagram is taken only by a socket that holds less than udp_rmem_min.
 */
#ifndef STACK_MEMORY_PRESSURE_H
#define STACK_MEMORY_PRESSURE_H

#include "stack/memory/size_class.h"
#include <stdbool.h>
#include <stdint.h>

#define MEMORY_PAGE_BYTES 4096u  /* the unit of tcp_mem and udp_mem */
#define MEMORY_LEAST_BYTES 8192u /* a connection gets in any case */

struct buffer;
struct socket;
struct stack;
struct tcp;

struct memory {
    uint32_t datagram_buffers;        /* in queues of datagrams */
    bool pressure;                    /* TCP is under pressure */
    struct size_classes out_of_order; /* struct tcp_active, by how many buffers it holds out of order */
};

/* Chooses tcp_mem and udp_mem by the region's size, and bounds the pool of buffers. */
void memory_init(struct stack *stack);

/* What TCP's queues, and those of datagrams, take, in pages. */
uint32_t memory_tcp_pages(const struct stack *stack);
uint32_t memory_udp_pages(const struct stack *stack);

/* How many buffers more a connection may queue, in or out. Asked when memory_is_plenty (stack.h) says
 * no. */
uint32_t memory_room(struct stack *stack, const struct tcp *tcp);

/* Whether there is enough for MEMORY_LEAST_BYTES to a connection that has nothing queued. */
bool memory_has_least(const struct stack *stack);

/* Gives up what connections hold out of order, the largest first, while TCP has more than tcp_mem[2]. */
void memory_prune(struct stack *stack);

/* Whether a socket may queue a datagram of so many buffers. */
bool memory_admits_datagram(const struct stack *stack, const struct socket *socket, uint32_t buffers);

#endif
