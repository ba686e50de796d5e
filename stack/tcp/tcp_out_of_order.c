/*
 * tcp_out_of_order.c - see tcp_out_of_order.h.
 */
#include "stack/tcp/tcp_out_of_order.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"

static struct tcp_held *held_at(struct treap_node *node) {
    return container_of(node, struct tcp_held, node);
}

void tcp_held_init(struct tcp_held_blocks *blocks) {
    *blocks = (struct tcp_held_blocks){.root = NULL};
    list_init(&blocks->list);
}

struct tcp_held *tcp_held_find(const struct tcp_held_blocks *blocks, uint32_t sequence) {
    struct tcp_held *found = NULL;
    if (list_empty(&blocks->list))
        return NULL;
    struct tcp_held *last = tcp_held_of(blocks->list.previous);
    if (seq_le(last->sequence, sequence))
        return last; /* most segments belong at the end */
    for (struct treap_node *node = blocks->root; node;) {
        bool before = seq_le(held_at(node)->sequence, sequence);
        found = before ? held_at(node) : found;
        node = before ? node->right : node->left;
    }
    return found;
}

static void plant(struct stack *stack, struct tcp_held_blocks *blocks, struct tcp_held *held,
                  struct tcp_held *before) {
    treap_add(&blocks->root, &held->node, before ? &before->node : NULL, (uint32_t)random_u64(&stack->random),
              NULL);
    blocks->count++;
}

void tcp_held_add(struct stack *stack, struct tcp_held_blocks *blocks, struct tcp_held *held) {
    struct tcp_held *before = tcp_held_find(blocks, held->sequence);
    list_init(&held->link);
    list_add_head(before ? &before->link : &blocks->list, &held->link);
    plant(stack, blocks, held, before);
}

void tcp_held_remove(struct tcp_held_blocks *blocks, struct tcp_held *held) {
    list_remove(&held->link);
    treap_remove(&blocks->root, &held->node, NULL);
    blocks->count--;
    blocks->buffers -= held->data.buffers;
}

void tcp_held_repair(struct stack *stack, struct tcp_held_blocks *blocks) {
    struct list *previous = &blocks->list;
    struct tcp_held *before = NULL;
    blocks->root = NULL;
    blocks->count = blocks->buffers = 0;
    for (struct list *link = blocks->list.next; link != &blocks->list; link = link->next) {
        struct tcp_held *held = tcp_held_of(link);
        link->previous = previous;
        previous = link;
        plant(stack, blocks, held, before);
        before = held;
        blocks->buffers += held->data.buffers;
    }
    blocks->list.previous = previous;
}
