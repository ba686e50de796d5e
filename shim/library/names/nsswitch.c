/* SPDX-License-Identifier: MIT */
/*
 * nsswitch.c - see nsswitch.h.
 */
#include "shim/library/names/nsswitch.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FILE_NAME "/etc/nsswitch.conf"
#define LINE_BYTES 1024
#define STATUSES (NSS_STATUS_SUCCESS - NSS_STATUS_TRYAGAIN + 1)

static const char *skip_space(const char *at) {
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

/* Whether a word of the line is this one, whatever the case; moves behind it. */
static bool take_word(const char **at, const char *word) {
    size_t length = strlen(word);
    if (strncasecmp(*at, word, length) != 0 || isalpha((unsigned char)(*at)[length]))
        return false;
    *at += length;
    return true;
}

static int take_status(const char **at) {
    static const char *const names[STATUSES] = {"TRYAGAIN", "UNAVAIL", "NOTFOUND", "SUCCESS"};
    for (int i = 0; i < STATUSES; i++)
        if (take_word(at, names[i]))
            return i;
    return -1;
}

/* "!STATUS=ACTION" sets the action of all others. Merging is for groups, not for hosts. */
static bool take_criterion(const char **at, struct nsswitch_source *source) {
    bool others = **at == '!';
    if (others)
        ++*at;
    int status = take_status(at);
    *at = skip_space(*at);
    if (status < 0 || **at != '=')
        return false;
    *at = skip_space(*at + 1);
    bool ends = take_word(at, "return");
    if (!ends && !take_word(at, "continue"))
        return false;
    for (int i = 0; i < STATUSES; i++)
        if ((i == status) != others)
            source->ends[i] = ends;
    return true;
}

static bool take_criteria(const char **at, struct nsswitch_source *source) {
    *at = skip_space(*at + 1);
    do {
        if (!take_criterion(at, source))
            return false;
        *at = skip_space(*at);
    } while (**at && **at != ']');
    if (**at != ']')
        return false;
    *at = skip_space(*at + 1);
    return true;
}

bool nsswitch_parse(const char *line, struct nsswitch *nsswitch) {
    const char *at = skip_space(line);
    nsswitch->count = 0;
    while (*at && *at != '#' && nsswitch->count < NSSWITCH_SOURCES_MAX) {
        struct nsswitch_source *source = &nsswitch->sources[nsswitch->count];
        size_t length = strcspn(at, " \t\r\n[#");
        if (length == 0 || length >= sizeof source->name)
            return false;
        *source = (struct nsswitch_source){.ends = {[NSS_STATUS_SUCCESS - NSS_STATUS_TRYAGAIN] = true}};
        memcpy(source->name, at, length);
        at = skip_space(at + length);
        if (*at == '[' && !take_criteria(&at, source))
            return false;
        nsswitch->count++;
    }
    return nsswitch->count > 0;
}

void nsswitch_read(struct nsswitch *nsswitch) {
    char line[LINE_BYTES];
    bool found = false;
    FILE *file = fopen(FILE_NAME, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *at = skip_space(line);
        if (strncmp(at, "hosts", 5) != 0)
            continue;
        at = skip_space(at + 5);
        found = *at == ':' && nsswitch_parse(at + 1, nsswitch);
    }
    if (file)
        fclose(file);
    if (!found)
        nsswitch_parse("files dns", nsswitch);
}
