/* SPDX-License-Identifier: MIT */
/*
 * fail.c - see fail.h.
 */
#include "shim/command/fail.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES 1024

/* What a user or a file gave may have a line's end in it, or what moves a terminal's cursor. */
static void say(const char *format, va_list list) {
    char line[LINE_BYTES];
    vsnprintf(line, sizeof line, format, list);
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
    fprintf(stderr, "barewire: %s\n", line);
}

void fail_with(int status, const char *format, ...) {
    va_list list;
    va_start(list, format);
    say(format, list);
    va_end(list);
    exit(status);
}

void warn_user(const char *format, ...) {
    va_list list;
    va_start(list, format);
    say(format, list);
    va_end(list);
}
