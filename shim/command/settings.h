/* SPDX-License-Identifier: MIT */
/*
 * settings.h - the form of a configuration file, barewire.conf(5): lines NAME = VALUE, sections [PROFILE],
 * comments that begin with #, and empty lines. What is read is memory; nothing is copied, changed or opened.
 */
#ifndef SHIM_COMMAND_SETTINGS_H
#define SHIM_COMMAND_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/* A part of the file, without an end of its own. */
struct slice {
    const char *text;
    size_t length;
};

struct settings {
    const char *at, *end;
    unsigned line; /* of the last one that was read; the first is 1 */
    struct slice section;
};

enum setting_kind {
    SETTING_END,
    SETTING_SECTION, /* a section begins */
    SETTING_VALUE,
    SETTING_WRONG, /* a line that is none of these */
};

struct setting {
    enum setting_kind kind;
    unsigned line;
    struct slice section;     /* in which it is; empty: before the first */
    struct slice name, value; /* of SETTING_VALUE, without the blanks around them */
    struct slice whole;       /* the line, likewise */
};

void settings_begin(struct settings *settings, const char *text, size_t length);

/* Reads on to the next line that says something. After SETTING_END there is nothing more. */
enum setting_kind settings_next(struct settings *settings, struct setting *setting);

/* Whether a part of the file is this word. */
bool slice_is(struct slice slice, const char *word);

#endif
