/* SPDX-License-Identifier: MIT */
/*
 * configuration.c - see configuration.h.
 *
 * The files are read in four layers, the one that counts most first: the profile in the user's file, in the
 * machine's, and what holds always in each. An option that a layer says is closed for those after it. Within one layer
 * what may be said several times is joined, and what may not is an error.
 */
#include "shim/command/configuration.h"
#include "shim/command/fail.h"
#include "shim/command/option.h"
#include "shim/command/settings.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1u << 20)
#define MACHINE_FILE "/etc/barewire.conf"

struct file {
    char path[PATH_MAX];
    char *text; /* NULL: there is none, or it is not for this user to read */
    size_t length;
};

/* Where each option was said in this layer; 0: nowhere. */
struct layer {
    const struct file *file;
    bool closed[OPTION_COUNT];
    unsigned line[OPTION_COUNT];
};

static char *read_whole(int descriptor, const struct file *file, size_t *length) {
    char *text = malloc(FILE_BYTES_MAX + 1);
    ssize_t got = 1;
    for (*length = 0; text && got > 0 && *length <= FILE_BYTES_MAX; *length += got > 0 ? (size_t)got : 0)
        got = read(descriptor, text + *length, FILE_BYTES_MAX + 1 - *length);
    if (!text || got < 0)
        fail("can't read %s: %s", file->path, strerror(errno));
    if (*length > FILE_BYTES_MAX)
        fail("%s is larger than a configuration file may be: 1 MB", file->path);
    return text;
}

static void read_file(struct file *file) {
    int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor >= 0) {
        file->text = read_whole(descriptor, file, &file->length);
        close(descriptor);
    }
}

static bool find_own(struct file *file) {
    const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int length = folder && *folder
                     ? snprintf(file->path, sizeof file->path, "%s/barewire.conf", folder)
                     : snprintf(file->path, sizeof file->path, "%s/.config/barewire.conf", home ? home : "");
    return length > 0 && length < (int)sizeof file->path;
}

#define SHOWN(slice) (int)((slice).length < 200 ? (slice).length : 200), (slice).text

static _Noreturn void fail_unknown(const struct file *file, const struct setting *setting) {
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    nearest_begin(&near, setting->name.text, setting->name.length);
    option_names_try(&near);
    fail("%s, line %u: no such setting: %.*s%s", file->path, setting->line, SHOWN(setting->whole),
         nearest_hint(&near, "", hint));
}

static bool may_be_repeated(const struct option *option) {
    return option->kind == OPTION_LIST || option->kind == OPTION_ITEMS || option->kind == OPTION_TUNABLE;
}

static void take_setting(struct layer *layer, const struct setting *setting) {
    const char *path = layer->file->path;
    const struct option *option = option_of_setting(setting->name.text, setting->name.length);
    if (!option)
        fail_unknown(layer->file, setting);
    unsigned *before = &layer->line[option - options];
    if (*before && !may_be_repeated(option))
        fail("%s, line %u: %s is set already, in line %u", path, setting->line, option->name, *before);
    char *value = strndup(setting->value.text, setting->value.length);
    if (!value)
        fail("%s: there is no memory for it", path);
    bool open = !layer->closed[option - options] || option->kind == OPTION_TUNABLE;
    if (option->kind == OPTION_FLAG && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        fail("%s, line %u: %s is yes or no, not '%s'", path, setting->line, option->name, value);
    if (open)
        option_set(option, value, *before != 0);
    *before = setting->line;
    free(value);
}

/* One section of a file; the empty one is what stands before the first. Returns whether there is such a section. */
static bool read_layer(const struct file *file, const char *section) {
    static struct layer layer;
    struct settings settings;
    struct setting setting;
    bool found = false;
    layer = (struct layer){.file = file};
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        layer.closed[i] = options[i].variable && option_is_said(&options[i]);
    settings_begin(&settings, file->text, file->length);
    while (file->text && settings_next(&settings, &setting) != SETTING_END) {
        if (setting.kind == SETTING_WRONG)
            fail("%s, line %u: neither OPTION = VALUE nor [PROFILE]: %.*s", file->path, setting.line,
                 SHOWN(setting.whole));
        bool wanted = slice_is(setting.section, section);
        found |= wanted && setting.kind == SETTING_SECTION;
        if (wanted && setting.kind == SETTING_VALUE)
            take_setting(&layer, &setting);
    }
    return found;
}

static void try_sections(const struct file *file, struct nearest *nearest, char names[][NEAREST_BYTES],
                         unsigned *count, unsigned most) {
    struct settings settings;
    struct setting setting;
    settings_begin(&settings, file->text, file->length);
    while (file->text && *count < most && settings_next(&settings, &setting) != SETTING_END) {
        if (setting.kind != SETTING_SECTION || setting.section.length >= NEAREST_BYTES)
            continue;
        snprintf(names[*count], NEAREST_BYTES, "%.*s", SHOWN(setting.section));
        nearest_try(nearest, names[(*count)++]);
    }
}

#define SECTIONS_MAX 64 /* among which a nearest one is looked for */

static _Noreturn void fail_profile(const char *profile, const struct file *own, const struct file *machine) {
    static char names[SECTIONS_MAX][NEAREST_BYTES];
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    unsigned count = 0;
    nearest_begin(&near, profile, strlen(profile));
    try_sections(own, &near, names, &count, SECTIONS_MAX);
    try_sections(machine, &near, names, &count, SECTIONS_MAX);
    fail("no profile [%s] in %s or %s%s", profile, own->path, machine->path, nearest_hint(&near, "", hint));
}

void configuration_read(const char *profile) {
    static struct file own, machine = {.path = MACHINE_FILE};
    if (find_own(&own))
        read_file(&own);
    read_file(&machine);
    if (profile && *profile) {
        bool found = read_layer(&own, profile);
        found |= read_layer(&machine, profile);
        if (!found)
            fail_profile(profile, &own, &machine);
    }
    read_layer(&own, "");
    read_layer(&machine, "");
    free(own.text);
    free(machine.text);
    own.text = machine.text = NULL;
}
