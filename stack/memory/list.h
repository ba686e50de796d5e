/* SPDX-License-Identifier: MIT */
/*
 * list.h - intrusive circular doubly-linked lists.
 *
 * A struct list is both a list's head and a member's link. A link that is in no list points to itself, so
 * list_remove may be called on it. Everything is a plain pointer into the arena.
 */
#ifndef STACK_MEMORY_LIST_H
#define STACK_MEMORY_LIST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Walks a list; the current member may be removed on the way. */
#define list_for_each(position, following, head)                                          \
    for ((position) = (head)->next, (following) = (position)->next; (position) != (head); \
         (position) = (following), (following) = (position)->next)

static inline void list_init(struct list *list) {
    list->next = list->previous = list;
}

static inline bool list_empty(const struct list *list) {
    return list->next == list;
}

static inline void list_insert_between(struct list *link, struct list *previous, struct list *next) {
    link->previous = previous;
    link->next = next;
    atomic_signal_fence(
        memory_order_seq_cst); /* forwards, a list is whole at any instruction: see repair.h */
    previous->next = link;
    next->previous = link;
}

static inline void list_add_tail(struct list *head, struct list *link) {
    list_insert_between(link, head->previous, head);
}

static inline void list_add_head(struct list *head, struct list *link) {
    list_insert_between(link, head, head->next);
}

/* Takes a link out of its list, if it is in one, and leaves it in none. */
static inline void list_remove(struct list *link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

static inline void list_move_tail(struct list *head, struct list *link) {
    list_remove(link);
    list_add_tail(head, link);
}

static inline struct list *list_first(const struct list *head) {
    return list_empty(head) ? NULL : head->next;
}

#endif
