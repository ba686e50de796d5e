/* SPDX-License-Identifier: MIT */
/*
 * tcp_out_of_order.c - see tcp_out_of_order.h.
 */
#include "stack/tcp/tcp_out_of_order.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"

static struct tcp_out_of_order *held_at(struct treap_node *node) {
    return container_of(node, struct tcp_out_of_order, node);
}

void tcp_out_of_order_init(struct tcp_out_of_order_blocks *blocks) {
    *blocks = (struct tcp_out_of_order_blocks){.root = NULL};
    list_init(&blocks->list);
}

struct tcp_out_of_order *tcp_out_of_order_find(const struct tcp_out_of_order_blocks *blocks,
                                               uint32_t sequence) {
    struct tcp_out_of_order *found = NULL;
    if (list_empty(&blocks->list))
        return NULL;
    struct tcp_out_of_order *last = tcp_out_of_order_of(blocks->list.previous);
    if (seq_le(last->sequence, sequence))
        return last; /* most segments belong at the end */
    for (struct treap_node *node = blocks->root; node;) {
        bool before = seq_le(held_at(node)->sequence, sequence);
        found = before ? held_at(node) : found;
        node = before ? node->right : node->left;
    }
    return found;
}

static void plant(struct stack *stack, struct tcp_out_of_order_blocks *blocks, struct tcp_out_of_order *held,
                  struct tcp_out_of_order *before) {
    treap_add(&blocks->root, &held->node, before ? &before->node : NULL, (uint32_t)random_u64(&stack->random),
              NULL);
    blocks->count++;
}

void tcp_out_of_order_add(struct stack *stack, struct tcp_out_of_order_blocks *blocks,
                          struct tcp_out_of_order *held) {
    struct tcp_out_of_order *before = tcp_out_of_order_find(blocks, held->sequence);
    list_init(&held->link);
    list_add_head(before ? &before->link : &blocks->list, &held->link);
    plant(stack, blocks, held, before);
}

void tcp_out_of_order_remove(struct tcp_out_of_order_blocks *blocks, struct tcp_out_of_order *held) {
    list_remove(&held->link);
    treap_remove(&blocks->root, &held->node, NULL);
    blocks->count--;
    blocks->buffers -= held->data.buffers;
}

void tcp_out_of_order_repair(struct stack *stack, struct tcp_out_of_order_blocks *blocks) {
    struct list *previous = &blocks->list;
    struct tcp_out_of_order *before = NULL;
    blocks->root = NULL;
    blocks->count = blocks->buffers = 0;
    for (struct list *link = blocks->list.next; link != &blocks->list; link = link->next) {
        struct tcp_out_of_order *held = tcp_out_of_order_of(link);
        link->previous = previous;
        previous = link;
        plant(stack, blocks, held, before);
        before = held;
        blocks->buffers += held->data.buffers;
    }
    blocks->list.previous = previous;
}
