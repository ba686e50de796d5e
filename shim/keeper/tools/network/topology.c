/* SPDX-License-Identifier: MIT */
/*
 * topology.c - see topology.h: the file.
 */
#include "shim/keeper/tools/network/topology.h"
#include "nic/nearest.h"
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES 4096

enum kind { TEXT, NUMBER, LIST };

struct field {
    const char *section, *key;
    enum kind kind;
    size_t at, room; /* in the section's struct */
};

#define FIELD(section, type, kind, key) \
    { #section, #key, kind, offsetof(struct type, key), sizeof(((struct type *)0)->key) }

static const struct field fields[] = {
    FIELD(lan, topology_lan, TEXT, kind),
    FIELD(lan, topology_lan, TEXT, rate),
    FIELD(lan, topology_lan, TEXT, delay),
    FIELD(lan, topology_lan, TEXT, ber),
    FIELD(lan, topology_lan, TEXT, outage),
    FIELD(router, topology_router, LIST, ports),
    FIELD(router, topology_router, LIST, map),
    FIELD(router, topology_router, TEXT, nat),
    FIELD(station, topology_station, TEXT, lan),
    FIELD(station, topology_station, TEXT, impair),
    FIELD(station, topology_station, TEXT, sysctl),
    FIELD(station, topology_station, TEXT, run),
    FIELD(station, topology_station, TEXT, serve),
    FIELD(station, topology_station, NUMBER, mtu),
    FIELD(station, topology_station, NUMBER, listen),
    FIELD(station, topology_station, LIST, expect),
    FIELD(network, topology, NUMBER, seed),
    FIELD(network, topology, NUMBER, timeout),
};

struct reader {
    struct topology *topology;
    char *error;
    int line;
    const char *section; /* whose keys come */
    char *into;          /* its struct */
};

static bool fail(struct reader *reader, const char *wrong, const char *what) {
    snprintf(reader->error, TOPOLOGY_ERROR_BYTES, "line %d: %s '%.60s'", reader->line, wrong, what);
    return false;
}

/* The same, and what may have been meant. */
static bool fail_near(struct reader *reader, const char *wrong, const char *what,
                      const struct nearest *near) {
    char hint[NEAREST_HINT_BYTES];
    fail(reader, wrong, what);
    size_t used = strlen(reader->error);
    snprintf(reader->error + used, TOPOLOGY_ERROR_BYTES - used, "%s", nearest_hint(near, "", hint));
    return false;
}

static const char *skip_space(const char *at) {
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

static bool ends(const char *at) {
    at = skip_space(at);
    return *at == 0 || *at == '#';
}

/* "text" or 'text', copied; where it ends, or NULL. */
static const char *read_text(const char *at, char *to, size_t room) {
    char quote = *at;
    size_t used = 0;
    if (quote != '"' && quote != '\'')
        return NULL;
    for (at++; *at && *at != quote; at++) {
        char byte = *at;
        if (byte == '\\' && quote == '"') {
            byte = *++at;
            if (byte == 'n')
                byte = '\n';
            else if (byte != '"' && byte != '\\')
                return NULL;
        }
        if (used + 1 >= room)
            return NULL;
        to[used++] = byte;
    }
    to[used] = 0;
    return *at == quote ? at + 1 : NULL;
}

static const char *read_list(const char *at, struct topology_list *list) {
    list->count = 0;
    if (*at++ != '[')
        return NULL;
    for (at = skip_space(at); *at != ']'; at = skip_space(at)) {
        if (list->count == TOPOLOGY_LIST_MAX ||
            !(at = read_text(at, list->text[list->count], sizeof list->text[0])))
            return NULL;
        list->count++;
        at = skip_space(at);
        if (*at == ',')
            at++;
        else if (*at != ']')
            return NULL;
    }
    return at + 1;
}

static const char *read_number(const char *at, int64_t *number) {
    int64_t value = 0;
    if (!isdigit((unsigned char)*at))
        return NULL;
    for (; isdigit((unsigned char)*at); at++)
        if ((value = value * 10 + (*at - '0')) > INT32_MAX)
            return NULL;
    *number = value;
    return at;
}

static bool read_value(struct reader *reader, const struct field *field, const char *at) {
    char *to = reader->into + field->at;
    const char *end = field->kind == TEXT     ? read_text(at, to, field->room)
                      : field->kind == NUMBER ? read_number(at, (int64_t *)(void *)to)
                                              : read_list(at, (struct topology_list *)(void *)to);
    if (!end || !ends(end))
        return fail(reader,
                    field->kind == TEXT     ? "a text in quotes, not too long, is wanted, not"
                    : field->kind == NUMBER ? "a whole number is wanted, not"
                                            : "a list of texts is wanted, not",
                    at);
    return true;
}

/* family = "ipv4", "ipv6" or "both" */
static bool read_family(struct reader *reader, const char *at) {
    char text[8];
    const char *end = read_text(at, text, sizeof text);
    bool both = end && strcmp(text, "both") == 0;
    reader->topology->ipv4 = both || (end && strcmp(text, "ipv4") == 0);
    reader->topology->ipv6 = both || (end && strcmp(text, "ipv6") == 0);
    return (end && ends(end) && (reader->topology->ipv4 || reader->topology->ipv6)) ||
           fail(reader, "family is \"ipv4\", \"ipv6\" or \"both\", not", at);
}

static bool read_key(struct reader *reader, const char *line) {
    size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
    const char *at = skip_space(line + length);
    if (length == 0 || *at != '=')
        return fail(reader, "KEY = VALUE, or [KIND.NAME], is wanted, not", line);
    at = skip_space(at + 1);
    if (strcmp(reader->section, "network") == 0 && length == 6 && strncmp(line, "family", 6) == 0)
        return read_family(reader, at);
    struct nearest near;
    nearest_begin(&near, line, length);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].section, reader->section) != 0)
            continue;
        if (strlen(fields[i].key) == length && strncmp(fields[i].key, line, length) == 0)
            return read_value(reader, &fields[i], at);
        nearest_try(&near, fields[i].key);
    }
    if (strcmp(reader->section, "network") == 0)
        nearest_try(&near, "family");
    return fail_near(reader, "a key that is not known here:", line, &near);
}

/* The struct of a new section; NULL: no more of that kind. */
static char *new_section(struct topology *topology, const char *kind) {
    if (strcmp(kind, "lan") == 0 && topology->lan_count < TOPOLOGY_LANS_MAX) {
        struct topology_lan *lan = &topology->lans[topology->lan_count++];
        strcpy(lan->kind, "switch");
        return lan->name;
    }
    if (strcmp(kind, "router") == 0 && topology->router_count < TOPOLOGY_ROUTERS_MAX)
        return topology->routers[topology->router_count++].name;
    if (strcmp(kind, "station") == 0 && topology->station_count < TOPOLOGY_STATIONS_MAX)
        return topology->stations[topology->station_count++].name;
    return NULL;
}

static bool is_taken(const struct topology *topology, const char *name) {
    bool taken = false;
    for (int i = 0; i < topology->lan_count; i++)
        taken |= strcmp(topology->lans[i].name, name) == 0;
    for (int i = 0; i < topology->router_count; i++)
        taken |= strcmp(topology->routers[i].name, name) == 0;
    for (int i = 0; i < topology->station_count; i++)
        taken |= strcmp(topology->stations[i].name, name) == 0;
    return taken;
}

/* [lan.a] */
static bool read_section(struct reader *reader, const char *line) {
    static const char *const kinds[] = {"lan", "router", "station"};
    struct nearest near;
    nearest_begin(&near, line + 1, strcspn(line + 1, ".]"));
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(kinds[i]);
        nearest_try(&near, kinds[i]);
        if (strncmp(line + 1, kinds[i], length) != 0 || line[1 + length] != '.')
            continue;
        const char *name = line + 2 + length;
        size_t bytes = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
        char copy[TOPOLOGY_NAME_BYTES];
        if (bytes == 0 || bytes >= TOPOLOGY_NAME_BYTES || name[bytes] != ']' || !ends(name + bytes + 1))
            return fail(reader, "a name of letters, digits and '-', up to 31, is wanted in", line);
        snprintf(copy, sizeof copy, "%.*s", (int)bytes, name);
        if (is_taken(reader->topology, copy))
            return fail(reader, "a name is there twice:", copy);
        reader->section = kinds[i];
        if (!(reader->into = new_section(reader->topology, kinds[i])))
            return fail(reader, "there are too many of them:", line);
        memcpy(reader->into, copy, sizeof copy); /* the name is the first member of each */
        return true;
    }
    return fail_near(reader, "[lan.NAME], [router.NAME] or [station.NAME] is wanted, not", line, &near);
}

bool topology_read(struct topology *topology, const char *text, char *error) {
    struct reader reader = {topology, error, 0, "network", (char *)topology};
    memset(topology, 0, sizeof *topology);
    topology->ipv4 = true;
    topology->timeout = 60;
    while (*text) {
        char line[LINE_BYTES];
        size_t length = strcspn(text, "\n");
        reader.line++;
        if (length >= sizeof line)
            return fail(&reader, "a line is too long", "");
        memcpy(line, text, length);
        line[length] = 0;
        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = 0;
        text += length + (text[length] == '\n');
        const char *at = skip_space(line);
        if (!ends(at) && !(*at == '[' ? read_section(&reader, at) : read_key(&reader, at)))
            return false;
    }
    return topology_plan(topology, error);
}
