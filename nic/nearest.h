/* SPDX-License-Identifier: MIT */
/*
 * nearest.h - which of the words that there are was meant by a mistyped one: what an error suggests.
 */
#ifndef NIC_NEAREST_H
#define NIC_NEAREST_H

#include <stddef.h>

#define NEAREST_BYTES 64 /* of a word: a longer one is like no other */
#define NEAREST_HINT_BYTES 100

struct nearest {
    const char *typed;
    size_t length;
    const char *word; /* the nearest so far; NULL: none is near */
    size_t distance;
};

/* Begins with a word of `length` bytes that there is not. It must last until the end. */
void nearest_begin(struct nearest *nearest, const char *typed, size_t length);

/* Compares it with a word that there is. One is near when a third of the mistyped word's letters, or less, are
 * missing, too many, wrong, or exchanged with their neighbours (Damerau and Levenshtein's distance, in the form
 * that changes no letter twice); also when the mistyped word is its beginning, or what it has behind a dot. */
void nearest_try(struct nearest *nearest, const char *word);

/* Writes "; did you mean 'WORD'?", with `before` at the word's beginning, or nothing when no word is near.
 * Returns `hint`, which has NEAREST_HINT_BYTES. */
const char *nearest_hint(const struct nearest *nearest, const char *before, char *hint);

#endif
