/* SPDX-License-Identifier: MIT */
/*
 * ls.c - `barewire ls`: this user's stacks that run, and who is on them.
 */
#include "shim/keeper/tools/tool.h"
#include "shim/region/ipc.h"
#include "shim/region/region.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void add_process(const void *object, void *context) {
    struct process process;
    char path[40], name[32] = "?", *text = context;
    memcpy(&process, object, sizeof process);
    if (process.pid <= 0)
        return;
    snprintf(path, sizeof path, "/proc/%d/comm", process.pid);
    FILE *file = fopen(path, "re");
    if (file && fgets(name, sizeof name, file))
        name[strcspn(name, "\n")] = 0;
    if (file)
        fclose(file);
    size_t used = strlen(text);
    if (used < 400)
        snprintf(text + used, 480 - used, "%s%s (%d)", used ? ", " : "", name, process.pid);
}

/* IPv4's addresses, and the first of IPv6 that is not the link's alone. */
static void write_address(const struct stack *stack, char *text, size_t room) {
    const struct ip6_addresses *addresses = &stack->ip6.addresses;
    char host[IP_ADDRESS_TEXT];
    size_t used = 0;
    snprintf(text, room, "-");
    for (uint32_t i = 0; i < stack->addresses4.count && i < IP4_ADDRESSES_MAX; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%s/%u", used ? " " : "",
                                 ip_text(ip_from_v4(stack->addresses4.entries[i].address), host),
                                 stack->addresses4.entries[i].prefix_length);
    for (uint32_t i = 0; i < addresses->count && i < IP6_ADDRESSES_MAX; i++) {
        const struct ip6_address *entry = &addresses->entries[i];
        if (ip_is_link_local(entry->address))
            continue;
        snprintf(text + used, room - used, "%s%s/%u", used ? " " : "", ip_text(entry->address, host),
                 entry->prefix_length);
        return;
    }
}

static void show(const char *name) {
    char programs[480] = "", address[(1 + IP4_ADDRESSES_MAX) * (IP_ADDRESS_TEXT + 5)];
    setenv("BAREWIRE_NAME", name, 1);
    if (tool_look(IPC_LOOK))
        return;
    const struct stack *stack = &shared->stack;
    uint32_t waiting = stack->time_wait_count;
    pool_look(&shared->processes, add_process, programs);
    write_address(stack, address, sizeof address);
    if (!programs[0])
        snprintf(programs, sizeof programs, "nobody; waits out %u connection%s", waiting,
                 waiting == 1 ? "" : "s");
    printf("%-32s %-18s %7d %7u  %s\n", name, address, shared->keeper_pid, stack->sockets.used, programs);
}

/* Each in a process of its own: all stacks have the same place in memory. */
static void visit(const char *name, void *context) {
    bool *first = context;
    int status;
    if (*first)
        printf("%-32s %-18s %7s %7s  %s\n", "Name", "Address", "Keeper", "Sockets", "Programs");
    *first = false;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        show(name);
        exit(0);
    }
    if (child > 0)
        waitpid(child, &status, 0);
}

int tool_ls(void) {
    bool first = true;
    unsetenv("BAREWIRE_NIC"); /* a name is enough */
    unsetenv("BAREWIRE_ADDRESS");
    if (tool_stacks(visit, &first) == 0)
        fprintf(stderr, "barewire: no stack is running\n");
    return 0;
}
