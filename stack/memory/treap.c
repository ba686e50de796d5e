/* SPDX-License-Identifier: MIT */
/*
 * treap.c - see treap.h.
 */
#include "stack/memory/treap.h"

/* Where the pointer to a node lies. */
static struct treap_node **place_of(struct treap_node **root, const struct treap_node *node) {
    struct treap_node *parent = node->parent;
    return !parent ? root : parent->left == node ? &parent->left : &parent->right;
}

/* Puts a node in its parent's place, and the parent below it. */
static void rotate_up(struct treap_node **root, struct treap_node *node, treap_sum sum) {
    struct treap_node *parent = node->parent, **place = place_of(root, parent);
    struct treap_node **inner = parent->left == node ? &node->right : &node->left;
    struct treap_node **outer = parent->left == node ? &parent->left : &parent->right;
    *outer = *inner;
    if (*inner)
        (*inner)->parent = parent;
    *inner = parent;
    node->parent = parent->parent;
    parent->parent = node;
    *place = node;
    if (sum) {
        sum(parent);
        sum(node);
    }
}

void treap_changed(struct treap_node *node, treap_sum sum) {
    while (sum && node && sum(node))
        node = node->parent;
}

struct treap_node *treap_first(struct treap_node *node) {
    while (node && node->left)
        node = node->left;
    return node;
}

void treap_add(struct treap_node **root, struct treap_node *node, struct treap_node *before,
               uint32_t priority, treap_sum sum) {
    struct treap_node *after = treap_first(before ? before->right : *root);
    struct treap_node *parent = after ? after : before;
    *node = (struct treap_node){.parent = parent, .priority = priority};
    *(after ? &after->left : before ? &before->right : root) = node;
    if (sum)
        sum(node);
    while (node->parent && node->parent->priority < priority)
        rotate_up(root, node, sum);
    treap_changed(node->parent, sum);
}

void treap_remove(struct treap_node **root, struct treap_node *node, treap_sum sum) {
    while (node->left && node->right)
        rotate_up(root, node->left->priority > node->right->priority ? node->left : node->right, sum);
    struct treap_node *child = node->left ? node->left : node->right, *parent = node->parent;
    *place_of(root, node) = child;
    if (child)
        child->parent = parent;
    treap_changed(parent, sum);
}
