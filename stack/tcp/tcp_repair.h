/* SPDX-License-Identifier: MIT */
/*
 * tcp_repair.h - connections when a process has died in the middle of a change: see repair.h.
 *
 * Whoever dies takes no connection of others with it, not even the one that it was just working on. Work
 * on a connection that is not its program's own (a segment, a timer, output) may be left half done at any
 * instruction; what must not get lost is where its two streams stand. The numbers of two places do not move
 * meanwhile: the end of what the program has written, and the start of what it has not read. They are noted
 * first (tcp_work_on). The queues themselves are whole at any instruction: bytes are appended, and dropped,
 * by one store each. So a repair finds out what is acknowledged, and what has been received, by measuring
 * them; all else of the flight is forgotten, and what may be lost of it is sent again.
 */
#ifndef STACK_TCP_TCP_REPAIR_H
#define STACK_TCP_TCP_REPAIR_H

#include <stdint.h>

struct stack;
struct tcp;

enum tcp_verdict {
    TCP_INTACT,
    TCP_REBUILT, /* its flight is to be recorded anew */
    TCP_UNREPAIRABLE,
};

/* What work on a connection, by tcp_work_on, does not change. */
struct tcp_work {
    uint8_t state;          /* when it began; 0: the connection had no numbers yet */
    uint32_t send_end;      /* after the last byte of the send queue */
    uint32_t receive_start; /* of the first byte of the receive queue */
};

/* The same as stack_work_on, for a change that leaves alone what the program has written and not read. */
void tcp_work_on(struct stack *stack, const struct tcp *tcp);

/* For stack_repair, of each struct tcp (pool_walk), when sockets are repaired: what it holds is marked, and
 * it gets its places in tables again. */
void tcp_repair(void *tcp, void *stack);

/* ... and when what nobody holds is freed: it goes on, or is reset. */
void tcp_repair_resume(void *tcp, void *stack);

#endif
