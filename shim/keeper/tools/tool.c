/* SPDX-License-Identifier: MIT */
/*
 * tool.c - what the command asks the keeper's program for, beside keeping: to end a stack.
 */
#include "shim/keeper/tools/tool.h"
#include "shim/region/config.h"
#include "shim/region/ipc.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

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
