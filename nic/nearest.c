/* SPDX-License-Identifier: MIT */
/*
 * nearest.c - see nearest.h.
 */
#include "nic/nearest.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ABBREVIATION_MIN 3 /* letters by which a word's beginning names it */

void nearest_begin(struct nearest *nearest, const char *typed, size_t length) {
    *nearest = (struct nearest){.typed = typed, .length = length, .distance = (length + 2) / 3 + 1};
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The lengths are below NEAREST_BYTES. Three rows of the table are enough: a row is made of the two before it. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length) {
    uint8_t rows[3][NEAREST_BYTES];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = (uint8_t)j;
    for (size_t i = 1; i <= a_length; i++) {
        uint8_t *row = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = before[j - 1] + (size_t)(a[i - 1] != b[j - 1]);
            size_t cost = least(changed, least(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost = least(cost, earlier[j - 2] + 1u);
            row[j] = (uint8_t)cost;
        }
    }
    return rows[a_length % 3][b_length];
}

/* tcp_sack is net.ipv4.tcp_sack, and addr is address. */
static int is_part_of(const struct nearest *nearest, const char *word, size_t length) {
    if (nearest->length < ABBREVIATION_MIN || nearest->length >= length)
        return 0;
    const char *end = word + length - nearest->length;
    return memcmp(word, nearest->typed, nearest->length) == 0 ||
           (end[-1] == '.' && memcmp(end, nearest->typed, nearest->length) == 0);
}

void nearest_try(struct nearest *nearest, const char *word) {
    size_t length = strlen(word);
    if (nearest->length == 0 || nearest->length >= NEAREST_BYTES || length >= NEAREST_BYTES)
        return;
    size_t away =
        is_part_of(nearest, word, length) ? 1 : distance(nearest->typed, nearest->length, word, length);
    if (away < nearest->distance) {
        nearest->distance = away;
        nearest->word = word;
    }
}

const char *nearest_hint(const struct nearest *nearest, const char *before, char *hint) {
    *hint = 0;
    if (nearest->word)
        snprintf(hint, NEAREST_HINT_BYTES, "; did you mean '%s%s'?", before, nearest->word);
    return hint;
}
