/* SPDX-License-Identifier: MIT */
/*
 * units.c - see units.h.
 */
#include "nic/units.h"
#include <stdlib.h>
#include <string.h>

bool units_read(const char *text, const struct unit *units, double most, double *value) {
    char *end;
    double number = strtod(text, &end);
    if (end == text || !(number >= 0))
        return false;
    for (; units->name; units++) {
        if (strcmp(end, units->name) != 0)
            continue;
        *value = number * units->worth;
        return *value <= most;
    }
    return false;
}
