/* SPDX-License-Identifier: MIT */
/*
 * hash.h - chains of a hash table whose zero-filled state is empty, so that a large table costs no memory
 * until used.
 */
#ifndef STACK_MEMORY_HASH_H
#define STACK_MEMORY_HASH_H

#include <stddef.h>

struct hash_link {
    struct hash_link *next;
    struct hash_link **back; /* what points to this link; NULL when it is in no chain */
};

static inline void hash_add(struct hash_link **chain, struct hash_link *link) {
    link->next = *chain;
    link->back = chain;
    if (link->next)
        link->next->back = &link->next;
    *chain = link;
}

static inline void hash_remove(struct hash_link *link) {
    if (!link->back)
        return;
    *link->back = link->next;
    if (link->next)
        link->next->back = link->back;
    link->next = NULL;
    link->back = NULL;
}

#endif
