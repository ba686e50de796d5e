/* SPDX-License-Identifier: MIT */
/*
 * find.c - the stacks of this user that run, for the command's tools.
 *
 * Stacks of this network namespace have abstract names, which /proc/net/unix lists whatever directory they
 * were started with; those of others, that were named by hand, have a door in this user's directory (ipc.h).
 * Whatever a name leads to counts only if this user listens there.
 */
#include "shim/keeper/tools/tool.h"
#include "shim/region/ipc.h"
#include <dirent.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int complain(const char *format, const char *value) {
    fprintf(stderr, "barewire: ");
    fprintf(stderr, format, value);
    fprintf(stderr, "\n");
    return -1;
}

/* Returns a connection, or -1; *stranger becomes true if it is another user who listens there. */
static int connect_to(struct ipc_address place, bool *stranger) {
    unsigned user;
    int ipc = place.length ? ipc_connect(&place, &user) : -1;
    if (ipc < 0 || user == geteuid())
        return ipc < 0 ? -1 : ipc;
    close(ipc);
    *stranger = true;
    return -1;
}

static bool is_alive(struct ipc_address place) {
    bool stranger;
    int ipc = connect_to(place, &stranger);
    if (ipc >= 0)
        close(ipc);
    return ipc >= 0;
}

#define NAMES_MAX 64
struct names {
    char text[NAMES_MAX][CONFIG_TEXT_BYTES];
    int count;
};

static void add(struct names *names, const char *name) {
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->text[i], name) == 0)
            return;
    if (names->count < NAMES_MAX)
        snprintf(names->text[names->count++], CONFIG_TEXT_BYTES, "%s", name);
}

static void look_in_namespace(struct names *names) {
    char line[512], start[40];
    FILE *list = fopen("/proc/net/unix", "re");
    int length = snprintf(start, sizeof start, " @barewire/name/%u/", geteuid());
    while (list && fgets(line, sizeof line, list)) {
        char *at = strstr(line, start);
        if (!at)
            continue;
        at += length;
        at[strcspn(at, "\n")] = 0;
        if (is_alive(ipc_of_name(geteuid(), at)))
            add(names, at);
    }
    if (list)
        fclose(list);
}

/* A name that was not given by hand begins with the number of the network namespace, and is found there. */
static bool is_by_hand(const char *name) {
    char *end;
    strtoul(name, &end, 10);
    return end == name || *end != '-' || !strchr(end, ':');
}

static void look_in_directory(struct names *names) {
    char directory[108];
    DIR *folder = config_find_directory(directory) ? opendir(directory) : NULL;
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && is_by_hand(entry->d_name) &&
            is_alive(ipc_of_path(directory, entry->d_name)))
            add(names, entry->d_name);
    if (folder)
        closedir(folder);
}

int tool_stacks(void (*visit)(const char *name, void *context), void *context) {
    static struct names names;
    names.count = 0;
    look_in_namespace(&names);
    look_in_directory(&names);
    for (int i = 0; i < names.count; i++)
        visit(names.text[i], context);
    return names.count;
}

static void append(const char *name, void *context) {
    char *text = context;
    size_t used = strlen(text);
    snprintf(text + used, 1024 - used, "%s%s", used ? ", " : "", name);
}

int tool_connect(struct config *config) {
    char error[CONFIG_ERROR_BYTES], names[1024] = "", directory[108];
    bool named = getenv("BAREWIRE_NAME") || getenv("BAREWIRE_NIC"), stranger = false;
    int count = named ? 1 : tool_stacks(append, names);
    if (count != 1)
        return complain(count ? "several stacks are running: %s; --name says which" : "no stack is running%s",
                        names);
    if (!named)
        setenv("BAREWIRE_NAME", names, 1);
    if (!config_read(config, error))
        return complain("%s", error);
    const char *interface = config_interface(config->nic);
    unsigned index = interface ? if_nametoindex(interface) : 0;
    int ipc = -1;
    for (uint32_t i = 0; ipc < 0 && i <= config->more_count; i++)
        ipc = connect_to(ipc_of_address(config->nic, index, ip_from_v4(config_address4(config, i).address)),
                         &stranger);
    for (int i = 0; ipc < 0 && i < config->count6; i++)
        ipc = connect_to(ipc_of_address(config->nic, index, config->addresses6[i].address), &stranger);
    if (ipc < 0)
        ipc = connect_to(ipc_of_name(geteuid(), config->name), &stranger);
    if (ipc < 0 && config_find_directory(directory))
        ipc = connect_to(ipc_of_path(directory, config->name), &stranger);
    if (ipc < 0)
        complain(stranger ? "stack '%s' is another user's" : "no stack named '%s' is running", config->name);
    return ipc;
}
