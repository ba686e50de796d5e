/* SPDX-License-Identifier: MIT */
/*
 * option.h - the options, as words of the command line and as settings of a configuration file. Each becomes a
 * variable of the environment, which the library and the keeper read (shim/region/config.h).
 */
#ifndef SHIM_COMMAND_OPTION_H
#define SHIM_COMMAND_OPTION_H

#include "nic/nearest.h"
#include <stdbool.h>
#include <stddef.h>

enum option_kind {
    OPTION_TEXT,
    OPTION_LIST,  /* several are joined by commas, on the command line and in a section */
    OPTION_ITEMS, /* ... in a section alone: on the command line the last counts */
    OPTION_NIC,
    OPTION_FILE,
    OPTION_TUNABLE, /* all that are said are joined; of one that is said twice the later counts */
    OPTION_TRACE,   /* its value, if any, is behind an equals sign */
    OPTION_FLAG,    /* yes or no; by itself: yes */
    /* Of the command line alone: */
    OPTION_PROFILE,
    OPTION_EXPLAIN,
    OPTION_HELP,
    OPTION_VERSION,
};

struct option {
    const char *name;
    char letter;          /* 0: none */
    const char *variable; /* NULL: none */
    enum option_kind kind;
};

extern const struct option options[];
#define OPTION_COUNT 24

/* What the command line says that is no variable. */
struct asked {
    const char *profile; /* NULL: none */
    bool explain;
};

/* Reads options up to the first word that is none, or behind "--". Returns that word's place; *literal becomes
 * true if it stands behind "--", so that it is a program whatever its name is. */
char **options_read(char **words, struct asked *asked, bool *literal);

/* The option of that name, of which a configuration file has settings; NULL: there is none. */
const struct option *option_of_setting(const char *name, size_t length);

/* Whether the environment or the command line says it already. */
bool option_is_said(const struct option *option);

/* What a setting says. `more`: after another one of the same section. False: a flag's value is neither yes nor no.
 */
bool option_set(const struct option *option, const char *value, bool more);

/* Compares a word with the names of all that may be settings. */
void option_names_try(struct nearest *nearest);

#endif
