/* SPDX-License-Identifier: MIT */
/*
 * tcp_out_of_order.h - the blocks of what arrived ahead of its turn, in order of their sequence numbers.
 *
 * A peer decides how many blocks there are and where the next segment belongs, so a place among them is found
 * in a number of steps that grows with the logarithm of their count: beside the list, which goes from one to
 * the next, the blocks form a tree (treap.h).
 */
#ifndef STACK_TCP_TCP_OUT_OF_ORDER_H
#define STACK_TCP_TCP_OUT_OF_ORDER_H

#include "stack/memory/buffer.h"
#include "stack/memory/list.h"
#include "stack/memory/treap.h"
#include <stdbool.h>
#include <stdint.h>

struct stack;

struct tcp_out_of_order {
    struct list link;
    struct treap_node node;
    struct byte_queue data;
    uint32_t sequence;
    bool fin; /* behind it */
};

/* Invariants: blocks neither overlap nor touch; root is NULL exactly when the list is empty; buffers is the
 * sum of the blocks' data.buffers. */
struct tcp_out_of_order_blocks {
    struct list list;
    struct treap_node *root;
    uint32_t count;
    uint32_t buffers;
};

static inline struct tcp_out_of_order *tcp_out_of_order_of(struct list *link) {
    return container_of(link, struct tcp_out_of_order, link);
}

static inline uint32_t tcp_out_of_order_end(const struct tcp_out_of_order *held) {
    return held->sequence + held->data.length;
}

void tcp_out_of_order_init(struct tcp_out_of_order_blocks *blocks);

/* The last block that begins at or before a sequence number, or NULL. */
struct tcp_out_of_order *tcp_out_of_order_find(const struct tcp_out_of_order_blocks *blocks,
                                               uint32_t sequence);

/* Adds a block, whose sequence number no other has. The caller counts its buffers. */
void tcp_out_of_order_add(struct stack *stack, struct tcp_out_of_order_blocks *blocks,
                          struct tcp_out_of_order *held);

/* Takes a block out, and its buffers from the sum. */
void tcp_out_of_order_remove(struct tcp_out_of_order_blocks *blocks, struct tcp_out_of_order *held);

/* Makes the tree and the sums anew from the list, whose links are whole forwards, and mends those backwards:
 * see repair.h. */
void tcp_out_of_order_repair(struct stack *stack, struct tcp_out_of_order_blocks *blocks);

#endif
