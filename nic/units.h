/* SPDX-License-Identifier: MIT */
/*
 * units.h - numbers with units, as options have them: 20ms, 100mbit, 1%.
 */
#ifndef NIC_UNITS_H
#define NIC_UNITS_H

#include <stdbool.h>

struct unit {
    const char *name;
    double worth;
};

/* Reads a number that has one of the units that are allowed (a list that ends with NULL), and makes it what
 * it is worth. False: it is none, negative, or more than `most`. */
bool units_read(const char *text, const struct unit *units, double most, double *value);

#endif
