/* SPDX-License-Identifier: MIT */
/*
 * tool.c - what the command asks the keeper's program for, beside keeping: is a program dynamically
 * linked; end a stack.
 */
#include "shim/keeper/tools/tool.h"
#include "nic/impair.h"
#include "nic/interface.h"
#include "shim/region/config.h"
#include "shim/region/elf.h"
#include "shim/region/ipc.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

int tool_is_dynamic(const char *path) {
    struct program program;
    program_look(path, false, &program);
    if (program.out_of_reach)
        puts(program.out_of_reach);
    return program.out_of_reach ? 1 : program.guest ? 3 : 0;
}

/* What is named and wrong is said before the program begins. A stack that is joined by its name may be in
 * another network namespace, with another NIC. */
static bool options_are_right(void) {
    static struct config config;
    struct impair_specs specs;
    struct nic_facts facts;
    char error[CONFIG_ERROR_BYTES];
    const char *interface;
    bool right =
        config_read(&config, error) && (!config.impair[0] || impair_parse(config.impair, &specs, error));
    if (right && !config.name_given && (interface = ipc_interface(config.nic)))
        right = interface_facts(interface, &facts, error);
    if (!right)
        fprintf(stderr, "barewire: %s\n", error);
    return right;
}

int tool_check(const char *path) {
    return options_are_right() ? tool_is_dynamic(path) : 2;
}

int tool_down(void) {
    struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, IPC_DOWN}};
    static struct ipc_reply reply;
    static struct config config;
    const struct timeval patience = {.tv_sec = 10};
    int ipc = tool_connect(&config);
    if (ipc < 0)
        return 2;
    setsockopt(ipc, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (send(ipc, &request, sizeof request, MSG_NOSIGNAL) < 0 || recv(ipc, &reply, sizeof reply, 0) <= 0) {
        fprintf(stderr, "barewire: stack '%s' does not answer\n", config.name);
        return 2;
    }
    while (recv(ipc, &reply, sizeof reply, 0) > 0)
        continue; /* until the keeper has ended */
    return 0;
}
