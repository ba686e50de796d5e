/* SPDX-License-Identifier: MIT */
/*
 * treap.h - intrusive search trees that stay shallow whatever is put into them: treaps (Seidel and Aragon,
 * 1996), in the caller's order and at the same time a heap by random priorities that nobody outside knows.
 *
 * A place is found in a number of steps that grows with the logarithm of the count. Beside its order a tree
 * may keep sums: what each node says of all that is below it (the smallest of something, whether there is any
 * of something). The caller's function makes one node's sum of its own content and of its children's.
 */
#ifndef STACK_MEMORY_TREAP_H
#define STACK_MEMORY_TREAP_H

#include "stack/memory/list.h"
#include <stdint.h>

struct treap_node {
    struct treap_node *parent, *left, *right;
    uint32_t priority;
};

/* Makes a node's sum anew. Returns whether it is another one than before. */
typedef bool (*treap_sum)(struct treap_node *node);

/* Puts a node behind another one; `before` NULL: before all. `priority` must be random. `sum` NULL: the tree
 * has none. O(1) at the end of the tree and O(log n) elsewhere, on average. */
void treap_add(struct treap_node **root, struct treap_node *node, struct treap_node *before,
               uint32_t priority, treap_sum sum);

/* Takes a node out. O(1) steps, and O(log n) for the sums, on average. */
void treap_remove(struct treap_node **root, struct treap_node *node, treap_sum sum);

/* A node's own content has changed: makes its sum anew, and those above it as far as they change. */
void treap_changed(struct treap_node *node, treap_sum sum);

/* The first node below `node`, or NULL. */
struct treap_node *treap_first(struct treap_node *node);

#endif
