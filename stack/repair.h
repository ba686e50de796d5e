/* SPDX-License-Identifier: MIT */
/*
 * repair.h - makes a stack whole again whose user died in the middle of a change.
 *
 * Where a stack is shared by processes, any of them can be killed at any instruction. The next one finds the
 * lock's owner dead, and calls these two before it does anything else with the stack.
 */
#ifndef STACK_REPAIR_H
#define STACK_REPAIR_H

#include "stack/memory/buffer.h"
#include <stdbool.h>
#include <stdint.h>

struct stack;
struct socket;

/* First: the arena, and the stack's pools, can be used again. The caller repairs pools of its own next
 * (pool_repair), and sets each socket's `holders`; a socket that nobody holds is freed. */
void stack_repair_memory(struct stack *stack);

/* Then all else. `each_held`, or NULL, calls stack_repair_hold for each buffer that the caller has for its
 * own use. Each socket is an event of stack_next_event afterwards, and its `watches` are empty. Returns false
 * when memory is out. */
bool stack_repair(struct stack *stack, uint64_t now_ns, void (*each_held)(void));
void stack_repair_hold(struct stack *stack, struct buffer *buffer); /* NULL, or none of ours: nothing */

/* The same for what the caller copies to, a chain, or from (buffer_hold_data). False: that is not there.
 * Between stack_repair_memory and stack_repair. */
bool stack_repair_hold_chain(struct stack *stack, struct buffer *chain);
bool stack_repair_hold_buffers(struct stack *stack, struct buffer *first, uint32_t count);

/* For the parts of a repair. */

/* What a chain holds, when it is one. */
struct chain_measure {
    uint32_t length;
    uint32_t buffers;    /* up to the last that is not empty */
    struct buffer *last; /* which is this one */
};

/* False: it is none. */
bool stack_chain_measure(const struct stack *stack, struct buffer *chain, struct chain_measure *measure);

/* A queue is as long as what is in its chain: a change at either end may have been left half done, but it is
 * in order. False: it is not. */
bool stack_queue_repair(const struct stack *stack, struct byte_queue *queue);

void stack_hold_chain(struct stack *stack, struct buffer *chain); /* a reference to each of its buffers */
bool stack_socket_alive(const struct stack *stack, const struct socket *socket);

#endif
