/* SPDX-License-Identifier: MIT */
/*
 * size_class.h - the members of a set by their size, so that one of the largest is found without a search.
 *
 * There is a list for each power of two. A member moves to another list only when its size passes such a
 * power, so that keeping it in its place costs next to nothing.
 */
#ifndef STACK_MEMORY_SIZE_CLASS_H
#define STACK_MEMORY_SIZE_CLASS_H

#include "stack/memory/list.h"
#include <stdint.h>

#define SIZE_CLASSES 32u

struct size_classes {
    struct list lists[SIZE_CLASSES]; /* members of [2^i, 2^(i+1)) */
};

static inline void size_classes_init(struct size_classes *classes) {
    for (uint32_t i = 0; i < SIZE_CLASSES; i++)
        list_init(&classes->lists[i]);
}

static inline uint32_t size_class_of(uint32_t size) {
    return 31u - (uint32_t)__builtin_clz(size | 1);
}

/* A member's size changes; one of size 0 is in no list. */
static inline void size_class_change(struct size_classes *classes, struct list *link, uint32_t before,
                                     uint32_t now) {
    if (before && now && size_class_of(before) == size_class_of(now))
        return;
    list_remove(link);
    if (now)
        list_add_tail(&classes->lists[size_class_of(now)], link);
}

/* A member that is at least half as large as the largest; NULL when there is none. */
static inline struct list *size_class_largest(const struct size_classes *classes) {
    for (uint32_t i = SIZE_CLASSES; i-- > 0;)
        if (!list_empty(&classes->lists[i]))
            return classes->lists[i].next;
    return NULL;
}

#endif
