/* SPDX-License-Identifier: MIT */
/*
 * finding.c - see finding.h.
 */
#include "shim/keeper/tools/report/finding.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 2u

bool array_grow(void **array, uint32_t count, uint32_t *room, size_t size) {
    if (count < *room)
        return true;
    uint32_t more = *room ? *room * 2 : ROOM_FIRST;
    void *grown = more > *room ? realloc(*array, more * size) : NULL;
    if (!grown)
        return false;
    *array = grown;
    *room = more;
    return true;
}

void finding_add(struct finding **findings, uint32_t *count, uint32_t *room, const char *name,
                 enum whose whose, uint32_t times, uint64_t at_ns, const char *format, ...) {
    if (!array_grow((void **)findings, *count, room, sizeof **findings))
        return;
    struct finding *finding = &(*findings)[(*count)++];
    *finding = (struct finding){.name = name, .whose = whose, .side = -1, .count = times, .at_ns = at_ns};
    char text[sizeof finding->text + sizeof finding->title];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t title = strcspn(text, "|");
    snprintf(finding->title, sizeof finding->title, "%.*s", (int)title, text);
    snprintf(finding->text, sizeof finding->text, "%s", text[title] ? text + title + 1 : "");
}

const char *finding_owner(enum whose whose) {
    static const char *const owners[] = {[WHOSE_NETWORK] = "network",
                                         [WHOSE_SENDER] = "sending program",
                                         [WHOSE_RECEIVER] = "receiving program",
                                         [WHOSE_HOST] = "host",
                                         [WHOSE_CAPTURE] = "capture"};
    return owners[whose];
}
