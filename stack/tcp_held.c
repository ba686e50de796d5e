/*
 * tcp_held.c - see tcp_held.h.
 */
#include "tcp_held.h"
#include "stack.h"
#include "tcp.h"

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
    for (struct tcp_held *at = blocks->root; at;) {
        bool before = seq_le(at->sequence, sequence);
        found = before ? at : found;
        at = before ? at->right : at->left;
    }
    return found;
}

/* Puts a block into the tree: below all of a higher priority, with what was there before cut in two. */
static void plant(struct tcp_held_blocks *blocks, struct tcp_held *held) {
    struct tcp_held **place = &blocks->root, **left = &held->left, **right = &held->right;
    while (*place && (*place)->priority >= held->priority)
        place = seq_lt(held->sequence, (*place)->sequence) ? &(*place)->left : &(*place)->right;
    for (struct tcp_held *rest = *place; rest;) {
        if (seq_lt(rest->sequence, held->sequence)) {
            *left = rest;
            left = &rest->right;
            rest = rest->right;
        } else {
            *right = rest;
            right = &rest->left;
            rest = rest->left;
        }
    }
    *left = *right = NULL;
    *place = held;
}

static void uproot(struct tcp_held_blocks *blocks, const struct tcp_held *held) {
    struct tcp_held **place = &blocks->root, *left = held->left, *right = held->right;
    while (*place != held)
        place = seq_lt(held->sequence, (*place)->sequence) ? &(*place)->left : &(*place)->right;
    while (left && right) {
        if (left->priority > right->priority) {
            *place = left;
            place = &left->right;
            left = left->right;
        } else {
            *place = right;
            place = &right->left;
            right = right->left;
        }
    }
    *place = left ? left : right;
}

void tcp_held_add(struct stack *stack, struct tcp_held_blocks *blocks, struct tcp_held *held) {
    struct tcp_held *before = tcp_held_find(blocks, held->sequence);
    held->priority = (uint16_t)random_u64(&stack->random);
    list_init(&held->link);
    list_add_head(before ? &before->link : &blocks->list, &held->link);
    plant(blocks, held);
    blocks->count++;
}

void tcp_held_remove(struct tcp_held_blocks *blocks, struct tcp_held *held) {
    list_remove(&held->link);
    uproot(blocks, held);
    blocks->count--;
    blocks->buffers -= held->data.buffers;
}

void tcp_held_repair(struct stack *stack, struct tcp_held_blocks *blocks) {
    struct list *previous = &blocks->list;
    blocks->root = NULL;
    blocks->count = blocks->buffers = 0;
    for (struct list *link = blocks->list.next; link != &blocks->list; link = link->next) {
        struct tcp_held *held = tcp_held_of(link);
        link->previous = previous;
        previous = link;
        held->priority = (uint16_t)random_u64(&stack->random);
        plant(blocks, held);
        blocks->count++;
        blocks->buffers += held->data.buffers;
    }
    blocks->list.previous = previous;
}
