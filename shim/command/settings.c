/* SPDX-License-Identifier: MIT */
/*
 * settings.c - see settings.h.
 */
#include "shim/command/settings.h"
#include <string.h>

static bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trimmed(const char *start, const char *end) {
    while (start < end && is_blank(*start))
        start++;
    while (start < end && is_blank(end[-1]))
        end--;
    return (struct slice){start, (size_t)(end - start)};
}

bool slice_is(struct slice slice, const char *word) {
    return strlen(word) == slice.length && memcmp(slice.text, word, slice.length) == 0;
}

void settings_begin(struct settings *settings, const char *text, size_t length) {
    *settings = (struct settings){.at = text, .end = text + length, .section = {text, 0}};
}

static enum setting_kind read_line(struct settings *settings, struct setting *setting) {
    const char *start = setting->whole.text, *end = start + setting->whole.length;
    const char *equals = memchr(start, '=', setting->whole.length);
    if (memchr(start, 0, setting->whole.length))
        return SETTING_WRONG; /* a text for the environment ends there */
    if (*start == '[' && end - start > 1 && end[-1] == ']') {
        settings->section = setting->section = (struct slice){start + 1, setting->whole.length - 2};
        return SETTING_SECTION;
    }
    if (!equals)
        return SETTING_WRONG;
    setting->name = trimmed(start, equals);
    setting->value = trimmed(equals + 1, end);
    return SETTING_VALUE;
}

enum setting_kind settings_next(struct settings *settings, struct setting *setting) {
    while (settings->at < settings->end) {
        const char *start = settings->at;
        const char *newline = memchr(start, '\n', (size_t)(settings->end - start));
        const char *end = newline ? newline : settings->end;
        settings->at = newline ? newline + 1 : settings->end;
        settings->line++;
        *setting = (struct setting){
            .line = settings->line, .section = settings->section, .whole = trimmed(start, end)};
        if (setting->whole.length > 0 && *setting->whole.text != '#')
            return setting->kind = read_line(settings, setting);
    }
    *setting = (struct setting){.kind = SETTING_END, .line = settings->line, .section = settings->section};
    return SETTING_END;
}
