/* SPDX-License-Identifier: MIT */
/*
 * test_treap.c - treap.c: order, sums and depth, whatever is put in and taken out.
 */
#include "stack/memory/treap.h"
#include "tests/unit/host.h"
#include <stdlib.h>

#define COUNT 5000

struct item {
    struct treap_node node;
    uint32_t value, least; /* the least value of this and of those below it */
    bool in;
};

static struct item items[COUNT], *ordered[COUNT];
static struct treap_node *root;

static struct item *item_at(struct treap_node *node) {
    return container_of(node, struct item, node);
}

static bool least_of(struct treap_node *node) {
    struct item *item = item_at(node);
    uint32_t least = item->value;
    if (node->left && item_at(node->left)->least < least)
        least = item_at(node->left)->least;
    if (node->right && item_at(node->right)->least < least)
        least = item_at(node->right)->least;
    bool same = item->least == least;
    item->least = least;
    return !same;
}

/* Checks a tree from a place in `ordered` on; returns the place behind it. */
static int check(struct treap_node *node, const struct treap_node *parent, int at, int depth, int *deepest) {
    if (!node)
        return at;
    *deepest = depth > *deepest ? depth : *deepest;
    assert_ptr_equal(node->parent, parent);
    assert_true(!parent || parent->priority >= node->priority);
    at = check(node->left, node, at, depth + 1, deepest);
    assert_ptr_equal(item_at(node), ordered[at]);
    at = check(node->right, node, at + 1, depth + 1, deepest);
    assert_false(least_of(node));
    return at;
}

static int checked_depth(int count) {
    int deepest = 0;
    assert_int_equal(check(root, NULL, 0, 1, &deepest), count);
    return deepest;
}

static void add(struct item *item, int at, int count, uint32_t priority) {
    memmove(&ordered[at + 1], &ordered[at], sizeof *ordered * (size_t)(count - at));
    ordered[at] = item;
    item->value = (uint32_t)rand();
    treap_add(&root, &item->node, at > 0 ? &ordered[at - 1]->node : NULL, priority, least_of);
}

static void take_out(int at, int count) {
    treap_remove(&root, &ordered[at]->node, least_of);
    memmove(&ordered[at], &ordered[at + 1], sizeof *ordered * (size_t)(count - at - 1));
}

static void order_and_sums_are_kept_whatever_comes_and_goes(void **state) {
    (void)state;
    srand(7);
    static const uint32_t ranges[] = {1, 3, 1u << 31}; /* all the same, first */
    for (int i = 0; i < 3; i++) {
        uint32_t priorities = ranges[i];
        int count = 0;
        root = NULL;
        for (; count < 300; count++)
            add(&items[count], rand() % (count + 1), count, (uint32_t)rand() % priorities);
        checked_depth(count);
        for (int step = 0; step < 3000; step++) {
            int at = rand() % count;
            struct item *item = ordered[at];
            item->value = (uint32_t)rand();
            treap_changed(&item->node, least_of);
            if (step % 7 == 0) {
                take_out(at, count);
                add(item, rand() % count, count - 1, (uint32_t)rand() % priorities);
            }
            if (step % 50 == 0)
                checked_depth(count);
        }
        while (count > 0) {
            take_out(rand() % count, count);
            checked_depth(--count);
        }
        assert_null(root);
    }
}

static void depth_is_logarithmic_in_whatever_order_it_is_filled(void **state) {
    (void)state;
    srand(8);
    for (int way = 0; way < 3; way++) {
        root = NULL;
        for (int i = 0; i < COUNT; i++)
            add(&items[i], way == 0 ? i : way == 1 ? 0 : i / 2, i, (uint32_t)rand());
        assert_in_range(checked_depth(COUNT), 13, 60); /* 2 ln 5000 = 17 steps on average */
        for (int i = 0; i < COUNT / 2; i++)
            take_out(0, COUNT - i);
        assert_in_range(checked_depth(COUNT / 2), 12, 60);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_sums_are_kept_whatever_comes_and_goes),
        cmocka_unit_test(depth_is_logarithmic_in_whatever_order_it_is_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
