/* SPDX-License-Identifier: MIT */
/*
 * option.c - see option.h.
 */
#include "shim/command/option.h"
#include "shim/command/fail.h"
#include "shim/command/help.h"
#include "shim/region/elf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct option options[OPTION_COUNT] = {
    {"nic", 'i', "BAREWIRE_NIC", OPTION_NIC},
    {"address", 'a', "BAREWIRE_ADDRESS", OPTION_LIST},
    {"gateway", 'g', "BAREWIRE_GATEWAY", OPTION_LIST},
    {"no-ipv6", 0, "BAREWIRE_NO_IPV6", OPTION_FLAG},
    {"dns", 0, "BAREWIRE_DNS", OPTION_ITEMS},
    {"mac", 0, "BAREWIRE_MAC", OPTION_TEXT},
    {"mtu", 0, "BAREWIRE_MTU", OPTION_TEXT},
    {"publish", 0, "BAREWIRE_PUBLISH", OPTION_ITEMS},
    {"loopback", 0, "BAREWIRE_LOOPBACK", OPTION_TEXT},
    {"name", 0, "BAREWIRE_NAME", OPTION_TEXT},
    {"sysctl", 0, "BAREWIRE_SYSCTL", OPTION_TUNABLE},
    {"spin", 0, "BAREWIRE_SPIN", OPTION_TEXT},
    {"impair", 0, "BAREWIRE_IMPAIR", OPTION_ITEMS},
    {"verbose", 'v', "BAREWIRE_VERBOSE", OPTION_FLAG},
    {"trace", 0, "BAREWIRE_TRACE", OPTION_TRACE},
    {"output", 'o', "BAREWIRE_TRACE_FILE", OPTION_FILE},
    {"pcap", 0, "BAREWIRE_PCAP", OPTION_FILE},
    {"record", 0, "BAREWIRE_RECORD", OPTION_FILE},
    {"strict", 0, "BAREWIRE_STRICT", OPTION_FLAG},
    {"io-uring", 0, "BAREWIRE_IO_URING", OPTION_TEXT},
    {"profile", 'P', NULL, OPTION_PROFILE},
    {"explain", 0, NULL, OPTION_EXPLAIN},
    {"help", 'h', NULL, OPTION_HELP},
    {"version", 0, NULL, OPTION_VERSION},
};

/* Said on the command line: a list goes on, and a flag that is "no" leaves no variable. */
static bool said[OPTION_COUNT];

static void set_variable(const char *name, const char *value) {
    if (setenv(name, value, 1) < 0)
        fail("%s: there is no memory for it", name);
}

/* Sets a variable to two texts, with a comma between them if there are two. */
static void join(const char *name, const char *first, const char *second) {
    char *both;
    if (!first || !*first || !second) {
        set_variable(name, first && *first ? first : second ? second : "");
        return;
    }
    if (asprintf(&both, "%s,%s", first, second) < 0)
        fail("%s: there is no memory for it", name);
    set_variable(name, both);
    free(both);
}

/* A path as it is from here: the keeper runs in another folder than the program. */
static void set_path(const char *name, const char *kind, const char *path) {
    char *here = NULL, *whole;
    if (*path && *path != '/' && !(here = get_current_dir_name()))
        fail("can't tell the current directory, where '%s' would be; give an absolute path", path);
    if (asprintf(&whole, "%s%s%s%s", kind, here ? here : "", here ? "/" : "", path) < 0)
        fail("%s: there is no memory for it", name);
    set_variable(name, whole);
    free(whole);
    free(here);
}

static bool set_flag(const struct option *option, const char *value) {
    if (strcmp(value, "yes") == 0)
        set_variable(option->variable, "1");
    else if (strcmp(value, "no") == 0)
        unsetenv(option->variable);
    else
        return false;
    said[option - options] = true;
    return true;
}

bool option_is_said(const struct option *option) {
    return said[option - options] || getenv(option->variable);
}

bool option_set(const struct option *option, const char *value, bool more) {
    const char *name = option->variable, *before = getenv(name);
    switch (option->kind) {
    case OPTION_LIST:
    case OPTION_ITEMS:
        join(name, more ? before : NULL, value);
        return true;
    case OPTION_NIC:
        if (strncmp(value, "lan:", 4) == 0 && value[4])
            set_path(name, "lan:", value + 4);
        else
            set_variable(name, value);
        return true;
    case OPTION_FILE:
        set_path(name, "", value);
        return true;
    case OPTION_TUNABLE: /* a setting counts less than what was said before, which has to come later */
        join(name, value, before);
        return true;
    case OPTION_FLAG:
        return set_flag(option, value);
    default:
        set_variable(name, value);
        return true;
    }
}

static bool is_setting(const struct option *option) {
    return option->variable != NULL;
}

const struct option *option_of_setting(const char *name, size_t length) {
    for (const struct option *option = options; option < options + OPTION_COUNT; option++)
        if (is_setting(option) && strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    return NULL;
}

void option_names_try(struct nearest *nearest) {
    for (const struct option *option = options; option < options + OPTION_COUNT; option++)
        if (is_setting(option))
            nearest_try(nearest, option->name);
}

static bool takes_value(const struct option *option) {
    return option->kind < OPTION_TRACE || option->kind == OPTION_PROFILE;
}

/* What an option of the command line says. `value`: NULL if it has none. */
static void take(const struct option *option, const char *value, struct asked *asked) {
    bool *before = &said[option - options];
    switch (option->kind) {
    case OPTION_FLAG:
        if (!set_flag(option, value ? value : "yes"))
            fail("--%s takes yes or no, if anything", option->name);
        return;
    case OPTION_TRACE:
        set_variable(option->variable, value ? value : "");
        return;
    case OPTION_TUNABLE:
        join(option->variable, getenv(option->variable), value);
        return;
    case OPTION_PROFILE:
        asked->profile = value;
        return;
    case OPTION_EXPLAIN:
        asked->explain = true;
        return;
    case OPTION_HELP:
        if (value && strcmp(value, "all") != 0)
            help_of_command(value);
        help_show(value ? HELP_ALL : HELP_SHORT);
    case OPTION_VERSION:
        help_version();
    default:
        option_set(option, value, *before && option->kind == OPTION_LIST);
        *before = true;
    }
}

/* --trace tcp COMMAND: the commonest slip with it, unless there is a program of that name. */
static void check_trace(const char *next) {
    static const char *const groups[] = {"call", "tcp", "ip", "arp", "frame"};
    char room[4096];
    for (const char *at = next; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        bool known = false;
        for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
            known |= strlen(groups[i]) == strcspn(at, ",") && strncmp(at, groups[i], strlen(groups[i])) == 0;
        if (!known)
            return;
    }
    if (next && !program_find(next, room))
        fail("--trace takes its groups behind an equals sign: --trace=%s", next);
}

static _Noreturn void fail_unknown(const char *word, const char *name, size_t length) {
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    nearest_begin(&near, name, length);
    for (const struct option *option = options; option < options + OPTION_COUNT; option++)
        nearest_try(&near, option->name);
    nearest_hint(&near, "--", hint);
    fail("no option %s%s", word, *hint ? hint : "; 'barewire --help all' lists them");
}

static const char *needed_value(const char *option, const char *value) {
    if (!value)
        fail("option %s needs a value", option);
    return value;
}

/* --NAME, --NAME=VALUE or --NAME VALUE. Returns how many words it takes. */
static unsigned read_long(char **words, struct asked *asked) {
    const char *name = words[0] + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option *option = options;
    while (option < options + OPTION_COUNT &&
           (strlen(option->name) != length || memcmp(option->name, name, length) != 0))
        option++;
    if (option == options + OPTION_COUNT)
        fail_unknown(words[0], name, length);
    bool separate = takes_value(option) && !equals;
    if (option->kind == OPTION_TRACE && !equals)
        check_trace(words[1]);
    if (equals && (option->kind == OPTION_EXPLAIN || option->kind == OPTION_VERSION))
        fail("--%s takes no value", option->name);
    if (separate)
        needed_value(words[0], words[1]);
    bool all = option->kind == OPTION_HELP && !equals;
    take(option, equals ? equals + 1 : separate || all ? words[1] : NULL, asked);
    return separate ? 2 : 1;
}

static const struct option *option_of_letter(char letter) {
    for (const struct option *option = options; option < options + OPTION_COUNT; option++)
        if (letter && option->letter == letter)
            return option;
    return NULL;
}

/* Letters of which the last may have a value, in the same word or the next: -vi bw0, -vibw0. Returns how many
 * words it takes. */
static unsigned read_letters(char **words, struct asked *asked) {
    for (const char *letter = words[0] + 1; *letter; letter++) {
        const struct option *option = option_of_letter(*letter);
        const char name[] = {'-', *letter, 0};
        if (!option)
            fail_unknown(words[0], letter, strlen(letter));
        if (!takes_value(option)) {
            take(option, option->kind == OPTION_HELP && !letter[1] ? words[1] : NULL, asked);
            continue;
        }
        take(option, letter[1] ? letter + 1 : needed_value(name, words[1]), asked);
        return letter[1] ? 1 : 2;
    }
    return 1;
}

char **options_read(char **words, struct asked *asked, bool *literal) {
    *literal = false;
    while (*words && **words == '-') {
        if (strcmp(*words, "--") == 0) {
            *literal = true;
            return words + 1;
        }
        if (strcmp(*words, "-") == 0)
            fail("no option -; 'barewire --help all' lists them");
        words += (*words)[1] == '-' ? read_long(words, asked) : read_letters(words, asked);
    }
    return words;
}
